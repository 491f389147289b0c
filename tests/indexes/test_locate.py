"""Where exactly something happens, and how sure that it does: spans do not overlap, absence has a low probability."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agentvid.indexes.base import Filter, VideoRecord
from agentvid.indexes.catalogue import Catalogue
from agentvid.indexes.retriever import Retriever
from agentvid.indexes.vectors import Backend
from agentvid.models.scripted import HashEmbedder

MakeRecord = Callable[..., VideoRecord]
KITCHEN = [
    "she peels two onions",
    "the pan gets hot",
    "oil goes into the pan",
    "onions fry until golden",
    "salt follows",
]
HARBOUR = [
    "a crane lifts crates",
    "gulls circle above",
    "the ferry leaves late",
    "fog covers the pier",
    "ropes are tied",
]
OTHERS = ["trains stop here", "nobody waits outside", "a clock strikes nine", "doors close slowly", "lights go out"]


@pytest.fixture
def retriever(library: Catalogue, make_record: MakeRecord, embedder: HashEmbedder) -> Retriever:
    library.put_video(make_record("kitchen", KITCHEN))
    library.put_video(make_record("harbour", HARBOUR))
    for number in range(6):
        library.put_video(make_record(f"station {number}", [f"{line} {number}" for line in OTHERS]))
    return Retriever(library, embedder, Backend("numpy"))


def within(retriever: Retriever, name: str) -> Filter:
    return Filter(video_ids=(retriever.catalogue.find_video(name).id,))


def test_the_right_row_comes_first_and_spans_do_not_overlap(retriever: Retriever) -> None:
    found = retriever.locate("onions fry until golden", k=3, where=within(retriever, "kitchen"))
    assert "onions fry until golden" in found[0].text
    assert all(0.0 <= moment.score <= 1.0 for moment in found)
    for at, moment in enumerate(found):
        assert not any(moment.span.overlaps(other.span) for other in found[:at])


def test_what_is_in_another_video_is_probably_not_in_this_one(retriever: Retriever) -> None:
    query = "onions fry until golden"
    (there,) = retriever.locate(query, k=1, where=within(retriever, "kitchen"))
    elsewhere = retriever.locate(query, k=1, where=within(retriever, "harbour"))
    assert there.score > 0.5 > max((moment.score for moment in elsewhere), default=0.0)


def test_words_that_nobody_ever_says_speak_against(retriever: Retriever) -> None:
    by_words = Retriever(retriever.catalogue, None, Backend("numpy"))
    (known,) = by_words.locate("the pan gets hot", k=1)
    unknown = by_words.locate("the pan of a purple submarine sank near penguins", k=1)
    assert known.score > 0.5 > max((moment.score for moment in unknown), default=0.0)


@pytest.mark.parametrize("query", ["", "...", "?", "\x00", "AND OR NOT", "a" * 10_000])
def test_odd_queries_are_no_error(retriever: Retriever, query: str) -> None:
    assert len(retriever.locate(query, k=2)) <= 2
    assert len(retriever.search(query, k=2)) <= 2
