"""Whether text moves at a steady pace, as a crawl does along its row, or credits that rise: its edges stand nowhere, so
that the text gate, which waits for edges that stay, sees it by chance alone.

Strips of the picture are reduced to one line of numbers each, how many edges every column (or row) of pixels has. Text
that moves has the same line again, shifted; a shift on which several looks in a row agree is its pace.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.uint8]
Blocks = NDArray[np.float32]
Flags = NDArray[np.bool_]
Numbers = NDArray[np.float32]

_BLOCK = 16
#: So many blocks of a strip look like text, and this share of them at most stands still.
_TEXT_BLOCKS, _STANDING_SHARE = 4, 0.5
#: The shifted line is so like the one before (correlation), and so much more than the same line unshifted.
_LIKE, _LIKE_MORE = 0.5, 0.2
#: Of two shifts that fit, the farthest loses this share.
_FAR_PENALTY = 0.25
#: What moves farther between two looks (share of the side) cannot be read; two paces are one if they differ by less,
#: of their mean, and in pixels.
_FARTHEST, _SAME_PACE, _SAME_PIXELS = 0.2, 0.15, 2.0
#: So many looks agree with the one before them.
_AGREED_LOOKS = 2
#: A crawl fills this share of the picture's rows at most: where more moves alike, the camera does.
_CRAWL_SHARE = 0.25
#: In a picture of credits this share of the blocks is empty, or stands still.
_CALM_SHARE = 0.6
#: A picture is asked for whenever the text moved this share of its way across, but not faster than, nor slower than.
_WAY_SHARE, _FASTEST_SECONDS, _SLOWEST_SECONDS = 0.5, 0.7, 5.0
#: Text that moved is taken to move on for so long.
_ON_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Look:
    """One picture in blocks of 16 pixels: edges between columns, and rows, (height, width) 255 or 0; per block whether
    it looks like text, whether it did in all of the last looks, and whether hardly an edge is new in it."""

    across: Mask
    down: Mask
    is_text: Flags
    stands: Flags
    is_calm: Flags


class MovingText:
    """Feed it every look of the gate, in order."""

    def __init__(self) -> None:
        self._crawl, self._roll = _Strips(), _Strips()
        self._crawl_rows: Flags | None = None
        self._crawl_seconds = self._moved_seconds = -math.inf
        self._every_seconds = _SLOWEST_SECONDS

    def update(self, seconds: float, look: Look) -> None:
        width, height = look.across.shape[1], look.across.shape[0]
        moving = look.is_text.sum(axis=1) >= _TEXT_BLOCKS
        moving &= (look.is_text & look.stands).sum(axis=1) <= _STANDING_SHARE * look.is_text.sum(axis=1)
        rows = self._crawl.paces(seconds, _profiles(look.across), moving)
        crawls = _agreed(rows)
        if crawls is not None and 0 < crawls.sum() <= _CRAWL_SHARE * len(crawls):
            self._crawl_rows, self._crawl_seconds = crawls, seconds
            self._moves(seconds, width / float(np.abs(rows[crawls]).mean()))
        moving = _pooled(look.is_text.sum(axis=0) >= 1)
        columns = self._roll.paces(seconds, _profiles(look.down.T, wide=True), moving)
        rises = _agreed(np.where(columns < 0, columns, np.nan))
        if rises is not None and rises.any() and look.is_calm.mean() >= _CALM_SHARE:
            self._moves(seconds, height / float(np.abs(columns[rises]).mean()))

    def is_due(self, seconds: float, since_seconds: float) -> bool:
        """Whether text moves, and so far since the last picture sent that another part of it shows."""
        return seconds - self._moved_seconds <= _ON_SECONDS and since_seconds >= self._every_seconds

    def crawls(self, seconds: float, rows: int) -> Flags:
        """The rows of blocks along which text runs: what comes and goes there tells nothing."""
        if self._crawl_rows is None or seconds - self._crawl_seconds > _ON_SECONDS or len(self._crawl_rows) != rows:
            return np.zeros(rows, np.bool_)
        return self._crawl_rows

    def _moves(self, seconds: float, crossing_seconds: float) -> None:
        self._moved_seconds = seconds
        self._every_seconds = min(_SLOWEST_SECONDS, max(_FASTEST_SECONDS, _WAY_SHARE * crossing_seconds))


class _Strips:
    """The paces of the strips of one direction."""

    def __init__(self) -> None:
        self._before: Numbers | None = None
        self._paces: Numbers | None = None
        self._agreed: NDArray[np.int64] | None = None
        self._seconds = 0.0

    def paces(self, seconds: float, profiles: Numbers, wanted: Flags) -> Numbers:
        """(strips,) float32 pixels a second, negative towards the start; NaN where nothing moves steadily."""
        none = np.full(len(profiles), np.nan, np.float32)
        before, last, agreed = self._before, self._paces, self._agreed
        passed = seconds - self._seconds
        self._before, self._seconds = profiles, seconds
        if before is None or last is None or agreed is None or before.shape != profiles.shape or passed <= 0:
            self._paces, self._agreed = none, np.zeros(len(profiles), np.int64)
            return none
        self._paces = none.copy()
        if wanted.any():
            self._paces[wanted] = _shifts(before[wanted], profiles[wanted]) / passed
        allowed = np.maximum(_SAME_PACE * np.abs(last), _SAME_PIXELS / passed)
        self._agreed = np.where(np.abs(self._paces - last) <= allowed, agreed + 1, 0)  # 0 where either is NaN
        return np.where(self._agreed >= _AGREED_LOOKS, self._paces, np.nan).astype(np.float32)


def _profiles(mask: Mask, *, wide: bool = False) -> Numbers:
    """(strips, length) float32: of each strip of 16 rows of pixels, or 64, the mean over these."""
    height, width = mask.shape
    strips = max(1, height // (4 * _BLOCK if wide else _BLOCK))
    small = cv2.resize(np.ascontiguousarray(mask), (width, strips), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32)


def _pooled(blocks: Flags) -> Flags:
    """Of four neighbours whether any is set, for the wide strips."""
    strips = max(1, len(blocks) // 4)
    edges = np.linspace(0, len(blocks), strips + 1).round().astype(int)
    return np.array([blocks[start:end].any() for start, end in itertools.pairwise(edges)])


def _shifts(before: Numbers, now: Numbers) -> Numbers:
    """How many pixels each line of numbers moved; NaN where it stands or is another one."""
    length = before.shape[1]
    farthest = max(2, int(length * _FARTHEST))
    lines = [line - line.mean(axis=1, keepdims=True) for line in (before, now)]
    norms = np.linalg.norm(lines[0], axis=1) * np.linalg.norm(lines[1], axis=1)
    spectra = [np.fft.rfft(line, 2 * length, axis=1) for line in lines]
    likeness = np.fft.irfft(np.conj(spectra[0]) * spectra[1], 2 * length, axis=1)
    likeness /= np.maximum(norms, 1e-6)[:, None]
    # Shifts from the farthest towards the start to the farthest the other way.
    likeness = np.concatenate([likeness[:, -farthest:], likeness[:, : farthest + 1]], axis=1)
    # Lines at even distances look alike in several shifts: the nearest is meant.
    best = np.argmax(likeness * (1 - _FAR_PENALTY * np.abs(np.linspace(-1, 1, 2 * farthest + 1))), axis=1)
    peaks = likeness[np.arange(len(best)), best]
    moves = (peaks >= _LIKE) & (peaks - likeness[:, farthest] >= _LIKE_MORE)
    return np.where(moves, best - farthest, np.nan).astype(np.float32)


def _agreed(paces: Numbers) -> Flags | None:
    """The strips that move as most of those do that move; None if none does."""
    if np.isnan(paces).all():
        return None
    middle = float(np.nanmedian(paces))
    return np.asarray(np.abs(paces - middle) <= _SAME_PACE * abs(middle) + 4 * _SAME_PIXELS, np.bool_)
