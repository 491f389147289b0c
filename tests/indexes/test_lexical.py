"""Any text is a literal query."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentvid.indexes.base import Filter, VideoRecord
from agentvid.indexes.catalogue import Catalogue
from agentvid.indexes.lexical import index_words, phrases, terms
from agentvid.indexes.retriever import Retriever
from agentvid.indexes.vectors import Backend
from agentvid.types import Span

MakeRecord = Callable[..., VideoRecord]
LINES = [
    "The red door opens slowly",
    "A door, painted red and green",
    "He was running past the café",
    "红色的门打开了",
    "ประตูสีแดง",
    "price is 3.50 dollars at O'Brien's",
    "to be or not to be",
    "नमस्ते दुनिया",
]


@pytest.fixture
def filled(library: Catalogue, make_record: MakeRecord) -> Catalogue:
    library.put_video(make_record("several scripts", LINES))
    library.put_video(make_record("titanic", ["a ship at sea", "ice ahead"]))
    return library


def found(library: Catalogue, query: str, where: Filter | None = None, k: int = 10) -> list[str]:
    """What words alone rank, best first."""
    return [moment.text for moment in by_words(library).channel("lexical", query, k=k, where=where)]


def by_words(library: Catalogue) -> Retriever:
    return Retriever(library, None, Backend("numpy"))


def containing(library: Catalogue, query: str, where: Filter | None = None) -> list[str]:
    ids = library.lexical.containing(query, where or Filter())
    assert ids == sorted(ids)
    passages = library.passages(ids)
    return [passages[at].text for at in ids]


@pytest.mark.parametrize(
    ("query", "best"),
    [
        ("opening slowly", LINES[0]),
        ("RUN CAFE", LINES[2]),
        ("ran past cafe\u0301", LINES[2]),
        ("红色", LINES[3]),
        ("门", LINES[3]),
        ("สีแดง", LINES[4]),
        ("o'brien", LINES[5]),
        ("3.50", LINES[5]),
        ("to be or not to be", LINES[6]),
        ("दुनिया", LINES[7]),
        ("ｒｅｄ slowly", LINES[0]),
    ],
)
def test_words_are_found(filled: Catalogue, query: str, best: str) -> None:
    assert found(filled, query)[0] == best


def test_a_phrase_comes_before_its_words(filled: Catalogue, make_record: MakeRecord) -> None:
    filled.put_video(make_record("red door", ["red red red door door door red door", "a door that is red"]))
    for query, phrase, count in (('door "painted red"', "painted red", 1), ("“red door”", "red door", 2)):
        texts = [moment.text.lower() for moment in by_words(filled).search(query, k=10)]
        assert all(phrase in text for text in texts[:count])
        assert len(texts) > count


def test_a_phrase_outside_the_filter_finds_nothing(filled: Catalogue) -> None:
    titanic = filled.find_video("titanic").id
    assert by_words(filled).search('"painted red"', where=Filter(video_ids=(titanic,))) == []


def test_a_phrase_that_is_everywhere_stays_cheap(library: Catalogue, make_record: MakeRecord) -> None:
    library.put_video(make_record("long", [f"the word{at}" for at in range(3000)]))
    retriever = by_words(library)
    candidates = retriever.candidates('"the" word7', Filter())
    assert len(candidates.windows.first) < 20_000
    assert retriever.search('"the" word7', k=1)[0].text.split().count("word7") == 1


def test_the_title_is_found_too(filled: Catalogue) -> None:
    assert set(found(filled, "titanic")) == {"a ship at sea", "ice ahead"}
    assert found(filled, "titanic ice")[0] == "ice ahead"


def test_scores_fall_and_k_is_kept(filled: Catalogue) -> None:
    retriever = by_words(filled)
    for search in (retriever.search, partial(retriever.channel, "lexical")):
        moments = search("door red the ship", k=3)
        assert len(moments) == 3
        assert [moment.score for moment in moments] == sorted((moment.score for moment in moments), reverse=True)
        assert search("door", k=0) == []


def test_equals_come_in_the_order_of_the_library(library: Catalogue, make_record: MakeRecord) -> None:
    for number in range(30):
        library.put_video(make_record(f"film {number}", ["the same door"] * 5))
    first = by_words(library).channel("lexical", "door", k=7)
    titles = [library.video(moment.video_id).title for moment in first]
    assert [(title, moment.span.start_seconds) for title, moment in zip(titles, first, strict=True)] == [
        *(("film 0", at * 5.0) for at in range(5)),
        *(("film 1", at * 5.0) for at in range(2)),
    ]
    assert by_words(library).search("door", k=7) == by_words(library).search("door", k=7)


def test_filters_apply_before_the_best_are_taken(library: Catalogue, make_record: MakeRecord) -> None:
    for number in range(30):
        library.put_video(make_record(f"many {number}", ["door door door"]))
    library.put_video(make_record("one", ["nothing here", "there was once a door in a house"], track="caption"))
    for where in (
        Filter(video_ids=(library.find_video("one").id,)),
        Filter(tracks=("caption",)),
        Filter(within=Span(6.0, 7.0)),
    ):
        assert found(library, "door", where, k=1) == ["there was once a door in a house"]
    assert found(library, "door", Filter(tracks=("unknown",))) == []


def test_containing_wants_every_word_in_the_text(filled: Catalogue) -> None:
    assert containing(filled, "red door") == LINES[:2]
    assert containing(filled, '"red door"') == [LINES[0]]
    assert containing(filled, "opening") == [LINES[0]]
    assert containing(filled, "cafe") == [LINES[2]]
    assert containing(filled, "红色") == [LINES[3]]
    assert containing(filled, "titanic") == []
    assert containing(filled, "red ship") == []
    assert containing(filled, "...") == []
    assert containing(filled, "red door", Filter(within=Span(6.0, 7.0))) == [LINES[1]]
    assert containing(filled, "red door", Filter(tracks=("caption",))) == []


HOSTILE = [
    "",
    '"',
    '""',
    '"unbalanced',
    "AND OR NOT",
    "door AND",
    "NEAR(door red, 5)",
    "text:door",
    "{text title}: door",
    "^door",
    "door*",
    "-door",
    "door + red",
    "(door",
    "door)",
    "'; DROP TABLE passages; --",
    "passage_fts MATCH 'x'",
    "\x00door\x00",
    "door\x00",
    "🚪🔴",
    "👩‍👩‍👧",
    "%s %d {0} ${x} \\",
    "\u202edoor\u2066",
    "\ud800 door",
    "a" * 10_000,
    "door " * 5_000,
    " ".join(f"word{number}" for number in range(3_000)),
    "门" * 10_000,
    '"' * 999,
    "(" * 5_000,
    '"door" ' * 2_000,
    "rank bm25(passage_fts)",
    "\u0301",
]


@pytest.mark.parametrize("query", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_literal(filled: Catalogue, query: str) -> None:
    retriever = by_words(filled)
    nowhere = Filter(video_ids=(query,), tracks=(query,))
    assert len(retriever.search(query, k=5)) <= 5
    assert len(retriever.channel("lexical", query, k=5)) <= 5
    assert isinstance(filled.lexical.containing(query, Filter()), list)
    assert retriever.search(query, where=nowhere) == retriever.scan(query, where=nowhere) == []


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=st.text(st.characters() | st.sampled_from("\"'()*:^{}+-ANDORNEAR \x00红"), max_size=60))
def test_no_text_is_an_error(filled: Catalogue, query: str) -> None:
    assert len(by_words(filled).search(query, k=5)) <= 5
    filled.lexical.containing(query, Filter())


def test_searching_changes_nothing(filled: Catalogue) -> None:
    retriever = by_words(filled)
    retriever.search("door")  # puts the ranking file there
    before = hashlib.sha256(filled.store.path.read_bytes()).hexdigest()
    for query in HOSTILE:
        retriever.search(query, k=5)
        retriever.scan(query)
    assert hashlib.sha256(filled.store.path.read_bytes()).hexdigest() == before


def test_terms() -> None:
    assert terms("Where is the red door, and the Red car?") == ["red", "door", "car"]
    assert terms("what is it") == ["what", "is", "it"]
    assert terms("红色门") == ["红 色", "色 门"]
    assert terms("!!!") == []
    assert phrases('he said "Open the Door!" and «go»') == ["open the door", "go"]


def test_words_that_need_no_cutting_are_kept() -> None:
    assert index_words("plain words") == "plain words"
    assert index_words("see 红门 now") == "see 红 门 now"
