"""The numbers a text states, in digits or in English words, so that "45 minutes" and "forty-five minutes" agree."""

from __future__ import annotations

import re

from agentvid.words import words

CLOCK = re.compile(r"(?<![\d:])\d{1,3}:\d{2}(?::\d{2})?(?:\.\d{1,3})?(?!\d|:\d)")
#: A unit or an ordinal's ending may stick to the digits: 45min, 3rd, 1990s.
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:[.,]\d+)*(?=[^\W\d_]{0,3}(?!\w))")
_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_UNITS = {word: float(value) for value, word in enumerate(_SMALL)}
_TENS = {
    word: 10.0 * value for value, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)
}
_SCALES = {"thousand": 1e3, "million": 1e6, "billion": 1e9}
NUMBER_WORDS = frozenset([*_UNITS, *_TENS, "hundred", *_SCALES])


def numbers_in(text: str) -> set[float]:
    """Every number of `text`; clock times (M:SS, M:SS.s) are none."""
    text = CLOCK.sub(" ", text)
    digits = {float(match.replace(",", "")) for match in _NUMBER.findall(text) if match.count(".") < 2}
    return digits | _spelled(words(text))


def _spelled(tokens: list[str]) -> set[float]:
    """Numbers in words; "two hundred and five" is one number, "one two" are two."""
    found: set[float] = set()
    total = current = 0.0
    is_open = False

    def close() -> None:
        nonlocal total, current, is_open
        if is_open:
            found.add(total + current)
        total, current, is_open = 0.0, 0.0, False

    for token in [*tokens, ""]:
        if token in _UNITS:
            # A unit may follow tens and hundreds only.
            if is_open and (current % 10 or (current % 100 and _UNITS[token] >= 10) or not total + current):
                close()
            current, is_open = current + _UNITS[token], True
        elif token in _TENS:
            if is_open and current % 100:
                close()
            current, is_open = current + _TENS[token], True
        elif token == "hundred":
            current, is_open = max(1.0, current) * 100, True
        elif token in _SCALES:
            total, current, is_open = total + max(1.0, current) * _SCALES[token], 0.0, True
        elif token != "and" or not (is_open and (current or total) and not current % 100):
            close()
    return found
