"""Who speaks is known where rows name their speaker; where none does, the answer says so and is not sure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agentvid.graph import AskContext, ask
from agentvid.indexes.catalogue import Catalogue


@pytest.fixture
def labelled(tmp_path: Path, import_video: Callable[..., None]) -> Catalogue:
    catalogue = Catalogue.open(tmp_path / "library")
    rows = [
        ("speech", 0, 4, "ANNA: Good morning, the harbour is frozen."),
        ("speech", 5, 9, "Ben Tal: Then the ferry stays here today."),
        ("speech", 10, 14, "ANNA: Call the icebreaker at noon."),
    ]
    import_video(catalogue, tmp_path / "rows.jsonl", {"harbour.mp4": rows})
    return catalogue


@pytest.mark.parametrize(
    "question", ["Who is talking?", "who says that?", "Who is speaking at 0:13?", "Who is the speaker?"]
)
def test_without_names_the_answer_says_so_and_is_not_sure(
    context_for: Callable[..., AskContext], question: str
) -> None:
    answer = ask(question, context_for("talk.mp4"))
    assert "names who speaks" in answer.text
    assert answer.evidence
    assert answer.confidence <= 0.3


def test_who_said_some_words_is_not_answered_by_the_words_alone(context_for: Callable[..., AskContext]) -> None:
    answer = ask("Who says chlorophyll absorbs red light and blue light?", context_for("talk.mp4"))
    assert "No row that was found names who speaks" in answer.text
    assert answer.confidence <= 0.3


def test_names_in_the_rows_are_told(context_for: Callable[..., AskContext], labelled: Catalogue) -> None:
    everybody = ask("Who is talking?", context_for(of=labelled))
    assert "The rows name 2 who speak: ANNA, Ben Tal." in everybody.text
    assert everybody.confidence > 0.5
    one = ask("Who says that the ferry stays here today?", context_for(of=labelled))
    assert "The rows name who speaks: Ben Tal." in one.text
