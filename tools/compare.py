"""`compare`: what two parts have in common and in what they differ."""

from __future__ import annotations

from collections.abc import Sequence

from agentvid.text import clean_text
from agentvid.tools.base import ToolContext
from agentvid.tools.chat import ask, lines
from agentvid.tools.scope import filled
from agentvid.tools.summarize import extract
from agentvid.tools.telling import most_telling, told_in
from agentvid.types import Moment
from agentvid.untrusted import quoted
from agentvid.words import FUNCTION_WORDS, stem, words

#: So many rows of each part are read, and so many sentences, words and rows told.
MAX_ROWS, MAX_SENTENCES, MAX_WORDS, MAX_OWN_ROWS = 60, 6, 12, 3
MAX_CHARACTERS = 3_000


def compare(
    context: ToolContext, *, question: str, a: list[Moment], b: list[Moment], track: str | None = None
) -> str | None:
    """What two parts have in common and in what they differ, as far as it concerns the question; nothing if neither has
    anything to read.

    Args:
        question: what the comparison is about
        a: the moments of the first part
        b: the moments of the second part
        track: speech, ocr, caption or another track; without it all

    Raises:
        ToolError: the question is empty, or a moment lies outside of the question's scope.
    """
    asked = filled("question", question)
    first, second = (most_telling(told_in(context, part, track), MAX_ROWS, asked) for part in (a, b))
    if not (first or second):
        return None
    context.ledger.record([*first, *second])
    written = ask(
        context,
        "compare",
        lambda reply: clean_text(reply, limit=MAX_CHARACTERS) or None,
        allowed=f"1 to {MAX_SENTENCES} sentences of plain text",
        instead="the comparison is made of words and rows of the video",
        question=quoted(asked, limit=MAX_CHARACTERS),
        first=lines(first),
        second=lines(second),
        most=str(MAX_SENTENCES),
    )
    return written or side_by_side(asked, first, second)


def side_by_side(question: str, first: Sequence[Moment], second: Sequence[Moment]) -> str:
    """Words of both, and rows of each that the other has least of, those about the question before others."""
    of_first, of_second = _content(first), _content(second)
    common = [word for name, word in of_first.items() if name in of_second][:MAX_WORDS]
    parts = [f"In both: {', '.join(common) or 'nothing'}."]
    for place, rows, other in (("first", first, of_second), ("second", second, of_first)):
        own = [row for row in rows if not _content([row]).keys() <= other.keys()]
        chosen = most_telling(own, MAX_OWN_ROWS, question)
        parts.append(f"Only in the {place}: {extract(chosen).rstrip('.') or 'nothing'}.")
    return clean_text(" ".join(parts), limit=MAX_CHARACTERS)


def _content(rows: Sequence[Moment]) -> dict[str, str]:
    """The content words of rows, each as first written, by their stems."""
    found: dict[str, str] = {}
    for row in rows:
        for word in words(row.text):
            if word not in FUNCTION_WORDS:
                found.setdefault(stem(word), word)
    return found
