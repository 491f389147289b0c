"""Two questions in one: "What is it about, and how many slides are there?"

A form answers one of them. So the first is asked, and the user is told which other one was not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

_ASKING = "what|when|where|who|whose|which|why|how"
_HELPING = "is|are|was|were|does|do|did|has|have|can|could"
#: After a question mark any question may begin, after a comma and "and" too; after "and" alone, one with its own word:
#: "what was and is not allowed" is one question.
_BORDER = re.compile(
    rf"\?+\s+(?:(?:and|also),?\s+)*(?=(?:{_ASKING}|{_HELPING})\b)"
    rf"|,\s*(?:and|also)\s+(?:also\s+)?(?=(?:{_ASKING}|{_HELPING})\b)|\s+and\s+(?:also\s+)?(?=(?:{_ASKING})\b)",
    re.IGNORECASE,
)
_BEGINS = re.compile(rf"\s*(?:{_ASKING}|{_HELPING}|list|name|show|find|count)\b", re.IGNORECASE)
#: Words that each has at least, and how much better than the whole both together fit a form.
_WORDS, _BETTER = 3, 1.5


def may_be_two(question: str) -> bool:
    """Whether it is worth while to weigh parts: few questions have any."""
    return any(True for _ in _halves(question))


def two_questions(question: str, weigh: Callable[[str], float]) -> tuple[str, str] | None:
    """The first and the rest of a question that is two, None of one that is one.

    `weigh` tells how much of a text is known from question forms: both parts must say more to one than the whole does.
    """
    whole = weigh(question)
    for first, second in _halves(question):
        one, other = weigh(first), weigh(second)
        if min(one, other) > 1.0 and one + other > _BETTER * whole:
            return first, second
    return None


def _halves(question: str) -> Iterator[tuple[str, str]]:
    for border in _BORDER.finditer(question):
        first, second = question[: border.start()].strip(" ,;"), question[border.end() :].strip(" ?!.")
        if _BEGINS.match(first) and min(len(first.split()), len(second.split())) >= _WORDS:
            yield first, second
