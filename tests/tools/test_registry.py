"""The registry of tools: its page in docs, plug-ins, and what importing it costs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agentvid.errors import UsageError
from agentvid.tools import TOOLS, load_tools
from agentvid.tools.program import BUILTINS, LANGUAGE_RULES, check_program, reference_page


def test_page_has_every_tool_and_builtin() -> None:
    page = reference_page()
    assert all(f"### {name}\n" in page for name in TOOLS)
    assert all(f"- `{name}(" in page for name in BUILTINS)
    assert LANGUAGE_RULES in page


def test_the_program_on_the_page_checks() -> None:
    lines = reference_page().split("## Rules")[0].splitlines()
    source = "\n".join(line.strip() for line in lines if line.startswith("    "))
    assert check_program(source, TOOLS).type == "answer"


def install(folder: Path, name: str, module: str, target: str) -> None:
    """What pip leaves behind of a package with one entry point."""
    (folder / f"{name}.py").write_text(module, "utf-8")
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", "utf-8")
    (info / "entry_points.txt").write_text(f"[agentvid.tools]\n{name} = {target}\n", "utf-8")


GOOD = '''
from agentvid.tools.base import ToolContext
from agentvid.types import Moment

def shout(context: ToolContext, *, within: Moment) -> str:
    """The words, loud.

    Args:
        within: what to shout
    """
    return within.text.upper()
'''
LIST = "from agentvid.tools import load_tools\nprint(sorted(load_tools()))"


def listed(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, "PYTHONPATH": str(folder), **environment}
    return subprocess.run(
        [sys.executable, "-c", LIST], env=variables, capture_output=True, text=True, timeout=60, check=False
    )


def test_an_installed_plugin_is_a_tool_unless_plugins_are_off(tmp_path: Path) -> None:
    install(tmp_path, "loud", GOOD, "loud:shout")
    assert "'shout'" in listed(tmp_path).stdout
    off = listed(tmp_path, AGENTVID_PLUGINS="off")
    assert off.returncode == 0
    assert "'shout'" not in off.stdout


@pytest.mark.parametrize(
    ("module", "target", "message"),
    [
        ("raise RuntimeError('kaputt')", "bad:shout", "RuntimeError: kaputt"),
        (GOOD, "bad:whisper", "AttributeError"),
        ("def f(context, *, x: dict) -> str: ...", "bad:f", "not a type of the program language"),
        (GOOD.replace("shout", "search"), "bad:search", "has the name of another tool: search"),
    ],
)
def test_a_plugin_that_cannot_be_loaded_is_named(tmp_path: Path, module: str, target: str, message: str) -> None:
    install(tmp_path, "bad", module, target)
    failed = listed(tmp_path)
    assert failed.returncode == 1
    last = failed.stderr.strip().splitlines()[-1]
    assert f"{UsageError.__name__}: plug-in 'bad' ({target})" in last
    assert message in last


def test_without_plugins_the_tools_are_ours() -> None:
    assert set(TOOLS) <= set(load_tools())


def test_importing_the_language_loads_no_heavy_library() -> None:
    code = "import sys, agentvid.tools.program as p; print(sorted(set(sys.modules) & set(sys.argv[1:])))"
    heavy = [
        "torch",
        "transformers",
        "sentence_transformers",
        "cv2",
        "av",
        "faiss",
        "sqlalchemy",
        "langgraph",
        "onnxruntime",
    ]
    done = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
