"""Values that cross the decoder's process border."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from agentvid.errors import UsageError
from agentvid.types import Span

Image = NDArray[np.uint8]
#: The time of a frame and what `media.quality.measure` tells of it.
QUALITY_NUMBERS = 7
NO_QUALITY: NDArray[np.float64] = np.empty((0, QUALITY_NUMBERS))


@dataclass(frozen=True, slots=True)
class Region:
    """A part of the displayed picture: left, top, right, bottom as shares of its width and height.

    Raises UsageError unless 0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1.
    """

    x0: float
    y0: float
    x1: float
    y1: float

    def __post_init__(self) -> None:
        if not (0 <= self.x0 < self.x1 <= 1 and 0 <= self.y0 < self.y1 <= 1):
            raise UsageError(
                f"region {self.x0:g}, {self.y0:g}, {self.x1:g}, {self.y1:g} is no part of a picture; allowed: "
                "left, top, right, bottom as shares 0 to 1, left < right, top < bottom",
                hint="the right half is 0.5, 0, 1, 1",
            )

    def size(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) in pixels of this part of a picture of that size; at least 1."""
        left, top, right, bottom = self._box(width, height)
        return right - left, bottom - top

    def cut(self, image: Image) -> Image:
        """A view of this part of (height, width, ...)."""
        left, top, right, bottom = self._box(image.shape[1], image.shape[0])
        return image[top:bottom, left:right]

    def _box(self, width: int, height: int) -> tuple[int, int, int, int]:
        left, top = min(int(self.x0 * width), width - 1), min(int(self.y0 * height), height - 1)
        return left, top, max(left + 1, math.ceil(self.x1 * width)), max(top + 1, math.ceil(self.y1 * height))


@dataclass(frozen=True, slots=True)
class SubtitleTrack:
    """An embedded subtitle stream. `language` is the container's tag or ""."""

    stream_index: int
    codec: str
    language: str
    title: str


@dataclass(frozen=True, slots=True)
class Cue:
    """One subtitle line on the video's clock. `text` may hold ASS or HTML markup."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What probing found. Sizes are as displayed, after rotation; `frame_rate` is a hint, never a clock."""

    container: str
    codec: str
    width: int
    height: int
    rotation_degrees: int
    duration_seconds: float
    frame_rate: float
    has_audio: bool
    subtitles: tuple[SubtitleTrack, ...]
    title: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: its time on the video's clock and its pixels, (height, width, 3) uint8 RGB, upright."""

    seconds: float
    image: Image


@dataclass(frozen=True, slots=True)
class TextFrame(Frame):
    """One of readable size whose text seems to have changed, and when, as far as the looks before it tell.

    `came`: (rows, columns) float32 seconds, since when the edges in each cell of the picture have stood there; `gone`:
    when those went that the text frame before this one showed; NaN in cells where none did. `cell`: width and height
    of a cell as shares of the picture.
    """

    came: NDArray[np.float32]
    gone: NDArray[np.float32]
    cell: tuple[float, float]


@dataclass(frozen=True, slots=True)
class FrameBatch:
    """Consecutive frames of the one decode pass.

    `seconds`: (n,) float64, increasing; `images`: (n, height, width, 3) uint8 BGR, small and upright.
    `text_frames`: those whose text changed since the last one, within this batch's time.
    `key_frames`: frames for models to look at (RGB, longest side at most 448), about one a second and the first after a
    strong change, likewise. `quality`: (m, QUALITY_NUMBERS) float64, of one frame in two seconds its time and what
    `media.quality.measure` tells of it in full size. All are empty unless `scan` was asked for them.
    """

    seconds: NDArray[np.float64]
    images: NDArray[np.uint8]
    text_frames: tuple[TextFrame, ...] = ()
    key_frames: tuple[Frame, ...] = ()
    quality: NDArray[np.float64] = field(default_factory=lambda: NO_QUALITY)
