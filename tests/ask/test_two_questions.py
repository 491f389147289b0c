"""Of two questions in one the first is answered, and the other is named; one question is never cut in two."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from agentvid.graph import AskContext, ask
from agentvid.planners.exemplar import ExemplarPlanner
from agentvid.planners.several import two_questions

QUESTIONS: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("questions.yaml").read_text("utf-8"))
PLANNER = ExemplarPlanner()


def two(question: str) -> tuple[str, str] | None:
    return two_questions(question.strip(" ?"), lambda part: PLANNER.weight(part, ()))


@pytest.mark.parametrize(
    ("question", "first", "other"),
    [
        ("What is it about, and how many slides are there?", "What is it about", "how many slides are there"),
        ("How long is the video? When does the slide change?", "How long is the video", "When does the slide change"),
        ("What is said at 0:05 and what is shown at 0:10?", "What is said at 0:05", "what is shown at 0:10"),
        ("Who is the speaker and what is she talking about?", "Who is the speaker", "what is she talking about"),
        ("How many cuts are there and where are they?", "How many cuts are there", "where are they"),
        ("When does the boat arrive and who is on it?", "When does the boat arrive", "who is on it"),
        ("Is there any speech, and are there any slides?", "Is there any speech", "are there any slides"),
    ],
)
def test_two_questions_are_told_apart(question: str, first: str, other: str) -> None:
    assert two(question) == (first, other)


@pytest.mark.parametrize(
    "question",
    [
        "Does she explain what a cipher is and how it works?",
        "What was and is not allowed?",
        "When and where does the boat arrive?",
        "What happens before the door opens and after the bell rings?",
        "Is it true that the price is high and is falling?",
        "Who said that he knows who did it and why?",
        "How do I cut and paste a clip?",
    ],
)
def test_one_question_stays_one(question: str) -> None:
    assert two(question) is None


def test_no_question_that_a_form_knows_is_cut() -> None:
    known = [question for asked in QUESTIONS.values() if isinstance(asked, list) for question in asked]
    assert len(known) > 400
    assert [question for question in known if isinstance(question, str) and two(question)] == []


def test_the_first_is_answered_and_the_other_named(context_for: Callable[..., AskContext]) -> None:
    answer = ask("How many slides are there, and what is said at 0:13?", context_for("talk.mp4"))
    alone = ask("How many slides are there?", context_for("talk.mp4"))
    assert answer.text == alone.text
    assert "ask “what is said at 0:13” next" in answer.understood


def test_choices_are_one_question(context_for: Callable[..., AskContext]) -> None:
    choices = ["a key", "a lock"]
    answer = ask("What does a cipher need, and what is it called?", context_for("talk.mp4"), choices=choices)
    assert "two questions" not in answer.understood
