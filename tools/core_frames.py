"""`core_frames`: the few moments that together show all there is to see in a stretch of video, without any model."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import inf

from agentvid.tools import watching
from agentvid.tools.base import ToolContext
from agentvid.tools.scope import whole_number
from agentvid.types import Moment, Span
from agentvid.watch.sampling import at_rate, core, signatures, uniform

MAX_FRAMES = 32
#: So many frames are compared, one a second at most; of a long span one in the middle of every shot first.
_CANDIDATES, _PER_SECOND, _SIDE = 128, 1.0, 64


def core_frames(context: ToolContext, *, within: Moment, count: float = 8.0) -> list[Moment]:
    """The moments whose frames differ most from each other, in time order: fewer than asked for where little changes.

    Args:
        within: the moment to choose from
        count: at most how many, 1 to 32

    Raises:
        ToolError: an argument is not allowed, lies outside of the question's scope, or the video has no frames.
    """
    most = whole_number("count", count, most=MAX_FRAMES)
    within = watching.part_of(context, within)
    frames = watching.frames_of(context, within, _candidates(context, within), side=_SIDE)
    chosen = core(signatures([frame.image for frame in frames]), most)
    spans = _around([frame.seconds for frame in frames], within.span)
    return context.ledger.record([Moment(within.video_id, spans[position], within.score) for position in chosen])


def _around(times: Sequence[float], within: Span) -> list[Span]:
    """For each of the rising times a span in whose middle it lies, up to half way to the nearer neighbour."""
    shown = [max(time, within.start_seconds) for time in times]
    gaps = [later - earlier for earlier, later in pairwise(shown)]
    halves = [max(0.001, min(pair) / 2) for pair in zip([inf, *gaps], [*gaps, inf], strict=True)]
    if not gaps:
        return [within]
    return [Span(max(within.start_seconds, t - half), t + half) for t, half in zip(shown, halves, strict=True)]


def _candidates(context: ToolContext, within: Moment) -> list[float]:
    """Rising times of frames to compare."""
    steady = at_rate(within.span, _PER_SECOND, most=_CANDIDATES)
    if len(steady) < _CANDIDATES:
        return steady
    shots = [shot.intersection(within.span) for shot in context.catalogue.shots(within.video_id)]
    middles = [(shot.start_seconds + shot.end_seconds) / 2 for shot in shots if shot]
    step = max(1, -(-len(middles) // _CANDIDATES))
    chosen = middles[::step]
    rest = _CANDIDATES - len(chosen)
    return sorted({*chosen, *(uniform(within.span, rest) if rest else [])})
