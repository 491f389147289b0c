"""Words of a text as search and the ask path compare them: folded and stemmed, without function words where asked.

Scripts without spaces (Chinese, Japanese, Thai) count as overlapping character pairs, the usual substitute where
no dictionary is at hand.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence, Set
from functools import lru_cache
from itertools import pairwise
from threading import Lock
from typing import Any

# Vowel signs of Hebrew, Arabic, Indic scripts and Thai are part of their word, though \w leaves them out.
_LETTER = r"(?:[^\W_]|[\u0591-\u05c7\u064b-\u065f\u0900-\u0dff\u0e00-\u0e7f])"
_WORD = re.compile(rf"{_LETTER}+(?:['’]{_LETTER}+)*")
_APOSTROPHE = str.maketrans("’", "'")
# Thai, Lao, Myanmar, Khmer; kana; CJK ideographs with extensions; compatibility ideographs.
_UNSPACED_RANGES = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
#: Characters of scripts without spaces, as a character class.
UNSPACED = f"[{_UNSPACED_RANGES}]"
_UNSPACED = re.compile(UNSPACED)
_UNSPACED_OR_NOT = re.compile(f"[{_UNSPACED_RANGES}]+|[^{_UNSPACED_RANGES}]+")
_COMBINING = re.compile("[\u0300-\u036f]")
_SENTENCE = re.compile(r"(?<=[.!?…。！？])\s+(?=\S)")

FUNCTION_WORDS = frozenset(
    """a about above after again all also am an and any anybody anyone anything are as at be because been before being
    between both but by can could did do does doing done during each either else every for from get gets given go had
    has have having he her here hers him his how i if in into is it its just like make makes many may me might more
    most much must my no nor not of off on once one only or other our out over own per please same shall she should so
    some somebody someone something such than that the their them then there these they this those through to too
    under until up upon us use used very was we were what when where which while who whom whose why will with within
    without would you your it's that's there's what's he's she's they're we're you're i'm don't doesn't didn't isn't
    wasn't aren't can't won't let's""".split()
)
#: A phrase that begins with these says the same without them.
_EMPTY_BEGINNINGS = frozenset("it he she they we you i there this that be to".split())
#: Number word -> number, as far as people write them out.
NUMBER_WORDS = {
    word: number
    for number, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen twenty".split()
    )
} | {"never": 0, "none": 0, "once": 1, "twice": 2}
#: Words that turn a statement around.
NEGATIONS = frozenset(
    "no not never none nothing nobody neither nor without cannot can't don't doesn't didn't isn't wasn't aren't "
    "weren't won't wouldn't shouldn't couldn't hasn't haven't hadn't".split()
)
#: Words that a question about a video carries whatever it is about.
MEDIA_WORDS = frozenset(
    """video videos clip clips film movie movies recording footage scene scenes episode episodes lecture talk
    speaker speakers narrator person people happen happens happened say says said mention mentions mentioned show
    shows shown showing time times moment moments slide slides screen display displayed""".split()
)


def words(text: str) -> list[str]:
    """Folded words of `text` in order; overlapping character pairs where the script has no spaces."""
    found: list[str] = []
    for word in folded_words(text):
        found += [word[i : i + 2] for i in range(max(1, len(word) - 1))] if _UNSPACED.search(word) else [word]
    return found


_STEMMING = Lock()


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """The English Snowball stem (Porter, 2001), accents removed: "opened", "opens" -> "open"; "café" -> "cafe"."""
    base = plain_word(word)
    with _STEMMING:
        return _stemmer().stemWord(base) or word


def plain_word(word: str) -> str:
    """A folded word without accents, apostrophes and genitive: "café's" -> "cafe"."""
    base = word.removesuffix("'s").replace("'", "")
    if base.isascii():
        return base
    return unicodedata.normalize("NFC", _COMBINING.sub("", unicodedata.normalize("NFD", base)))


@lru_cache(maxsize=1)
def _stemmer() -> Any:
    # The package imports every language it knows, 20 ms that `--help` need not pay; its stemmers keep state.
    from snowballstemmer import stemmer

    return stemmer("english")


def index_stems(text: str) -> list[str]:
    """All stems of `text` in order, as an index keeps them; of unspaced scripts every character and every pair."""
    return [part for word in folded_words(text) for part in index_parts(word)]


def query_stems(text: str) -> list[str]:
    """Stems to search for, each once: those of content words, or of all words where there is no content word.

    Of unspaced scripts the pairs of neighbours: "红色门" is "红色" and "色门".
    """
    found = folded_words(text)
    content = [word for word in found if word not in FUNCTION_WORDS] or found
    return list(dict.fromkeys(part for word in content for part in _query_parts(word)))


def is_spaced(word: str) -> bool:
    """Whether all of a folded word is of scripts that set words apart."""
    return not _UNSPACED.search(word)


def placed_words(text: str) -> list[tuple[int, int, str]]:
    """(start, end, plain word) of every word of an NFKC `text`; of unspaced scripts none."""
    found = []
    for match in _WORD.finditer(text.translate(_APOSTROPHE)):
        folded = folded_words(match.group())
        if len(folded) == 1 and is_spaced(folded[0]):
            found.append((match.start(), match.end(), plain_word(folded[0])))
    return found


def folded_words(text: str) -> list[str]:
    """The words of `text` in order, whatever their case, width and apostrophes."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    # Accents that are still characters of their own, as in the folded "İ", would cut their word in two.
    return _WORD.findall(_COMBINING.sub("", folded).translate(_APOSTROPHE))


def index_parts(word: str) -> list[str]:
    """What an index keeps of a folded word: its stem, or, of unspaced scripts, every character and every pair."""
    if not _UNSPACED.search(word):
        return [stem(word)]
    return [piece for part in _UNSPACED_OR_NOT.findall(word) for piece in _pieces(part)]


def _query_parts(word: str) -> list[str]:
    if not _UNSPACED.search(word):
        return [stem(word)]
    parts = _UNSPACED_OR_NOT.findall(word)
    return [piece for part in parts for piece in _pieces(part) if len(part) == 1 or len(piece) > 1]


def _pieces(part: str) -> list[str]:
    if not _UNSPACED.match(part):
        return [stem(part)]
    return [*part, *("".join(pair) for pair in pairwise(part))]


def content_words(text: str) -> list[str]:
    """Stems of the words that carry meaning, in order, repeats kept."""
    return [stem(word) for word in words(text) if word not in FUNCTION_WORDS]


def topic_words(texts: Iterable[str]) -> list[str]:
    """Content stems of a question's phrases without the words every video question has; all, if none is left."""
    found = [word for text in texts for word in words(text) if word not in FUNCTION_WORDS]
    telling = [word for word in found if word not in MEDIA_WORDS] or found
    return list(dict.fromkeys(stem(word) for word in telling))


def telling_part(phrase: str) -> str:
    """`phrase` without pronouns and the like at its beginning: "it spicy" -> "spicy"; whole, if nothing is left."""
    parts = phrase.split(" ")
    first = next((at for at, part in enumerate(parts) if part.casefold() not in _EMPTY_BEGINNINGS), 0)
    return " ".join(parts[first:])


def rarity(wanted: Iterable[str], texts: Sequence[Set[str]]) -> dict[str, float]:
    """Per wanted word, a weight that falls with the number of `texts`, as sets of words, that hold it."""
    return {word: math.log(1 + (len(texts) + 1) / (0.5 + sum(word in text for text in texts))) for word in wanted}


def sentences(text: str) -> list[str]:
    """`text` cut after sentence ends; the pieces are verbatim."""
    return [piece for piece in (part.strip() for part in _SENTENCE.split(text)) if piece]
