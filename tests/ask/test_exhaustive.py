"""All, how many, never, only once: each thing once, and what the answer rests on is said."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agentvid.composers.llm import LLMComposer
from agentvid.config import Settings
from agentvid.graph import AskContext, ask
from agentvid.importer import read_import
from agentvid.indexes.catalogue import Catalogue
from agentvid.ingest import Pipeline, import_fingerprint, ingest_import
from agentvid.models.scripted import HashEmbedder, ScriptedChat
from agentvid.planners.llm import LLMPlanner
from agentvid.tools import TOOLS
from agentvid.tools.base import ToolContext
from agentvid.tools.list_all import MAX_MOMENTS, list_all
from agentvid.tools.program import check_program, run_program
from agentvid.types import Gap, Span

ContextFor = Callable[..., AskContext]
ToolsFor = Callable[..., ToolContext]

BELLS = [
    ("speech", 0, 4, "The brass bell rings."),
    ("ocr", 5, 9, "brass bell"),
    ("caption", 10, 14, "a brass bell on a wall"),
    ("speech", 30, 34, "Nothing happens for a while."),
    ("speech", 60, 64, "The brass bell rings again, yes the brass bell."),
    ("ocr", 61, 63, "BRASS BELL"),
    ("speech", 80, 84, "A cuckoo sings."),
]
BIRDS = [
    ("speech", 0, 4, "A cuckoo calls from the oak."),
    ("speech", 90, 94, "An owl hoots at night."),
]


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory, import_video: Callable[..., None]) -> Iterator[Catalogue]:
    """Two videos with text; one of which only the light was measured; one whose speech failed from 0:20 on."""
    folder = tmp_path_factory.mktemp("yard")
    with Catalogue.open(folder / "library") as opened:
        rows = {"bells.mp4": BELLS, "birds.mp4": BIRDS, "mute.mp4": [("fact", 0, 5, "black screen")]}
        import_video(opened, folder / "rows.jsonl", rows)
        cut = {"video": "cut.mp4", "duration": 60, "track": "speech", "start": 0, "end": 5, "text": "A robin is here."}
        (folder / "cut.jsonl").write_text(json.dumps(cut), "utf-8")
        (video,) = read_import(folder / "cut.jsonl").videos
        pipeline = Pipeline(Settings(), HashEmbedder(256))
        record = ingest_import(video, import_fingerprint(video, pipeline), pipeline).record
        gaps = (Gap(record.video.id, Span(20, 60), "speech", "the audio is damaged"),)
        opened.put_video(replace(record, gaps=gaps))
        yield opened


@pytest.mark.parametrize(
    ("question", "start"),
    [
        ("How many times is the brass bell mentioned?", "3 in all, some of them in the same moment: in bells.mp4 at"),
        ("Is the brass bell never mentioned?", "No: in bells.mp4 at 0:00-0:04 the speech says"),
        ("Do they never mention a trumpet?", "Yes: nothing matching “a trumpet”"),
        ("Is it true that nobody ever mentions trumpets?", "Yes: nothing matching “trumpets”"),
        ("Does anyone ever mention a trumpet?", "No: nothing matching “a trumpet”"),
        ("How many times is a trumpet mentioned?", "0: nothing matching “a trumpet”"),
        ("Is the oak mentioned only once?", "Yes: in birds.mp4 at 0:00-0:04"),
        ("Is the cuckoo mentioned only once?", "No: in b"),
        ("Is the trumpet mentioned only once?", "No: nothing matching"),
        ("Is the cuckoo mentioned more than once?", "Yes: in b"),
        ("Is the oak mentioned more than once?", "No: in birds.mp4 at 0:00-0:04"),
        ("Is the cuckoo mentioned in both videos?", "Yes: in b"),
        ("Is the owl mentioned in every video?", "No: in birds.mp4 at 1:30-1:34"),
    ],
)
def test_all_never_and_only_once(context_for: ContextFor, yard: Catalogue, question: str, start: str) -> None:
    answer = ask(question, context_for("bells.mp4", "birds.mp4", of=yard))
    assert not answer.abstained, answer.text
    assert answer.text.startswith(start), answer.text
    assert "2 videos (4:00 in all; tracks: " in answer.text
    assert answer.coverage.seconds == 240.0


def test_every_occurrence_is_listed_once(context_for: ContextFor, yard: Catalogue) -> None:
    """A sign during the words, or right after them, is the same thing; the caption 6 s later is another."""
    answer = ask("Find all the times the brass bell is mentioned", context_for("bells.mp4", "birds.mp4", of=yard))
    assert [(e.track, e.span.start_seconds) for e in answer.evidence] == [
        ("speech", 0.0),
        ("caption", 10.0),
        ("speech", 60.0),
    ]
    assert answer.text.endswith(
        "tracks: caption in 1 of 2, ocr in 1 of 2, speech) was compared; what was found lies in 1 of them."
    )


@pytest.mark.parametrize(
    ("question", "starts"),
    [
        ("When is the cuckoo first mentioned?", [0.0, 80.0]),
        ("When is the bell last mentioned?", [60.0]),
        ("When is the second mention of the brass bell?", [10.0]),
    ],
)
def test_first_last_and_nth_are_of_every_video(
    context_for: ContextFor, yard: Catalogue, question: str, starts: list[float]
) -> None:
    answer = ask(question, context_for("bells.mp4", "birds.mp4", of=yard))
    assert sorted(item.span.start_seconds for item in answer.evidence) == starts, answer.text


def test_a_video_without_text_was_not_examined(context_for: ContextFor, yard: Catalogue) -> None:
    answer = ask("Does anyone ever mention a trumpet?", context_for("birds.mp4", "mute.mp4", of=yard))
    assert "1 video (2:00 in all; tracks: fact in 1 of 2, speech in 1 of 2)" in answer.text
    assert "not examined: mute.mp4 (nothing to read)" in answer.text
    assert answer.confidence <= 0.5
    alone = ask("Does anyone ever mention a trumpet?", context_for("mute.mp4", of=yard))
    assert alone.abstained


def test_a_gap_is_told_with_its_seconds_and_reason(context_for: ContextFor, yard: Catalogue) -> None:
    answer = ask("Is a trumpet never mentioned?", context_for("cut.mp4", "birds.mp4", of=yard))
    assert answer.text.startswith("Yes: ")
    assert "not examined: speech of cut.mp4 at 0:20-1:00 (the audio is damaged)" in answer.text


def test_only_what_was_asked_for_counts_as_examined(context_for: ContextFor, yard: Catalogue) -> None:
    answer = ask("Is a trumpet mentioned in birds.mp4?", context_for(of=yard))
    assert "in any passage of 1 video (2:00 in all; tracks: speech)." in answer.text


def test_a_search_denies_nothing(tools_for: ToolsFor, context_for: ContextFor, yard: Catalogue) -> None:
    """A planner that only looked at the best few cannot say "no"."""
    program = 'hits = [m for m in search(query="owl") if text_contains(m, "trumpet")]\n'
    chat = ScriptedChat([f'{program}answer(kind="yes_no", value=exists(hits), evidence=hits)'])
    answer = ask("Does an owl play the trumpet?", context_for("birds.mp4", of=yard, planner=LLMPlanner(chat)))
    assert answer.abstained


def test_an_llm_says_what_its_count_rests_on_and_only_then(context_for: ContextFor, yard: Catalogue) -> None:
    good = {"claims": [{"text": "2 in all.", "evidence": ["e1", "e2"]}], "choice": None, "abstain": False}
    lie = {"claims": [{"text": "There are 7 cuckoos.", "evidence": ["e1"]}], "choice": None, "abstain": False}
    question = "How many times is the cuckoo mentioned?"
    for reply, is_kept in ((good, True), (lie, False)):
        composer = LLMComposer(ScriptedChat([json.dumps(reply)]))
        answer = ask(question, context_for("bells.mp4", "birds.mp4", of=yard, composer=composer))
        assert answer.abstained is not is_kept
        assert answer.text.endswith("was compared; what was found lies in 2 of them.") is is_kept


def test_a_count_of_everything_says_what_was_examined(context_for: ContextFor, yard: Catalogue) -> None:
    query = '"brass bell"'
    program = f"hits = list_all(query='{query}')\nanswer(kind=\"count\", value=count_all(query='{query}', gap=0)"
    chat = ScriptedChat([f"{program}, evidence=hits)"])
    context = context_for("bells.mp4", "birds.mp4", of=yard, planner=LLMPlanner(chat))
    answer = ask("How often is the brass bell there?", context)
    assert answer.text.startswith("3 in all: in bells.mp4 at 0:00-0:04")
    assert "Every passage of 2 videos (4:00 in all; tracks: caption in 1 of 2" in answer.text


def test_what_stands_beside_it_is_no_occurrence(tools_for: ToolsFor, yard: Catalogue, tmp_path: Path) -> None:
    """A vector holds the words before a passage: the passage after "brass bell" looks like one about it."""
    tools = tools_for("bells.mp4", of=yard)
    found = list_all(tools, query="brass bell", track="speech")
    assert [m.span.start_seconds for m in found] == [0.0, 60.0]
    assert [scan.query for scan in tools.ledger.scans] == ["brass bell"]
    assert tools.ledger.scans[0].where.tracks == ("speech",)


def test_words_that_every_question_has_can_be_counted(tools_for: ToolsFor, yard: Catalogue) -> None:
    assert [m.span.start_seconds for m in list_all(tools_for("birds.mp4", of=yard), query='"the"')] == [0.0]


def test_what_comes_near_is_neither_denied_nor_affirmed(context_for: ContextFor, yard: Catalogue) -> None:
    answer = ask('Is the phrase "night owl" never said?', context_for("birds.mp4", of=yard))
    assert answer.abstained
    assert "no passage of 1 video (2:00 in all; tracks: speech) is surely about it" in answer.text
    assert answer.evidence[0].quote == "An owl hoots at night."


def test_a_full_list_stops_and_says_so(
    tools_for: ToolsFor,
    context_for: ContextFor,
    import_video: Callable[..., None],
    tmp_path: Path,
) -> None:
    number = MAX_MOMENTS + 30
    rows = [("speech", i / 10, i / 10 + 0.05, f"tick {i}") for i in range(number)]
    with Catalogue.open(tmp_path / "library") as opened:
        import_video(opened, tmp_path / "rows.jsonl", {"clock.mp4": rows})
        tools = tools_for(of=opened)
        program = check_program('hits = list_all(query="tick")\ncount(hits)', TOOLS)
        assert run_program(program, tools).value == MAX_MOMENTS
        assert tools.ledger.scans[0].left == 30
        answer = ask("How many times does it tick?", context_for(of=opened))
        assert answer.text.startswith(f"{MAX_MOMENTS} or more in all; the first 20 are")
        assert any("30 further places that fit were left out" in line for line in answer.coverage.missing)
