"""What every reader does with the entries of its files: clean, clamp, skip what is malformed, join what is repeated."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from agentvid.evaluate.types import AnnotatedSet, Query, Question, TextRow, without_unsearchable
from agentvid.text import clean_text
from agentvid.types import CAPTION, Span


class SetBuilder:
    """Collects rows, queries and questions of videos whose durations in seconds are known.

    Times are kept to the millisecond.

    An entry is skipped if its video is unknown, its text shows nothing, or no time is left inside its video.
    """

    def __init__(self, duration_seconds: Mapping[str, float]) -> None:
        self._durations = duration_seconds
        self._rows: list[TextRow] = []
        self._spans: dict[tuple[str, str], list[Span]] = {}
        self._questions: list[Question] = []

    def add_row(self, video: str, start_seconds: float, end_seconds: float, text: str, *, track: str = CAPTION) -> None:
        span, words = self._span(video, start_seconds, end_seconds), clean_text(text)
        if span and words:
            self._rows.append(TextRow(video, self._durations[video], track, span, words))

    def add_query(self, video: str, start_seconds: float, end_seconds: float, text: str) -> None:
        """Add a span that answers `text`; a text asked again about the same video gets one more span."""
        span, words = self._span(video, start_seconds, end_seconds), clean_text(text)
        if span and words:
            spans = self._spans.setdefault((video, words), [])
            if span not in spans:
                spans.append(span)

    def add_question(
        self,
        video: str,
        text: str,
        times: Iterable[tuple[float, float]],
        *,
        answers: Iterable[str] = (),
        choices: Sequence[str] = (),
        right: int = -1,
        kind: str = "",
    ) -> None:
        """Add a question with the (start, end) seconds that answer it; `right` is the number of the right choice.

        It is skipped if two choices read the same or its right one is none of them.
        """
        words, options = clean_text(text), tuple(clean_text(choice) for choice in choices)
        spans = tuple(dict.fromkeys(span for start, end in times if (span := self._span(video, start, end))))
        texts = tuple(dict.fromkeys(answer for one in answers if (answer := clean_text(one))))
        has_fair_choice = not options or (all(options) and len(set(options)) == len(options) > right >= 0)
        if words and video in self._durations and has_fair_choice and (spans or texts or options):
            choice = options[right] if options else ""
            self._questions.append(Question(words, video, spans, texts, options, choice, kind))

    def build(self) -> AnnotatedSet:
        """The set in the order of the files, without what is asked about videos that have no row."""
        queries = [Query(text, video, tuple(spans)) for (video, text), spans in self._spans.items()]
        return without_unsearchable(self._rows, queries, self._questions)

    def _span(self, video: str, start_seconds: float, end_seconds: float) -> Span | None:
        duration_seconds = self._durations.get(video, 0.0)
        if not all(map(math.isfinite, (start_seconds, end_seconds, duration_seconds))):
            return None
        start = round(max(0.0, start_seconds), 3)
        end = round(min(end_seconds, duration_seconds), 3)
        return Span(start, end) if start < end else None
