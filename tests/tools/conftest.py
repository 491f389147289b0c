"""A program's world in memory: three small tools and two videos, and a real library for the real tools."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from agentvid.config import Settings
from agentvid.library import Library
from agentvid.tools.base import Tool, ToolContext
from agentvid.tools.program import Limits, Run, check_program, run_program
from agentvid.types import Moment, Span, Video

TITLES = {"v1": "Talk", "v2": "Film"}
Runner = Callable[..., Run]


def find(context: ToolContext, *, query: str, k: float = 3.0, within: Moment | None = None) -> list[Moment]:
    """As many moments as asked for, ten seconds apart, five long, best first; none for "nothing".

    Args:
        query: said by every moment
        k: how many
        within: only moments that overlap it
    """
    count = 0 if query == "nothing" else int(k)
    texts = [f"{query} number {i}" for i in range(count)]
    found = [
        Moment("v1", Span(10.0 * i, 10.0 * i + 5), 1 - i / 1000, "speech", text, 0.5, {"lexical": i + 1}, (i + 1,))
        for i, text in enumerate(texts)
    ]
    kept = [moment for moment in found if within is None or moment.span.overlaps(within.span)]
    return context.ledger.record(kept)


def ask(context: ToolContext, *, about: Moment, question: str) -> str:
    """A text about one moment."""
    return f"{question} {about.text}"


def rate(context: ToolContext, *, options: list[str]) -> list[float]:
    """The lengths of texts."""
    return [float(len(option)) for option in options]


TOOLS: Mapping[str, Tool] = {
    "find": Tool.from_function(find),
    "ask": Tool.from_function(ask),
    "rate": Tool.from_function(rate),
}


def make_context() -> ToolContext:
    """Two videos of 5,000 s. The tools above need no catalogue and no retriever, and must not get one."""
    scope = {name: Video(name, f"hash-{name}", title, 5_000.0) for name, title in TITLES.items()}
    return ToolContext(cast(Any, None), cast(Any, None), scope)


@pytest.fixture
def tools() -> Mapping[str, Tool]:
    return TOOLS


@pytest.fixture
def context() -> ToolContext:
    return make_context()


@pytest.fixture
def run(context: ToolContext) -> Runner:
    """Checks and runs a program."""

    def run_source(source: str, limits: Limits | None = None, extra: Mapping[str, Tool] | None = None) -> Run:
        return run_program(check_program(source, {**TOOLS, **(extra or {})}), context, limits or Limits())

    return run_source


CORPUS: Mapping[str, list[tuple[str, float, float, str]]] = {
    "Kitchen": [
        ("speech", 0, 4, "Welcome to the kitchen, today we bake bread."),
        ("speech", 4, 8, "First we open the red"),
        ("speech", 8, 12, "door of the oven."),
        ("speech", 20, 24, "Add a pinch of salt to the dough."),
        ("ocr", 20, 30, "Salt: 2 g"),
        ("speech", 26, 29, "More salt, please."),
        ("speech", 60, 64, "The timer rings and the bread is ready."),
        ("caption", 60, 70, "a woman opens the oven"),
        ("caption", 71, 80, "a woman opens the oven"),
        ("caption", 95, 99, "a woman opens the oven"),
    ],
    "Rocket": [
        ("speech", 0, 5, "The launch date is the fourth of March."),
        ("speech", 5, 10, "Before the launch we check the engine."),
        ("speech", 40, 45, "Three, two, one, ignition."),
        ("speech", 45, 50, "The rocket leaves the red door of the tower behind."),
        ("ocr", 0, 50, "LAUNCH 2031"),
    ],
    "Secret": [("speech", 0, 5, "The red door hides the launch of the bread oven.")],
}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """Three text-only videos of 100 s, indexed by words only, so that no model is loaded."""
    directory = tmp_path_factory.mktemp("library")
    lines = [
        {"video": title, "duration": 100.0, "track": track, "start": start, "end": end, "text": text}
        for title, rows in CORPUS.items()
        for track, start, end, text in rows
    ]
    file = Path(directory) / "rows.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    settings = Settings(library=directory, cache=directory, embed=False, index="numpy")
    with Library.open(directory / "store", settings=settings) as opened:
        report = opened.import_file(file)
        assert not report.failed
        yield opened


@pytest.fixture
def in_library(library: Library) -> ToolContext:
    """A fresh context on the library whose scope leaves out the video "Secret"."""
    scope = {video.id: video for video in library.catalogue.videos() if video.title != "Secret"}
    return ToolContext(library.catalogue, library.retriever, scope)
