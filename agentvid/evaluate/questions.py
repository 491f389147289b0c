"""Question files: JSONL of `{"question", "video"?, "answer"?, "choices"?, "choice"?, "spans"? or "start", "end"}`.

A bad line stops the run: a measurement of the other lines would look like one of the whole file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentvid.errors import UsageError
from agentvid.evaluate.queries import PartOrAll, VideoNames, read_jsonl, spans_of, spread
from agentvid.evaluate.types import Question
from agentvid.text import check_query
from agentvid.tools.choose import MAX_OPTIONS
from agentvid.types import Video

if TYPE_CHECKING:
    from agentvid.library import Library

_HINT = (
    'a line is {"question": text, "video": name, "answer": text or [texts]} or '
    '{..., "choices": [texts], "choice": text or number from 0}, with "spans": [[s, s], ...] if known'
)


@dataclass(frozen=True, slots=True)
class Posed:
    """A question and the library's video that it is about; None: all of them."""

    question: Question
    video: Video | None

    @property
    def gold_video(self) -> str:
        """The name under which gold spans are found, "" if the question names no video."""
        return self.video.name if self.video else ""


def load_questions(library: Library, file: Path, *, part: PartOrAll = "all", limit: int | None = None) -> list[Posed]:
    """The questions of `file` that belong to `part`, at most `limit`, spread evenly over them.

    A question belongs to the part of its video, or of its own words if it names none. Raises UsageError, naming the
    line, for a bad line or a video that the library does not hold, for spans without a video where the library holds
    several, for a file without questions of that part, and for a limit below 1.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"limit {limit} is not allowed; allowed: 1 or more")
    numbered = read_questions(file)
    chosen = [(number, question) for number, question in numbered if part in ("all", question.part)]
    if not chosen:
        raise UsageError(
            f"{file} has no question of part {part}, and {len(numbered)} in all", hint="measure --part all"
        )
    videos = library.catalogue.videos()
    names = VideoNames(library, videos)
    return [_posed(file, number, question, videos, names) for number, question in spread(chosen, limit)]


def _posed(file: Path, number: int, question: Question, videos: Sequence[Video], names: VideoNames) -> Posed:
    if question.video:
        return Posed(question, names.find(question.video, f"{file} line {number}"))
    if question.spans and len(videos) != 1:
        raise UsageError(
            f"{file} line {number} has spans but names no video, and the library holds {len(videos)}",
            hint='add "video": name to the line',
        )
    return Posed(question, videos[0] if len(videos) == 1 else None)


def read_questions(file: Path) -> list[tuple[int, Question]]:
    """Every question with its line number. Raises UsageError for an unreadable or empty file or a bad line."""
    questions = []
    for number, document in read_jsonl(file, hint=_HINT):
        try:
            questions.append((number, _question(document)))
        except UsageError as error:
            raise UsageError(f"{file} line {number}: {error}", hint=_HINT) from None
    if not questions:
        raise UsageError(f"{file} holds no question; allowed: at least one line", hint=_HINT)
    return questions


def _question(document: Mapping[str, Any]) -> Question:
    text, video, kind = document.get("question"), document.get("video", ""), document.get("kind", "")
    if not isinstance(text, str):
        raise UsageError("question is missing or no text")
    check_query(text, "question", hint=_HINT)
    if not isinstance(video, str) or not isinstance(kind, str):
        raise UsageError("video or kind is no text")
    choices = _texts("choices", document.get("choices", []))
    if choices and not (2 <= len(choices) <= MAX_OPTIONS and len(set(choices)) == len(choices)):
        raise UsageError(f"{len(choices)} choices; allowed: 2 to {MAX_OPTIONS}, no two alike")
    answer = document.get("answer", [])
    answers = _texts("answer", [answer] if isinstance(answer, str) else answer)
    has_spans = "spans" in document or "start" in document or "end" in document
    spans = spans_of(document) if has_spans else ()
    choice = _choice(document.get("choice"), choices)
    if not (answers or choice or spans):
        raise UsageError("nothing says what is right; allowed: answer, choices with choice, spans")
    return Question(text, video, spans, answers, choices, choice, kind)


def _texts(name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
        raise UsageError(f"{name} is no list of texts; allowed: texts that are not empty")
    return tuple(value)


def _choice(value: Any, choices: Sequence[str]) -> str:
    """The right choice by its words or its number from 0. Raises UsageError if it is none of them, or missing."""
    if not choices and value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(choices):
        return choices[value]
    if isinstance(value, str) and value in choices:
        return value
    shown = json.dumps(value)[:80]
    raise UsageError(f"choice {shown} is none of {len(choices)} choices; allowed: its text or its number from 0")
