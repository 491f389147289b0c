"""Where in its video a query wants the moment, told by words about the video's time and not about things."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from agentvid.indexes.asked_position import asked_position
from agentvid.indexes.base import VideoRecord
from agentvid.indexes.catalogue import Catalogue
from agentvid.indexes.retriever import Retriever
from agentvid.indexes.vectors import Backend
from agentvid.models.scripted import HashEmbedder

EXAMPLES = {
    0.0: [
        "what does he do at the beginning?",
        "Near the START of the video, who waves?",
        "what is said in the first few minutes",
        "at first the dog is afraid",
    ],
    0.5: ["what does the girl do in the middle of the clip", "the lights go out halfway through"],
    1.0: [
        "why does she laugh at the end",
        "towards the\nend of the football match they sing",
        "Finally, the man smiles.",
        "what happens in the last 10 seconds?",
    ],
    None: [
        "a cup at the end of the table",
        "the bikes at the starting line",
        "a man in the middle of the road",
        "love at first sight",
        "at the end of the day",
        'who says "at the end"?',
        "from the beginning to the end: at the beginning and at the end",
        "the endless start",
        "am Ende des Videos",
        "",
    ],
}


@pytest.mark.parametrize(
    ("position", "query"), [(position, query) for position, queries in EXAMPLES.items() for query in queries]
)
def test_positions(position: float | None, query: str) -> None:
    assert asked_position(query) == position


def test_the_longest_query_is_told_at_once() -> None:
    started = time.process_time()
    assert asked_position("at the end of the " * 600) is None
    assert asked_position(" " * 9_000 + "at the end") == 1.0
    assert time.process_time() - started < 1


@pytest.mark.parametrize(("where", "line"), [("at the beginning", 1), ("in the middle", 10), ("at the end", 18)])
def test_of_equal_moments_the_one_at_that_place_is_found(
    library: Catalogue,
    make_record: Callable[..., VideoRecord],
    embedder: HashEmbedder,
    where: str,
    line: int,
) -> None:
    doors = [1, 10, 18]
    library.put_video(make_record("film", ["a red door" if at in doors else f"street {at}" for at in range(20)]))
    retriever = Retriever(library, embedder, Backend("numpy"))
    for found in (retriever.search(f"the red door {where}", k=1), retriever.locate(f"the red door {where}", k=1)):
        span = found[0].span
        assert [at for at in doors if span.start_seconds <= 5 * at < span.end_seconds] == [line]
