"""Gathers what is exported from a library: the evidence of an answer, hits, a track, chapters, a span.

A file that was deleted or changed since it was indexed is never used: its spans would be cut from other pictures. The
video's Source says so, and formats that need no pictures go on without it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from agentvid.errors import AmbiguousVideo, LibraryError, NotFound, UnknownVideo, UsageError
from agentvid.exports.base import SUBJECTS, Item, Material, Source, Subject
from agentvid.identity import holds
from agentvid.media.limits import limits_of
from agentvid.media.process import display_name
from agentvid.state import answer_from_json
from agentvid.text import parse_timestamp, timestamp
from agentvid.trace import read_trace, trace_ids
from agentvid.types import Answer, Hit, Json, Span, Usage, Video

if TYPE_CHECKING:
    from agentvid.library import Library

CHAPTERS, NEWEST = "chapters", "last"
_TRACE = re.compile(r"(last|[0-9A-Za-z-]{1,40})(?::(e\d{1,6}))?")


class Gatherer:
    """Makes materials of one library.

    `page`: the address of a running page, to link to. Without `tells_paths` neither names nor links give a folder
    away, as a server wants it; files are used all the same.
    """

    def __init__(self, library: Library, *, page: str = "", tells_paths: bool = True) -> None:
        self._library, self._page, self._tells_paths = library, page, tells_paths

    def answer(self, trace_id: str, evidence: str = "") -> Material:
        """The evidence of an answer, or one of it, by the id of its trace; "last" is the newest.

        Raises UsageError, NotFound, LibraryError as reading a trace does, NotFound for evidence it does not hold.
        """
        library = self._library.catalogue.directory
        if trace_id == NEWEST:
            known = trace_ids(library)
            if not known:
                raise NotFound("no question was asked yet", hint='agentvid ask "..."')
            trace_id = known[0]
        document = read_trace(library, trace_id)
        answer = _answer_of(document)
        chosen = [item for item in answer.evidence if not evidence or item.id == evidence]
        if evidence and not chosen:
            held = ", ".join(item.id for item in answer.evidence) or "none"
            raise NotFound(f"the answer {document['trace_id']} has no evidence {evidence}; it has: {held}")
        items = [
            Item(f"{document['trace_id']}:{item.id}", item.video_id, item.span, item.track, item.quote, item.score)
            for item in chosen
        ]
        names = {item.video_id: item.video for item in chosen}
        return Material("answer", answer.question, tuple(items), self._sources(items, names), answer, self._page)

    def hits(self, query: str, hits: Iterable[Hit]) -> Material:
        """What `Library.search` found, best first."""
        items = [
            Item(_id(m.video_id, m.track, m.span), m.video_id, m.span, m.track, m.text, m.score)
            for m in (hit.moment for hit in hits)
        ]
        return Material("hits", query, tuple(items), self._sources(items), page=self._page)

    def track(self, reference: str, track: str) -> Material:
        """All rows of one track of a video. Raises UnknownVideo, AmbiguousVideo, NotFound."""
        video = self._library.catalogue.find_video(reference)
        rows = self._library.catalogue.observations(video.id, tracks=[track])
        if not rows:
            raise NotFound(f"{video.name!r} has no rows of {track!r}; it has: {self._tracks(video)}")
        items = [
            Item(_id(video.id, track, row.span, n), video.id, row.span, track, row.text, row.confidence, row.language)
            for n, row in enumerate(rows)
        ]
        return Material("track", _title(video), tuple(items), self._sources(items), page=self._page)

    def chapters(self, reference: str) -> Material:
        """The chapters of a video, each with its title. Raises UnknownVideo, AmbiguousVideo, NotFound."""
        video = self._library.catalogue.find_video(reference)
        found = [part for part in self._library.catalogue.sections(video.id) if part.level == "chapter"]
        if not found:
            raise NotFound(f"{video.name!r} has no chapters", hint="`agentvid index` makes them")
        items = [
            Item(
                _id(video.id, CHAPTERS, part.span),
                video.id,
                part.span,
                CHAPTERS,
                part.title or part.text or f"Chapter {number}",
            )
            for number, part in enumerate(found, 1)
        ]
        return Material("chapters", _title(video), tuple(items), self._sources(items), page=self._page)

    def span(self, reference: str, span: Span) -> Material:
        """A span of a video, cut to its end. Raises UnknownVideo, AmbiguousVideo, UsageError if it begins after it."""
        video = self._library.catalogue.find_video(reference)
        if span.start_seconds >= video.duration_seconds:
            start = timestamp(span.start_seconds)
            raise UsageError(f"{start} is not in {video.name!r}; allowed: before {video.duration_seconds:g} s")
        inside = span.intersection(video.span) or span
        items = [Item(_id(video.id, "span", inside), video.id, inside, "", "")]
        return Material("span", _title(video), tuple(items), self._sources(items), page=self._page)

    def refer(self, reference: str, track: str = "", *, subjects: Collection[Subject] = SUBJECTS) -> Material:
        """What a user's words name: "last", TRACE, TRACE:e2, VIDEO@START-END, or VIDEO with a track or "chapters".

        Of a VIDEO alone its chapters are meant where a format's `subjects` leave nothing else.
        A video whose name looks like a trace's id is meant if there is no such trace.
        """
        if track:
            return self.chapters(reference) if track == CHAPTERS else self.track(reference, track)
        if (span := _span_of(reference)) is not None:
            return self.span(*span)
        if (found := _TRACE.fullmatch(reference)) and (
            found[1] == NEWEST or any(known.startswith(found[1]) for known in trace_ids(self._directory))
        ):
            return self.answer(found[1], found[2] or "")
        video = self._find(reference)
        if "track" not in subjects and "chapters" not in subjects:
            raise UsageError(
                f"which seconds of {video.name!r}? allowed: VIDEO@START-END",
                hint=f"all of it is {reference}@0:00-{timestamp(video.duration_seconds + 1)}",
            )
        if "track" not in subjects:
            return self.chapters(reference)
        raise UsageError(
            f"which part of {video.name!r}? allowed: one of its tracks, {self._tracks(video)}, or its chapters",
            hint="add --track NAME or --track chapters, or write VIDEO@START-END",
        )

    def _find(self, reference: str) -> Video:
        """Raises UnknownVideo, AmbiguousVideo, UsageError where a video is named and what follows is no span."""
        try:
            return self._library.catalogue.find_video(reference)
        except UnknownVideo:
            name, at, times = reference.rpartition("@")
            if not at:
                raise
            with suppress(UnknownVideo, AmbiguousVideo):
                self._library.catalogue.find_video(name)
                raise UsageError(
                    f"{times!r} is no span of {name!r}; allowed: START-END, each seconds, M:SS or H:MM:SS",
                    hint=f"as in {name}@1:15-1:20",
                ) from None
            raise

    @property
    def _directory(self) -> Path:
        return self._library.catalogue.directory

    def _tracks(self, video: Video) -> str:
        return ", ".join(self._library.catalogue.track_holders([video.id])) or "none"

    def _sources(self, items: Sequence[Item], names: Mapping[str, str] | None = None) -> dict[str, Source]:
        sources = {}
        for video_id in dict.fromkeys(item.video_id for item in items):
            try:
                sources[video_id] = self._source(self._library.catalogue.video(video_id))
            except UnknownVideo:
                name = (names or {}).get(video_id, video_id)
                end = max(item.span.end_seconds for item in items if item.video_id == video_id)
                sources[video_id] = self._removed(video_id, name, end)
        return sources

    def _source(self, video: Video) -> Source:
        path, rate = _first_path(video), video.media.get("frame_rate")
        absent = "" if path else "it was imported as text" if video.kind == "import" else "its file is not there"
        return Source(
            video.id,
            video.name if self._tells_paths else _title(video),
            _title(video),
            video.duration_seconds,
            rate if isinstance(rate, float) else 0.0,
            video.media.get("has_audio") is True,
            path if self._tells_paths else None,
            absent,
            lambda: usable_file(video),
            limits_of(self._library.settings),
        )

    def _removed(self, video_id: str, name: str, end_seconds: float) -> Source:
        """An answer may outlive a video in the library."""
        title, why = display_name(Path(name)), "it is no longer in the library"
        shown = name if self._tells_paths else title
        return Source(video_id, shown, title, end_seconds, absent=why, find_file=lambda: (None, why))


def usable_file(video: Video) -> tuple[Path | None, str]:
    """(a path that still holds the content that was indexed, ""), or (None, why there is none).

    A file with the size and the time of change that it had then is taken for the same; others are read and compared.
    """
    if video.kind == "import":
        return None, "it was imported as text: there is no file"
    known = video.media.get("bytes"), video.media.get("modified_ns")
    problem = "its file is not there"
    for path in map(Path, video.paths):
        try:
            status = path.stat()
            if (status.st_size, status.st_mtime_ns) == known or holds(path, video.content_hash):
                return path, ""
            problem = "its file changed since it was indexed - `agentvid index` reads it again"
        except FileNotFoundError:
            continue
        except OSError as error:
            problem = f"its file cannot be read: {error.strerror}"
    return None, problem


def _first_path(video: Video) -> Path | None:
    return next((path for path in map(Path, video.paths) if path.is_file()), None)


def _title(video: Video) -> str:
    """What people call a video: the name of its file, or the name given at import."""
    return display_name(Path(video.paths[0])) if video.paths else video.title


def _id(video_id: str, track: str, span: Span, number: int | None = None) -> str:
    """Made of what the thing is, so that it stays when the video is indexed again; `number` tells equal spans apart."""
    of = "" if number is None else f"/{number}"
    return f"{video_id}/{track}/{round(span.start_seconds * 1000)}-{round(span.end_seconds * 1000)}{of}"


def _span_of(reference: str) -> tuple[str, Span] | None:
    """("talk.mp4", span) of "talk.mp4@1:15-1:20"; None for another form, or where the times are none."""
    name, at, times = reference.rpartition("@")
    start, dash, end = times.partition("-")
    if not (name and at and dash):
        return None
    try:
        return name, Span(parse_timestamp(start), parse_timestamp(end))
    except ValueError:
        return None


def _answer_of(document: Json) -> Answer:
    if "result" not in document:
        raise NotFound(
            f"the run {document.get('trace_id', '')} failed: {document.get('error', 'it has no answer')}",
            hint="`agentvid trace ls` lists those that answered",
        )
    try:
        return replace(answer_from_json(document["result"], usage=Usage()), trace_id=document["trace_id"])
    except (KeyError, TypeError, ValueError) as error:
        raise LibraryError(
            f"the trace {document.get('trace_id', '')} holds no whole answer: {error}", hint="ask again"
        ) from None
