"""`search_moments` and `ground`: where in the videos something is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from agentvid.adapters.base import (
    NOTICE,
    DoorTool,
    Page,
    Pages,
    Query,
    Time,
    VideoName,
    Words,
    fill,
    name_of,
    notes_of,
    reading_context,
    shown_name,
    words_of,
)
from agentvid.errors import UsageError
from agentvid.types import Moment, Span

if TYPE_CHECKING:
    from agentvid.library import Library

_TRACKS = "Only these tracks, as speech, ocr (text on screen), caption, sound, fact; all if empty."
_LAST_SECOND = 1e9


class FoundMoment(Words):
    """A span of one video."""

    video_id: str
    name: str = Field(description="File name, or the name given at import.")
    start: float = Field(description="Seconds on the video's own clock.")
    end: float = Field(description="Seconds; the span ends before it.")
    score: float = Field(description="Orders the moments of one result, higher is better.")
    track: str = Field(description="Where the text comes from.")


class Search(Page):
    """What `search_moments` takes."""

    query: Query = Field(description="What to look for: words that are said or shown, or a description of it.")
    k: int = Field(10, ge=1, le=200, description="How many moments in all, over all pages.")
    videos: list[VideoName] = Field(
        default_factory=list, max_length=100, description="Only these: ids or names as of list_videos; all if empty."
    )
    tracks: list[str] = Field(default_factory=list, max_length=20, description=_TRACKS)
    start: Time = Field(None, description="From this time of each video on: seconds, M:SS or H:MM:SS.")
    end: Time = Field(None, description="Up to this time: seconds, M:SS or H:MM:SS.")
    level: Literal["moment", "chapter", "video"] = Field(
        "moment", description="Return moments, or the chapters or the videos that hold them."
    )


class Found(Pages):
    """What `search_moments` returns."""

    moments: list[FoundMoment] = Field(description="The best first.")
    notes: list[str] = Field(description="What limits this search, as that it is by words only.")
    notice: str = NOTICE


def _search(library: Library, asked: Search) -> Found:
    hits = library.search(
        asked.query,
        k=asked.k,
        videos=asked.videos,
        tracks=asked.tracks,
        start=asked.start,
        end=asked.end,
        level=None if asked.level == "moment" else asked.level,
    )
    found = _told([hit.moment for hit in hits], {hit.moment.video_id: shown_name(hit.video) for hit in hits})
    empty = Found(
        total=len(found), moments=[], notes=notes_of(*map(str, library.spelling(asked.query)), *library.notes())
    )
    return fill(SEARCH.name, library, asked, empty, "moments", found)


def _told(moments: list[Moment], names: Mapping[str, str]) -> list[FoundMoment]:
    return [
        FoundMoment(
            text=words_of(moment.text),
            video_id=moment.video_id,
            name=names[moment.video_id],
            **moment.span.to_json(),
            score=round(moment.score, 4),
            track=moment.track,
        )
        for moment in moments
    ]


SEARCH = DoorTool(
    name="search_moments",
    title="Search moments in videos",
    description=(
        "Find the moments of indexed videos that fit a query, by meaning and by words, in everything that was said, "
        "shown as text, captioned or heard. Use it first, to find where something is; then read_transcript or "
        "get_frames around a moment for detail, or ask_video for an answer with checked citations. Returns moments, "
        "the best first, each with video_id, name, start and end in seconds, track and the words found there. If "
        "next_cursor is not empty there are more: call again with the same arguments and that cursor. Nothing found "
        "is an empty list; it does not prove that the thing is in no video."
    ),
    input=Search,
    output=Found,
    run=_search,
)


class Ground(Page):
    """What `ground` takes."""

    query: Query = Field(description="One event or statement in a few words.")
    video: VideoName = Field("", description="Id or name of the video as of list_videos; all videos if empty.")
    track: str = Field("", max_length=40, description="Only this track, as speech or ocr; all if empty.")
    start: Time = Field(None, description="Only moments that reach beyond this time; needs video.")
    end: Time = Field(None, description="Only moments that begin before this time; needs video.")
    k: int = Field(3, ge=1, le=20, description="At most so many moments.")


class Grounded(Pages):
    """What `ground` returns."""

    found: bool = Field(description="False if nothing fits well enough: then it was not found, so do not guess.")
    moments: list[FoundMoment] = Field(description="The likeliest first; score is a confidence from 0.5 to 1.")
    videos_examined: int
    seconds_examined: float
    notes: list[str]
    notice: str = NOTICE


def _ground(library: Library, asked: Ground) -> Grounded:
    from agentvid.tools.ground import ground

    within = _within(library, asked)
    context = reading_context(library, [asked.video] if asked.video else [])
    moments = ground(context, query=asked.query, k=asked.k, track=asked.track or None, within=within)
    found = _told(moments, {video_id: name_of(video) for video_id, video in context.scope.items()})
    empty = Grounded(
        total=len(found),
        found=bool(found),
        moments=[],
        videos_examined=len(context.scope),
        seconds_examined=round(sum(video.duration_seconds for video in context.scope.values()), 3),
        notes=notes_of(*map(str, context.ledger.respelt.values()), *context.ledger.notes, *library.notes()),
    )
    return fill(GROUND.name, library, asked, empty, "moments", found)


def _within(library: Library, asked: Ground) -> Moment | None:
    if asked.start is None and asked.end is None:
        return None
    if not asked.video:
        raise UsageError("start and end are times of one video and none is given", hint="name it in video")
    video = library.catalogue.find_video(asked.video)
    return Moment(video.id, Span(asked.start or 0.0, _LAST_SECOND if asked.end is None else asked.end))


GROUND = DoorTool(
    name="ground",
    title="When exactly it happens",
    description=(
        "Tell when exactly one event or statement happens, or that it was not found. Use it when you need tight start "
        "and end times, as to cut, cite or compare; search_moments is the wider search. Returns at most k moments, "
        "the likeliest first, each with start and end in seconds and a confidence from 0.5 to 1 as score; found is "
        "false and moments is empty if nothing fits well enough in what was examined."
    ),
    input=Ground,
    output=Grounded,
    run=_ground,
)
