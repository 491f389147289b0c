"""Places in an order that there are not, and measured facts of a part of the video."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from agentvid.config import Settings
from agentvid.graph import AskContext, ask
from agentvid.importer import read_import
from agentvid.indexes.base import VideoRecord
from agentvid.indexes.catalogue import Catalogue
from agentvid.ingest import Pipeline, import_fingerprint, ingest_import
from agentvid.models.scripted import HashEmbedder
from agentvid.types import ROLLING, SCREEN, SUBTITLE, Span

ContextFor = Callable[..., AskContext]
ROWS = [
    ("ocr", 0, 20, "Stream ciphers: definitions and history"),
    ("ocr", 20, 60, "Proof: an adversary breaks the generator"),
    ("speech", 3, 6, "A cipher hides a message."),
    ("speech", 30, 33, "Every cipher needs a key."),
    ("fact", 0, 30, "bright scene, mostly white, 3 shots"),
    ("fact", 30, 60, "bright scene, mostly white, 2 shots"),
]
CUTS = (5.0, 20.0, 35.25, 50.0)


def recorded(folder: Path, rows: Sequence[tuple[str, float, float, str]]) -> VideoRecord:
    """A minute with these rows."""
    lines = [
        {"video": "lecture.mp4", "duration": 60, "track": track, "start": start, "end": end, "text": text}
        for track, start, end, text in rows
    ]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, lines)), "utf-8")
    (video,) = read_import(folder / "rows.jsonl").videos
    pipeline = Pipeline(Settings(), HashEmbedder(256))
    return ingest_import(video, import_fingerprint(video, pipeline), pipeline).record


@pytest.fixture(scope="module")
def lecture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalogue]:
    """A minute with two slides and four cuts."""
    folder = tmp_path_factory.mktemp("lecture")
    record = recorded(folder, ROWS)
    shots = tuple(Span(start, end) for start, end in zip((0.0, *CUTS), (*CUTS, 60.0), strict=True))
    with Catalogue.open(folder / "library") as opened:
        opened.put_video(replace(record, shots=shots))
        yield opened


@pytest.mark.parametrize(
    ("question", "reason", "shown"),
    [
        ("What is on the third slide?", "there is no number 3: only 2 were found", "Stream ciphers"),
        ("When is the 5th time a cipher is mentioned?", "there is no number 5: only 2 were found", "A cipher hides"),
        ("When is the third time they say cipher?", "there is no number 3: only 2 were found", "A cipher hides"),
    ],
)
def test_a_number_that_is_too_high_says_how_many_there_are(
    context_for: ContextFor, lecture: Catalogue, question: str, reason: str, shown: str
) -> None:
    answer = ask(question, context_for(of=lecture))
    assert answer.abstained
    assert reason in answer.text
    assert answer.evidence[0].quote.startswith(shown)


def test_what_is_mentioned_nowhere_is_denied_as_ever(context_for: ContextFor, lecture: Catalogue) -> None:
    assert "nothing matching" in ask("When is the 5th time a whale is mentioned?", context_for(of=lecture)).text


@pytest.mark.parametrize(
    ("question", "start"),
    [
        ("How many cuts are there?", "4 cuts at 0:05.0, 0:20.0, 0:35.2, 0:50.0."),
        ("When are the cuts?", "4 cuts at 0:05.0, 0:20.0, 0:35.2, 0:50.0."),
        ("How many shots are there?", "5 shots at 0:00.0, 0:05.0,"),
        ("How many cuts are there in the first 30 seconds?", "2 cuts at 0:05.0, 0:20.0."),
        ("In the first 10 seconds, how many cuts are there?", "1 cut at 0:05.0."),
        ("how many shots between 0:10 and 0:40?", "3 shots at 0:10.0, 0:20.0, 0:35.2."),
        ("How many cuts are there in the last 15 seconds?", "1 cut at 0:50.0."),
        ("How many cuts are there after 0:55?", "0 cuts."),
    ],
)
def test_measured_facts_are_those_of_the_part_that_is_named(
    context_for: ContextFor, lecture: Catalogue, question: str, start: str
) -> None:
    answer = ask(question, context_for(of=lecture))
    assert answer.text.startswith(start)
    assert answer.confidence < 1


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("How many slides are there in the first 10 seconds?", "1 in all: at 0:00-0:10"),
        ("How long is the second slide shown?", "40.0 seconds: at 0:20-1:00"),
        ("How long is the first slide shown?", "20.0 seconds: at 0:00-0:20"),
        ("When does the slide change?", "At 0:20-1:00 the screen shows"),
        ("Is there any text on screen after 0:30?", "Yes: at 0:20-1:00"),
        ("Which video has the most cuts?", "4 cuts at 0:05.0"),
    ],
)
def test_slides_and_text_are_told_in_the_part_that_is_named(
    context_for: ContextFor, lecture: Catalogue, question: str, told: str
) -> None:
    assert told in ask(question, context_for(of=lecture)).text


@pytest.mark.parametrize("kind", [SUBTITLE, ROLLING])
def test_subtitles_and_crawls_are_no_slides(context_for: ContextFor, tmp_path: Path, kind: str) -> None:
    """Text that is burnt in changes every few seconds; the slide behind it does not."""
    spoken = [
        ("ocr", start, start + 3, " ".join(f"{word}{start}" for word in "we were told of many other things".split()))
        for start in range(0, 57, 3)
    ]
    record = recorded(tmp_path, [*ROWS, *spoken])
    kinds = {text: kind for _, _, _, text in spoken}
    rows = [replace(row, attributes={"kind": kinds.get(row.text, SCREEN)}) for row in record.observations]
    with Catalogue.open(tmp_path / "library") as opened:
        opened.put_video(replace(record, observations=tuple(rows)))
        told = ask("How many slides are there?", context_for(of=opened)).text
    assert told.startswith("2 in all")


@pytest.mark.parametrize(
    ("has_speech", "told"),
    [(False, "the screen shows: “The ferry is not running.”"), (True, "“Every cipher needs a key.”")],
)
@pytest.mark.parametrize(
    "question", ["What do the subtitles say at 0:31?", "What is said at 0:31?", "What do the subtitles say?"]
)
def test_burnt_in_subtitles_stand_for_speech_where_there_is_none(
    context_for: ContextFor, tmp_path: Path, question: str, has_speech: bool, told: str
) -> None:
    burnt = ("ocr", 30, 33, "The ferry is not running.")
    record = recorded(tmp_path, [*(row for row in ROWS if has_speech or row[0] != "speech"), burnt])
    rows = [
        replace(row, attributes={"kind": SUBTITLE if row.text == burnt[3] else SCREEN}) for row in record.observations
    ]
    with Catalogue.open(tmp_path / "library") as opened:
        opened.put_video(replace(record, observations=tuple(rows)))
        answer = ask(question, context_for(of=opened))
    assert told in answer.text
    assert "Proof" not in answer.text


def test_what_a_count_of_cuts_is_worth_is_said(context_for: ContextFor, lecture: Catalogue) -> None:
    answer = ask("How many cuts are there?", context_for(of=lecture))
    assert "right about 98 of 100" in answer.text
    assert answer.confidence == pytest.approx(0.98)


def test_a_part_that_lies_behind_the_end_is_refused_with_the_length(
    context_for: ContextFor, lecture: Catalogue
) -> None:
    answer = ask("How many cuts are there between 2:00 and 3:00?", context_for(of=lecture))
    assert answer.abstained
    assert "allowed: 0..60 s" in answer.text
