"""How good pictures are technically, without a reference: blur, noise, blocks, exposure, flicker. No model.

The decode pass measures a picture every two seconds (agentvid/media/pictures.py), the tool `assess` those of one
moment: by the same functions, so that facts and answers agree.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agentvid.media.types import Image

#: (height, width) grey levels, black 0 and white 255.
Luma = NDArray[np.uint8]
#: (n, 6): what `measure` tells of n pictures, in the order of the fields of a Quality.
Measured = NDArray[np.float64]

#: Of larger pictures the middle is looked at, in full resolution; for light, every n-th row of the whole.
_MOST_PIXELS, _MOST_LIGHT_PIXELS, _LEAST_ROWS = 960 * 540, 320 * 180, 90
#: In a smaller picture nothing but light is measured.
_LEAST_SIDE = 16
#: The blur that is compared with, in pixels, and the grid of 8 x 8 blocks that most codecs transform.
_REBLUR, _BLOCK = 9, 8
#: Under this standard deviation a picture is plain: nothing in it could be blurred.
_PLAIN = 4.0
#: Immerkaer's answer is averaged in cells; the flattest fifth tells, if that share of the cells can tell anything.
_CELL, _FLATTEST, _TELLING = 16, 20, 0.1
#: A step at the border of a block is seen from here on, in grey levels.
_VISIBLE_STEP = 2
_DARK, _BRIGHT = 16, 235
#: White is blown out where levels lead up to it: half of these ranges hold that share of the pixels each. On a page
#: there is paper and ink.
_SHOULDER, _SHOULDER_SHARE = np.arange(200, _BRIGHT + 1, 5), 0.01
#: From here on a word is said of it. Rendered pictures and photographs lie well below.
_BLURRED, _SOFT, _NOISY, _BLOCKY, _FLICKERING = 0.6, 0.45, 8.0, 0.2, 3.0
_MUCH_DARK, _MUCH_BRIGHT, _MUCH_BLOWN = 0.5, 0.5, 0.25


@dataclass(frozen=True, slots=True)
class Quality:
    """`blur` 0 (sharp, or plain) to 1; `noise` and `flicker` in grey levels of 255; `blocks` 0 (none) to 1; `dark`
    and `bright` are shares of pixels that are nearly black or white, `blown` of white ones that were too bright. Of
    single pictures no flicker is known."""

    blur: float
    noise: float
    blocks: float
    dark: float
    bright: float
    blown: float
    flicker: float | None

    @classmethod
    def of(cls, measured: Measured, flicker: float | None) -> Quality:
        """The medians over at least one picture."""
        blur, noise, blocks, dark, bright, blown = np.median(measured, axis=0).tolist()
        return cls(blur, noise, blocks, dark, bright, blown, flicker)

    def faults(self) -> list[str]:
        """What is wrong with the picture, as facts say it; nothing of a good one."""
        said = (
            (self.blur >= _BLURRED, "blurred picture"),
            (self.noise >= _NOISY, "noisy picture"),
            (self.blocks >= _BLOCKY, "visible blocks"),
            (self.blown >= _MUCH_BLOWN, "overexposed"),
            (self._flickers, "flickering light"),
        )
        return [words for is_so, words in said if is_so]

    def words(self) -> str:
        """In words, and the numbers after them."""
        blur = "blurred" if self.blur >= _BLURRED else "soft" if self.blur >= _SOFT else "sharp"
        said = [
            f"{blur} picture",
            "noisy picture" if self.noise >= _NOISY else "little noise",
            "visible blocks" if self.blocks >= _BLOCKY else "no visible blocks",
            self._light(),
        ]
        numbers = (
            f"blur {self.blur:.2f}, noise {self.noise:.1f}, blocks {self.blocks:.2f}, "
            f"dark {self.dark:.0%}, bright {self.bright:.0%}"
        )
        if self.flicker is not None:
            said.append("flickering light" if self._flickers else "steady light")
            numbers += f", flicker {self.flicker:.1f}"
        return f"{', '.join(said)} ({numbers})"

    @property
    def _flickers(self) -> bool:
        return self.flicker is not None and self.flicker >= _FLICKERING

    def _light(self) -> str:
        if self.blown >= _MUCH_BLOWN:
            return "overexposed"
        if self.bright >= _MUCH_BRIGHT:
            return "mostly white"
        return "mostly black" if self.dark >= _MUCH_DARK else "well exposed"


def quality(images: Sequence[Image], bursts: Sequence[Sequence[Image]] = ()) -> Quality:
    """The medians over `images`, (height, width, 3) RGB each; flicker from runs of at least three following frames.

    `images` holds at least one.
    """
    flickers = [_flicker(burst) for burst in bursts if len(burst) >= 3]
    measured = np.array([measure(_luma(image)) for image in images])
    return Quality.of(measured, float(np.median(flickers)) if flickers else None)


def measure(luma: Luma) -> tuple[float, float, float, float, float, float]:
    """(blur, noise, blocks, dark, bright, blown) of one picture."""
    import cv2  # the decoder's other requests do without it

    light = _light_shares(luma)
    part = _middle(luma)
    if min(part.shape) < _LEAST_SIDE:
        return (0.0, 0.0, 0.0, *light)
    steps = cv2.absdiff(part[:, 1:], part[:, :-1]), cv2.absdiff(part[1:], part[:-1])
    return (_blur(part, steps), _noise(part), _blocks(steps), *light)


def swing(before: float, level: float, after: float) -> float:
    """How much light goes up and down, in grey levels: `level` is a frame's mean luma, between its neighbours'.

    Nothing in a fade. Flicker is the mean of it.
    """
    return abs(before - 2 * level + after) / 2


def _flicker(burst: Sequence[Image]) -> float:
    levels = [float(_luma(image).mean()) for image in burst]
    return float(np.mean([swing(*three) for three in zip(levels, levels[1:], levels[2:], strict=False)]))


def _middle(luma: Luma) -> Luma:
    """Cut at borders of blocks."""
    height, width = luma.shape
    scale = min(1.0, math.sqrt(_MOST_PIXELS / luma.size))
    rows, columns = int(height * scale), int(width * scale)
    top, left = (height - rows) // 2 // _BLOCK * _BLOCK, (width - columns) // 2 // _BLOCK * _BLOCK
    return luma[top : top + rows, left : left + columns]


def _blur(luma: Luma, steps: tuple[Luma, Luma]) -> float:
    """0 to 1: how little a blur changes the steps between neighbours (Crété-Roffet et al., SPIE 6492, 2007).

    Neighbours in a picture blurred over n pixels differ by an n-th of what pixels n apart differ by: no picture has to
    be blurred to know it. Every other row is looked at.
    """
    import cv2

    if float(cv2.meanStdDev(luma)[1][0, 0]) < _PLAIN:
        return 0.0
    half, shares = _REBLUR // 2, []
    near = steps[0][::2, half:-half], steps[1][half:-half:2]
    distant = cv2.absdiff(luma[::2, _REBLUR:], luma[::2, :-_REBLUR]), cv2.absdiff(luma[_REBLUR:], luma[:-_REBLUR])[::2]
    for step, far in zip(near, distant, strict=True):
        # Unsigned: what would be less than 0 is 0.
        lost = cv2.sumElems(cv2.addWeighted(step, _REBLUR, far, -1, 0, dtype=cv2.CV_16U))[0]
        total = _REBLUR * cv2.sumElems(step)[0]
        shares.append(1.0 - lost / total if total > 0 else 0.0)
    return float(max(shares))


def _noise(luma: Luma) -> float:
    """Standard deviation of the noise in grey levels (Immerkaer, 1996), where the picture is flattest.

    Cells mostly black or white tell nothing: what is cut off has no noise. If nearly all are, the answer is 0.
    """
    import cv2

    rows, columns = luma.shape[0] // _CELL, luma.shape[1] // _CELL
    whole = luma[: rows * _CELL, : columns * _CELL]
    answer = np.abs(cv2.Sobel(whole, cv2.CV_16S, 2, 2, ksize=3))
    means, within = (
        cv2.resize(plane, (columns, rows), interpolation=cv2.INTER_AREA)
        for plane in (answer, cv2.inRange(whole, _DARK, _BRIGHT))
    )
    telling = means[within >= 128]
    if telling.size < _TELLING * means.size:
        return 0.0
    return float(np.percentile(telling, _FLATTEST)) * math.sqrt(math.pi / 2) / 6


def _blocks(steps: tuple[Luma, Luma]) -> float:
    """The share of the borders of 8 x 8 blocks that show as a step, less that of such steps elsewhere; 0 if none do.

    After Wang, Bovik and Evans (ICIP 2000), in the picture itself and block by block: an edge that is drawn stands
    where it stands, and a shadow of compression that nobody sees is no step.
    """
    import cv2

    width, height = steps[1].shape[1], steps[0].shape[0]
    across = cv2.resize(steps[0], (width - 1, height // _BLOCK), interpolation=cv2.INTER_AREA)
    down = cv2.resize(steps[1], (width // _BLOCK, height - 1), interpolation=cv2.INTER_AREA).T
    return max(0.0, float(np.mean([_standing_out(sides) for sides in (across, down)])))


def _standing_out(sides: Luma) -> float:
    """`sides`: (blocks, places) mean steps along a side of a block, at each place across."""
    middle, before, after = (sides[:, at : at + sides.shape[1] - 2].astype(np.int16) for at in (1, 0, 2))
    is_step = (middle >= _VISIBLE_STEP) & (middle > before + after)
    share = is_step.mean(axis=0)
    place = (np.arange(len(share)) + 2) % _BLOCK
    # Codecs with blocks of 4 x 4 have borders in the middle too.
    return float(share[place == 0].mean() - share[place % (_BLOCK // 2) == 2].mean())


def _light_shares(luma: Luma) -> tuple[float, float, float]:
    """(dark, bright, blown), shares of the pixels."""
    import cv2

    thin = luma[:: max(1, min(luma.size // _MOST_LIGHT_PIXELS, luma.shape[0] // _LEAST_ROWS))]
    shares = cv2.calcHist([thin], [0], None, [256], [0, 256]).ravel() / thin.size
    dark, bright = float(shares[:_DARK].sum()), float(shares[_BRIGHT + 1 :].sum())
    shoulder = np.add.reduceat(shares[: _BRIGHT + 1], _SHOULDER[:-1])
    return dark, bright, bright if float(np.median(shoulder)) >= _SHOULDER_SHARE else 0.0


def _luma(image: Image) -> Luma:
    import cv2

    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
