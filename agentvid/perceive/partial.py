"""Readings of which a part failed, or lies behind the end of the video."""

from __future__ import annotations

from dataclasses import replace

from agentvid.perceive.base import Reading
from agentvid.types import Gap, Span

#: After so many failures in a row a model is not asked again: a server that is gone would cost its timeout each time.
MOST_FAILURES = 3


def inside(reading: Reading, duration_seconds: float) -> Reading:
    """What of a reading lies inside the video; its sound may go on after the last frame."""
    rows = [row for row in reading.observations if row.span.start_seconds < duration_seconds]
    gaps = [gap for gap in reading.gaps if gap.span.start_seconds < duration_seconds]
    return Reading(
        [replace(row, span=_cut(row.span, duration_seconds)) for row in rows],
        [replace(gap, span=_cut(gap.span, duration_seconds)) for gap in gaps],
        reading.warnings,
    )


def add_gap(gaps: list[Gap], gap: Gap) -> None:
    """Neighbours with the same reason are one."""
    if gaps and gaps[-1].reason == gap.reason and gaps[-1].span.end_seconds >= gap.span.start_seconds:
        gaps[-1] = replace(gap, span=gaps[-1].span.hull(gap.span))
    else:
        gaps.append(gap)


def _cut(span: Span, end_seconds: float) -> Span:
    return Span(span.start_seconds, min(span.end_seconds, end_seconds))
