"""`shots`: what lies between the cuts, as the one pass over the frames found it."""

from __future__ import annotations

from agentvid.tools.base import ToolContext
from agentvid.tools.scope import check_moment
from agentvid.types import Moment


def shots(context: ToolContext, *, within: Moment) -> list[Moment]:
    """The camera shots of a moment from cut to cut, in time order, without words; empty where no frames were looked at.

    Args:
        within: the moment; span(start=0, end=86400, video=...) for all of a video

    Raises:
        ToolError: the moment lies outside of the question's scope.
    """
    check_moment(context, within)
    found = (span.intersection(within.span) for span in context.catalogue.shots(within.video_id))
    return [Moment(within.video_id, span, score=1.0) for span in found if span]
