"""Which word was meant: what is near is found, what is another word or number never is."""

from __future__ import annotations

import random
import string
import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import OSA

from agentvid.indexes.base import Filter, VideoRecord
from agentvid.indexes.catalogue import Catalogue
from agentvid.indexes.dictionaries import LANGUAGES, is_in_dictionary
from agentvid.indexes.retriever import Retriever
from agentvid.indexes.spelling import Spellings, letters_of, pack, unpack
from agentvid.indexes.vectors import Backend
from agentvid.models.scripted import HashEmbedder
from agentvid.text import MAX_QUERY_CHARACTERS
from agentvid.words import plain_word, stem

MakeRecord = Callable[..., VideoRecord]
WORDS = {
    "photosynthesis": 9,
    "chlorophyll": 4,
    "rubisco": 2,
    "harb0ur": 1,
    "glacler": 1,
    "thunde": 1,
    "bam": 1,
    "clown": 3,
    "isladder": 1,
    "lightning": 2,
    "goat": 5,
    "cafe": 2,
    "phoebe": 40,
    "title": 30,
    "little": 20,
    "room11": 3,
    "1916": 2,
    "1984": 7,
    "mp3": 2,
    "modem": 1,
}


def spellings_of(words: dict[str, int], languages: tuple[str, ...] = ()) -> Spellings:
    stems = {stem(word) for word in words}
    return Spellings(*pack(words), stems.__contains__, languages)


@pytest.fixture(scope="module")
def spellings() -> Spellings:
    return spellings_of(WORDS)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("photosyntesis", "photosynthesis"),
        ("hpotosynthesis", "photosynthesis"),
        ("fotosintesis", "photosynthesis"),
        ("chlorofil", "chlorophyll"),
        ("rubisc\u043e", "rubisco"),  # a Cyrillic o
        ("pheobe", "phoebe"),
        ("litle", "little"),  # not "title", which is said more often
        ("HARBOUR", "harb0ur"),
        ("glacier", "glacler"),
        ("Thunder", "thunde"),
        ("l984", "1984"),
        ("ladder", "isladder"),
    ],
)
def test_the_nearest_word_is_searched(spellings: Spellings, typed: str, meant: str) -> None:
    respelt = spellings.respelt(f"what is {typed}, please?")
    assert respelt.text == f"what is {meant}, please?"
    assert [str(change) for change in respelt.changes] == [f"{typed}: searched as {meant}"]


@pytest.mark.parametrize(
    "query",
    [
        "photosynthesis",  # known
        "boat",  # a goat is another animal
        "down",  # cl is read for d, but both are words
        "modern",  # and so are modern and modem
        "caff",  # a word, as is cafe
        "1917",
        "1961",
        "19160",
        "light",  # lightning is a word of its own
        "room10",
        "room",
        "mp4",
        "ruby",  # two edits in a short word
        "photographers",  # three edits
        '"photosyntesis"',
        "“photosyntesis”",
        "the video shows",
        "红色门",
        "x" * 41,
        "",
        " ?! ",
    ],
)
def test_other_words_numbers_and_quotes_stay(spellings: Spellings, query: str) -> None:
    respelt = spellings.respelt(query)
    assert (respelt.text, respelt.meaning, respelt.changes) == (query, query, ())


def test_only_what_stands_outside_of_quotes_is_changed(spellings: Spellings) -> None:
    assert spellings.respelt('"photosyntesis" or photosyntesis').text == '"photosyntesis" or photosynthesis'


def test_a_word_that_is_right_keeps_its_meaning(spellings: Spellings) -> None:
    respelt = spellings.respelt("thunder and photosyntesis")
    assert respelt.text == "thunde and photosynthesis"
    assert respelt.meaning == "thunder and photosynthesis"
    assert [change.is_misread for change in respelt.changes] == [True, False]


def test_names_may_be_kept(spellings: Spellings) -> None:
    assert not spellings.respelt("pheobe", keep={"pheobe"}).changes


def test_a_language_of_the_library_is_asked_too() -> None:
    words = {"maus": 4}
    assert spellings_of(words).respelt("haus").text == "maus"
    assert spellings_of(words, ("de-DE",)).respelt("haus").text == "haus"


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_every_dictionary_is_there(language: str) -> None:
    said = {"ar": "كتاب", "de": "fähre", "en": "house", "es": "casa", "eu": "etxea", "fa": "کتاب", "fr": "maison"}
    said |= {"it": "casa", "lv": "māja", "nl": "huis", "pt": "casa", "ru": "дом"}
    assert is_in_dictionary(plain_word(said[language]), (language,))


@given(st.dictionaries(st.text("abcdefgh", min_size=4, max_size=10), st.integers(1, 9), min_size=1, max_size=40))
def test_packed_words_come_back(words: dict[str, int]) -> None:
    packed, counts = pack(words)
    assert dict(zip(unpack(packed), counts.tolist(), strict=True)) == words


@given(st.text("abcdefghijé0", min_size=4, max_size=12), st.text("abcdefghijé0", min_size=4, max_size=12))
def test_letters_tell_no_near_word_apart(one: str, other: str) -> None:
    """The filter before the comparison loses nothing: an edit changes two bits at most."""
    differ = int(np.bitwise_xor(*letters_of([one, other]))).bit_count()
    assert differ <= 2 * OSA.distance(one, other)


def test_every_single_slip_in_a_long_word_is_mended() -> None:
    words = dict.fromkeys("architecture thunderstorm refrigerator mitochondria parliament".split(), 3)
    spellings = spellings_of(words)
    for word in words:
        for at in range(len(word)):
            slips = {
                word[:at] + word[at + 1 :],
                f"{word[:at]}q{word[at:]}",
                f"{word[:at]}q{word[at + 1 :]}",
                word[:at] + word[at + 1 : at + 2] + word[at] + word[at + 2 :],
            }
            for slip in slips:
                assert stem(spellings.respelt(slip).text) == stem(word) or is_in_dictionary(slip, ())


def test_a_long_query_and_a_large_vocabulary_are_bounded() -> None:
    chance = random.Random(3)
    words = {"".join(chance.choices(string.ascii_lowercase, k=chance.randint(5, 11))): 1 for _ in range(30_000)}
    spellings = spellings_of(words)
    query = " ".join(f"wrod{number}x" if number % 2 else "photosyntesys" for number in range(1_000))
    started = time.perf_counter()
    spellings.respelt(query[:MAX_QUERY_CHARACTERS])
    assert time.perf_counter() - started < 20  # 16 look-ups; 2,000 would take minutes


# -- through the retriever ----------------------------------------------------------------------------------------


@pytest.fixture
def retriever(library: Catalogue, make_record: MakeRecord, embedder: HashEmbedder) -> Retriever:
    library.put_video(make_record("plants", ["photosynthesis makes sugar", "roots drink water", "it was in 1916"]))
    library.put_video(make_record("signs", ["welcome to harb0ur", "a door"], track="ocr"))
    return Retriever(library, embedder, Backend("numpy"))


def test_every_way_to_search_respells(retriever: Retriever) -> None:
    """The same as for the right spelling, in all of them."""
    wrong, right = "photosyntesis sugar", "photosynthesis sugar"
    assert retriever.search(wrong) == retriever.search(right)
    assert retriever.locate(wrong) == retriever.locate(right)
    assert retriever.scan("photosyntesis") == retriever.scan("photosynthesis")
    for channel in retriever.channels:
        assert retriever.channel(channel, wrong) == retriever.channel(channel, right)
    told = retriever.explain(wrong)
    assert [str(change) for change in told.spelling] == ["photosyntesis: searched as photosynthesis"]
    assert told.to_json()["spelling"] == {"photosyntesis": "photosynthesis"}
    assert told.hits[0].standing.words[0].word == "photosynthesis"


def test_a_misreading_is_found_by_words_while_the_meaning_stays(
    retriever: Retriever, library: Catalogue, embedder: HashEmbedder
) -> None:
    best = retriever.search("harbour", k=1)[0]
    assert (best.track, best.ranks["lexical"]) == ("ocr", 1)
    assert "harb0ur" in best.text
    assert retriever.scan("harbour", where=Filter(tracks=("ocr",)))


def test_no_number_stands_for_another(retriever: Retriever) -> None:
    assert retriever.scan("1916")
    assert not retriever.scan("1917", minimum_similarity=1.1)


def test_a_word_that_somebody_says_since_is_not_respelt(
    retriever: Retriever, library: Catalogue, make_record: MakeRecord
) -> None:
    assert retriever.respelt("photosyntesis").changes
    library.put_video(make_record("notes", ["photosyntesis, misspelt"]))
    assert not retriever.respelt("photosyntesis").changes


def test_words_of_titles_are_known_and_may_be_meant(
    library: Catalogue, make_record: MakeRecord, embedder: HashEmbedder
) -> None:
    library.put_video(make_record("Thermodynamics", ["heat flows"]))
    assert Retriever(library, None, Backend("numpy")).respelt("thermodinamics").text == "thermodynamics"


def test_an_empty_library_has_nothing_to_say(library: Catalogue, embedder: HashEmbedder) -> None:
    assert Retriever(library, embedder, Backend("numpy")).respelt("photosyntesis").text == "photosyntesis"
