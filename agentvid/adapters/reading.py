"""`list_videos`, `read_transcript`, `video_fact`: what the library has, read without a question."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from agentvid.adapters.base import (
    NOTICE,
    Capped,
    DoorTool,
    Output,
    Page,
    Pages,
    Time,
    VideoName,
    Words,
    fill,
    name_of,
    tokens_of,
    words_of,
)
from agentvid.errors import UsageError
from agentvid.text import timestamp
from agentvid.tools.rows import each_once
from agentvid.types import CAPTION, FACT, FRAME, OCR, SOUND, SPEECH, Observation, Section, Span, Video

if TYPE_CHECKING:
    from agentvid.library import Library

#: What a transcript is made of unless tracks are named.
SAID = (SPEECH, OCR, CAPTION, SOUND)
_MOST_TRACKS, _FACT_CHARACTERS, _CHAPTERS = 12, 400, 12


class ListVideos(Page):
    """What `list_videos` takes."""

    name: str = Field("", max_length=200, description="Only videos whose name holds these letters; all if empty.")


class ListedVideo(Output):
    """One video."""

    video_id: str
    name: str = Field(description="File name, or the name given at import.")
    duration: float = Field(description="Seconds.")
    tracks: dict[str, int] = Field(description="Rows of each track: speech, ocr, caption...")
    state: str = Field(description="ready; partial: parts could not be read; missing: its file is gone, texts answer.")


class Listed(Pages):
    """What `list_videos` returns."""

    videos: list[ListedVideo]
    failed: int = Field(description="Files that could not be indexed, not listed here.")
    notice: str = NOTICE


def _list(library: Library, asked: ListVideos) -> Listed:
    wanted = asked.name.casefold()
    summaries = [each for each in library.catalogue.summaries() if wanted in name_of(each.video).casefold()]
    found = [
        ListedVideo(
            video_id=each.video.id,
            name=name_of(each.video),
            duration=round(each.video.duration_seconds, 3),
            tracks={words_of(track, limit=20): each.tracks[track] for track in [*each.tracks][:_MOST_TRACKS]},
            state=each.state,
        )
        for each in summaries
    ]
    empty = Listed(total=len(found), videos=[], failed=len(library.catalogue.failures()))
    return fill(LIST.name, library, asked, empty, "videos", found)


LIST = DoorTool(
    name="list_videos",
    title="List the videos",
    description=(
        "List the videos that can be searched and asked about. Use it to learn the ids and names that the other tools "
        "take. Returns for each its id, name, length in seconds and how many rows each track has: a video without "
        "speech rows cannot tell what was said in it. If next_cursor is not empty there are more: call again with that "
        "cursor."
    ),
    input=ListVideos,
    output=Listed,
    run=_list,
)


class ReadTranscript(Page):
    """What `read_transcript` takes."""

    video: VideoName = Field(min_length=1, description="Id or name of the video as of list_videos.")
    start: Time = Field(None, description="From this time on: seconds, M:SS or H:MM:SS; the beginning if empty.")
    end: Time = Field(None, description="Up to this time: seconds, M:SS or H:MM:SS; the end if empty.")
    tracks: list[str] = Field(
        default_factory=list,
        max_length=20,
        description="Only these tracks; speech, ocr (text on screen), caption and sound if empty.",
    )


class Row(Words):
    """What one track says of a span."""

    start: float = Field(description="Seconds on the video's own clock.")
    end: float
    track: str


class Transcript(Pages):
    """What `read_transcript` returns."""

    video_id: str
    name: str
    duration: float
    rows: list[Row] = Field(description="In time order; rows that only reach into the span count.")
    tracks: list[str] = Field(description="The tracks that this video has.")
    notice: str = NOTICE


def _read(library: Library, asked: ReadTranscript) -> Transcript:
    video = library.catalogue.find_video(asked.video)
    rows = transcript_rows(library, video, span_of(video, asked.start, asked.end), asked.tracks or SAID)
    found = [Row(text=words_of(row.text), **row.span.to_json(), track=row.track) for row in rows]
    empty = Transcript(
        total=len(found),
        video_id=video.id,
        name=name_of(video),
        duration=round(video.duration_seconds, 3),
        rows=[],
        tracks=_tracks(library, video),
    )
    return fill(READ.name, library, asked, empty, "rows", found)


def transcript_rows(
    library: Library, video: Video, span: Span, tracks: tuple[str, ...] | list[str]
) -> list[Observation]:
    """The rows of some tracks that overlap a span, in time order, each thing once."""
    return each_once(library.catalogue.observations(video.id, within=span, tracks=tracks))


def span_of(video: Video, start: float | None, end: float | None) -> Span:
    """Raises UsageError for reversed times and a start behind the end of the video."""
    if start is not None and start >= video.duration_seconds:
        raise UsageError(f"start {start:g} is not in the video; allowed: before {video.duration_seconds:g} s")
    return Span(start or 0.0, video.duration_seconds if end is None else end)


def _tracks(library: Library, video: Video) -> list[str]:
    return [words_of(track, limit=20) for track in library.catalogue.track_holders([video.id])][:_MOST_TRACKS]


READ = DoorTool(
    name="read_transcript",
    title="Read a transcript",
    description=(
        "Read word by word what was said, shown as text, captioned or heard in a video or a part of it, in time order. "
        "Use it around a moment that search_moments found, or page by page for a whole video. Returns rows with start "
        "and end in seconds, track and text, and the tracks that the video has. If next_cursor is not empty there are "
        "more: call again with the same arguments and that cursor."
    ),
    input=ReadTranscript,
    output=Transcript,
    run=_read,
)


class AskFact(Capped):
    """What `video_fact` takes."""

    video: VideoName = Field(min_length=1, description="Id or name of the video as of list_videos.")
    at: Time = Field(None, description="A time in it: seconds, M:SS or H:MM:SS; facts of the whole video if empty.")
    max_tokens: int = Field(400, ge=300, le=4_000, description="The result takes at most about so many tokens.")


class VideoFact(Output):
    """What `video_fact` returns."""

    video_id: str
    name: str
    start: float = Field(description="What the facts are about, in seconds: the clip around the time, or all.")
    end: float
    facts: dict[str, str] = Field(description="A few words each: summary, chapters, speech, ocr, caption, fact...")
    is_cut: bool = Field(False, description="True if words were left out to fit into max_tokens.")
    notice: str = NOTICE


def _fact(library: Library, asked: AskFact) -> VideoFact:
    video = library.catalogue.find_video(asked.video)
    if asked.at is None:
        span, facts = video.span, _facts_of_video(library, video)
    else:
        span_of(video, asked.at, None)
        span = _clip_at(library, video, asked.at)
        facts = _facts_of_span(library, video, span)
    whole = VideoFact(video_id=video.id, name=name_of(video), **span.to_json(), facts=facts)
    limit = _FACT_CHARACTERS
    while tokens_of(whole) > asked.max_tokens and whole.facts:
        limit = limit * 3 // 4
        kept = {name: text for name, text in facts.items() if limit > 12}
        whole = whole.model_copy(update={"facts": {n: _clipped(t, limit) for n, t in kept.items()}, "is_cut": True})
    return whole


def _facts_of_video(library: Library, video: Video) -> dict[str, str]:
    sections = library.catalogue.sections(video.id)
    chapters = [part for part in sections if part.level == "chapter"]
    (summary,) = library.catalogue.summaries(video.id)
    width, height = video.media.get("width"), video.media.get("height")
    counts = [f"{words_of(track, limit=20)} {summary.tracks[track]}" for track in [*summary.tracks][:_MOST_TRACKS]]
    facts = {
        "length": timestamp(video.duration_seconds),
        "state": summary.state,
        "picture": f"{width}x{height}" if width and height else "",
        "rows": ", ".join(counts),
        "summary": next((part.text for part in sections if part.level == "video"), ""),
        "chapters": "; ".join(_chapter(part) for part in chapters[:_CHAPTERS]),
    }
    return _told(facts)


def _facts_of_span(library: Library, video: Video, span: Span) -> dict[str, str]:
    sections = library.catalogue.sections(video.id)
    chapter = next((part for part in sections if part.level == "chapter" and part.span.overlaps(span)), None)
    facts = {"chapter": _chapter(chapter) if chapter else ""}
    for row in each_once(library.catalogue.observations(video.id, within=span)):
        if row.track != FRAME and (len(facts) < _MOST_TRACKS or row.track in facts):
            facts[row.track] = f"{facts.get(row.track, '')} {row.text}"
    return _told(facts)


def _told(facts: dict[str, str]) -> dict[str, str]:
    """Without what is not known; the measured facts last, since they tell least."""
    told = {words_of(name, limit=20): _clipped(words_of(text), _FACT_CHARACTERS) for name, text in facts.items()}
    return {name: told[name] for name in sorted(told, key=lambda name: name == FACT) if told[name]}


def _chapter(part: Section) -> str:
    return f"{timestamp(part.span.start_seconds)} {part.title or 'untitled'}"


def _clipped(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def _clip_at(library: Library, video: Video, seconds: float) -> Span:
    clips = library.catalogue.clips(video.id)
    fallback = Span(max(0.0, seconds - 5.0), min(video.duration_seconds, seconds + 5.0))
    return next((clip.span for clip in clips if clip.span.contains(seconds)), fallback)


VIDEO_FACT = DoorTool(
    name="video_fact",
    title="Facts of a video or moment",
    description=(
        "Get an idea of a video, or of one moment of it, before you read or ask more. Returns one small dictionary of "
        "facts, a few hundred tokens at most: of a whole video its length, chapters, summary and tracks, or of the "
        "clip around one time its chapter, words, text on screen and measured picture facts."
    ),
    input=AskFact,
    output=VideoFact,
    run=_fact,
)
