"""A frame embedder that needs no weights: it knows colours, in pictures and as words. For tests and examples."""

from __future__ import annotations

import colorsys
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agentvid.models.base import EmbeddingSpace, Image, Vectors

NAME = "scripted:colours"
#: Hues in degrees.
_HUES = {"red": 0, "orange": 30, "yellow": 60, "green": 120, "cyan": 180, "blue": 240, "purple": 280, "pink": 320}
#: A pixel whose channels differ by more than this (0..255) has a colour.
_COLOURED = 60
#: What every picture and text has in common, as those of trained models do.
_COMMON = 0.5


class ScriptedFrames:
    """Pictures become the shares of eight colours among their coloured pixels, texts the colours that they name."""

    name = NAME
    revision = "1"

    @property
    def space(self) -> EmbeddingSpace:
        return EmbeddingSpace(self.name, self.revision, len(_HUES) + 1, "frames")

    def encode(self, images: Sequence[Image]) -> Vectors:
        """(len(images), 9) float32, rows L2-normalised."""
        return self._vectors([_shares(image) for image in images])

    def encode_query(self, texts: Sequence[str]) -> Vectors:
        """(len(texts), 9) float32, rows L2-normalised."""
        words = [set(re.findall(r"\w+", text.casefold())) for text in texts]
        return self._vectors([np.array([name in found for name in _HUES], np.float32) for found in words])

    def _vectors(self, rows: Sequence[NDArray[np.float32]]) -> Vectors:
        common = np.full((len(rows), 1), _COMMON, np.float32)
        vectors = np.hstack([np.reshape(np.array(rows, np.float32), (len(rows), len(_HUES))), common])
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def _shares(image: Image) -> NDArray[np.float32]:
    """(8,) the share of each colour among a picture's coloured pixels, zeros for a grey one."""
    pixels = image.reshape(-1, 3).astype(np.float32)
    coloured = pixels[np.ptp(pixels, axis=1) > _COLOURED]
    if not len(coloured):
        return np.zeros(len(_HUES), np.float32)
    wanted = np.array([colorsys.hsv_to_rgb(hue / 360, 1, 1) for hue in _HUES.values()], np.float32)
    pure = coloured - coloured.min(axis=1, keepdims=True)
    pure /= pure.max(axis=1, keepdims=True)
    nearest = np.square(pure[:, None, :] - wanted).sum(axis=2).argmin(axis=1)
    return (np.bincount(nearest, minlength=len(_HUES)) / len(nearest)).astype(np.float32)
