"""Twelve names for colours, as people use them for a whole scene."""

from __future__ import annotations

import functools

import cv2
import numpy as np
from numpy.typing import NDArray

#: The names, in the order of every share vector.
NAMES = ("black", "white", "grey", "red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink", "brown")

#: Bits kept per channel: 32 steps are finer than the names.
_BITS = 5
#: OpenCV's hue runs from 0 to 180; each name ends where the next begins, and red closes the circle.
_HUE_ENDS = ((7, "red"), (21, "orange"), (34, "yellow"), (85, "green"), (98, "cyan"), (130, "blue"))
_HUE_ENDS_RED_SIDE = ((150, "purple"), (172, "pink"), (181, "red"))


def colour_shares(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The share of each name, (12,) float32 summing to 1, in a (height, width, 3) uint8 BGR image."""
    steps = (image >> (8 - _BITS)).astype(np.uint16)
    index = (steps[..., 0] << (2 * _BITS)) | (steps[..., 1] << _BITS) | steps[..., 2]
    counts = np.bincount(_table()[index].ravel(), minlength=len(NAMES))
    return np.asarray(counts / counts.sum(), np.float32)


@functools.cache
def _table() -> NDArray[np.uint8]:
    """The number of the name of every quantised BGR colour, (32768,) uint8."""
    levels = (np.arange(1 << _BITS) * 255 / ((1 << _BITS) - 1)).astype(np.uint8)
    blue, green, red = np.meshgrid(levels, levels, levels, indexing="ij")
    bgr = np.stack([blue, green, red], axis=-1).reshape(1, -1, 3)
    hue, saturation, value = cv2.split(cv2.cvtColor(bgr, cv2.COLOR_BGR2HSV))

    names = np.zeros(hue.shape, np.uint8)
    for end, name in reversed(_HUE_ENDS + _HUE_ENDS_RED_SIDE):
        names[hue < end] = NAMES.index(name)
    warm = (hue < 22) | (hue > 172)
    # Dark or dull orange is brown; light, dull red is pink.
    names[(hue >= 5) & (hue < 22) & ((value < 170) | (saturation < 120))] = NAMES.index("brown")
    names[warm & ((hue < 5) | (hue > 172)) & (saturation < 130) & (value > 170)] = NAMES.index("pink")
    names[saturation < 45] = NAMES.index("grey")
    names[(saturation < 45) & (value > 200)] = NAMES.index("white")
    names[value < 45] = NAMES.index("black")
    return names.ravel()
