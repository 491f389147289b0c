"""What kind of moment a query asks for is told by its form, and never by chance words of a description."""

from __future__ import annotations

import time

import pytest

from agentvid.indexes.question_kind import question_kind

EXAMPLES = {
    "procedure": ["How do I crop a picture?", "how to tie a bowline", "Can you undo it?", "How can we\nstart it?"],
    "discussion": [
        "What did the group discuss about the remote control?",
        "Summarize the discussion about costs.",
        "Why did they decide to wait?",
        "What do they think of the prototype?",
        "What did the two talk about in the kitchen?",
    ],
    "reason": ["Why is the boy crying?", "What is the purpose of the second pan?"],
    "fact": ["Who opens the door?", "How many boats are there?", "What colour is the car?", "Is it raining?", "WHEN?"],
    "description": [
        "a man talks to the camera and thinks about his idea",
        "red door",
        "the chef explains the recipe",
        "isolated islands",
        "Wann beginnt das Spiel?",
        "",
        "however they do it",
    ],
}


@pytest.mark.parametrize(("kind", "query"), [(kind, query) for kind, queries in EXAMPLES.items() for query in queries])
def test_kinds(kind: str, query: str) -> None:
    assert question_kind(query) == kind


def test_the_longest_query_is_told_at_once() -> None:
    started = time.process_time()
    assert question_kind("what " + "view" * 2_400) == "description"
    assert question_kind("what " * 2_000 + "ideas") == "discussion"
    assert time.process_time() - started < 1
