"""Scores at moments -> intervals: entered at a high threshold, left at a low one, so that noise does not cut them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from agentvid.types import Span


@dataclass(frozen=True, slots=True)
class Interval:
    """A span in which a label holds, its best score, and the largest value seen besides (a count)."""

    span: Span
    score: float
    most: int = 1


@dataclass(slots=True)
class _Open:
    start_seconds: float
    end_seconds: float
    score: float
    most: int
    entered: bool


@dataclass(slots=True)
class Hysteresis:
    """The intervals of one label, fed in order of time.

    An interval is a run of moments at `leave` or above, each beginning at most `gap_seconds` after the end of the one
    before, at least one of them at `enter` or above.
    """

    enter: float
    leave: float
    gap_seconds: float
    _current: _Open | None = None
    _done: list[Interval] = field(default_factory=list)

    def add(self, span: Span, score: float, count: int = 1) -> None:
        """What holds in `span`; a moment below `leave` need not be told."""
        current = self._current
        if current is not None and (score < self.leave or span.start_seconds - current.end_seconds > self.gap_seconds):
            self._close()
            current = None
        if score < self.leave:
            return
        if current is None:
            self._current = _Open(span.start_seconds, span.end_seconds, score, count, score >= self.enter)
            return
        current.end_seconds = max(current.end_seconds, span.end_seconds)
        current.score, current.most = max(current.score, score), max(current.most, count)
        current.entered = current.entered or score >= self.enter

    def intervals(self) -> Sequence[Interval]:
        """Those that are complete, and the one that is open as far as it came."""
        self._close()
        return self._done

    def _close(self) -> None:
        current, self._current = self._current, None
        if current is not None and current.entered:
            span = Span(current.start_seconds, current.end_seconds)
            self._done.append(Interval(span, current.score, current.most))
