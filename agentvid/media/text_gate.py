"""When to read a frame: reading text costs half a second, looking whether text changed half a millisecond.

Text is strong edges in both directions, dense, and (unlike the world behind it) standing still. The gate keeps the
edges that stayed in place since the previous look, and compares them, block by block, with those of the last frame
it sent. Edge density as a text cue is old (Zhong, Zhang & Jain 2000); the comparison with what was sent is ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Luma = NDArray[np.uint8]
Mask = NDArray[np.uint8]
Blocks = NDArray[np.float32]

#: Longer side of the picture that is looked at; the second, coarser look finds letters taller than a block.
_SIDES = (640, 160)
_BLOCK = 16
#: Luma step between neighbouring pixels that counts as an edge.
_EDGE = 26
#: Share of a block's pixels that are edges, in both directions, from which it may hold text.
_TEXT_DENSITY = 0.06
#: Share of a block's pixels whose edges came or went, from which its text may have changed.
_CHANGED_DENSITY = 0.035
#: At most one frame per this many seconds.
_PAUSE_SECONDS = 0.9
#: Blocks that changed in this many sent frames of late tick or move: they alone send a frame only now and then.
_TICKS, _TICK_PAUSE_SECONDS, _TICK_MEMORY_SECONDS = 3.0, 5.0, 20.0
#: In a scene with text, a frame at least this often, whatever was overlooked.
_HEARTBEAT_SECONDS = 15.0


class TextGate:
    """Decides which frames to read. Feed it a few frames per second, in order; under a millisecond each."""

    def __init__(self) -> None:
        self._looks = [_Look(side) for side in _SIDES]
        self._sent_seconds = -np.inf

    def update(self, seconds: float, luma: Luma) -> bool:
        """Whether the frame (height, width) uint8 may show text that the last frame sent did not, or lost some."""
        found = [look.update(seconds, luma) for look in self._looks]
        since = seconds - self._sent_seconds
        if since < _PAUSE_SECONDS:
            return False
        changed = any(look.changed for look in found)
        ticked = any(look.ticked for look in found) and since >= _TICK_PAUSE_SECONDS
        overdue = any(look.text for look in found) and since >= _HEARTBEAT_SECONDS
        if not (changed or ticked or overdue):
            return False
        self._sent_seconds = seconds
        for look in self._looks:
            look.sent(seconds)
        return True


@dataclass(frozen=True, slots=True)
class _Found:
    text: bool = False
    changed: bool = False
    ticked: bool = False


class _Look:
    """One scale: edges of the last pictures and of the last one sent."""

    def __init__(self, side: int) -> None:
        self._side = side
        self._last: Mask | None = None
        self._lasting: Mask | None = None
        self._sent: Mask | None = None
        self._missing: Blocks | None = None
        self._changed: NDArray[np.bool_] | None = None
        self._ticks: Blocks | None = None
        self._ticks_seconds = 0.0

    def update(self, seconds: float, luma: Luma) -> _Found:
        small = _shrink(luma, self._side)
        across, down = _edges(small)
        edges = cv2.bitwise_or(across, down)
        wide = cv2.dilate(edges, np.ones((3, 3), np.uint8))
        last = self._last
        self._last = wide
        if last is None or last.shape != wide.shape:
            self._sent = self._missing = self._ticks = None
            last = wide
        lasting = cv2.bitwise_and(edges, last)
        self._lasting = lasting
        text = np.minimum(_density(cv2.bitwise_and(across, last)), _density(cv2.bitwise_and(down, last)))
        is_text = text >= _TEXT_DENSITY
        if self._ticks is None:
            self._ticks = np.zeros_like(text)
        sent = np.zeros_like(edges) if self._sent is None else self._sent

        came = _density(cv2.bitwise_and(lasting, cv2.bitwise_not(cv2.dilate(sent, np.ones((3, 3), np.uint8)))))
        gone = _density(cv2.bitwise_and(sent, cv2.bitwise_not(wide)))
        # A passer-by hides text for one look; text that is gone stays gone.
        missing = gone if self._missing is None else np.minimum(gone, self._missing)
        self._missing = gone
        was_text = np.minimum(_density(sent), 1.0) >= _TEXT_DENSITY
        self._changed = (is_text & (came >= _CHANGED_DENSITY)) | (was_text & (missing >= _CHANGED_DENSITY))
        ticking = self._ticks * np.exp((self._ticks_seconds - seconds) / _TICK_MEMORY_SECONDS) >= _TICKS - 0.5
        return _Found(
            text=bool(is_text.any()),
            changed=bool((self._changed & ~ticking).any()),
            ticked=bool((self._changed & ticking).any()),
        )

    def sent(self, seconds: float) -> None:
        assert self._ticks is not None and self._changed is not None
        self._ticks *= np.exp((self._ticks_seconds - seconds) / _TICK_MEMORY_SECONDS)
        self._ticks += self._changed
        self._ticks_seconds = seconds
        self._sent = self._lasting
        self._missing = None


def _shrink(luma: Luma, side: int) -> Luma:
    scale = side / max(luma.shape)
    if scale >= 1.0:
        return luma
    height, width = (max(_BLOCK, round(length * scale)) for length in luma.shape)
    return np.asarray(cv2.resize(luma, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _edges(luma: Luma) -> tuple[Mask, Mask]:
    """Where luma steps across (between columns) and down (between rows): 255 or 0, the size of the picture."""
    across, down = np.zeros_like(luma), np.zeros_like(luma)
    cv2.threshold(cv2.absdiff(luma[:, 1:], luma[:, :-1]), _EDGE, 255, cv2.THRESH_BINARY, dst=across[:, 1:])
    cv2.threshold(cv2.absdiff(luma[1:], luma[:-1]), _EDGE, 255, cv2.THRESH_BINARY, dst=down[1:])
    return across, down


def _density(mask: Mask) -> Blocks:
    """The share of set pixels of every block, (height / block, width / block) float32."""
    height, width = (max(1, round(length / _BLOCK)) for length in mask.shape)
    return np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA), np.float32) / 255
