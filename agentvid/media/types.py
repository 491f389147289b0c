"""Values that cross the decoder's process border."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agentvid.types import Span

Image = NDArray[np.uint8]


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
class FrameBatch:
    """Consecutive frames of the one decode pass.

    `seconds`: (n,) float64, increasing; `images`: (n, height, width, 3) uint8 BGR, small and upright.
    `text_frames`: frames of readable size (RGB) whose text region changed since the last one, within this batch's time.
    """

    seconds: NDArray[np.float64]
    images: NDArray[np.uint8]
    text_frames: tuple[Frame, ...] = ()
