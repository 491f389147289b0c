"""The default shot detector: cuts, dissolves and fades in one look at small frames, told from flashes and fast motion.

- A cut is one change that stands out from those around it (as in scenedetect's AdaptiveDetector), unless the picture
  comes back at once: then it was a flash, or something that passed before the camera.
- A dissolve is a span whose ends differ more than either side of it moves, and between whose ends every frame is a
  blend of both. A camera that moves also passes from one end to the other, but a blend loses variance half-way, the
  parabola of Alattar (1993), and a moved picture does not.
- A fade runs through a picture of one colour. It is one boundary, in the middle of that picture.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from agentvid.segment.pictures import Small, Vectors, centred, distance, flat, layout, likeness, shrink

#: Boundaries closer than this are one; the strongest stays.
_SHORTEST_SHOT_SECONDS = 0.6

#: A cut changes each pixel by so much (see `distance`), and so many times as much as its restless neighbours do.
_CUT_CHANGE, _CUT_RATIO = 9.0, 2.6
_NEIGHBOUR_SECONDS = 0.13
#: A flash is over after this time, and then less than this share of the change is left.
_FLASH_SECONDS, _FLASH_REST = 0.28, 0.5

#: Half the length of the spans that are tried for dissolves: from 5 frames to a second and more.
_HALF_SECONDS = (0.12, 0.22, 0.36, 0.56)
#: The ends of a dissolve differ by this, and this many times as much as the quarter before and after it moves.
_BLEND_CHANGE, _BLEND_RATIO = 8.0, 1.8
#: What of the frames between may be no blend, as a share of the difference of the ends.
_BLEND_REST = 0.45
#: Share of the variance that a blend loses which must be lost, and what ratio, rest and loss must come to together.
_BLEND_LOSS, _BLEND_SCORE, _BLEND_SURE = 0.55, 1.6, 1.5
#: Layouts (luma, correlation) as alike as this are of one shot under another light.
_SAME_LAYOUT = 0.75
#: A camera that moves by this share of the picture's width from frame to frame, with so clear a correlation peak.
_WHIP_SHIFT, _WHIP_PEAK = 0.025, 0.2

#: A picture is of one colour if no channel's standard deviation exceeds this; a black one may have a bright spot, such
#: as a broadcaster's mark, as long as its luma stays below the second on average.
_PLAIN_SPREAD, _BLACK_MEAN, _BLACK_SPREAD = 5.0, 10.0, 12.0
#: A fade changes each pixel by this at least, and may take this long, on either side. Around a plain picture that was
#: there for less than `_WINK_SECONDS`, the same layout means that the light changed and not the shot; a sudden wink
#: needs less likeness.
_FADE_CHANGE, _RAMP_SECONDS, _RAMP_STEP, _WINK_SECONDS = 8.0, 1.0, 0.3, 0.5
_AROUND_WINK, _AROUND_SUDDEN_WINK, _SUDDEN_SECONDS = 0.6, 0.2, 0.25

#: Frames are judged in blocks of this length, and a boundary once this much has been seen behind it.
_BLOCK_SECONDS, _SETTLE_SECONDS = 10.0, 2.5
#: So many frames are kept, whatever their times say: some of a slide show, not all of a film of a million a second.
_FEWEST_LOOKS, _MOST_LOOKS = 32, 4096


@dataclass
class _Look:
    """One frame: its small picture (height, width, 3) YCrCb, the channels' means, its distance to the frame before, its
    spread (the largest standard deviation of a channel)."""

    seconds: float
    picture: Small
    means: Vectors
    change: float
    spread: float
    is_plain: bool

    @classmethod
    def of(cls, seconds: float, picture: Small, last: Small | None) -> _Look:
        means, deviations = cv2.meanStdDev(picture)
        spread = float(deviations.max())
        is_plain = spread < _PLAIN_SPREAD or (spread < _BLACK_SPREAD and float(means[0, 0]) < _BLACK_MEAN)
        change = 0.0 if last is None else distance(last, picture)
        return cls(seconds, picture, means.ravel().astype(np.float32), change, spread, is_plain)

    @functools.cached_property
    def layout(self) -> Vectors:
        return layout(self.picture)

    @functools.cached_property
    def centred(self) -> Vectors:
        """(values,) without each channel's mean."""
        return np.asarray((self.picture - self.means).ravel(), np.float32)


@dataclass(frozen=True, slots=True)
class _Boundary:
    """A candidate. The transition lasts from `first_seconds` to `last_seconds`; its strength decides between two."""

    seconds: float
    strength: float
    first_seconds: float
    last_seconds: float


class TransitionDetector:
    """Feed every frame to `read`, then ask `finish` for the boundaries. Keeps about 15 s of small pictures."""

    def __init__(self) -> None:
        self._looks: list[_Look] = []
        self._last: Small | None = None
        self._found: list[float] = []
        self._start_seconds: float | None = None
        self._block_end_seconds = 0.0

    def read(self, seconds: float, image: Small) -> None:
        """`image`: (height, width, 3) uint8 BGR."""
        look = _Look.of(seconds, shrink(image), self._last)
        self._last = look.picture
        if self._start_seconds is None:
            self._start_seconds, self._block_end_seconds = seconds, seconds + _BLOCK_SECONDS
        # Of a long black screen, only its first and last frame say something.
        if look.is_plain and len(self._looks) > 2 and all(other.is_plain for other in self._looks[-2:]):
            self._looks[-1] = look
            return
        self._looks.append(look)
        if not look.is_plain and (seconds >= self._block_end_seconds or len(self._looks) >= _MOST_LOOKS):
            self._judge(seconds - _SETTLE_SECONDS)
            self._block_end_seconds = seconds + _BLOCK_SECONDS
            recent = sum(look.seconds >= seconds - 2 * _SETTLE_SECONDS for look in self._looks)
            self._looks = self._looks[-min(max(recent, _FEWEST_LOOKS), _MOST_LOOKS // 2) :]

    def finish(self) -> list[float]:
        """The first moment of every new shot but the first, in seconds; of a gradual change, its middle."""
        self._judge(math.inf)
        return self._found

    def _judge(self, until_seconds: float) -> None:
        """Accept the boundaries up to there that are not accepted yet."""
        if self._start_seconds is None:
            return
        after = self._found[-1] if self._found else self._start_seconds
        fresh = [
            boundary.seconds
            for boundary in _strongest(_boundaries(self._looks))
            if after + _SHORTEST_SHOT_SECONDS <= boundary.seconds <= until_seconds
        ]
        self._found += fresh


def _boundaries(looks: Sequence[_Look]) -> list[_Boundary]:
    found = [*_cuts(looks), *_fades(looks)]
    for blend in sorted(_blends(looks, found), key=lambda blend: -blend.strength):
        if all(abs(blend.seconds - other.seconds) >= _SHORTEST_SHOT_SECONDS for other in found):
            found.append(blend)
    return found


def _strongest(boundaries: Sequence[_Boundary]) -> list[_Boundary]:
    """In order of time, and of those too close the strongest."""
    kept: list[_Boundary] = []
    for boundary in sorted(boundaries, key=lambda boundary: boundary.seconds):
        if not kept or boundary.seconds - kept[-1].seconds >= _SHORTEST_SHOT_SECONDS:
            kept.append(boundary)
        elif boundary.strength > kept[-1].strength:
            kept[-1] = boundary
    return kept


# --- cuts ---------------------------------------------------------------------------------------------------------


def _cuts(looks: Sequence[_Look]) -> Iterator[_Boundary]:
    for at in range(1, len(looks)):
        look = looks[at]
        if look.change < _CUT_CHANGE or look.change < _CUT_RATIO * _unrest(looks, at):
            continue
        if not _comes_back(looks, at):
            yield _Boundary(look.seconds, look.change, look.seconds, look.seconds)


def _unrest(looks: Sequence[_Look], at: int) -> float:
    """The mean change around a frame. Of two frames the one that changes more counts: film is often shown twice."""
    seconds = looks[at].seconds
    first = max(1, at - 12)
    around = [
        (number, other.change)
        for number, other in enumerate(looks[first : at + 13], first)
        if number != at and abs(other.seconds - seconds) <= _NEIGHBOUR_SECONDS
    ]
    pairs = [max(one, other) for (number, one), (after, other) in itertools.pairwise(around) if after == number + 1]
    changes = pairs or [change for _, change in around]
    return sum(changes) / len(changes) if changes else 0.0


def _comes_back(looks: Sequence[_Look], at: int) -> bool:
    """Whether a frame soon after looks like one shortly before."""
    seconds, rest = looks[at].seconds, _FLASH_REST * looks[at].change
    before = [look for look in looks[max(0, at - 14) : at] if look.seconds >= seconds - _FLASH_SECONDS]
    after = [look for look in looks[at : at + 14] if look.seconds <= seconds + _FLASH_SECONDS]
    return any(distance(one.picture, other.picture) < rest for one in before[::-2] for other in after)


# --- fades --------------------------------------------------------------------------------------------------------


def _fades(looks: Sequence[_Look]) -> Iterator[_Boundary]:
    """One for each run of plain frames. One that the block, or the video, begins or ends with is no boundary, but
    what happens on its slope is no dissolve: its time is minus infinity."""
    at = 0
    while at < len(looks):
        if not looks[at].is_plain:
            at += 1
            continue
        first = last = at
        while last + 1 < len(looks) and looks[last + 1].is_plain:
            last += 1
        at = last + 1
        top, bottom = _slope(looks, first, -1), _slope(looks, last, 1)
        is_inside = first > 0 and last < len(looks) - 1
        if is_inside and not _is_far(looks, first, last, top, bottom):
            continue  # a dull scene: it was never far from one colour
        is_inside = is_inside and not _is_wink(looks, first, last, top, bottom)
        middle = (looks[first].seconds + looks[last].seconds) / 2 if is_inside else -math.inf
        yield _Boundary(middle, math.inf, looks[top].seconds, looks[bottom].seconds)


def _slope(looks: Sequence[_Look], at: int, step: int) -> int:
    """Where the fade that leads to a plain picture begins, or ends: as far as spread rises on the way."""
    start = looks[at].seconds
    while 0 <= at + step < len(looks) and abs(looks[at].seconds - start) < _RAMP_SECONDS:
        if looks[at + step].spread <= looks[at].spread + _RAMP_STEP:
            break
        at += step
    return at


def _is_far(looks: Sequence[_Look], first: int, last: int, top: int, bottom: int) -> bool:
    """Whether the plain picture differs from what is shown on either side of it."""
    down = distance(looks[top].picture, looks[first].picture)
    return min(down, distance(looks[last].picture, looks[bottom].picture)) >= _FADE_CHANGE


def _is_wink(looks: Sequence[_Look], first: int, last: int, top: int, bottom: int) -> bool:
    """Whether a plain picture came and went in one shot: lightning, a camera's flash, a shutter."""
    lasted = looks[last].seconds - looks[first].seconds
    if lasted >= _WINK_SECONDS:
        return False
    is_sudden = looks[first].change > 0.6 * distance(looks[top].picture, looks[first].picture)
    needed = _AROUND_SUDDEN_WINK if is_sudden and lasted < _SUDDEN_SECONDS else _AROUND_WINK
    before = {top, max(0, top - 2)}
    after = {min(len(looks) - 1, bottom + later) for later in (0, 3, 6)}
    return any(likeness(looks[one].layout, looks[other].layout) > needed for one in before for other in after)


# --- dissolves ----------------------------------------------------------------------------------------------------


def _blends(looks: Sequence[_Look], known: Sequence[_Boundary]) -> Iterator[_Boundary]:
    """The best span around each frame, where there is one: many for one dissolve. No span holds a known boundary."""
    times = np.array([look.seconds for look in looks])
    taken = np.zeros(len(looks) + 1, np.intp)
    for boundary in known:
        taken[np.searchsorted(times, boundary.first_seconds) : np.searchsorted(times, boundary.last_seconds) + 1] = 1
    taken = np.cumsum(taken)
    best: dict[int, _Boundary] = {}
    for half in _HALF_SECONDS:
        side = max(_HALF_SECONDS[0], half / 2)
        firsts = np.searchsorted(times, times - half - 1e-6)
        lasts = np.searchsorted(times, times + half + 1e-6) - 1
        befores = np.searchsorted(times, times[firsts] - side)
        afters = np.minimum(np.searchsorted(times, times[lasts] + side), len(times) - 1)
        usable = (firsts >= 1) & (lasts < len(times) - 1) & (lasts - firsts >= 4) & (taken[lasts] == taken[firsts])
        for at in np.flatnonzero(usable)[::2].tolist():
            first, last = looks[firsts[at]], looks[lasts[at]]
            differ = distance(first.picture, last.picture)
            if differ < _BLEND_CHANGE:
                continue
            moves = max(2.0, distance(looks[befores[at]].picture, first.picture))
            if differ < _BLEND_RATIO * moves:
                continue
            moves = max(moves, distance(last.picture, looks[afters[at]].picture))
            if differ < _BLEND_RATIO * moves:
                continue
            if not _may_blend(first.centred, looks[at].centred, last.centred):
                continue
            strength = _blend_strength(looks[firsts[at] : lasts[at] + 1], differ / moves)
            if strength > 0 and (at not in best or best[at].strength < strength):
                best[at] = _Boundary(looks[at].seconds, strength, first.seconds, last.seconds)
    yield from best.values()


def _may_blend(start: Vectors, middle: Vectors, end: Vectors) -> bool:
    """A quick look at the middle alone: whether it has the variance of a blend, or is not half-way."""
    difference = end - start
    length = float(difference @ difference)
    share = float((middle - start) @ difference) / length
    if not 0.2 < share < 0.8:
        return True
    kept = (1 - share) * float(start @ start) + share * float(end @ end) - float(middle @ middle)
    return kept > 0.35 * share * (1 - share) * length


def _blend_strength(span: Sequence[_Look], ratio: float) -> float:
    """How surely the frames between the first and the last of the span blend the two; 0.0 if they do not."""
    start, end = (flat(look.picture) for look in (span[0], span[-1]))
    between = _between(span)
    difference = end - start
    length = float(difference @ difference)
    offsets = between - start
    shares = np.asarray(offsets @ difference / length, np.float32)
    rests = np.sqrt(np.maximum((offsets * offsets).sum(1) - shares * shares * length, 0) / length)
    rest = float(rests.mean())
    strength = ratio * (1 - rest)
    grows = bool(np.diff(shares).min() >= -0.15 and shares.min() >= -0.2 and shares.max() <= 1.2)
    if rest > _BLEND_REST or not grows or strength < _BLEND_SCORE:
        return 0.0
    loss = _variance_loss(start, end, between, shares)
    if loss < _BLEND_LOSS or loss * strength < _BLEND_SURE:
        return 0.0
    if likeness(span[0].layout, span[-1].layout) > _SAME_LAYOUT or _is_whip(span):
        return 0.0
    return strength


def _between(span: Sequence[_Look]) -> Vectors:
    """(n, values): five frames evenly between the first and the last."""
    numbers = np.unique(np.linspace(0, len(span) - 1, 7).round().astype(int))[1:-1]
    return np.stack([flat(span[number].picture) for number in numbers])


def _variance_loss(start: Vectors, end: Vectors, between: Vectors, shares: Vectors) -> float:
    """The variance that the frames half-way have lost, as a share of what a blend of start and end would lose."""
    half_way = (shares > 0.2) & (shares < 0.8)
    if not half_way.any():
        return 0.0
    shares, between = shares[half_way], centred(between[half_way])
    start, end = centred(start), centred(end)
    kept = (1 - shares) * (start @ start) + shares * (end @ end) - (between * between).sum(1)
    blended = (shares * (1 - shares)).sum() * ((end - start) @ (end - start))
    return float(kept.sum() / blended)


def _is_whip(span: Sequence[_Look]) -> bool:
    """Whether most of the larger changes in the span are shifts of the whole picture."""
    height, width = span[0].picture.shape[:2]
    if min(height, width) < 8:
        return False
    pairs = list(itertools.pairwise(span))
    largest = max(later.change for _, later in pairs)
    pairs = [(one, other) for one, other in pairs if other.change >= 0.6 * largest][:8]
    shifted = 0
    for one, other in pairs:
        before, after = (look.picture[..., 0].astype(np.float32) for look in (one, other))
        (x, y), peak = cv2.phaseCorrelate(before, after, _window(width, height))
        shifted += peak > _WHIP_PEAK and math.hypot(x, y) > _WHIP_SHIFT * width
    return shifted >= 0.5 * len(pairs)


@functools.cache
def _window(width: int, height: int) -> Vectors:
    return np.asarray(cv2.createHanningWindow((width, height), cv2.CV_32F), np.float32)
