"""Small pictures and how much they differ."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Small = NDArray[np.uint8]
Vectors = NDArray[np.float32]

#: Frames are halved until the longer side would fall below this, in pixels.
_SIDE = 40


def shrink(image: Small) -> Small:
    """BGR to YCrCb with a longer side of `_SIDE` to twice that; halving is what OpenCV does fastest."""
    while max(image.shape[:2]) >= 2 * _SIDE and min(image.shape[:2]) >= 4:
        height, width = image.shape[0] // 2, image.shape[1] // 2
        image = np.asarray(
            cv2.resize(image[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA), np.uint8
        )
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2YCrCb), np.uint8)


def distance(one: Small, other: Small) -> float:
    """Mean change of a pixel, 0..255: half of what its luma and chroma change together."""
    return cv2.norm(one, other, cv2.NORM_L1) * 1.5 / one.size


def layout(picture: Small) -> Vectors:
    """Luma without its mean, of length 1; about zero for a picture of one colour."""
    luma = picture[..., 0].astype(np.float32).ravel()
    luma -= luma.mean()
    return np.asarray(luma / max(float(np.linalg.norm(luma)), 1e-3), np.float32)


def likeness(one: Vectors, other: Vectors) -> float:
    """Correlation of two layouts, -1..1; light and contrast do not matter."""
    return float(one @ other)


def flat(picture: Small) -> Vectors:
    """(values,) float32."""
    return picture.astype(np.float32).ravel()


def centred(vectors: Vectors) -> Vectors:
    """(..., values of three interleaved channels) without each channel's mean."""
    channels = vectors.reshape(*vectors.shape[:-1], -1, 3)
    return np.asarray((channels - channels.mean(-2, keepdims=True)).reshape(vectors.shape), np.float32)
