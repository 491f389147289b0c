"""`ground`: when exactly something happens, or that it does not. A chat model, where there is one, decides."""

from __future__ import annotations

from agentvid.tools.base import ToolContext
from agentvid.tools.llm_spans import choose_spans
from agentvid.tools.scope import asked_for, where, whole_number
from agentvid.types import Moment

MAX_RESULTS = 20
#: A place counts as found from this confidence on.
MIN_CONFIDENCE = 0.5
#: A chat model reads around at least so many places, wherever the surest of them is.
MIN_PLACES = 5


def ground(
    context: ToolContext,
    *,
    query: str,
    k: float = 3.0,
    video: str | None = None,
    track: str | None = None,
    within: Moment | None = None,
) -> list[Moment]:
    """Where exactly the query happens: tighter moments than search, likeliest first, score = confidence 0.5 to 1; empty
    if nothing fits well enough.

    Args:
        query: one event or statement, in a few words
        k: at most how many, 1 to 20
        video: id, title or file name; without it all videos of the question
        track: speech, ocr, caption or another track; without it all
        within: only moments that overlap this one

    Raises:
        ToolError: an argument is not allowed, or lies outside of the question's scope.
    """
    limit = whole_number("k", k, most=MAX_RESULTS)
    place = where(context, video=video, track=track, within=within)
    asked = asked_for(context, query).text
    if context.chat is None:
        found = context.retriever.locate(query.strip(), k=limit, where=place)
    else:
        places = context.retriever.locate(query.strip(), k=max(limit, MIN_PLACES), where=place)
        found = choose_spans(context, asked, places, place)
    return context.ledger.record([moment for moment in found if moment.score >= MIN_CONFIDENCE][:limit])
