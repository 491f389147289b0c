"""`chapters`: the parts of a video in which different things are told, each with the rows that tell most of it."""

from __future__ import annotations

from agentvid.tools.base import ToolContext
from agentvid.tools.scope import check_moment
from agentvid.types import Moment, Observation, Section


def chapters(context: ToolContext, *, within: Moment) -> list[Moment]:
    """The chapters that a moment lies in or covers, in time order; the text of each is what tells most of it, verbatim.

    Args:
        within: the moment; span(start=0, end=86400, video=...) for all of a video

    Raises:
        ToolError: the moment lies outside of the question's scope.
    """
    check_moment(context, within)
    sections = context.catalogue.sections(within.video_id)
    if not sections:
        title = context.scope[within.video_id].title
        context.ledger.notes.append(f"{title!r} has no chapters; `agentvid index` it again if it has text")
    found = [part for part in sections if part.level == "chapter" and part.span.overlaps(within.span)]
    told = context.catalogue.observations_by_id(at for part in found for at in part.observation_ids)
    rows = {row.id: row for row in told}
    return context.ledger.record([_moment(within.video_id, part, rows) for part in found])


def _moment(video_id: str, chapter: Section, rows: dict[int, Observation]) -> Moment:
    told = [rows[at] for at in chapter.observation_ids if at in rows]
    tracks = {row.track for row in told}
    return Moment(
        video_id=video_id,
        span=chapter.span,
        score=1.0,
        track=tracks.pop() if len(tracks) == 1 else "",
        text=" ".join(row.text for row in told),
        observation_ids=tuple(row.id for row in told),
    )
