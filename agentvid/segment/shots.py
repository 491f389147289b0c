"""Shots: one detector, chosen by name, is shown every frame of the decode pass.

scenedetect's detectors get our frames and times; its own reader would decode the file again.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from agentvid.errors import UsageError
from agentvid.media.types import FrameBatch
from agentvid.segment.clips import check_duration
from agentvid.segment.key_frame_cuts import KeyFrameCuts
from agentvid.segment.transitions import TransitionDetector
from agentvid.types import Span

if TYPE_CHECKING:
    from scenedetect.detector import SceneDetector

#: Raised when the shots of a video change.
SHOTS_REVISION = 2
#: The shortest shot for scenedetect's detectors, whose own default is 15 frames.
_SHORTEST_SHOT_SECONDS = 0.6
#: Pixels that decide a cut: fewer than 80x45 loses small cuts, more only costs time.
_DETECTOR_PIXELS = 80 * 45
#: scenedetect counts frames; one "frame" of ours is a microsecond, so its frame arithmetic is exact on any clock.
_TICKS_PER_SECOND = 1_000_000.0


class Detector(Protocol):
    """Sees every frame of one video in order."""

    def read(self, seconds: float, image: NDArray[np.uint8]) -> None:
        """`image`: (height, width, 3) uint8 BGR, all of one size."""
        ...

    def finish(self) -> list[float]:
        """After the last frame: where new shots start, in seconds."""
        ...


class SceneDetectDetector:
    """Any detector of scenedetect, fed with small frames on a clock of microseconds."""

    def __init__(self, detector: SceneDetector) -> None:
        self._detector = detector
        self._found: list[float] = []

    def read(self, seconds: float, image: NDArray[np.uint8]) -> None:
        from scenedetect import FrameTimecode

        height, width = image.shape[:2]
        scale = min(1.0, math.sqrt(_DETECTOR_PIXELS / (height * width)))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        time = FrameTimecode(round(seconds * _TICKS_PER_SECOND), _TICKS_PER_SECOND)
        self._found += [cut.seconds for cut in self._detector.process_frame(time, small)]

    def finish(self) -> list[float]:
        return self._found


def _adaptive() -> Detector:
    from scenedetect.detectors import AdaptiveDetector

    return SceneDetectDetector(AdaptiveDetector(min_scene_len=_SHORTEST_SHOT_SECONDS))


def _content() -> Detector:
    from scenedetect.detectors import ContentDetector

    return SceneDetectDetector(ContentDetector(min_scene_len=_SHORTEST_SHOT_SECONDS))


def _histogram() -> Detector:
    from scenedetect.detectors import HistogramDetector

    return SceneDetectDetector(HistogramDetector(min_scene_len=_SHORTEST_SHOT_SECONDS))


def _threshold() -> Detector:
    from scenedetect.detectors import ThresholdDetector

    return SceneDetectDetector(ThresholdDetector(min_scene_len=_SHORTEST_SHOT_SECONDS))


#: The values of the setting `shot_detector`.
DETECTORS: dict[str, Callable[[], Detector]] = {
    "transitions": TransitionDetector,
    "adaptive": _adaptive,
    "content": _content,
    "histogram": _histogram,
    "threshold": _threshold,
}


class ShotReader:
    """Divides a video into shots.

    `detector` is one of DETECTORS; of a pass that decodes only key frames (`every_frame` False) none of them could
    make anything, and shots begin at key frames that look unlike the one before.
    Raises UsageError for a detector that is not known.
    """

    def __init__(self, detector: str = "transitions", *, every_frame: bool = True) -> None:
        if detector not in DETECTORS:
            raise UsageError(f"shot_detector = {detector!r} is not known; allowed: {', '.join(DETECTORS)}")
        self._detector = DETECTORS[detector]() if every_frame else KeyFrameCuts()

    def read(self, batch: FrameBatch) -> None:
        for seconds, image in zip(batch.seconds.tolist(), batch.images, strict=True):
            self._detector.read(seconds, image)

    def shots(self, duration_seconds: float) -> list[Span]:
        """The shots in order: half-open, without gap, covering [0, duration_seconds). To be asked once.

        Raises UsageError if the duration is not a positive number of seconds.
        """
        check_duration(duration_seconds)
        inner = sorted({start for start in self._detector.finish() if 0.0 < start < duration_seconds})
        return [Span(start, end) for start, end in itertools.pairwise([0.0, *inner, duration_seconds])]
