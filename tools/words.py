"""Phrases as tools compare them: whole words without case and punctuation, so that "Red door!" holds "red door"."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from agentvid.text import parse_timestamp
from agentvid.words import NUMBER_WORDS, words

# Thai to Lao, Myanmar, Khmer, kana, CJK, Hangul: words are not set apart by spaces, or carry particles.
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")
_LETTERS = re.compile(r"[\W_]+")
_NUMBER_WORD = "|".join(sorted(NUMBER_WORDS, key=len, reverse=True))
_NUMBER = re.compile(rf"(?<![\w.])(?:\d+(?:,\d{{3}})*(?:\.\d+)?|(?:{_NUMBER_WORD})\b)")
_CLOCK = re.compile(r"(?<![\d:])\d{1,3}:\d{2}(?::\d{2})?(?:\.\d+)?(?![\d:])")
_AMOUNT = re.compile(
    rf"(?P<number>\d+(?:\.\d+)?|(?:{_NUMBER_WORD}))\s*-?\s*(?P<unit>h(?:ours?|rs?)?|m(?:in(?:ute)?s?)?|s(?:ec(?:ond)?s?)?)\b"
)
_UNIT_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0}
_QUOTED = re.compile(r'"([^"]+)"|“([^”]+)”|«([^»]+)»')


def normalised(text: str) -> str:
    """The folded words of `text`, set apart by single spaces; equal for texts that read the same aloud."""
    return " ".join(words(text))


def phrase_counter(phrase: str) -> Callable[[str], int]:
    """Counts `phrase` in a text, as whole words, the last also in the genitive.

    Scripts without spaces are searched letter by letter.
    """
    if _UNSPACED.search(phrase):
        letters = _letters(phrase)
        return lambda text: _letters(text).count(letters) if letters else 0
    # Doubled spaces let neighbouring occurrences each keep both of theirs. Whoever says "Anna's" says "Anna".
    spaced = "  ".join(words(phrase))
    if not spaced:
        return lambda text: 0
    return lambda text: sum(f" {'  '.join(words(text))} ".count(f" {form} ") for form in (spaced, f"{spaced}'s"))


def number_in(text: str) -> float | None:
    """The first number of a text, in digits or, up to twenty, in words; None if it has none."""
    for found in _NUMBER.finditer(text.casefold()):
        word = found.group()
        return float(NUMBER_WORDS[word]) if word in NUMBER_WORDS else float(word.replace(",", ""))
    return None


def seconds_in(text: str) -> float | None:
    """The seconds of a text's first time: "1:15", "75 s", "two minutes"; a bare number is seconds; None if none."""
    clock = _CLOCK.search(text)
    amount = _AMOUNT.search(text.casefold())
    if clock and not (amount and amount.start() < clock.start()):
        return parse_timestamp(clock.group())
    if amount is None:
        return number_in(text)
    seconds = 0.0
    for part in _AMOUNT.finditer(text.casefold()):
        seconds += (number_in(part["number"]) or 0.0) * _UNIT_SECONDS[part["unit"][0]]
    return seconds


def contains_phrase(text: str, phrase: str) -> bool:
    """True if `phrase` occurs in `text` as whole words."""
    return phrase_counter(phrase)(text) > 0


def quoted_phrases(query: str) -> list[str]:
    """The parts of `query` in double quotes, which are meant letter by letter."""
    return [next(part for part in found if part) for found in _QUOTED.findall(query)]


def _letters(text: str) -> str:
    return _LETTERS.sub("", unicodedata.normalize("NFKC", text).casefold())
