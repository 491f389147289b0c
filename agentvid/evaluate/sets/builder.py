"""What every reader does with the entries of its files: clean, clamp, skip what is malformed, join what is repeated."""

from __future__ import annotations

import math
from collections.abc import Mapping

from agentvid.evaluate.types import AnnotatedSet, Query, TextRow, without_unsearchable
from agentvid.text import clean_text
from agentvid.types import CAPTION, Span


class SetBuilder:
    """Collects rows and queries of videos whose durations in seconds are known; times are kept to the millisecond.

    An entry is skipped if its video is unknown, its text shows nothing, or no time is left inside its video.
    """

    def __init__(self, duration_seconds: Mapping[str, float]) -> None:
        self._durations = duration_seconds
        self._rows: list[TextRow] = []
        self._spans: dict[tuple[str, str], list[Span]] = {}

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

    def build(self) -> AnnotatedSet:
        """The set in the order of the files, without queries about videos that have no row."""
        queries = [Query(text, video, tuple(spans)) for (video, text), spans in self._spans.items()]
        return without_unsearchable(self._rows, queries)

    def _span(self, video: str, start_seconds: float, end_seconds: float) -> Span | None:
        duration_seconds = self._durations.get(video, 0.0)
        if not all(map(math.isfinite, (start_seconds, end_seconds, duration_seconds))):
            return None
        start = round(max(0.0, start_seconds), 3)
        end = round(min(end_seconds, duration_seconds), 3)
        return Span(start, end) if start < end else None
