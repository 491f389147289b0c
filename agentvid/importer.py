"""JSONL of timed text -> text-only videos: bring your own captions, transcripts, detections.

One line is one row: `{"video": name, "duration": s, "track": t, "start": s, "end": s, "text": str}`, and optionally
"language" and "confidence"; other keys are ignored.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from agentvid.errors import UsageError
from agentvid.perceive.languages import language_tag
from agentvid.text import clean_text
from agentvid.types import Observation, Provenance, Span

MAX_LINE_BYTES = 1_000_000
MAX_TEXT_CHARACTERS = 4096
#: A row with start == end is an event without length; it gets this much, or what the video has.
POINT_SECONDS = 0.5
#: A row may end this much after its video, as rounded times do; it is then cut.
_TOLERANCE_SECONDS = 1.0
#: 1,000 hours: no video, but a unit mixed up (milliseconds, frames).
_LONGEST_SECONDS = 3_600_000.0
_LISTED_LINES = 20
_TRACK = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_HINT = (
    'a line is {"video": name, "duration": s, "track": t, "start": s, "end": s, "text": str}; repair it, import again'
)


@dataclass(frozen=True, slots=True)
class ImportedVideo:
    """A video that is only text. `observations` are in the order of time."""

    name: str
    duration_seconds: float
    content_hash: str
    observations: tuple[Observation, ...]


@dataclass(frozen=True, slots=True)
class ImportProblem:
    """Why a video was not imported: its bad lines as (line number from 1, reason), the first 20 of `count`.

    `video` is "" for lines that do not say which video they belong to; those fail no video.
    """

    video: str
    lines: tuple[tuple[int, str], ...]
    count: int
    hint: str = _HINT

    @property
    def error(self) -> str:
        number, reason = self.lines[0]
        more = f" (and {self.count - 1} more bad lines)" if self.count > 1 else ""
        return f"line {number}: {reason}{more}"


@dataclass(frozen=True, slots=True)
class ImportBatch:
    """Videos whose lines are all good, in the order of the file, and the problems of the others."""

    videos: tuple[ImportedVideo, ...]
    problems: tuple[ImportProblem, ...]


@dataclass(frozen=True, slots=True)
class _Row:
    """One good line; times as given."""

    number: int
    start_seconds: float
    end_seconds: float
    track: str
    text: str
    language: str
    confidence: float


@dataclass(slots=True)
class _Group:
    """What the lines say about one video so far."""

    rows: list[_Row] = field(default_factory=list)
    duration_seconds: float | None = None
    bad: list[tuple[int, str]] = field(default_factory=list)
    bad_count: int = 0

    def add_problem(self, number: int, reason: str) -> None:
        self.bad_count += 1
        if len(self.bad) < _LISTED_LINES:
            self.bad.append((number, reason))

    def problem(self, name: str) -> ImportProblem:
        return ImportProblem(name, tuple(self.bad), self.bad_count)


class _BadLine(Exception):
    """A reason to refuse a line; `video` is "" if the line does not name one."""

    def __init__(self, reason: str, video: str = "") -> None:
        super().__init__(reason)
        self.video = video


def read_import(source: str | Path | Iterable[bytes]) -> ImportBatch:
    """Read text-only videos from a JSONL file, or from its lines as bytes (as standard input gives them).

    A bad line fails its own video and no other. Memory grows with the rows, not with the length of a line.

    Raises UsageError if the file cannot be read.
    """
    if not isinstance(source, str | Path):
        return _read_lines(source)
    try:
        with Path(source).open("rb") as file:
            # One byte more than allowed shows that a line is too long; the rest of it comes as further pieces.
            return _read_lines(_whole_lines(iter(lambda: file.readline(MAX_LINE_BYTES + 1), b"")))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"{source}: {reason}", hint="name a JSONL file, or - for standard input") from None


def _whole_lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Each line once; of a line that comes in pieces, the first piece."""
    is_continued = False
    for piece in pieces:
        if not is_continued:
            yield piece
        is_continued = not piece.endswith(b"\n")


def _read_lines(lines: Iterable[bytes]) -> ImportBatch:
    groups: dict[str, _Group] = {}
    for number, line in enumerate(lines, 1):
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not line.strip():
            continue
        try:
            _read_line(line, number, groups)
        except _BadLine as bad:
            groups.setdefault(bad.video, _Group()).add_problem(number, str(bad))

    videos: list[ImportedVideo] = []
    problems: list[ImportProblem] = []
    for name, group in groups.items():
        video = None if group.bad else _video(name, group)
        if video is None:
            problems.append(group.problem(name))
        else:
            videos.append(video)
    return ImportBatch(tuple(videos), tuple(problems))


# -- lines -------------------------------------------------------------------------------------------------------


def _read_line(line: bytes, number: int, groups: dict[str, _Group]) -> None:
    """Add one line to its video's group. Raises _BadLine."""
    values = _parsed(line)
    name = _video_name(values)
    try:
        row = _row(values, number)
        duration_seconds = _seconds(values, "duration") if values.get("duration") is not None else None
        if duration_seconds == 0:
            raise _BadLine("duration is 0; allowed: more than 0 seconds")
    except _BadLine as bad:
        raise _BadLine(str(bad), name) from None
    group = groups.setdefault(name, _Group())
    group.rows.append(row)
    if duration_seconds is not None:
        group.duration_seconds = max(duration_seconds, group.duration_seconds or 0.0)


def _parsed(line: bytes) -> Mapping[str, Any]:
    if len(line) > MAX_LINE_BYTES:
        raise _BadLine(f"longer than the {MAX_LINE_BYTES:,} bytes allowed")
    try:
        values = json.loads(line.decode("utf-8"), parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        raise _BadLine("not UTF-8") from None
    except RecursionError:
        raise _BadLine("nested too deeply") from None
    except ValueError as error:
        raise _BadLine(f"not JSON: {error}") from None
    if not isinstance(values, dict):
        raise _BadLine(f"a JSON {type(values).__name__}; allowed: an object")
    return values


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def _video_name(values: Mapping[str, Any]) -> str:
    name = values.get("video")
    if not isinstance(name, str) or not (cleaned := clean_text(name, limit=1024)):
        raise _BadLine(f"video is {_shown(name)}; allowed: a name")
    return cleaned


def _row(values: Mapping[str, Any], number: int) -> _Row:
    track = values.get("track")
    if not isinstance(track, str) or not _TRACK.fullmatch(track):
        raise _BadLine(f"track is {_shown(track)}; allowed: a-z, then up to 31 of a-z 0-9 _ -")
    start_seconds, end_seconds = _seconds(values, "start"), _seconds(values, "end")
    if end_seconds < start_seconds:
        raise _BadLine(f"end {end_seconds:g} is before start {start_seconds:g}")
    return _Row(
        number, start_seconds, end_seconds, track, _text(values.get("text")), _language(values), _confidence(values)
    )


def _seconds(values: Mapping[str, Any], key: str) -> float:
    return _number(values.get(key), key, _LONGEST_SECONDS, f"seconds from 0 to {_LONGEST_SECONDS:,.0f}")


def _number(value: Any, key: str, most: float, allowed: str) -> float:
    """`value` if it is a number from 0 to `most`. It is compared first, as float(10**400) would overflow."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= most:
        raise _BadLine(f"{key} is {_shown(value)}; allowed: {allowed}")
    return float(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _BadLine(f"text is {_shown(value)}; allowed: a text")
    if len(value) > MAX_TEXT_CHARACTERS:
        raise _BadLine(f"text has {len(value):,} characters; allowed: {MAX_TEXT_CHARACTERS:,}, more in further lines")
    text = clean_text(value, limit=MAX_TEXT_CHARACTERS)
    if not text:
        raise _BadLine("text is empty")
    return text


def _language(values: Mapping[str, Any]) -> str:
    value = values.get("language") or ""
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9_-]{0,35}", value):
        raise _BadLine(f"language is {_shown(value)}; allowed: a tag such as en or pt-BR")
    known = language_tag(value)
    return value if known is None else known


def _confidence(values: Mapping[str, Any]) -> float:
    value = values.get("confidence")
    return 1.0 if value is None else _number(value, "confidence", 1.0, "0 to 1")


def _shown(value: Any) -> str:
    """A value as an error shows it: short, on one line."""
    if value is None:
        return "missing"
    try:
        shown = json.dumps(value)
    except ValueError:
        return "a number of thousands of digits"
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


# -- videos ------------------------------------------------------------------------------------------------------


def _video(name: str, group: _Group) -> ImportedVideo | None:
    """The group as a video; None, with the problems noted in the group, if rows lie outside of it."""
    duration_seconds = group.duration_seconds or max(_extent(row) for row in group.rows)
    for row in group.rows:
        if row.end_seconds > duration_seconds + _TOLERANCE_SECONDS:
            group.add_problem(
                row.number, f"end {row.end_seconds:g} is after the video's end, {duration_seconds:g} s (duration)"
            )
    if group.bad:
        return None
    rows = sorted(group.rows, key=lambda row: (row.start_seconds, row.end_seconds, row.track, row.text, row.language))
    content_hash = _content_hash(name, duration_seconds, rows)
    provenance = Provenance("import", input_hash=content_hash)
    observations = [
        Observation(_span(row, duration_seconds), row.track, row.text, provenance, row.confidence, row.language)
        for row in rows
    ]
    return ImportedVideo(name, duration_seconds, content_hash, tuple(observations))


def _extent(row: _Row) -> float:
    return row.end_seconds + (POINT_SECONDS if row.end_seconds == row.start_seconds else 0.0)


def _span(row: _Row, duration_seconds: float) -> Span:
    """The row's span inside the video; POINT_SECONDS long, or what the video has, if nothing else is left."""
    start_seconds, end_seconds = row.start_seconds, min(row.end_seconds, duration_seconds)
    if start_seconds < end_seconds:
        return Span(start_seconds, end_seconds)
    end_seconds = min(end_seconds + POINT_SECONDS, duration_seconds)
    return Span(max(0.0, min(start_seconds, end_seconds - POINT_SECONDS)), end_seconds)


def _content_hash(name: str, duration_seconds: float, rows: list[_Row]) -> str:
    """sha256 of canonical JSON of name, duration and rows: the order of the lines and of their keys plays no part."""
    canonical = [
        [row.start_seconds, row.end_seconds, row.track, row.text, row.language, row.confidence] for row in rows
    ]
    content = json.dumps([name, duration_seconds, canonical], ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(content.encode("ascii")).hexdigest()
