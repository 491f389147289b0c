"""Motion between two small grey pictures: what the camera did, and which way things moved.

Shifts come from phase correlation (Kuglin & Hines 1975, as `cv2.phaseCorrelate`): it needs no features, survives
large shifts, and costs tens of microseconds on pictures of this size.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Luma = NDArray[np.uint8]
Plane = NDArray[np.float32]

#: Mean change per pixel (0..255) under which nothing moved.
STILL_CHANGE = 0.4
#: Mean change above which, if the picture's parts do not move together, the pair straddles a cut.
_CUT_CHANGE = 35.0
#: Standard deviation of luma that gives phase correlation something to hold on to.
_TEXTURE = 5.0
#: Correlation peak (0..1) under which a shift is a guess.
_SURE = 0.12
#: Changes smaller than this are noise when following a moving thing.
_NOISE = 10.0


@dataclass(frozen=True, slots=True)
class Motion:
    """Motion of one pair. Velocities are in picture lengths (the longer side) per second; x to the right, y down.

    `change`: mean absolute luma change, 0..255. `picture`: velocity of the whole picture, opposite to the camera's,
    or None where its parts do not agree. `zoom`: outward velocity (> 0 zooms in). `things`: velocity of what moves
    before a still picture, or None.
    """

    change: float = 0.0
    picture: tuple[float, float] | None = (0.0, 0.0)
    zoom: float = 0.0
    things: tuple[float, float] | None = None


class MotionMeter:
    """Compares each picture with the one before. Pictures: (height, width) uint8, all of one size."""

    def __init__(self) -> None:
        self._last: Plane | None = None
        self._last_seconds = 0.0
        self._last_change: Plane | None = None

    def update(self, seconds: float, luma: Luma) -> Motion | None:
        """The motion since the last picture; None for the first picture and across a cut."""
        plane = luma.astype(np.float32)
        last, interval = self._last, seconds - self._last_seconds
        self._last, self._last_seconds = plane, seconds
        if last is None or interval <= 0:
            return None
        change_map = cv2.absdiff(plane, last)
        change = float(change_map.mean())
        if change < STILL_CHANGE:
            self._last_change = None
            return Motion(change=change)

        per_second = 1.0 / (interval * max(luma.shape))
        picture, zoom = self._picture_shift(last, plane)
        if picture is None and change > _CUT_CHANGE:
            self._last_change = None
            return None
        still = picture is None or max(abs(picture[0]), abs(picture[1])) < 0.3
        things = self._thing_shift(change_map) if still and not zoom else None
        return Motion(change, _scaled(picture, per_second), zoom * per_second, _scaled(things, per_second))

    def _picture_shift(self, last: Plane, plane: Plane) -> tuple[tuple[float, float] | None, float]:
        """The shift in pixels that most quarters of the picture share, and the zoom where they move apart."""
        height, width = plane.shape
        shifts, corners = [], []
        for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
            top, left = row * (height // 2), column * (width // 2)
            quarter = np.s_[top : top + height // 2, left : left + width // 2]
            if min(_spread(last[quarter]), _spread(plane[quarter])) < _TEXTURE:
                continue
            x, y, response = self._correlate(last[quarter], plane[quarter])
            if response >= _SURE:
                shifts.append((x, y))
                corners.append((2 * column - 1, 2 * row - 1))
        if len(shifts) < 3:
            return None, 0.0
        moves = np.array(shifts)
        shared = np.median(moves, axis=0)
        tolerance = max(0.75, 0.25 * float(np.hypot(*shared)))
        agree = np.hypot(*(moves - shared).T) <= tolerance
        if agree.sum() >= 3:
            shared = moves[agree].mean(axis=0)
            return (float(shared[0]), float(shared[1])), 0.0
        outward = (moves * np.array(corners)).mean(axis=1)
        zooms = abs(outward.mean()) > 0.3 and bool(np.all(np.sign(outward) == np.sign(outward[0])))
        return None, float(outward.mean()) if zooms else 0.0

    def _thing_shift(self, change_map: Plane) -> tuple[float, float] | None:
        """The shift in pixels of what changes: the changed places follow the moving things."""
        last, current = self._last_change, np.where(change_map < _NOISE, np.float32(0), change_map)
        self._last_change = current
        if last is None or not last.any() or not current.any():
            return None
        x, y, response = self._correlate(last, current)
        return (x, y) if response >= _SURE else None

    def _correlate(self, last: Plane, plane: Plane) -> tuple[float, float, float]:
        height, width = (_unbiased(side) for side in plane.shape)
        parts = np.ascontiguousarray(last[:height, :width]), np.ascontiguousarray(plane[:height, :width])
        (x, y), response = cv2.phaseCorrelate(*parts, _window(width, height))
        return x, y, response


def _spread(plane: Plane) -> float:
    """Standard deviation; OpenCV's is ten times as fast as NumPy's on pictures this small."""
    return float(cv2.meanStdDev(plane)[1][0, 0])


@functools.cache
def _window(width: int, height: int) -> Plane:
    return np.asarray(cv2.createHanningWindow((width, height), cv2.CV_32F), np.float32)


@functools.cache
def _unbiased(side: int) -> int:
    """The largest side that OpenCV does not pad to an odd size, which would shift the peak by half a pixel."""
    return next((smaller for smaller in range(side, 1, -1) if cv2.getOptimalDFTSize(smaller) % 2 == 0), side)


def _scaled(shift: tuple[float, float] | None, factor: float) -> tuple[float, float] | None:
    return None if shift is None else (shift[0] * factor, shift[1] * factor)
