"""Phrases as tools compare them: whole words without case and punctuation, so that "Red door!" holds "red door"."""

from __future__ import annotations

import re
import unicodedata

from agentvid.words import words

# Thai to Lao, Myanmar, Khmer, kana, CJK, Hangul: words are not set apart by spaces, or carry particles.
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")
_LETTERS = re.compile(r"[\W_]+")
_QUOTED = re.compile(r'"([^"]+)"|“([^”]+)”|«([^»]+)»')


def normalised(text: str) -> str:
    """The folded words of `text`, set apart by single spaces; equal for texts that read the same aloud."""
    return " ".join(words(text))


def count_phrase(text: str, phrase: str) -> int:
    """How often `phrase` occurs in `text` as whole words; scripts without spaces are searched letter by letter."""
    if _UNSPACED.search(phrase):
        needle = _letters(phrase)
        return _letters(text).count(needle) if needle else 0
    needle = "  ".join(words(phrase))
    # Doubled spaces let neighbouring occurrences each keep both of theirs.
    return f" {'  '.join(words(text))} ".count(f" {needle} ") if needle else 0


def contains_phrase(text: str, phrase: str) -> bool:
    """True if `phrase` occurs in `text` as whole words."""
    return count_phrase(text, phrase) > 0


def quoted_phrases(query: str) -> list[str]:
    """The parts of `query` in double quotes, which are meant letter by letter."""
    return [next(part for part in found if part) for found in _QUOTED.findall(query)]


def _letters(text: str) -> str:
    return _LETTERS.sub("", unicodedata.normalize("NFKC", text).casefold())
