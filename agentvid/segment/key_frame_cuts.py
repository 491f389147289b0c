"""Shots of a pass that decodes key frames only: encoders set one at most cuts, and one every few seconds between."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agentvid.segment.pictures import Small, distance, layout, likeness, shrink

#: Key frames of two shots differ by this (mean of 0..255) and in their layout (correlation of luma).
_CHANGE, _SAME_LAYOUT = 12.0, 0.6
_SHORTEST_SHOT_SECONDS = 0.6


class KeyFrameCuts:
    """A shot begins at a key frame that is unlike the last one: late where the encoder set none at the cut."""

    def __init__(self) -> None:
        self._last: tuple[float, Small] | None = None
        self._starts: list[float] = []

    def read(self, seconds: float, image: NDArray[np.uint8]) -> None:
        picture = shrink(image)
        last, self._last = self._last, (seconds, picture)
        if last is None or distance(last[1], picture) < _CHANGE:
            return
        since = seconds - (self._starts[-1] if self._starts else 0.0)
        if since >= _SHORTEST_SHOT_SECONDS and likeness(layout(last[1]), layout(picture)) < _SAME_LAYOUT:
            self._starts.append(seconds)

    def finish(self) -> list[float]:
        return self._starts
