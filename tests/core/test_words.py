"""The words of an index and of a query meet, whatever the script; stems are Snowball's, without accents."""

from __future__ import annotations

import unicodedata
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentvid.words import FUNCTION_WORDS, index_stems, query_stems, stem

TEXT = st.text(st.characters() | st.sampled_from("aé'’ \u0301\u0307红色门สีカİß-."), max_size=40)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("opened", "open"),
        ("opens", "open"),
        ("cafés", "cafe"),
        ("o'brien's", "obrien"),
        ("naïve", "naiv"),
        ("दुनिया", "दुनिया"),
        ("한국어", "한국어"),
        ("'", "'"),
    ],
)
def test_stems(word: str, expected: str) -> None:
    assert stem(word) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The doors, opened!", ["the", "door", "open"]),
        ("3.50 dollars at O’Brien's", ["3", "50", "dollar", "at", "obrien"]),
        ("红色门", ["红", "色", "门", "红色", "色门"]),
        ("see红门now", ["see", "红", "门", "红门", "now"]),
        ("門", ["門"]),
        ("ﬁne ｒｅｄ", ["fine", "red"]),
        ("İstanbul x\u0302y", ["istanbul", "xy"]),
        ("x_y", ["x", "y"]),
        ("\u0301 …!", []),
    ],
)
def test_what_an_index_keeps(text: str, expected: list[str]) -> None:
    assert index_stems(text) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("Where is the red door, and the Red cars?", ["red", "door", "car"]),
        ("what is it", ["what", "is", "it"]),
        ("红色门", ["红色", "色门"]),
        ("门", ["门"]),
        ("ABC红", ["abc", "红"]),
        ("", []),
        ("!!!", []),
    ],
)
def test_what_a_query_asks_for(query: str, expected: list[str]) -> None:
    assert query_stems(query) == expected


@given(TEXT)
def test_a_text_is_found_by_its_own_words(text: str) -> None:
    wanted, kept = query_stems(text), index_stems(text)
    assert set(wanted) <= set(kept)
    assert bool(wanted) == bool(kept)
    assert len(wanted) == len(set(wanted))
    assert all(wanted)


@given(TEXT)
def test_forms_of_writing_make_no_difference(text: str) -> None:
    for other in (unicodedata.normalize("NFD", text), unicodedata.normalize("NFKC", text), text.replace("’", "'")):
        assert index_stems(other) == index_stems(text)


@given(st.sampled_from(sorted(FUNCTION_WORDS)))
def test_function_words_are_asked_for_only_alone(word: str) -> None:
    assert query_stems(f"{word} lighthouse") == ["lighthous"]
    assert query_stems(word) == [stem(word)]


def test_threads_share_the_stemmer() -> None:
    words = [f"running{letter}{number}ed" for number in range(300) for letter in "ab"]
    expected = {word: stem(word) for word in words}
    stem.cache_clear()
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(stem, words * 2)) == [expected[word] for word in words * 2]
