"""What an annotated set is to us: timed text to search, and queries with the spans that answer them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from agentvid.types import Span

Part = Literal["dev", "test"]


@dataclass(frozen=True, slots=True)
class TextRow:
    """One observation of a video: a line of an import file."""

    video: str
    duration_seconds: float
    track: str
    span: Span
    text: str

    def to_json(self) -> dict[str, Any]:
        return {
            "video": self.video,
            "duration": self.duration_seconds,
            "track": self.track,
            "start": self.span.start_seconds,
            "end": self.span.end_seconds,
            "text": self.text,
        }


@dataclass(frozen=True, slots=True)
class Query:
    """A question or description and its gold spans in `video`, at least one; any of them is a right answer."""

    query: str
    video: str
    spans: tuple[Span, ...]

    @property
    def part(self) -> Part:
        return part_of(self.video)

    def to_json(self) -> dict[str, Any]:
        first = self.spans[0]
        line: dict[str, Any] = {
            "query": self.query,
            "video": self.video,
            "start": first.start_seconds,
            "end": first.end_seconds,
        }
        if len(self.spans) > 1:
            line["spans"] = [[span.start_seconds, span.end_seconds] for span in self.spans]
        return line


@dataclass(frozen=True, slots=True)
class AnnotatedSet:
    """`rows` make the library, `queries` are asked of it."""

    rows: tuple[TextRow, ...]
    queries: tuple[Query, ...]


def part_of(video: str) -> Part:
    """Which half a video and its queries belong to: by hash, so that a name is always in the same half."""
    return "dev" if hashlib.sha256(video.encode()).digest()[0] % 2 == 0 else "test"


def without_unsearchable(rows: Iterable[TextRow], queries: Iterable[Query]) -> AnnotatedSet:
    """The set without queries about videos that have no row: nothing could find them."""
    kept = tuple(rows)
    known = {row.video for row in kept}
    return AnnotatedSet(kept, tuple(query for query in queries if query.video in known))
