"""How frames are shown to a model that looks at images: one by one, in a grid, or both, within an exact budget.

Sizes are computed before anything is drawn: no picture is scaled up, all of one kind have one size, and what does not
fit at a readable size is left out evenly. `Plate.caption` tells the times, whatever is burnt into the picture.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from agentvid.errors import UsageError
from agentvid.media.types import Frame, Image
from agentvid.watch.drawing import burn_label, resized

Layout = Literal["frames", "grid", "thumbnail"]
Size: TypeAlias = tuple[int, int]

#: Pictures with a longer side below this show little; rather fewer of them.
MIN_SIDE = 128
#: Frames of the grid in the "thumbnail" layout, the share of the budget it takes, and the pixels between cells.
_THUMBNAIL_FRAMES, _THUMBNAIL_SHARE, _GAP = 6, 1 / 3, 4


def patch_tokens(width: int, height: int) -> int:
    """One token for each begun square of 28 pixels, as Qwen2-VL counts (Wang et al. 2024); Anthropic counts alike."""
    return math.ceil(width / 28) * math.ceil(height / 28)


def tile_tokens(width: int, height: int) -> int:
    """As OpenAI counts detailed images: shrunk to 2048 and a short side of 768, 170 for each tile of 512, and 85."""
    scale = min(1.0, 2048 / max(width, height))
    scale = min(scale, 768 / min(width, height))
    tiles = math.ceil(round(width * scale) / 512) * math.ceil(round(height * scale) / 512)
    return 85 + 170 * tiles


@dataclass(frozen=True, slots=True)
class Budget:
    """What one call of a model may be shown, in all images together. Raises UsageError unless all are positive."""

    images: int
    pixels: int
    tokens: int
    count_tokens: Callable[[int, int], int] = patch_tokens

    def __post_init__(self) -> None:
        if min(self.images, self.pixels, self.tokens) < 1:
            raise UsageError(
                f"a budget of {self.images} images, {self.pixels} pixels, {self.tokens} tokens; allowed: 1 or more each"
            )

    def holds(self, sizes: Sequence[Size]) -> bool:
        """True if images of these sizes (width, height) stay within every bound."""
        return (
            len(sizes) <= self.images
            and sum(width * height for width, height in sizes) <= self.pixels
            and sum(self.count_tokens(*size) for size in sizes) <= self.tokens
        )

    def share(self, part: float, images: int) -> Budget:
        """That part of the pixels and tokens, for so many images."""
        return Budget(images, max(1, int(self.pixels * part)), max(1, int(self.tokens * part)), self.count_tokens)


@dataclass(frozen=True, slots=True)
class Plate:
    """One image to send: RGB pixels, the times of its frames in reading order, and the words that go before it."""

    image: Image
    seconds: tuple[float, ...]
    caption: str


def fitting(size: Size, count: int, budget: Budget, *, pages: Callable[[int, Size], list[Size]]) -> tuple[int, Size]:
    """(how many, at which size): the largest size, at most `size`, at which `count` pictures fit the budget.

    Fewer than `count` where they would be smaller than MIN_SIDE (or than `size` itself). `pages` gives the sizes of the
    images that so many pictures of a size make. (0, size) if not even one fits.
    """
    longest = max(size)
    smallest = min(longest, MIN_SIDE)

    def scaled(side: int) -> Size:
        return max(1, round(size[0] * side / longest)), max(1, round(size[1] * side / longest))

    def fits(number: int, side: int) -> bool:
        return budget.holds(pages(number, scaled(side)))

    kept = _largest(lambda number: fits(number, smallest), 1, count)
    if not kept:
        return 0, size
    return kept, scaled(_largest(lambda side: fits(kept, side), smallest, longest) or smallest)


def _largest(holds: Callable[[int], bool], low: int, high: int) -> int:
    """The largest number from `low` to `high` found by bisection for which `holds` is true; 0 if not for `low`."""
    if not holds(low):
        return 0
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(middle) else (low, middle - 1)
    return low


def grid_columns(count: int) -> int:
    """Columns of a grid of `count` cells: the rounded square root, as in IG-VLM (Kim et al. 2024): 6 cells, 2 x 3."""
    return max(1, round(math.sqrt(count)))


def grid_size(count: int, cell: Size) -> Size:
    """(width, height) of a grid of `count` cells with gaps between them."""
    columns = grid_columns(count)
    rows = math.ceil(count / columns)
    return columns * cell[0] + (columns - 1) * _GAP, rows * cell[1] + (rows - 1) * _GAP


def lay_out(frames: Sequence[Frame], layout: Layout, budget: Budget, *, burn_times: bool = False) -> list[Plate]:
    """The frames (of one size, in time order) as images within the budget; cells of a grid always show their time.

    "frames": each alone. "grid": all in one image, in reading order. "thumbnail": single frames in two thirds of the
    budget, then a grid of six of them, as TS-LLaVA orders them (Qu et al. 2024). Empty if not even one frame fits.
    """
    if not frames:
        return []
    if layout == "grid":
        return _grid(frames, budget)
    if layout == "frames":
        return _singles(frames, budget, burn_times)
    if budget.images < 2:
        return _grid(frames, budget)
    singles = _singles(frames, budget.share(1 - _THUMBNAIL_SHARE, budget.images - 1), burn_times)
    return singles + _grid(_spread(frames, min(len(frames), _THUMBNAIL_FRAMES)), budget.share(_THUMBNAIL_SHARE, 1))


def _singles(frames: Sequence[Frame], budget: Budget, burn_times: bool) -> list[Plate]:
    count, size = fitting(_size(frames), len(frames), budget, pages=lambda number, each: [each] * number)
    return [
        Plate(
            burn_label(resized(frame.image, size), _label(frame)) if burn_times else resized(frame.image, size),
            (frame.seconds,),
            f"Frame {number} at {_label(frame)}:",
        )
        for number, frame in enumerate(_spread(frames, count), 1)
    ]


def _grid(frames: Sequence[Frame], budget: Budget) -> list[Plate]:
    count, cell = fitting(_size(frames), len(frames), budget, pages=lambda number, each: [grid_size(number, each)])
    if not count:
        return []
    columns, (width, height) = grid_columns(count), grid_size(count, cell)
    page: Image = np.full((height, width, 3), 255, np.uint8)
    shown = _spread(frames, count)
    for position, frame in enumerate(shown):
        left, top = position % columns * (cell[0] + _GAP), position // columns * (cell[1] + _GAP)
        page[top : top + cell[1], left : left + cell[0]] = burn_label(resized(frame.image, cell), _label(frame))
    times = ", ".join(_label(frame) for frame in shown)
    what = f"A grid of {count} frames in the order of time, row by row from the top left, at {times}:"
    return [Plate(page, tuple(frame.seconds for frame in shown), what)]


def _spread(frames: Sequence[Frame], count: int) -> list[Frame]:
    """`count` of the frames, evenly, in their order."""
    return [frames[int((number + 0.5) * len(frames) / count)] for number in range(count)]


def _size(frames: Sequence[Frame]) -> Size:
    height, width = frames[0].image.shape[:2]
    return width, height


def _label(frame: Frame) -> str:
    return f"t={frame.seconds:.2f} s"
