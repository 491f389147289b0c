"""`videos_with`: which videos have a track at all, as the catalogue counts its rows."""

from __future__ import annotations

from agentvid.tools.base import ToolContext
from agentvid.tools.scope import filled
from agentvid.types import Moment


def videos_with(context: ToolContext, *, track: str) -> list[Moment]:
    """The videos of the question that have rows of a track, each whole, in the order in which they were added.

    Args:
        track: speech, ocr, caption or another track

    Raises:
        ToolError: the name of the track is empty.
    """
    wanted = filled("track", track)
    scope, found = context.scope, context.catalogue.summaries()
    return [
        Moment(one.video.id, scope[one.video.id].span, score=1.0)
        for one in found
        if one.video.id in scope and one.tracks.get(wanted, 0) > 0
    ]
