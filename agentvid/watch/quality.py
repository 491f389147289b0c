"""How good pictures are technically, without a reference: blur, noise, blocks, exposure, flicker. No model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agentvid.media.types import Image

Luma = NDArray[np.float32]

#: The blur that is compared with, in pixels, and the grid of 8 x 8 blocks that most codecs transform.
_REBLUR, _BLOCK = 9, 8
#: Immerkaer's mask: twice the difference of two Laplacians, blind to edges that are straight.
_NOISE_MASK = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
_DARK, _BRIGHT = 16, 235
#: From here on a word is said of it. Rendered pictures and photographs lie well below.
_BLURRED, _SOFT, _NOISY, _BLOCKY, _FLICKERING = 0.6, 0.45, 8.0, 0.5, 3.0
_MUCH_DARK, _MUCH_BRIGHT = 0.5, 0.25


@dataclass(frozen=True, slots=True)
class Quality:
    """`blur` 0 (sharp) to 1; `noise` and `flicker` in grey levels of 255; `blocks` 0 (none) upwards; `dark` and
    `bright` are shares of pixels that are nearly black or white."""

    blur: float
    noise: float
    blocks: float
    dark: float
    bright: float
    flicker: float

    def words(self) -> str:
        """In words, and the numbers after them."""
        blur = "blurred" if self.blur >= _BLURRED else "soft" if self.blur >= _SOFT else "sharp"
        light = "mostly black" if self.dark >= _MUCH_DARK else "well exposed"
        light = "mostly white" if self.bright >= _MUCH_BRIGHT else light
        said = [
            f"{blur} picture",
            "noisy" if self.noise >= _NOISY else "little noise",
            "visible blocks" if self.blocks >= _BLOCKY else "no visible blocks",
            light,
            "flickering" if self.flicker >= _FLICKERING else "steady light",
        ]
        numbers = (
            f"blur {self.blur:.2f}, noise {self.noise:.1f}, blocks {self.blocks:.2f}, "
            f"dark {self.dark:.0%}, bright {self.bright:.0%}, flicker {self.flicker:.1f}"
        )
        return f"{', '.join(said)} ({numbers})"


def quality(images: Sequence[Image], bursts: Sequence[Sequence[Image]] = ()) -> Quality:
    """The medians over `images`, (height, width, 3) RGB each; flicker from runs of at least three following frames.

    `images` holds at least one.
    """
    measured = np.array([_picture(_luma(image)) for image in images])
    blur, noise, blocks, dark, bright = np.median(measured, axis=0).tolist()
    flickers = [flicker([_luma(image) for image in burst]) for burst in bursts if len(burst) >= 3]
    return Quality(blur, noise, blocks, dark, bright, float(np.median(flickers)) if flickers else 0.0)


def _picture(luma: Luma) -> tuple[float, float, float, float, float]:
    return (
        blur(luma),
        noise(luma),
        blocks(luma),
        float((luma < _DARK).mean()),
        float((luma > _BRIGHT).mean()),
    )


def blur(luma: Luma) -> float:
    """0 to 1: how little a blur changes the steps between neighbours (Crété-Roffet et al., SPIE 6492, 2007)."""
    import cv2

    shares = []
    for axis, size in ((0, (1, _REBLUR)), (1, (_REBLUR, 1))):
        steps = np.abs(np.diff(luma, axis=axis))
        left = np.abs(np.diff(cv2.blur(luma, size), axis=axis))
        total = float(steps.sum())
        shares.append(1.0 - float(np.maximum(steps - left, 0).sum()) / total if total > 0 else 1.0)
    return max(shares)


def noise(luma: Luma) -> float:
    """Standard deviation of the noise in grey levels (Immerkaer, 1996); fine texture counts as noise."""
    import cv2

    if min(luma.shape) < 3:
        return 0.0
    answer = cv2.filter2D(luma, -1, _NOISE_MASK)[1:-1, 1:-1]
    return float(np.abs(answer).mean() * np.sqrt(np.pi / 2) / 6)


def blocks(luma: Luma) -> float:
    """How much larger steps are at the borders of 8 x 8 blocks than elsewhere; 0 if they are not.

    After Wang, Bovik and Evans (ICIP 2000), in the picture itself.
    """
    found = []
    for axis in (0, 1):
        steps = np.abs(np.diff(luma, axis=axis)).mean(axis=1 - axis)
        at_border = np.arange(1, len(steps) + 1) % _BLOCK == 0
        if at_border.any() and not at_border.all():
            found.append(float(steps[at_border].mean()) / max(float(steps[~at_border].mean()), 0.1) - 1)
    return max(0.0, float(np.mean(found))) if found else 0.0


def flicker(burst: Sequence[Luma]) -> float:
    """How much the brightness of following frames goes up and down, in grey levels: a fade does not flicker."""
    levels = np.array([float(luma.mean()) for luma in burst])
    return float(np.abs(np.diff(levels, n=2)).mean() / 2)


def _luma(image: Image) -> Luma:
    import cv2

    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.float32)
