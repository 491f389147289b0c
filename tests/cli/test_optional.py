"""Doctor tells what is not installed and the command that brings it; a library without it is in order."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agentvid.optional import EXTRAS

#: Starts a command line in a Python that finds none of the modules given first, as if they were not installed.
_WITHOUT = """
import importlib.util, sys
hidden = set(sys.argv[1].split(","))
class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in hidden:
            raise ModuleNotFoundError(name=name)
sys.meta_path.insert(0, Hide())
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name in hidden else found(name, package)
from agentvid.cli import main
main(sys.argv[2:])
"""


def doctor_without(modules: set[str], shelf: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"AGENTVID_LIBRARY": str(shelf / "library"), "AGENTVID_OCR": "false", "PATH": str(shelf)}
    command = [sys.executable, "-c", _WITHOUT, ",".join(modules), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, cwd=shelf)


def test_each_thing_that_is_missing_comes_with_its_command(shelf: Path) -> None:
    needed = {"faiss", "PIL"}  # torch and the index of this library are made of them
    modules = {module for _, names in EXTRAS.values() for module in names} - needed
    finished = doctor_without(modules, shelf, "doctor")
    assert finished.returncode == 0, finished.stderr
    lines = [line for line in finished.stdout.splitlines() if line.startswith("optional: ")]
    for extra, (purpose, names) in EXTRAS.items():
        if set(names) <= modules:
            assert any(purpose in line and line.endswith(f"- pip install 'agentvid[{extra}]'") for line in lines)
    assert any("`agentvid play`" in line and line.endswith("- install mpv") for line in lines)
    document = json.loads(doctor_without(modules, shelf, "doctor", "--json").stdout)
    assert document["ok"]
    assert {entry["name"] for entry in document["optional"] if entry["kind"] == "extra"} == set(EXTRAS)


def test_what_needs_several_packages_says_so_in_the_plural(shelf: Path) -> None:
    several = doctor_without({"fastapi", "uvicorn"}, shelf, "doctor").stdout
    assert "needs the packages fastapi and uvicorn - pip install" in several
    assert "needs the package uvicorn - pip install" in doctor_without({"uvicorn"}, shelf, "doctor").stdout


def test_they_are_told_before_there_is_a_library(shelf: Path) -> None:
    (shelf / "library").rename(shelf / "no-library")
    finished = doctor_without({"opentimelineio"}, shelf, "doctor")
    assert finished.returncode == 3
    assert "no library" in finished.stderr
    assert "- pip install 'agentvid[otio]'" in finished.stdout


def test_models_of_the_profile_are_among_them(run_in: Callable[..., Any], shelf: Path) -> None:
    folder = shelf / "nothing"
    folder.mkdir()
    environment = {"HF_HUB_CACHE": str(folder), "HF_HUB_OFFLINE": "1"}
    finished = run_in(["--profile", "cpu", "doctor", "--json"], folder=shelf, environment=environment)
    missing = [entry for entry in json.loads(finished.stdout)["optional"] if entry["kind"] == "model"]
    assert any(entry["missing"] and entry["bring"] for entry in missing)
