"""`summarize`: what moments say, in a few sentences of a chat model or, without one, in rows word by word."""

from __future__ import annotations

from agentvid.text import clean_text, timestamp
from agentvid.tools.base import ToolContext
from agentvid.tools.chat import ROW_CHARACTERS, ask, lines
from agentvid.tools.scope import whole_number
from agentvid.tools.telling import most_telling, told_in
from agentvid.types import Moment
from agentvid.untrusted import quoted

MAX_SENTENCES = 20
#: A model reads so many rows; a summary has at most so many characters.
MAX_ROWS, MAX_CHARACTERS = 120, 3_000


def summarize(
    context: ToolContext,
    *,
    within: list[Moment],
    about: str | None = None,
    sentences: float = 5.0,
    track: str | None = None,
) -> str | None:
    """What moments say and show, in a few sentences in the order of time; nothing if there is nothing to read.

    Args:
        within: the moments to sum up; one of whole_videos() for all of a video
        about: what matters most; without it whatever is told most
        sentences: at most how many, 1 to 20
        track: speech, ocr, caption or another track; without it all

    Raises:
        ToolError: an argument is not allowed, or a moment lies outside of the question's scope.
    """
    most = whole_number("sentences", sentences, most=MAX_SENTENCES)
    told = told_in(context, within, track)
    if not told:
        return None
    chosen = most_telling(told, most, about or "")
    shown = most_telling(told, MAX_ROWS, about or "")
    context.ledger.record(chosen if context.chat is None else shown)
    written = ask(
        context,
        "summarize",
        lambda reply: clean_text(reply, limit=MAX_CHARACTERS) or None,
        allowed=f"1 to {most} sentences of plain text",
        instead="the summary is made of rows of the video",
        most=str(most),
        about=quoted(about or "whatever is told most", limit=ROW_CHARACTERS),
        rows=lines(shown),
    )
    return written or extract(chosen)


def extract(rows: list[Moment]) -> str:
    """Rows word by word, each after its time."""
    limit = MAX_CHARACTERS // max(1, len(rows))
    return " ".join(clean_text(f"{timestamp(row.span.start_seconds)} {row.text}", limit=limit) for row in rows)
