"""`count_all`: how often something happens, counted over everything that there is."""

from __future__ import annotations

from agentvid.errors import ToolError
from agentvid.tools.base import Scan, ToolContext
from agentvid.tools.intervals import merge
from agentvid.tools.list_all import GAP_SECONDS, MAX_MOMENTS, occurrences
from agentvid.tools.scope import where
from agentvid.types import Moment


def count_all(
    context: ToolContext,
    *,
    query: str,
    gap: float = GAP_SECONDS,
    video: str | None = None,
    track: str | None = None,
    within: Moment | None = None,
) -> float:
    """How many separate times the query happens, with no upper limit: every passage is compared, and what is told on
    several tracks, or again within `gap` seconds, counts once. As evidence give what list_all finds.

    Args:
        query: what to count; '"red door"' for these very words
        gap: seconds; moments of one video that overlap or lie at most so far apart are one
        video: id, title or file name; without it all videos of the question
        track: speech, ocr, caption or another track; without it all
        within: only moments that overlap this one

    Raises:
        ToolError: an argument is not allowed, or lies outside of the question's scope.
    """
    if gap < 0:
        raise ToolError(f"gap={gap:g} is not allowed; allowed: 0 or more seconds")
    allowed = where(context, video=video, track=track, within=within)
    found = [m for moments in occurrences(context, query, allowed, within) for m in moments]
    events = merge(found, gap_seconds=gap)
    # All were counted; as many may be cited as a list could show.
    context.ledger.scans.append(Scan(query, allowed))
    context.ledger.record(events[:MAX_MOMENTS])
    return float(len(events))
