"""The package holds what the folders hold, and imports stay cheap."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import agentvid
from agentvid.optional import EXTRAS

ROOT = Path(__file__).parents[2]
FOLDERS = {"agentvid": ROOT / "agentvid", "agentvid.tools": ROOT / "tools"}
FOLDERS |= {"agentvid.indexes": ROOT / "indexes", "agentvid.prompts": ROOT / "prompts"}
#: Folders of data that hold no module; setuptools warns at every installation of those that are not listed.
DATA = {"agentvid.serve.static": ROOT / "agentvid/serve/static", "agentvid.skill": ROOT / "agentvid/skill"}


def _packages_on_disk() -> set[str]:
    found = set()
    for package, folder in FOLDERS.items():
        for init in folder.rglob("__init__.py"):
            inner = init.parent.relative_to(folder).parts
            if not (package == "agentvid" and inner and inner[0] in {"tools", "indexes", "prompts"}):
                found.add(".".join((package, *inner)))
    return found


def test_pyproject_lists_every_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert set(project["tool"]["setuptools"]["packages"]) == _packages_on_disk() | set(DATA)


@pytest.mark.parametrize("package", DATA)
def test_every_file_of_data_is_in_the_package(package: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"][package]
    declared = {file for pattern in patterns for file in DATA[package].glob(pattern)}
    assert declared == {file for file in DATA[package].rglob("*") if file.is_file()} != set()


def test_the_page_names_every_module_and_nothing_else() -> None:
    static = ROOT / "agentvid" / "serve" / "static"
    named = set(re.findall(r'(?:href|src)="/static/([^"]+)"', (static / "index.html").read_text("utf-8")))
    assert named == {file.name for file in static.iterdir()} - {"index.html"}


@pytest.mark.parametrize("name", ["tools", "indexes", "prompts"])
def test_links_lead_to_the_folders(name: str) -> None:
    link = ROOT / "agentvid" / name
    assert link.is_symlink()
    assert link.resolve() == ROOT / name


def test_public_names_are_sorted_and_real() -> None:
    assert agentvid.__all__ == sorted(agentvid.__all__)
    assert all(getattr(agentvid, name) is not None for name in agentvid.__all__)


def test_version_agrees_with_the_project_and_the_changelog() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert project["project"]["version"] == agentvid.__version__
    assert f"## {agentvid.__version__}" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_constraints_pin_torch_and_every_declared_dependency() -> None:
    pins = {line.split("==")[0].lower() for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    names = {requirement.split(">")[0].split("=")[0].lower() for requirement in project["dependencies"]}
    assert names <= pins
    assert "torch==2.13.0" in (ROOT / "constraints.txt").read_text().splitlines()


def test_doctor_knows_every_extra() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    frameworks = {"langchain", "openai-agents", "smolagents", "llamaindex", "crewai"}
    assert set(EXTRAS) == set(project["optional-dependencies"]) - frameworks - {"gpu"}


def test_importing_agentvid_imports_nothing_heavy() -> None:
    code = "import sys, agentvid; print([m for m in ('numpy', 'torch', 'sqlalchemy', 'av') if m in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"
