"""When to read a frame: reading text costs half a second, looking whether text changed half a millisecond.

Text is strong edges in both directions, dense, and (unlike the world behind it) standing still. The gate keeps the
edges that stayed in place since the previous look, and compares them, block by block, with those of the last frame
it sent. Edge density as a text cue is old (Zhong, Zhang & Jain 2000); the comparison with what was sent is ours.

A frame is sent a little after its text came. Since when the edges of a block have stood there, and when those of the
last frame sent went, is known from the looks in between, and goes along.
"""

from __future__ import annotations

import functools
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from agentvid.media import moving_text
from agentvid.media.moving_text import MovingText

Luma = NDArray[np.uint8]
Mask = NDArray[np.uint8]
Blocks = NDArray[np.float32]
Flags = NDArray[np.bool_]
Seconds = NDArray[np.float32]

#: Longer side of the picture looked at, and the luma step between neighbouring pixels that is an edge there.
#: The second, coarser look finds letters taller than a block; shrunk, everything is steep, so it asks for more.
_SCALES = ((640, 32), (160, 56))
_BLOCK = 16
#: Share of a block's pixels that are edges, in both directions, from which it may hold text.
_TEXT_DENSITY = 0.05
#: Share of a block's pixels whose edges came or went, from which its text changed; one block alone must change more.
_CHANGED_DENSITY, _ALONE_DENSITY = 0.03, 0.05
#: So many looks in a row must show an edge, on the very pixel, before it counts (behind a moving camera nothing
#: does), and so many must miss it before it is gone.
_LOOKS = 3
#: Frames may follow each other this fast, and so many at once; in the long run one per second.
_PAUSE_SECONDS, _BURST = 0.45, 3.0
#: A few blocks that changed in several sent frames of late are a clock, or no text: alone they send a frame only now
#: and then. Subtitles change as often, but over more blocks.
_TICKS, _TICK_BLOCKS, _TICK_PAUSE_SECONDS, _TICK_MEMORY_SECONDS = 2.5, 4, 5.0, 30.0
#: In a scene with text, a frame at least this often, whatever was overlooked.
_HEARTBEAT_SECONDS = 15.0
#: Looks are remembered this long, to tell when edges came and went.
_MEMORY_SECONDS = 3.0
#: Edges of a block that came, or went, are so dense at least; a look shows them if it has this share of them.
_MOVED_DENSITY, _SHOWN_SHARE = 0.02, 0.5


@dataclass(frozen=True, slots=True)
class Changes:
    """When the edges of each cell came, and when those of the frame sent before went: (rows, columns) float32 seconds.

    NaN: the cell holds none that did, as far as is remembered. `cell` is the width and height of one, as shares of the
    picture; the last row and column may reach beyond it.
    """

    came: Seconds
    gone: Seconds
    cell: tuple[float, float]


class TextGate:
    """Decides which frames to read. Feed it about four frames per second, in order."""

    def __init__(self) -> None:
        self._looks = [_Look(side, step) for side, step in _SCALES]
        self._moving = MovingText()
        self._sent_seconds = -math.inf
        self._credit = _BURST
        self._credit_seconds = 0.0

    def update(self, seconds: float, luma: Luma) -> Changes | None:
        """What changed, if the frame, (height, width) uint8, may show text that the last sent did not, or lost it."""
        found = [look.update(seconds, luma, self._moving) for look in self._looks]
        self._moving.update(seconds, self._looks[0].blocks())
        since = seconds - self._sent_seconds
        self._credit = min(_BURST, self._credit + max(0.0, seconds - self._credit_seconds))
        self._credit_seconds = seconds
        if since < _PAUSE_SECONDS or self._credit < 1.0:
            return None
        changed = any(look.changed for look in found)
        ticked = any(look.ticked for look in found) and since >= _TICK_PAUSE_SECONDS
        overdue = any(look.text for look in found) and since >= _HEARTBEAT_SECONDS
        if not (changed or ticked or overdue or self._moving.is_due(seconds, since)):
            return None
        changes = self._looks[0].changes()
        self._sent_seconds = seconds
        self._credit -= 1.0
        for look in self._looks:
            look.sent(seconds)
        return changes


@dataclass(frozen=True, slots=True)
class _Found:
    """What one look says: there is text, it changed, or only such text changed as changes all the time."""

    text: bool
    changed: bool
    ticked: bool


@dataclass(frozen=True, slots=True)
class _Edges:
    """Where luma steps between columns, and between rows; and where it does so at least half as much in either way.

    An edge is there while it is faint, or noise at the threshold would come and go. (height, width), 255 or 0.
    """

    across: Mask
    down: Mask
    faint: Mask


class _Look:
    """One scale: the edges of the last few pictures and of the last one sent."""

    def __init__(self, side: int, step: int) -> None:
        self._side, self._step = side, step
        self._recent: deque[_Edges] = deque(maxlen=_LOOKS)
        self._history: deque[tuple[float, Mask]] = deque()
        self._cell = (1.0, 1.0)
        self._lasting: Mask | None = None
        self._sent: Mask | None = None
        self._sent_faint: Mask | None = None
        self._changed: Flags | None = None
        self._ticks: Blocks | None = None
        self._ticks_seconds = 0.0
        self._is_text = np.zeros((0, 0), np.bool_)
        self._sent_seconds = -math.inf

    def update(self, seconds: float, luma: Luma, moving: MovingText) -> _Found:
        small = _shrunk(luma, self._side)
        self._cell = _BLOCK / small.shape[1], _BLOCK / small.shape[0]
        edges = _edges(_whole_blocks(small), self._step)
        if self._recent and self._recent[0].faint.shape != edges.faint.shape:
            self._recent.clear()
            self._history.clear()
            self._sent = self._ticks = None
        self._recent.append(edges)
        self._remember(seconds, edges.faint)
        across = functools.reduce(cv2.bitwise_and, (look.across for look in self._recent))
        down = functools.reduce(cv2.bitwise_and, (look.down for look in self._recent))
        lasting = np.asarray(cv2.bitwise_or(across, down), np.uint8)
        is_text = np.minimum(_density(across), _density(down)) >= _TEXT_DENSITY
        if self._sent is not None and self._sent_faint is not None:
            # What the frame sent showed for the first time is known as text only now.
            self._sent = np.asarray(cv2.bitwise_or(self._sent, cv2.bitwise_and(lasting, self._sent_faint)), np.uint8)
        self._is_text = is_text
        strength = self._change(lasting, is_text)
        strength[moving.crawls(seconds, len(strength))] = 0
        self._lasting, self._changed = lasting, strength >= _CHANGED_DENSITY
        if self._ticks is None:
            self._ticks = np.zeros_like(strength)
        ticking = self._ticks * self._faded(seconds) > _TICKS
        return _Found(
            text=bool(is_text.any()),
            changed=_is_enough(np.where(ticking, 0, strength)),
            ticked=_is_enough(strength),
        )

    def sent(self, seconds: float) -> None:
        """Remember the present edges as those of the frame sent, and which blocks caused it."""
        if self._ticks is None or self._changed is None:
            return
        small = self._changed.sum() <= _TICK_BLOCKS
        self._ticks = self._ticks * self._faded(seconds) + (self._changed & small)
        self._ticks_seconds = seconds
        self._sent, self._sent_faint = self._lasting, self._recent[-1].faint
        self._sent_seconds = seconds

    def blocks(self) -> moving_text.Look:
        """The present picture for a search of text that moves."""
        now = self._recent[-1]
        lasting = self._lasting if self._lasting is not None else now.faint
        moving = cv2.bitwise_and(now.faint, cv2.bitwise_not(lasting))
        return moving_text.Look(
            now.across,
            now.down,
            is_text=np.minimum(_density(now.across), _density(now.down)) >= _TEXT_DENSITY,
            stands=self._is_text,
            is_calm=_density(moving) < _TEXT_DENSITY,
        )

    def changes(self) -> Changes:
        """When the edges that are there now came, and when those of the last frame sent went."""
        now = self._recent[-1]
        edges = np.asarray(cv2.bitwise_or(now.across, now.down), np.uint8)
        looks = [look for look in self._history if look[0] >= self._sent_seconds]
        came = _since(edges, looks[::-1])
        if self._sent is None:
            return Changes(came, np.full_like(came, np.nan), self._cell)
        return Changes(came, _until(self._sent, looks), self._cell)

    def _remember(self, seconds: float, faint: Mask) -> None:
        self._history.append((seconds, faint))
        while self._history[0][0] < seconds - _MEMORY_SECONDS:
            self._history.popleft()

    def _change(self, lasting: Mask, is_text: Flags) -> Blocks:
        """Per block, the share of pixels whose edges came, in text, or went, where there was text."""
        if self._sent is None or self._sent_faint is None:
            return np.where(is_text, _density(lasting), 0).astype(np.float32)
        came = _density(cv2.bitwise_and(lasting, cv2.bitwise_not(self._sent_faint)))
        seen = functools.reduce(cv2.bitwise_or, (look.faint for look in self._recent))
        gone = _density(cv2.bitwise_and(self._sent, cv2.bitwise_not(seen)))
        had_text = _density(self._sent) >= 2 * _TEXT_DENSITY
        return np.maximum(np.where(is_text, came, 0), np.where(had_text, gone, 0)).astype(np.float32)

    def _faded(self, seconds: float) -> float:
        return math.exp((self._ticks_seconds - seconds) / _TICK_MEMORY_SECONDS)


def _is_enough(strength: Blocks) -> bool:
    """Two neighbouring blocks that changed, or one that changed a lot."""
    changed = strength >= _CHANGED_DENSITY
    pair = bool((changed[:, 1:] & changed[:, :-1]).any())
    return pair or bool((strength >= _ALONE_DENSITY).any())


def _since(edges: Mask, looks: Sequence[tuple[float, Mask]]) -> Seconds:
    """Per block, the first of the last looks in a row that shows those of `edges` that the first look of all lacks.

    `looks`: (seconds, faint edges), the latest first.
    """
    new = np.asarray(cv2.bitwise_and(edges, cv2.bitwise_not(looks[-1][1])), np.uint8)
    if len(looks) > 2:
        # What also stood there a look before is no background that moves; text that came just now did not.
        stood = np.asarray(cv2.bitwise_and(new, looks[1][1]), np.uint8)
        is_text = cv2.resize(_density(stood), new.shape[::-1], interpolation=cv2.INTER_NEAREST) >= _TEXT_DENSITY
        new = np.where(is_text, stood, new)
    density = _density(new)
    came = np.full(density.shape, looks[0][0], np.float32)
    there = density >= _MOVED_DENSITY
    came[~there] = np.nan
    for seconds, faint in looks:
        there = there & (_density(cv2.bitwise_and(new, faint)) >= _SHOWN_SHARE * density)
        came[there] = seconds
    return came


def _until(edges: Mask, looks: Sequence[tuple[float, Mask]]) -> Seconds:
    """Per block, the look from which on those of `edges` that the last look lacks are no longer shown.

    `looks`: (seconds, faint edges), the latest last.
    """
    lost = np.asarray(cv2.bitwise_and(edges, cv2.bitwise_not(looks[-1][1])), np.uint8)
    density = _density(lost)
    gone = np.full(density.shape, looks[-1][0], np.float32)
    missing = density >= _MOVED_DENSITY
    gone[~missing] = np.nan
    for seconds, faint in reversed(looks):
        missing = missing & (_density(cv2.bitwise_and(lost, faint)) < _SHOWN_SHARE * density)
        gone[missing] = seconds
    return gone


def _shrunk(luma: Luma, side: int) -> Luma:
    scale = min(1.0, side / max(luma.shape))
    if scale == 1.0:
        return luma
    return np.asarray(cv2.resize(luma, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def _whole_blocks(small: Luma) -> Luma:
    """The picture filled up to whole blocks, which makes their means cheap."""
    bottom, right = (-length % _BLOCK for length in small.shape)
    return np.asarray(cv2.copyMakeBorder(small, 0, bottom, 0, right, cv2.BORDER_REPLICATE), np.uint8)


def _edges(luma: Luma, step: int) -> _Edges:
    across = cv2.copyMakeBorder(cv2.absdiff(luma[:, 1:], luma[:, :-1]), 0, 0, 1, 0, cv2.BORDER_CONSTANT)
    down = cv2.copyMakeBorder(cv2.absdiff(luma[1:], luma[:-1]), 1, 0, 0, 0, cv2.BORDER_CONSTANT)
    return _Edges(
        np.asarray(cv2.threshold(across, step, 255, cv2.THRESH_BINARY)[1], np.uint8),
        np.asarray(cv2.threshold(down, step, 255, cv2.THRESH_BINARY)[1], np.uint8),
        np.asarray(cv2.threshold(cv2.max(across, down), step // 2, 255, cv2.THRESH_BINARY)[1], np.uint8),
    )


def _density(mask: Mask) -> Blocks:
    """The share of set pixels of every block, (height / block, width / block) float32."""
    height, width = (length // _BLOCK for length in mask.shape)
    return np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA), np.float32) / np.float32(255)
