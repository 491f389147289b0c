"""Which words are words: the dictionaries of pyspellchecker (MIT), read when a query holds a word that nobody says."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from functools import lru_cache
from importlib.resources import files

from agentvid.words import plain_word

#: Of these there is one; English is always asked, since stems and the shipped model are English.
LANGUAGES = frozenset("ar de en es eu fa fr it lv nl pt ru".split())


def is_in_dictionary(word: str, languages: Iterable[str]) -> bool:
    """Whether English or one of `languages` (BCP 47 tags; those without a dictionary are passed over) has this word."""
    known = {"en"} | {tag.partition("-")[0] for tag in languages}
    return any(word in _dictionary(name) for name in sorted(known & LANGUAGES))


@lru_cache(maxsize=len(LANGUAGES))
def _dictionary(language: str) -> frozenset[str]:
    """Its words as `plain_word` writes them. English takes 0.1 s, German 0.3 s."""
    packed = (files("spellchecker") / "resources" / f"{language}.json.gz").read_bytes()
    words: dict[str, int] = json.loads(gzip.decompress(packed))
    return frozenset(word if word.isascii() and word.isalpha() else plain_word(word) for word in words)
