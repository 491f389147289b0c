"""`search`: the best passages for a query, by words and by meaning."""

from __future__ import annotations

from agentvid.tools.base import ToolContext
from agentvid.tools.scope import asked_for, where, whole_number
from agentvid.types import Moment

MAX_RESULTS = 100


def search(
    context: ToolContext,
    *,
    query: str,
    k: float = 8.0,
    video: str | None = None,
    track: str | None = None,
    within: Moment | None = None,
) -> list[Moment]:
    """The k passages that fit the query best, best first.

    Args:
        query: what to look for, in a few words
        k: how many, 1 to 100
        video: id, title or file name; without it all videos of the question
        track: speech, ocr, caption or another track; without it all
        within: only passages that overlap this moment

    Raises:
        ToolError: an argument is not allowed, or lies outside of the question's scope.
    """
    limit = whole_number("k", k, most=MAX_RESULTS)
    place = where(context, video=video, track=track, within=within)
    asked_for(context, query)
    return context.ledger.record(context.retriever.search(query.strip(), k=limit, where=place))
