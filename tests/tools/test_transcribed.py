"""Programs as other systems write them, on a library whose truth is known: what can be said, and that it comes out."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from agentvid.config import Settings
from agentvid.library import Library
from agentvid.tools import TOOLS
from agentvid.tools.base import Tool, ToolContext
from agentvid.tools.program import BUILTINS, Outcome, check_program, run_program
from agentvid.tools.program.values import to_json
from agentvid.types import Moment

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "visual-programs.md").read_text("utf-8")
#: (step, program, JSON of its value) of every row of the page's tables.
ROWS = re.findall(r"^\| ([\w ]+) \| .* \| `(.+)` \| `(.+)` \|$", PAGE, re.MULTILINE)
VURF = {
    *("TRACK", "CROP", "TRIM", "TRIM_BEFORE", "TRIM_AFTER", "MERGE", "COUNT", "SUMMARIZE", "PREDICT", "ANALYSE"),
    *("GET_TIME_INDEX", "EVAL", "VQA", "RESULT"),
}
STAIR = {
    *("And", "AttnVideo", "Choose", "Compare", "Equals", "Exists", "ExistsFrame", "Filter", "FilterFrame", "HasItem"),
    *("Localize", "Relate", "Superlative", "Temporal", "ToAction", "Xor", "XorFrame", "Array2", "Query", "Iterate"),
    *("IterateUntil", "Subtract", "OnlyItem"),
}
#: Builtins that were added so that the corpus could be written.
ADDED = {"floor", "index_of", "join", "most_common", "nearest", "number_in", "sort_by", "split"}

CORPUS = yaml.safe_load((Path(__file__).parent / "transcribed.yaml").read_text("utf-8"))
ENTRIES: list[Mapping[str, Any]] = CORPUS["programs"]
WRITTEN = [entry for entry in ENTRIES if "program" in entry]


def look(context: ToolContext, *, within: Moment, question: str) -> str:
    """What the picture shows of a question in a moment: the first thing that the corpus says of its seconds."""
    said = CORPUS["looks"][context.scope[within.video_id].title].get(question, [])
    context.ledger.record([within])
    ends = within.span
    return next((text for start, end, text in said if ends.start_seconds < end and start < ends.end_seconds), "unknown")


WITH_LOOK: Mapping[str, Tool] = {**TOOLS, "look": Tool.from_function(look, parallel="always")}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    directory = tmp_path_factory.mktemp("transcribed")
    lines = [
        {"video": title, "duration": video["seconds"], "track": track, "start": start, "end": end, "text": text}
        for title, video in CORPUS["videos"].items()
        for track, rows in video.items()
        if track != "seconds"
        for start, end, text in rows
    ]
    file = directory / "rows.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    settings = Settings(library=directory, cache=directory, embed=False, index="numpy")
    with Library.open(directory / "store", settings=settings) as opened:
        assert not opened.import_file(file).failed
        yield opened


@pytest.fixture
def context(library: Library) -> ToolContext:
    scope = {video.id: video for video in library.catalogue.videos()}
    return ToolContext(library.catalogue, library.retriever, scope)


def spans(outcome: Outcome) -> list[list[float]]:
    return [[m.span.start_seconds, m.span.end_seconds] for m in outcome.evidence]


@pytest.mark.parametrize("entry", WRITTEN, ids=lambda entry: f"{entry['family']}: {entry['task'][:50]}")
def test_a_transcribed_program_gives_what_is_true(context: ToolContext, entry: Mapping[str, Any]) -> None:
    outcome = run_program(check_program(entry["program"], WITH_LOOK), context).outcome
    assert to_json(outcome.value) == entry["value"]
    if "evidence" in entry:
        assert spans(outcome) == entry["evidence"]
    # What is cited was returned by a tool of this run, or lies in a place that was computed from such moments.
    assert all(moment.video_id in context.scope for moment in outcome.evidence)


@pytest.mark.parametrize(("step", "program", "value"), ROWS, ids=[row[0] for row in ROWS])
def test_an_example_of_the_page_gives_what_stands_beside_it(
    context: ToolContext, step: str, program: str, value: str
) -> None:
    outcome = run_program(check_program(program, WITH_LOOK), context).outcome
    assert to_json(outcome.value) == json.loads(value)


def test_the_page_has_every_step_and_module() -> None:
    assert {step.split()[0] for step, *_ in ROWS} == VURF | STAIR
    directions = {"before", "after", "between", "while", "forward", "backward", "max", "min"}
    assert {step.split()[1] for step, *_ in ROWS if " " in step} == directions


def test_at_least_95_in_100_can_be_written_and_the_page_says_how_many() -> None:
    families = Counter(entry["family"] for entry in ENTRIES)
    before = [entry for entry in WRITTEN if not ADDED & set(re.findall(r"(\w+)\(", entry["program"]))]
    assert len(ENTRIES) >= 100
    assert len({entry["task"] for entry in ENTRIES}) == len(ENTRIES)
    assert len(WRITTEN) / len(ENTRIES) >= 0.95
    assert set(BUILTINS) >= ADDED
    said = " ".join(PAGE.split())
    assert (
        f"{len(ENTRIES)} tasks of four kinds: {families['agqa']} as AGQA asks them, {families['vipergpt']} as ViperGPT,"
        f" {families['visprog']} as VisProg and {families['vurf']} as VURF solve them"
    ) in said
    assert f"{len(WRITTEN)} ({len(WRITTEN) / len(ENTRIES):.0%}".replace("%", " %") in said
    assert f"{len(before)} ({len(before) / len(ENTRIES):.0%}".replace("%", " %") in said
    for entry in ENTRIES:
        if "inexpressible" in entry:
            assert f"{entry['task'].rstrip('.?')}: {entry['inexpressible']}" in said
