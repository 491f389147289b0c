"""`read`: everything that was observed in a stretch of video, word by word."""

from __future__ import annotations

from agentvid.tools.base import ToolContext
from agentvid.tools.rows import rows_at, to_moment
from agentvid.tools.scope import check_moment
from agentvid.types import OCR, SPEECH, SUBTITLE, Moment, Observation

MAX_ROWS = 200


def read(context: ToolContext, *, within: Moment, track: str | None = None) -> list[Moment]:
    """What was said, shown or described in a moment, verbatim, in time order; at most the first 200 rows.

    Args:
        within: the moment to read; rows that only reach into it count
        track: speech, ocr, caption or another track; without it all; burnt-in subtitles stand for missing speech

    Raises:
        ToolError: the moment lies outside of the question's scope.
    """
    check_moment(context, within)
    if track:
        context.ledger.tracks.add(track)
    rows = rows_at(context, within.video_id, within.span, track)
    if track == SPEECH and not rows:
        rows = _burnt_in(context, within)
    return context.ledger.record([to_moment(within.video_id, [row]) for row in rows[:MAX_ROWS]])


def _burnt_in(context: ToolContext, within: Moment) -> list[Observation]:
    """The subtitles that the picture shows, in a video of which no speech is known."""
    if SPEECH in context.catalogue.track_holders([within.video_id]):
        return []
    context.ledger.tracks.add(OCR)
    rows = rows_at(context, within.video_id, within.span, OCR)
    return [row for row in rows if row.attributes.get("kind") == SUBTITLE]
