"""Imports go one way, and dangerous or foreign ones stay where they belong; read off the syntax trees."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: A module may import its own layer and those before it; docs/structure.md draws them.
LAYERS = [
    {
        "types",
        "errors",
        "events",
        "text",
        "untrusted",
        "words",
        "identity",
        "budget",
        "profiles",
        "listening",
        "saving",
        "reach",
    },
    {"config", "egress"},
    {"media", "segment", "models", "prompts", "indexes"},
    {
        "perceive",
        "watch",
        "passages",
        "salience",
        "chapters",
        "sections",
        "abstracts",
        "assemble",
        "importer",
        "discover",
        "tools",
        "trace",
        "why",
        "reports",
    },
    {"planners", "composers", "state", "budgeted", "threads"},
    {"answer", "checking"},
    {"ingest", "graph", "deepening", "estimate"},
    {"stale", "backup", "model_report", "settings_file"},
    {"parts"},
    {"adding", "ask_context"},
    {"library", "replay"},
    {"jobs"},
    {"exports", "adapters"},
    {"optional"},
    {"evaluate"},
    {"serve"},
    {"chat", "cli", "demo", "__main__"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
SOURCES = sorted(
    path
    for folder in ("agentvid", "tools", "indexes", "prompts")
    for path in (ROOT / folder).rglob("*.py")
    if not (folder == "agentvid" and path.relative_to(ROOT / folder).parts[0] in {"tools", "indexes", "prompts"})
)


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts if parts[0] == "agentvid" else ("agentvid", *parts)).removesuffix(".__init__")


def _imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _part(module: str) -> str | None:
    pieces = module.split(".")
    return pieces[1] if pieces[0] == "agentvid" and len(pieces) > 1 else None


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: _module(path))
def test_no_module_imports_a_later_layer(path: Path) -> None:
    own = _part(_module(path))
    if own is None:
        return
    assert own in LEVEL, f"name the layer of agentvid.{own} in LAYERS"
    later = {name for name in _imports(path) if (part := _part(name)) in LEVEL and LEVEL[part] > LEVEL[own]}
    assert not later


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: _module(path))
def test_only_media_imports_pyav_and_nothing_unpickles(path: Path) -> None:
    roots = {name.split(".")[0] for name in _imports(path)}
    assert "av" not in roots or "media" in path.parts
    assert not roots & {"pickle", "marshal", "shelve", "dill", "joblib"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: _module(path))
def test_no_eval_exec_or_shell(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            assert name not in {"eval", "exec", "compile", "__import__"}, f"line {node.lineno}"
            assert not any(keyword.arg == "shell" for keyword in node.keywords), f"line {node.lineno}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: _module(path))
def test_every_module_says_what_it_is(path: Path) -> None:
    if path.read_text("utf-8").strip():
        assert ast.get_docstring(ast.parse(path.read_text("utf-8")))
