"""Yes-or-no questions about measured facts are answered yes or no, by the rows that say so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agentvid.graph import AskContext, ask
from agentvid.indexes.catalogue import Catalogue

ROOM = [
    ("fact", 0, 30, "dark scene, mostly black, little motion, static camera, one shot"),
    ("fact", 30, 60, "medium-bright scene, almost all grey, still picture, one shot, noisy picture"),
]
RIDE = [
    ("fact", 0, 30, "bright scene, mostly green, much motion to the left, camera pans right, 2 shots, blurred picture"),
    ("fact", 30, 60, "bright scene, mostly green, some motion, static camera, one shot"),
]
RADIO = [("speech", 0, 30, "The camera pans over the harbour, says the reporter.")]


@pytest.fixture
def measured(tmp_path: Path, import_video: Callable[..., None]) -> Catalogue:
    catalogue = Catalogue.open(tmp_path / "library")
    import_video(
        catalogue, tmp_path / "rows.jsonl", {"room.mp4": ROOM, "ride.mp4": RIDE, "radio.mp4": RADIO}, duration=60
    )
    return catalogue


@pytest.mark.parametrize(
    ("question", "video", "verdict", "shown"),
    [
        ("Is the camera moving?", "room.mp4", "No", "static camera"),
        ("Is the camera moving?", "ride.mp4", "Yes", "camera pans right"),
        ("Is the camera static?", "room.mp4", "Yes", "static camera"),
        ("Is the camera static?", "ride.mp4", "No", "camera pans right"),
        ("Is it dark?", "room.mp4", "Yes", "dark scene"),
        ("Is it dark?", "ride.mp4", "No", "bright scene"),
        ("Is there a lot of movement?", "room.mp4", "No", "little motion"),
        ("Is there a lot of movement?", "ride.mp4", "Yes", "much motion"),
        ("Is the picture ever blurred?", "ride.mp4", "Yes", "blurred picture"),
        ("Is the video noisy?", "room.mp4", "Yes", "noisy picture"),
    ],
)
def test_measured_facts_are_told_as_yes_or_no(
    context_for: Callable[..., AskContext], measured: Catalogue, question: str, video: str, verdict: str, shown: str
) -> None:
    answer = ask(question, context_for(video, of=measured))
    assert answer.text.startswith(f"{verdict}: ")
    assert shown in answer.evidence[0].quote


@pytest.mark.parametrize(
    ("question", "start_seconds", "shown"),
    [
        ("When is the picture noisy?", 30.0, "noisy picture"),
        ("Which scenes are grainy?", 30.0, "noisy picture"),
        ("How is the picture quality?", 30.0, "noisy picture"),
        ("How is the picture quality at 0:10?", 0.0, "dark scene"),
    ],
)
def test_the_quality_of_the_picture_is_told_where_it_was_measured(
    context_for: Callable[..., AskContext], measured: Catalogue, question: str, start_seconds: float, shown: str
) -> None:
    answer = ask(question, context_for("room.mp4", of=measured))
    assert [(item.span.start_seconds, shown in item.quote) for item in answer.evidence] == [(start_seconds, True)]


@pytest.mark.parametrize("question", ["Is the picture blurred?", "When is the picture overexposed?"])
def test_a_fault_that_no_row_tells_is_not_found(
    context_for: Callable[..., AskContext], measured: Catalogue, question: str
) -> None:
    answer = ask(question, context_for("room.mp4", of=measured))
    assert answer.text.startswith(("No: nothing", "None: nothing"))
    assert not answer.evidence


def test_no_fault_anywhere_is_said_of_the_faults_that_are_measured(
    context_for: Callable[..., AskContext], tmp_path: Path, import_video: Callable[..., None]
) -> None:
    sharp = [("fact", 0, 30, "bright scene, mostly green, some motion, static camera, one shot")]
    catalogue = Catalogue.open(tmp_path / "sharp")
    import_video(catalogue, tmp_path / "sharp.jsonl", {"one.mp4": sharp, "two.mp4": sharp}, duration=30)
    answer = ask("How is the picture quality?", context_for(of=catalogue))
    assert answer.text.startswith("None: nothing matching “blurred picture, noisy picture, visible blocks, ")
    assert answer.confidence <= 0.8


def test_what_was_not_measured_is_neither_affirmed_nor_denied(
    context_for: Callable[..., AskContext], measured: Catalogue
) -> None:
    assert ask("Is the camera moving?", context_for("radio.mp4", of=measured)).abstained
