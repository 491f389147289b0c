"""Clips: the pieces of video that retrieval returns, made of shots and sentences."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agentvid.errors import UsageError
from agentvid.types import Clip, Span

Times = NDArray[np.float64]

#: The length a clip should have if nothing else decides.
_TYPICAL_CLIP_SECONDS = 20.0
#: What a clip end costs, in units of the length cost of `_cheapest_path`: free at a cut, then dearer.
_CUT, _SENTENCE_END, _SENTENCE_START, _EQUAL_PART, _ANYWHERE, _INSIDE_SENTENCE = 0.0, 0.1, 0.4, 0.5, 8.0, 0.5
_TOO_SHORT = 1000.0
#: Keeps a clip that should last the minimum from missing it by rounding.
_SLACK_SECONDS = 1e-3


def make_clips(
    duration_seconds: float,
    shots: Sequence[Span],
    sentences: Sequence[Span],
    *,
    minimum: float = 4.0,
    maximum: float = 90.0,
) -> tuple[Clip, ...]:
    """Tile [0, duration_seconds) with clips of `minimum` to `maximum` seconds.

    Clips end at cuts, preferably not inside a sentence. A shot longer than `maximum` may also be divided: at the
    ends of sentences, else where one starts, else in equal parts. Among all such tilings, the one of least cost
    (lengths near 20 s, cheap ends) is found by dynamic programming, so the result depends on nothing but the
    arguments and not on their order. A video shorter than `minimum` is one clip. A tiling within both bounds is
    found whenever 2 * minimum <= maximum (and a millisecond of slack); otherwise `maximum` holds.

    Raises UsageError if the duration or the bounds are not positive, or minimum > maximum.
    """
    check_duration(duration_seconds)
    if not 0 < minimum <= maximum:
        raise UsageError(f"clips of {minimum:g} to {maximum:g} s; allowed: 0 < minimum <= maximum")
    times, prices = _possible_ends(duration_seconds, shots, sentences, minimum, maximum)
    ends = _cheapest_path(times, prices, minimum, maximum)
    return tuple(Clip(Span(start, end), index) for index, (start, end) in enumerate(itertools.pairwise(ends)))


def _possible_ends(
    duration_seconds: float, shots: Sequence[Span], sentences: Sequence[Span], minimum: float, maximum: float
) -> tuple[Times, Times]:
    """Times at which a clip may end, ascending from 0 to the duration, no two further apart than `maximum`,
    and the price of each."""
    price: dict[float, float] = {0.0: _CUT, duration_seconds: _CUT}

    def offer(seconds: float, cost: float) -> None:
        if 0.0 < seconds < duration_seconds:
            price[seconds] = min(cost, price.get(seconds, math.inf))

    for shot in shots:
        offer(shot.start_seconds, _CUT)
        offer(shot.end_seconds, _CUT)
    long_gaps = _gaps(price, maximum)
    for seconds in _inside([sentence.end_seconds for sentence in sentences], long_gaps):
        offer(seconds, _SENTENCE_END)
    for seconds in _inside([sentence.start_seconds for sentence in sentences], _gaps(price, maximum)):
        offer(seconds, _SENTENCE_START)
    typical = _typical_seconds(minimum, maximum)
    for start, end in _gaps(price, maximum):
        parts = math.ceil((end - start) / typical)
        for part in range(1, parts):
            offer(start + (end - start) * part / parts, _EQUAL_PART)
    # One minimum away from every end: with these, a tiling within the bounds always exists (see make_clips).
    for seconds in list(price):
        offer(seconds - minimum - _SLACK_SECONDS, _ANYWHERE)
        offer(seconds + minimum + _SLACK_SECONDS, _ANYWHERE)

    times = np.array(sorted(price))
    prices = np.array([price[seconds] for seconds in times.tolist()])
    return times, prices + _INSIDE_SENTENCE * _split_sentences(times, sentences)


def _cheapest_path(times: Times, prices: Times, minimum: float, maximum: float) -> list[float]:
    """The clip ends, from times[0] to times[-1], of least total price and length cost, no clip over `maximum`."""
    typical = _typical_seconds(minimum, maximum)
    total = np.zeros(len(times))
    previous = np.zeros(len(times), dtype=np.intp)
    firsts = np.searchsorted(times, times - maximum - _SLACK_SECONDS / 1000)
    for index in range(1, len(times)):
        first = firsts[index]
        lengths = times[index] - times[first:index]
        costs = total[first:index] + np.log2(lengths / typical) ** 2 + _TOO_SHORT * (lengths < minimum)
        best = int(np.argmin(costs))
        previous[index] = first + best
        total[index] = costs[best] + prices[index]

    path = [len(times) - 1]
    while path[-1] != 0:
        path.append(int(previous[path[-1]]))
    return [float(times[index]) for index in reversed(path)]


def _typical_seconds(minimum: float, maximum: float) -> float:
    return min(max(_TYPICAL_CLIP_SECONDS, minimum), maximum)


def _gaps(ends: dict[float, float], maximum: float) -> list[tuple[float, float]]:
    """Neighbouring ends that are further apart than a clip may last."""
    return [(start, end) for start, end in itertools.pairwise(sorted(ends)) if end - start > maximum]


def _inside(times: Sequence[float], gaps: Sequence[tuple[float, float]]) -> list[float]:
    """Those of `times` that lie strictly inside a gap."""
    values = np.asarray(times, np.float64)
    inside = [values[(values > start) & (values < end)] for start, end in gaps]
    return [seconds for part in inside for seconds in part.tolist()]


def _split_sentences(times: Times, sentences: Sequence[Span]) -> NDArray[np.bool_]:
    """Whether each time lies strictly inside some sentence."""
    starts = np.sort([sentence.start_seconds for sentence in sentences])
    ends = np.sort([sentence.end_seconds for sentence in sentences])
    begun: NDArray[np.intp] = np.searchsorted(starts, times, "left")
    over: NDArray[np.intp] = np.searchsorted(ends, times, "right")
    return begun > over


def check_duration(duration_seconds: float) -> None:
    """Raises UsageError if the duration is not a positive number of seconds."""
    if not math.isfinite(duration_seconds) or duration_seconds <= 0:
        raise UsageError(f"a video of {duration_seconds} s cannot be divided; allowed: more than 0 s")
