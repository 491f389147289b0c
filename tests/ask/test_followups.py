"""Questions that go on with a conversation: how they are read, and that complete ones are left alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from agentvid.planners.base import PlanRequest, Turn
from agentvid.planners.exemplar import ExemplarPlanner
from agentvid.planners.followups import Conversation, understand
from agentvid.types import Span, Video

FOLDER = Path(__file__).parent
DIALOGUES: list[dict[str, Any]] = yaml.safe_load((FOLDER / "followups.yaml").read_text("utf-8"))
QUESTIONS: dict[str, list[Any]] = yaml.safe_load((FOLDER / "questions.yaml").read_text("utf-8"))
CITED: list[Any] = [["talk.mp4", 48, 54]]


def video(name: str) -> Video:
    return Video(id=f"id of {name}", content_hash=name, title=name, duration_seconds=7_200.0, paths=(f"/v/{name}",))


VIDEOS = [video("talk.mp4"), video("cook.mp4")]
PLANNER = ExemplarPlanner()


def turn(entry: Any) -> Turn:
    question: str = entry if isinstance(entry, str) else entry[0]
    places: list[Any] = CITED if isinstance(entry, str) else entry[1]
    cited = tuple((video(name).id, Span(start, end)) for name, start, end in places)
    return Turn(question, "a program", cited)


def conversation(before: Sequence[Any], videos: Sequence[Video] = VIDEOS) -> Conversation:
    return Conversation([*map(turn, before)], videos, videos, lambda question: PLANNER.phrases(question, videos))


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=lambda one: f"{one['asked']} after {len(one['before'])}")
def test_a_question_is_read_as_it_is_meant(dialogue: dict[str, Any]) -> None:
    found = understand(dialogue["asked"], conversation(dialogue["before"]))
    if dialogue.get("alone"):
        assert found is None
        return
    assert found is not None
    if problem := dialogue.get("problem"):
        assert problem in found.problem
        assert not found.question
        return
    assert (found.problem, found.question) == ("", dialogue["read"])
    assert dialogue["read"].split(" in talk.mp4")[0].rstrip("?") in found.said, "the user is told"
    if place := dialogue.get("place"):
        assert found.place == (video(place[0]).id, Span(place[1], place[2]))
    else:
        assert found.place is None
    if videos := dialogue.get("videos"):
        assert found.videos == tuple(video(name).id for name in videos)


def test_what_a_follow_up_is_read_as_stands_alone() -> None:
    for dialogue in DIALOGUES:
        if read := dialogue.get("read"):
            assert understand(read, conversation(["What is said about oil?"])) is None, read
            assert PLANNER.plan(PlanRequest(read, videos=tuple(VIDEOS))).program


@pytest.mark.parametrize("form", QUESTIONS)
def test_a_complete_question_is_left_alone(form: str) -> None:
    for entry in QUESTIONS[form]:
        question = entry if isinstance(entry, str) else entry[0]
        for before in ([], ["What is said about oil?"], ["Is bread mentioned?", ["When is it?", []]]):
            assert understand(question, conversation(before)) is None, question


@pytest.mark.parametrize(
    "question", ["?", "and", "and?", "...", "that", "it", "there", "\u200b", "and " * 300, "(" * 999]
)
def test_what_says_nothing_is_no_crash(question: str) -> None:
    for before in ([], ["What is said about oil?"]):
        understand(question, conversation(before))


def test_names_that_no_question_can_hold_are_ids() -> None:
    odd = video('a "quoted", name?.mp4')
    found = understand("and after that?", conversation([["What is said about oil?", [[odd.title, 1, 2]]]], [odd]))
    assert found is not None
    assert found.question == f"What happens after 0:02 in {odd.id}?"
