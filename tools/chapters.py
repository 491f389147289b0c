"""`chapters`: the parts of videos in which different things are told, each with the rows that tell most of it."""

from __future__ import annotations

from agentvid.tools.base import ToolContext
from agentvid.tools.intervals import by_video
from agentvid.tools.scope import check_moment
from agentvid.types import Moment, Observation, Section


def chapters(context: ToolContext, *, within: list[Moment]) -> list[Moment]:
    """The chapters that moments lie in or cover, by video and time; the text of each is what tells most of it, word by
    word.

    Args:
        within: the moments; whole_videos() for every video, span(start=0, end=86400, video=...) for all of one

    Raises:
        ToolError: a moment lies outside of the question's scope.
    """
    found: list[Moment] = []
    for moment in within:
        check_moment(context, moment)
    for video_id, moments in by_video(within).items():
        sections = context.catalogue.sections(video_id)
        if not sections:
            title = context.scope[video_id].title
            context.ledger.notes.append(f"{title!r} has no chapters; `agentvid index` it again if it has text")
        spans = [moment.span for moment in moments]
        parts = [part for part in sections if part.level == "chapter" and any(map(part.span.overlaps, spans))]
        told = context.catalogue.observations_by_id(at for part in parts for at in part.observation_ids)
        rows = {row.id: row for row in told}
        found += [_moment(video_id, part, rows) for part in parts]
    return context.ledger.record(found)


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
