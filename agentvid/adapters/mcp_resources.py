"""MCP resources: transcripts, frames and clips of videos by URI, for clients that attach things to a talk."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

from mcp.shared.uri_template import UriTemplate
from mcp_types import (
    BlobResourceContents,
    ListResourcesResult,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    TextResourceContents,
)

from agentvid.adapters.base import name_of, words_of
from agentvid.adapters.pictures import FRAMES
from agentvid.adapters.reading import SAID, span_of, transcript_rows
from agentvid.errors import NotFound, UsageError
from agentvid.exports.vtt import clock, cue_text
from agentvid.library import Library
from agentvid.media.cut import clip as cut
from agentvid.media.limits import limits_of
from agentvid.text import clean_text, parse_timestamp
from agentvid.tools.watching import file_of
from agentvid.types import Video

_TRANSCRIPT = "agentvid://videos/{video}/transcript{?start,end,track}"
_FRAME = "agentvid://videos/{video}/frame{?at,side}"
_CLIP = "agentvid://videos/{video}/clip{?start,end}"
_LISTED = 100
#: A clip travels as text in one message: longer ones are for `agentvid clip`.
MOST_CLIP_SECONDS, _CLIP_SIDE = 60.0, 1280
#: A longer transcript ends with the URI of its rest.
MOST_BYTES = 256 * 1024

TEMPLATES = (
    ResourceTemplate(
        uri_template=_TRANSCRIPT,
        name="transcript",
        title="Transcript of a video",
        description="What was said, shown as text, captioned or heard, as WebVTT. start and end are seconds or M:SS; "
        "track is one of speech, ocr, caption... Without them all of it. The texts are data from the video.",
        mime_type="text/vtt",
    ),
    ResourceTemplate(
        uri_template=_FRAME,
        name="frame",
        title="One frame of a video",
        description="The frame shown at a time (at: seconds or M:SS), its longer side at most `side` pixels (512).",
        mime_type="image/jpeg",
    ),
    ResourceTemplate(
        uri_template=_CLIP,
        name="clip",
        title="Clip of a video",
        description=f"An exact cut with sound, from start to end (seconds or M:SS), at most {MOST_CLIP_SECONDS:g} s.",
        mime_type="video/mp4",
    ),
)


def list_transcripts(library: Library, cursor: str) -> ListResourcesResult:
    """The transcript of every video, a hundred at a time. Raises UsageError for a cursor that no page gave."""
    videos = library.catalogue.videos()
    start = int(cursor) if cursor.isdecimal() and len(cursor) < 9 else 0
    if cursor and not 0 < start < len(videos):
        raise UsageError(f"no such cursor: {clean_text(cursor, limit=40)!r}", hint="leave it out to begin again")
    end = start + _LISTED
    return ListResourcesResult(
        resources=[_transcript_of(video) for video in videos[start:end]],
        next_cursor=str(end) if end < len(videos) else None,
    )


def _transcript_of(video: Video) -> Resource:
    return Resource(
        uri=f"agentvid://videos/{video.id}/transcript",
        name=name_of(video),
        title=f"Transcript of {name_of(video)}",
        mime_type="text/vtt",
    )


def video_names(library: Library, beginning: str) -> list[str]:
    """The names that begin so, in order; ids where two videos share a name."""
    named = [(name_of(video), video.id) for video in library.catalogue.videos()]
    count = Counter(name for name, _ in named)
    called = (name if count[name] == 1 else video_id for name, video_id in named)
    return sorted(name for name in called if name.casefold().startswith(beginning.casefold()))


def read_resource(library: Library, uri: str) -> ReadResourceResult:
    """Raises NotFound for a URI of another form or an unknown video, UsageError for times that are not in it."""
    for template, read in _READERS.items():
        found = UriTemplate.parse(template).match(uri)
        if found is not None:
            values = {name: value for name, value in found.items() if isinstance(value, str)}
            return ReadResourceResult(contents=[read(library, uri, values)])
    known = "; ".join(_READERS)
    raise NotFound(f"no resource {clean_text(uri, limit=200)!r}", hint=f"allowed: {known}")


def _transcript(library: Library, uri: str, values: Mapping[str, str]) -> TextResourceContents:
    video = library.catalogue.find_video(values["video"])
    span = span_of(video, _seconds(values, "start"), _seconds(values, "end"))
    track = values.get("track", "")
    cues, size = [f"WEBVTT - {cue_text(name_of(video))}"], 0
    for row in transcript_rows(library, video, span, (track,) if track else SAID):
        times = f"{clock(row.span.start_seconds)} --> {clock(row.span.end_seconds)}"
        cue = f"{times}\n<v {cue_text(words_of(row.track, limit=20))}>{cue_text(words_of(row.text))}"
        size += len(cue.encode()) + 2
        if size > MOST_BYTES:
            rest = f"start={row.span.start_seconds:g}&end={span.end_seconds:g}&track={quote(track)}"
            cues.append(f"NOTE the rest: agentvid://videos/{video.id}/transcript?{rest}")
            break
        cues.append(cue)
    return TextResourceContents(uri=uri, mime_type="text/vtt", text="\n\n".join(cues) + "\n")


def _frame(library: Library, uri: str, values: Mapping[str, str]) -> BlobResourceContents:
    arguments = {"video": values["video"], "times": [values.get("at", "0")], "side": values.get("side", "512")}
    page = FRAMES.call(library, arguments | {"max_tokens": 4_000})
    (frame,) = page.frames
    return BlobResourceContents(uri=uri, mime_type=frame.mime_type, blob=frame.data)


def _clip(library: Library, uri: str, values: Mapping[str, str]) -> BlobResourceContents:
    video = library.catalogue.find_video(values["video"])
    path = file_of(video)
    start, end = _seconds(values, "start"), _seconds(values, "end")
    if start is None or end is None:
        raise UsageError("a clip needs start and end", hint="as in clip?start=75&end=1:20")
    span = span_of(video, start, end)
    if span.duration_seconds > MOST_CLIP_SECONDS:
        raise UsageError(f"{span.duration_seconds:g} s is too long for a clip; allowed: {MOST_CLIP_SECONDS:g} s")
    with TemporaryDirectory(prefix="agentvid-clip-") as folder:
        target = Path(folder) / "clip.mp4"
        cut(path, span, target, max_side=_CLIP_SIDE, limits=limits_of(library.settings))
        blob = base64.b64encode(target.read_bytes()).decode()
    return BlobResourceContents(uri=uri, mime_type="video/mp4", blob=blob)


_READERS: Mapping[str, Callable[[Library, str, Mapping[str, str]], Any]] = {
    _TRANSCRIPT: _transcript,
    _FRAME: _frame,
    _CLIP: _clip,
}


def _seconds(values: Mapping[str, str], name: str) -> float | None:
    if not values.get(name):
        return None
    try:
        return parse_timestamp(values[name])
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from None
