"""Words of a text as the ask path compares them: folded, without function words, with a light English stem.

Scripts without spaces (Chinese, Japanese, Thai) count as overlapping character pairs, the usual substitute where
no dictionary is at hand.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence, Set
from functools import lru_cache

# Vowel signs of Hebrew, Arabic, Indic scripts and Thai are part of their word, though \w leaves them out.
_LETTER = r"(?:[^\W_]|[\u0591-\u05c7\u064b-\u065f\u0900-\u0dff\u0e00-\u0e7f])"
_WORD = re.compile(rf"{_LETTER}+(?:['’]{_LETTER}+)*")
_APOSTROPHE = str.maketrans("’", "'")
_ENDINGS = ("ing", "ies", "ied", "ed", "es", "s")
#: Characters of scripts without spaces, as a character class.
UNSPACED = r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]"
_UNSPACED = re.compile(UNSPACED)
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
    folded = unicodedata.normalize("NFKC", text).casefold().translate(_APOSTROPHE)
    found: list[str] = []
    for word in _WORD.findall(folded):
        found += [word[i : i + 2] for i in range(max(1, len(word) - 1))] if _UNSPACED.search(word) else [word]
    return found


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """`word` without a common English ending: "opened", "opens", "opening" -> "open"; "baking", "bake" -> "bak"."""
    base = word.removesuffix("'s").replace("'", "")
    for ending in _ENDINGS:
        if base.endswith(ending) and len(base) - len(ending) >= 3 and not base.endswith("ss"):
            base = base.removesuffix(ending)
            break
    if len(base) > 3 and base[-1] == base[-2] and base[-1] not in "aeiouls":
        base = base[:-1]
    return base[:-1] if len(base) > 3 and base[-1] in "ey" else base


def content_words(text: str) -> list[str]:
    """Stems of the words that carry meaning, in order, repeats kept."""
    return [stem(word) for word in words(text) if word not in FUNCTION_WORDS]


def topic_words(texts: Iterable[str]) -> list[str]:
    """Content stems of a question's phrases without the words every video question has; all, if none is left."""
    found = [word for text in texts for word in words(text) if word not in FUNCTION_WORDS]
    telling = [word for word in found if word not in MEDIA_WORDS] or found
    return list(dict.fromkeys(stem(word) for word in telling))


def rarity(wanted: Iterable[str], texts: Sequence[Set[str]]) -> dict[str, float]:
    """Per wanted word, a weight that falls with the number of `texts`, as sets of words, that hold it."""
    return {word: math.log(1 + (len(texts) + 1) / (0.5 + sum(word in text for text in texts))) for word in wanted}


def sentences(text: str) -> list[str]:
    """`text` cut after sentence ends; the pieces are verbatim."""
    return [piece for piece in (part.strip() for part in _SENTENCE.split(text)) if piece]
