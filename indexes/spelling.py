"""Words of a query that the library does not have: which of its words was meant.

People mistype, and what a recogniser read or heard is misspelt in the library itself. A word that stands in no passage
and no title is searched as the nearest word that does, if one of the two is no word at all: two words of a dictionary
are two words, however alike. What is quoted is never changed, and neither are numbers.
"""

from __future__ import annotations

import math
import re
import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from agentvid.indexes.dictionaries import is_in_dictionary
from agentvid.types import Json
from agentvid.words import FUNCTION_WORDS, MEDIA_WORDS, placed_words, stem

#: Words shorter than the first are never exchanged; from the second on two edits are an error and not another word.
LEAST_LETTERS, TWO_EDITS_FROM = 4, 8
#: Longer ones are no words, and would be slow to compare.
_MOST_LETTERS = 40
#: So many unknown words of a query are looked up, each once; a pasted page must not take a second.
MOST_LOOKED_UP = 16
#: A word that is right in a dictionary may stand misread in the library: so rarely, for what is misread twice alike.
_MOST_MISREADINGS = 3
#: Shorter words are parts of too many others to be what was read together with its neighbour.
_LEAST_RUN_TOGETHER, _MOST_HOLDING = 5, 300
#: What counts as part of an edit where several words are near: errors in the first letter are rare (Yannakoudakis and
#: Fawthrop, 1983), those that only exchange or double letters frequent; ten times the occurrences make a word likelier.
_FIRST_LETTER, _SAME_LETTERS, _DOUBLED, _TENFOLD = 0.5, -0.25, -0.25, -0.2
_QUOTED = re.compile(r'"[^"]*"|“[^”]*”|„[^“”]*[“”]|«[^»]*»')
#: What readers of pictures take for one another. Different digits stay different letters.
_LOOKS_LIKE = str.maketrans("01i58", "ollsb")
_PAIRS_LOOK_LIKE = (("rn", "m"), ("vv", "w"), ("cl", "d"))
_RUNS = re.compile(r"(.)\1+")
#: What is written otherwise and spoken alike, in English and its neighbours: chlorofil, fotosinthesis, skool.
_SOUNDS_LIKE = (
    ("ph", "f"),
    ("rh", "r"),
    ("th", "t"),
    ("ck", "k"),
    ("ce", "se"),
    ("ci", "si"),
    ("cy", "si"),
    ("sch", "sk"),
)
_LETTER_SOUNDS = str.maketrans("cqyz", "kkis")
_DIGIT = re.compile(r"\d")
_CHUNK_WORDS = 65_536


@dataclass(frozen=True, slots=True)
class Respelling:
    """A word of a query, as the user wrote it, and the word of the library that is searched instead.

    `is_misread`: the word is right, and the library has it misread only.
    """

    word: str
    searched_as: str
    is_misread: bool = False

    def __str__(self) -> str:
        return f"{self.word}: searched as {self.searched_as}"


def spelling_json(changes: Iterable[Respelling]) -> Json:
    """`{"photosyntesis": "photosynthesis"}`: word of the query -> what was searched instead."""
    return {change.word: change.searched_as for change in changes}


@dataclass(frozen=True, slots=True)
class Respelt:
    """A query as it is searched: `text` by words, `meaning` by vectors, and what was changed.

    `meaning` keeps a word that is right and only misread in the library.
    """

    text: str
    meaning: str
    changes: tuple[Respelling, ...] = ()


@dataclass(frozen=True, slots=True)
class Near:
    """The library's word for one that it does not have. `is_misread`: it is the library's that is wrong."""

    word: str
    is_misread: bool


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A word of the library, the less `cost` the likelier. `may_be_misread`: it is rare, and one slip away."""

    word: str
    cost: float
    may_be_misread: bool


class Spellings:
    """The n words of a library as they are written there, to find the one that was meant.

    `words`: `pack`ed; `counts` (n,) how often each occurs. `is_known` tells of a stem whether any passage or title has
    it; `languages` are BCP 47 tags of the library's rows. Nothing is unpacked before a query has an unknown word.
    """

    def __init__(
        self,
        words: NDArray[np.uint8],
        counts: NDArray[np.int32],
        is_known: Callable[[str], bool],
        languages: Collection[str] = (),
    ) -> None:
        self._packed = words
        self._counts = counts
        self._is_known = is_known
        self._languages = tuple(languages)
        self.nearest = lru_cache(maxsize=4096)(self._nearest)

    def respelt(self, query: str, *, keep: Collection[str] = ()) -> Respelt:
        """The query with every word that only another spelling of is known; `keep` are plain words to leave alone."""
        text = unicodedata.normalize("NFKC", query)
        placed = [found for found in placed_words(text) if self._is_unknown(found[2]) and found[2] not in keep]
        if not placed:
            return Respelt(query, query)
        quoted = [match.span() for match in _QUOTED.finditer(text)]
        looked_up = list(dict.fromkeys(word for *_, word in placed))[:MOST_LOOKED_UP]
        near = {word: found for word in looked_up if (found := self.nearest(word))}
        changed = [
            (start, end, near[word])
            for start, end, word in placed
            if word in near and not any(first < end and start < last for first, last in quoted)
        ]
        if not changed:
            return Respelt(query, query)
        typed = [(start, end, found) for start, end, found in changed if not found.is_misread]
        changes = dict.fromkeys(
            Respelling(text[start:end], found.word, found.is_misread) for start, end, found in changed
        )
        meaning = _replaced(text, typed) if typed else query
        return Respelt(_replaced(text, changed), meaning, tuple(changes))

    def _is_unknown(self, word: str) -> bool:
        is_long = LEAST_LETTERS <= len(word) <= _MOST_LETTERS
        return is_long and word not in FUNCTION_WORDS and word not in MEDIA_WORDS and not self._is_known(stem(word))

    def _nearest(self, word: str) -> Near | None:
        """The word that a plain word, which the library does not have, most likely stands for; None if none is near."""
        is_word = is_in_dictionary(word, self._languages)
        found = self._similar(word)
        if is_word:
            found = [near for near in found if near.may_be_misread and not is_in_dictionary(near.word, self._languages)]
        if found:
            return Near(found[0].word, is_misread=is_word or bool(_DIGIT.search(found[0].word)))
        if run_together := self._run_together(word):
            return Near(run_together, is_misread=True)
        heard = None if is_word else max(self._sounding_like(word), key=self._counts.__getitem__, default=None)
        return None if heard is None else Near(self._words[heard], is_misread=False)

    def _similar(self, word: str) -> list[_Candidate]:
        """The words of the library within as many edits as the length of `word` allows, the likeliest first."""
        from rapidfuzz import process
        from rapidfuzz.distance import OSA

        look, limit = word.translate(_LOOKS_LIKE), 2 if len(word) >= TWO_EDITS_FROM else 1
        rows = self._candidates(look, limit)
        looks, words = self._looks, self._words
        hits = process.extract(look, [looks[row] for row in rows], scorer=OSA.distance, score_cutoff=limit, limit=None)
        edits = {int(rows[at]): float(edits) for _, edits, at in hits} | dict.fromkeys(self._misread_pairs(word), 0.0)
        found = []
        for row, cost in edits.items():
            other, count = words[row], int(self._counts[row])
            if _may_be_meant(word, other, cost):
                slips = OSA.distance(word, other) if cost else 1
                may_be_misread = slips == 1 and count <= _MOST_MISREADINGS
                cost += _likelihood(word, other, slips > cost) + _TENFOLD * math.log10(count)
                found.append(_Candidate(other, cost, may_be_misread))
        return sorted(found, key=lambda near: (near.cost, near.word))

    def _misread_pairs(self, word: str) -> Iterator[int]:
        """Rows of words that differ only in that "rn" stands for "m", or the like, in one place."""
        for pair in _PAIRS_LOOK_LIKE:
            for one, other in (pair, pair[::-1]):
                for match in re.finditer(one, word):
                    row = self._row(f"{word[: match.start()]}{other}{word[match.end() :]}")
                    if row is not None:
                        yield row

    def _run_together(self, word: str) -> str | None:
        """The shortest rare word, in no dictionary, that begins or ends with `word`: readers drop spaces."""
        if len(word) < _LEAST_RUN_TOGETHER or _DIGIT.search(word):
            return None
        lines = "\n" + self._packed.tobytes().decode() + "\n"
        holding = {_line_at(lines, at) for edge in (f"\n{word}", f"{word}\n") for at in _occurrences(lines, edge)}
        for other in sorted(holding, key=lambda other: (len(other), other)):
            row = self._row(other)
            is_rare = row is not None and int(self._counts[row]) <= _MOST_MISREADINGS
            if is_rare and not is_in_dictionary(other, self._languages):
                return other
        return None

    def _sounding_like(self, word: str) -> Iterator[int]:
        """Rows of words that may be spoken alike, however many letters of them differ."""
        sounds, wanted, row = self._sounds, sound(word), -1
        with suppress(ValueError):
            while True:
                row = sounds.index(wanted, row + 1)
                yield row

    def _row(self, word: str) -> int | None:
        first, last = np.searchsorted(self._lengths, [len(word), len(word) + 1]).tolist()
        row = bisect_left(self._words, word, first, last)
        return row if row < last and self._words[row] == word else None

    def _candidates(self, look: str, limit: int) -> NDArray[np.int64]:
        """Rows whose length and letters allow so few edits: an edit changes the letters of a word by two at most."""
        first, last = np.searchsorted(self._lengths, [len(look) - limit, len(look) + limit + 1])
        differ = _bits(self._letters[first:last] ^ letters_of([look])[0])
        rows: NDArray[np.int64] = first + np.flatnonzero(differ <= 2 * limit)
        return rows

    @cached_property
    def _words(self) -> list[str]:
        return unpack(self._packed)

    @cached_property
    def _looks(self) -> list[str]:
        return "\n".join(self._words).translate(_LOOKS_LIKE).split("\n") if self._words else []

    @cached_property
    def _sounds(self) -> list[str]:
        return sound("\n".join(self._words)).split("\n") if self._words else []

    @cached_property
    def _lengths(self) -> NDArray[np.int64]:
        return np.fromiter(map(len, self._looks), np.int64, len(self._looks))

    @cached_property
    def _letters(self) -> NDArray[np.uint64]:
        looks = self._looks
        chunks = [letters_of(looks[begin : begin + _CHUNK_WORDS]) for begin in range(0, len(looks), _CHUNK_WORDS)]
        return np.concatenate([np.empty(0, np.uint64), *chunks])


def _occurrences(text: str, wanted: str) -> Iterator[int]:
    """Where in `text` each `wanted` ends, less one; the first few hundred."""
    at = -1
    for _ in range(_MOST_HOLDING):
        at = text.find(wanted, at + 1)
        if at < 0:
            return
        yield at + len(wanted) - 1


def _line_at(lines: str, at: int) -> str:
    """The line whose end, or one of whose letters, stands at `at`."""
    return lines[lines.rfind("\n", 0, at) + 1 : lines.find("\n", at)]


def pack(counts: dict[str, int]) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Words that may be meant, in the order in which `Spellings` reads them, and how often each occurs."""
    words = [word for word in counts if LEAST_LETTERS <= len(word) <= _MOST_LETTERS]
    words.sort(key=lambda word: (len(word), word))
    packed = np.frombuffer("\n".join(words).encode(), np.uint8)
    return packed, np.array([min(counts[word], 2**31 - 1) for word in words], np.int32)


def unpack(packed: NDArray[np.uint8]) -> list[str]:
    """The words that `pack` gave."""
    return packed.tobytes().decode().split("\n") if len(packed) else []


def sound(text: str) -> str:
    """Words as they may be heard: letters that are spoken alike become one, doubled ones single."""
    for letters, spoken in _SOUNDS_LIKE:
        text = text.replace(letters, spoken)
    return _RUNS.sub(r"\1", text.translate(_LETTER_SOUNDS))


def letters_of(words: Iterable[str]) -> NDArray[np.uint64]:
    """(n,) the letters of each word as bits: which of 32 kinds it has, and which of them twice.

    One letter more or less changes one bit at most.
    """
    words = list(words)
    codes = np.frombuffer("".join(words).encode("utf-32-le", "replace"), np.uint32)
    owner = np.repeat(np.arange(len(words)), [len(word) for word in words])
    counts = np.bincount(owner * 32 + codes % 32, minlength=32 * len(words)).reshape(len(words), 32)
    weights = np.uint64(1) << np.arange(32, dtype=np.uint64)
    once: NDArray[np.uint64] = (counts > 0) @ weights
    twice: NDArray[np.uint64] = (counts > 1) @ weights
    return once | (twice << np.uint64(32))


def _bits(values: NDArray[np.uint64]) -> NDArray[np.int64]:
    """How many bits are set in each; NumPy has a function for it only since 2.0."""
    pairs = values - ((values >> np.uint64(1)) & np.uint64(0x5555555555555555))
    fours = (pairs & np.uint64(0x3333333333333333)) + ((pairs >> np.uint64(2)) & np.uint64(0x3333333333333333))
    bytes_ = (fours + (fours >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    counted: NDArray[np.int64] = ((bytes_ * np.uint64(0x0101010101010101)) >> np.uint64(56)).astype(np.int64)
    return counted


def _may_be_meant(word: str, other: str, edits: float) -> bool:
    """A digit may only be a letter that looks like it; what is shorter than words may be is no candidate."""
    return edits == 0 or not (_DIGIT.search(word) or _DIGIT.search(other))


def _likelihood(word: str, other: str, is_misread: bool) -> float:
    """What of an edit is added for how errors are made."""
    cost = 0.5 if is_misread else 0.0
    if word[0] != other[0]:
        cost += _FIRST_LETTER
    if sorted(word) == sorted(other):
        cost += _SAME_LETTERS
    if len(word) != len(other) and _RUNS.sub(r"\1", word) == _RUNS.sub(r"\1", other):
        cost += _DOUBLED
    return cost


def _replaced(text: str, changed: Iterable[tuple[int, int, Near]]) -> str:
    for start, end, found in reversed(list(changed)):
        text = f"{text[:start]}{found.word}{text[end:]}"
    return text
