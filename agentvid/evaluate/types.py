"""What an annotated set is to us: timed text, queries with the spans that answer them, and questions with answers."""

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
class Question:
    """A question with what is known of its answer; any of several `answers` or `spans` is right.

    `video`: where to look, "" for the whole library. `choice`: the right one of `choices`, by its words. `kind`: what
    the set calls this sort of question, "" if nothing. `spans` are of `video`, or of the library's only one.
    """

    question: str
    video: str = ""
    spans: tuple[Span, ...] = ()
    answers: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    choice: str = ""
    kind: str = ""

    @property
    def part(self) -> Part:
        return part_of(self.video or self.question)

    def to_json(self) -> dict[str, Any]:
        line: dict[str, Any] = {"question": self.question}
        if self.video:
            line["video"] = self.video
        if self.spans:
            line["spans"] = [[span.start_seconds, span.end_seconds] for span in self.spans]
        if self.answers:
            line["answer"] = self.answers[0] if len(self.answers) == 1 else list(self.answers)
        if self.choices:
            line |= {"choices": list(self.choices), "choice": self.choice}
        if self.kind:
            line["kind"] = self.kind
        return line


@dataclass(frozen=True, slots=True)
class AnnotatedSet:
    """`rows` make the library, `queries` are searched in it, `questions` are asked of it."""

    rows: tuple[TextRow, ...]
    queries: tuple[Query, ...]
    questions: tuple[Question, ...] = ()


def part_of(video: str) -> Part:
    """Which half a video and its queries belong to: by hash, so that a name is always in the same half."""
    return "dev" if hashlib.sha256(video.encode()).digest()[0] % 2 == 0 else "test"


def without_unsearchable(
    rows: Iterable[TextRow], queries: Iterable[Query], questions: Iterable[Question] = ()
) -> AnnotatedSet:
    """The set without queries and questions about videos that have no row: nothing could find them."""
    kept = tuple(rows)
    known = {row.video for row in kept}
    return AnnotatedSet(
        kept,
        tuple(query for query in queries if query.video in known),
        tuple(question for question in questions if question.video in known),
    )
