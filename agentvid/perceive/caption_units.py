"""What one caption tells of: a shot, a part of a long one, or a few short ones; found while the video is decoded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from agentvid.media.types import Frame
from agentvid.types import Span
from agentvid.watch.sampling import distinct, signatures, thumbnails

#: A unit ends at a cut once it has lasted `SHORTEST_SECONDS`. A shot that lasts longer than both together is divided
#: after `LONGEST_SECONDS`.
SHORTEST_SECONDS, LONGEST_SECONDS = 2.0, 15.0
#: Two key frames are of different shots if, of 16x9 parts of the picture, half changed by as much, 0 to 1. What moves
#: before a background that stays changes fewer.
_CUT = 0.08


@dataclass(frozen=True, slots=True)
class Unit:
    """A span and those of its frames, in time order, that do not look alike; none where none could be decoded."""

    span: Span
    frames: tuple[Frame, ...]


class _Ends:
    """Spans that tile the video without gap, in order. The last one is held back: a short end still joins it."""

    def __init__(self) -> None:
        self._start_seconds = 0.0
        self._held: Span | None = None

    def reach(self, seconds: float, *, is_cut: bool) -> Iterator[Span]:
        """The spans that are sure to end now that the video is known up to `seconds`."""
        while seconds - self._start_seconds > LONGEST_SECONDS + SHORTEST_SECONDS:
            yield from self._close(self._start_seconds + LONGEST_SECONDS)
        if is_cut and seconds - self._start_seconds >= SHORTEST_SECONDS:
            yield from self._close(seconds)

    def finish(self, duration_seconds: float) -> Iterator[Span]:
        yield from self.reach(duration_seconds, is_cut=False)
        has_rest = duration_seconds > self._start_seconds
        rest = Span(self._start_seconds, duration_seconds) if has_rest else None
        if rest and self._held and rest.duration_seconds < SHORTEST_SECONDS:
            yield self._held.hull(rest)
        else:
            yield from (span for span in (self._held, rest) if span)

    def _close(self, seconds: float) -> Iterator[Span]:
        if self._held:
            yield self._held
        self._held = Span(self._start_seconds, seconds)
        self._start_seconds = seconds


def unit_spans(shots: Iterable[Span], duration_seconds: float) -> list[Span]:
    """The units of a video whose shots are known."""
    ends = _Ends()
    spans: list[Span] = []
    for shot in shots:
        if 0 < shot.start_seconds < duration_seconds:
            spans += ends.reach(shot.start_seconds, is_cut=True)
    return [*spans, *ends.finish(duration_seconds)]


class UnitFinder:
    """Finds the units of a video from its key frames, which come in time order."""

    def __init__(self, most_frames: int) -> None:
        """A unit keeps at most `most_frames` frames, evenly of those that differ."""
        self._most_frames = most_frames
        self._ends = _Ends()
        self._frames: list[Frame] = []

    def read(self, frames: Sequence[Frame]) -> Iterator[Unit]:
        """The units that ended before the last of these frames."""
        for frame in frames:
            is_cut = bool(self._frames) and _differ(self._frames[-1], frame)
            yield from self._units(self._ends.reach(frame.seconds, is_cut=is_cut))
            self._frames.append(frame)

    def finish(self, duration_seconds: float) -> Iterator[Unit]:
        """What is left of a video that ends there."""
        yield from self._units(self._ends.finish(duration_seconds))

    def _units(self, spans: Iterator[Span]) -> Iterator[Unit]:
        for span in spans:
            inside = [frame for frame in self._frames if span.contains(frame.seconds)]
            # The last one stays to be compared with the next.
            self._frames = [frame for frame in self._frames if frame.seconds >= span.end_seconds] or self._frames[-1:]
            yield Unit(span, chosen(inside, self._most_frames))


def chosen(frames: Sequence[Frame], most: int) -> tuple[Frame, ...]:
    """Those that do not look like the one before, and evenly `most` of them where there are more."""
    if not frames:
        return ()
    kept = distinct(signatures([frame.image for frame in frames]))
    if len(kept) > most:
        kept = [kept[round(at)] for at in np.linspace(0, len(kept) - 1, most)]
    return tuple(frames[position] for position in kept)


def _differ(before: Frame, after: Frame) -> bool:
    earlier, later = thumbnails([before.image, after.image])
    return float(np.median(np.abs(later - earlier).max(axis=-1))) > _CUT
