"""Any text is a literal query."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentvid.indexes.base import Filter, VideoRecord
from agentvid.indexes.catalogue import Catalogue
from agentvid.indexes.lexical import index_words, phrases, terms
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
    hits = library.lexical.search(query, k, where or Filter())
    passages = library.passages([hit.passage_id for hit in hits])
    return [passages[hit.passage_id].text for hit in hits]


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


def test_a_phrase_comes_before_its_words(filled: Catalogue) -> None:
    assert found(filled, 'door "painted red"')[0] == LINES[1]
    assert found(filled, "“red door”")[0] == LINES[0]
    assert set(found(filled, '"red door"')) == set(LINES[:2])


def test_the_title_is_found_too(filled: Catalogue) -> None:
    assert set(found(filled, "titanic")) == {"a ship at sea", "ice ahead"}
    assert found(filled, "titanic ice")[0] == "ice ahead"


def test_scores_fall_and_k_is_kept(filled: Catalogue) -> None:
    hits = filled.lexical.search("door red the ship", 3, Filter())
    assert len(hits) == 3
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert filled.lexical.search("door", 0, Filter()) == []


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
    def texts(query: str) -> set[str]:
        hits = filled.lexical.containing(query, Filter())
        return {passage.text for passage in filled.passages([hit.passage_id for hit in hits]).values()}

    assert texts("red door") == set(LINES[:2])
    assert texts('"red door"') == {LINES[0]}
    assert texts("titanic") == set()
    assert texts("red ship") == set()
    assert texts("...") == set()


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
    for search in (filled.lexical.search, lambda text, k, where: filled.lexical.containing(text, where)):
        assert isinstance(search(query, 5, Filter()), list)
        assert isinstance(search(query, 5, Filter(video_ids=(query,), tracks=(query,))), list)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=st.text(st.characters() | st.sampled_from("\"'()*:^{}+-ANDORNEAR \x00红"), max_size=60))
def test_no_text_is_an_error(filled: Catalogue, query: str) -> None:
    assert len(filled.lexical.search(query, 5, Filter())) <= 5
    filled.lexical.containing(query, Filter())


def test_searching_changes_nothing(filled: Catalogue) -> None:
    before = hashlib.sha256(filled.store.path.read_bytes()).hexdigest()
    for query in HOSTILE:
        filled.lexical.search(query, 5, Filter())
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
