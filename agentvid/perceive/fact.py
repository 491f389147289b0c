"""Measured visual facts: light, colours, motion, camera, quality, black and frozen picture. No model, no text read.

One `fact` observation per clip says in a sentence what the pixels did there, with the numbers as attributes; black
and frozen spans are observations of their own, with their exact ends.
"""

from __future__ import annotations

import math
from array import array
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict

import cv2
import numpy as np
from numpy.typing import NDArray

from agentvid.config import Settings
from agentvid.media.quality import Quality, swing
from agentvid.media.types import QUALITY_NUMBERS, FrameBatch
from agentvid.perceive.base import SHOTS, Frames, Reader, Reading, Source, Track, Watched
from agentvid.perceive.colour import NAMES, colour_shares
from agentvid.perceive.motion import STILL_CHANGE, Motion, MotionMeter
from agentvid.types import FACT, Clip, Json, Observation, Provenance, Span

#: Motion and colours are looked at this often; black and frozen spans at every frame.
_SAMPLES_PER_SECOND = 5.0
#: Longer side of the pictures that are compared, in pixels.
_SIDE = 80
#: Luma (0..255) of a black screen: its mean and its brightest spot. A title on black is not a black screen.
_BLACK_MEAN, _BLACK_MAX = 18.0, 48.0
_BLACK_SECONDS = 0.5
#: A still picture may flicker this much (luma, mean and worst place): what compression does to one.
_STILL_MEAN, _STILL_MAX = 0.4, 8.0
_FROZEN_SECONDS, _STILL_PICTURE_SECONDS = 2.0, 10.0
#: Speeds in picture lengths per second.
_CAMERA_MOVES, _SLOW, _FAST = 0.02, 0.08, 0.4
#: Light flickers between frames; of three that are further apart nothing is known.
_FLICKER_SECONDS = 0.25

_REVISION = 2
_PARAMETERS: Json = {"samples_per_second": _SAMPLES_PER_SECOND, "side": _SIDE}
_PROVENANCE = Provenance(FACT, "agentvid-facts", str(_REVISION), _PARAMETERS)


#: Columns of one row of measurements.
_SECONDS, _LUMA, _CHANGE, _PICTURE, _ZOOM, _THINGS = 0, 1, 2, slice(3, 5), 5, slice(6, 8)
_FLICKER, _COLOURS = 8, slice(9, None)
_UNKNOWN = (math.nan, math.nan)

Rows = NDArray[np.float64]


class FactTrack(Track):
    """Needs nothing that could be missing, so it is always on."""

    name = FACT
    revision = _REVISION
    after = (SHOTS,)
    frames: tuple[Frames, ...] = ("images", "quality")

    def parameters(self, settings: Settings) -> Json:
        return {**_PARAMETERS, "clip_seconds": [settings.clip_min_seconds, settings.clip_max_seconds]}

    def open(self, source: Source) -> Reader:
        return FactReader(every_frame=not source.settings.fast)


class FactReader(Reader):
    """Reads small frames; keeps less than 1 kB per second of video, whatever the frame rate.

    Of frames that are not all there are (`every_frame` False) it tells light, colours and quality, but no motion, no
    flicker, no black and no frozen span: what was shown between them is not known.
    """

    def __init__(self, *, every_frame: bool = True) -> None:
        self._every_frame = every_frame
        self._samples = _Samples()
        self._quality = array("d")
        self._light = _Light()
        self._motion = MotionMeter()
        self._next_sample_seconds = 0.0
        self._black: list[Span] = []
        self._still: list[Span] = []
        self._black_since: float | None = None
        self._anchor: tuple[float, NDArray[np.uint8]] | None = None

    def read(self, batch: FrameBatch) -> None:
        self._quality.extend(batch.quality.ravel().tolist())
        height, width = batch.images.shape[1:3]
        scale = min(1.0, _SIDE / max(height, width))
        size = (max(2, round(width * scale)), max(2, round(height * scale)))
        for seconds, image in zip(batch.seconds.tolist(), batch.images, strict=True):
            grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
            luma = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)
            if self._every_frame:
                self._light.add(seconds, cv2.mean(luma)[0])
                self._follow_runs(seconds, luma)
            if seconds >= self._next_sample_seconds:
                self._sample(seconds, luma, image)

    def finish(self, watched: Watched) -> Reading:
        return Reading(self.facts(watched.clips, watched.shots))

    def facts(self, clips: Sequence[Clip], shots: Sequence[Span]) -> list[Observation]:
        """Observations in time order: one per clip, and the black and frozen spans.

        `clips` and `shots` each tile the video; `clips` give its end.
        """
        if not clips or not self._samples:
            return []
        quality = np.frombuffer(self._quality, np.float64).reshape(-1, QUALITY_NUMBERS)
        self._close_black(clips[-1].span.end_seconds)
        self._close_still(clips[-1].span.end_seconds)
        observations = [_observation(span, "black screen", {"kind": "black"}) for span in self._black]
        observations += _still_pictures(self._still, shots, self._samples)
        cuts = sorted(shot.start_seconds for shot in shots)
        for clip in clips:
            here = self._samples.within(clip.span)
            observations.append(_describe(clip.span, here, cuts, _quality(here, quality, clip.span)))
        return sorted(observations, key=lambda observation: observation.span)

    def _follow_runs(self, seconds: float, luma: NDArray[np.uint8]) -> None:
        """A black run lasts while frames are black; a still run while they look like the frame it began with.

        Both end where the first other frame is shown.
        """
        if float(luma.max()) <= _BLACK_MAX and float(luma.mean()) <= _BLACK_MEAN:
            self._close_still(seconds)
            if self._black_since is None:
                self._black_since = seconds
            return
        self._close_black(seconds)
        if self._anchor is not None and _looks_like(luma, self._anchor[1]):
            return
        self._close_still(seconds)
        self._anchor = (seconds, luma)

    def _close_black(self, seconds: float) -> None:
        if self._black_since is not None and seconds - self._black_since >= _BLACK_SECONDS:
            self._black.append(Span(self._black_since, seconds))
        self._black_since = None

    def _close_still(self, seconds: float) -> None:
        if self._anchor is not None and seconds - self._anchor[0] >= _FROZEN_SECONDS:
            self._still.append(Span(self._anchor[0], seconds))
        self._anchor = None

    def _sample(self, seconds: float, luma: NDArray[np.uint8], image: NDArray[np.uint8]) -> None:
        # A hundredth early is on time: frame times are rounded.
        self._next_sample_seconds = seconds + 1.0 / _SAMPLES_PER_SECOND - 0.01
        seen = self._motion.update(seconds, luma) if self._every_frame else None
        motion = seen or Motion(change=math.nan, picture=None)
        picture, things = motion.picture or _UNKNOWN, motion.things or _UNKNOWN
        small = cv2.resize(image, (luma.shape[1], luma.shape[0]), interpolation=cv2.INTER_AREA)
        colours = colour_shares(np.asarray(small, np.uint8)).tolist()
        light = float(luma.mean())
        self._samples.add(seconds, (light, motion.change, *picture, motion.zoom, *things, self._light.take(), *colours))


class _Samples:
    """What was measured at each time, in half precision: 48 bytes a sample are 0.9 MB an hour."""

    def __init__(self) -> None:
        self._seconds = array("d")
        self._values = bytearray()

    def __len__(self) -> int:
        return len(self._seconds)

    def add(self, seconds: float, values: Sequence[float]) -> None:
        self._seconds.append(seconds)
        self._values += np.array(values, np.float16).tobytes()

    def within(self, span: Span) -> Rows:
        """The measurements inside the span; for one too short to hold any, those of the frame then on screen."""
        first, last = np.searchsorted(self._seconds, [span.start_seconds, span.end_seconds]).tolist()
        if last <= first:
            first, last = max(0, first - 1), max(1, first)
        values = np.frombuffer(self._values, np.float16).reshape(len(self), -1)[first:last]
        return np.column_stack([self._seconds[first:last], values.astype(np.float64)])


class _Light:
    """How much the light of following frames goes up and down, whatever their rate."""

    def __init__(self) -> None:
        self._latest: deque[tuple[float, float]] = deque(maxlen=3)
        self._swings: list[float] = []

    def add(self, seconds: float, level: float) -> None:
        """The next frame, with its mean luma."""
        self._latest.append((seconds, level))
        if len(self._latest) == 3 and seconds - self._latest[0][0] <= _FLICKER_SECONDS:
            self._swings.append(swing(*(level for _, level in self._latest)))

    def take(self) -> float:
        """Mean swing since it was asked last, in grey levels; NaN if nothing is known."""
        swings, self._swings = self._swings, []
        return sum(swings) / len(swings) if swings else math.nan


def _looks_like(luma: NDArray[np.uint8], anchor: NDArray[np.uint8]) -> bool:
    if luma.shape != anchor.shape or cv2.norm(luma, anchor, cv2.NORM_INF) > _STILL_MAX:
        return False
    return cv2.norm(luma, anchor, cv2.NORM_L1) <= _STILL_MEAN * luma.size


def _still_pictures(still: Sequence[Span], shots: Sequence[Span], samples: _Samples) -> list[Observation]:
    """Name the still spans of each shot.

    A shot that moves and then stops is "frozen". A slide, or a screen that waits for its user, is meant to be
    still: only its long spans are worth a row, else one slide lecture would fill the index with them.
    """
    observations = []
    for shot in shots:
        inside = [span for span in still if shot.contains((span.start_seconds + span.end_seconds) / 2)]
        still_share = sum(span.duration_seconds for span in inside) / shot.duration_seconds
        others = samples.within(shot)
        for span in inside:
            others = others[(others[:, _SECONDS] <= span.start_seconds) | (others[:, _SECONDS] >= span.end_seconds)]
        moves = bool(len(others)) and _mean_change(others) >= STILL_CHANGE
        frozen = moves and (still_share < 0.5 or len(inside) <= 2)
        for span in inside:
            if frozen:
                observations.append(_observation(span, "frozen picture", {"kind": "frozen"}))
            elif span.duration_seconds >= _STILL_PICTURE_SECONDS:
                observations.append(_observation(span, "still picture", {"kind": "still"}))
    return observations


def _quality(rows: Rows, quality: Rows, span: Span) -> Quality | None:
    """Medians: neither a cut nor a flash is a flicker. None if no picture of the span was measured."""
    first, last = np.searchsorted(quality[:, _SECONDS], [span.start_seconds, span.end_seconds]).tolist()
    if last == first:
        return None
    known = rows[:, _FLICKER][~np.isnan(rows[:, _FLICKER])]
    return Quality.of(quality[first:last, 1:], float(np.median(known)) if known.size else None)


def _describe(span: Span, rows: Rows, cuts: Sequence[float], quality: Quality | None) -> Observation:
    """One sentence and its numbers for one clip."""
    brightness = float(rows[:, _LUMA].mean()) / 255
    colours = dict(zip(NAMES, rows[:, _COLOURS].mean(axis=0).tolist(), strict=True))
    still_share = float((rows[:, _CHANGE] < STILL_CHANGE).mean())
    shots = 1 + sum(span.start_seconds < cut < span.end_seconds for cut in cuts)
    closing = ["one shot" if shots == 1 else f"{shots} shots", *(quality.faults() if quality else [])]
    seen: Json = {
        "kind": "clip",
        "shots": shots,
        "brightness": round(brightness, 3),
        "colours": {name: round(share, 3) for name, share in colours.items() if share >= 0.05},
    }
    if quality:
        numbers = asdict(quality).items()
        seen["quality"] = {name: round(value, 3) for name, value in numbers if value is not None}
    if np.isnan(rows[:, _CHANGE]).all():
        words = (_brightness_word(brightness), _colour_words(colours), *closing)
        return _observation(span, ", ".join(words), seen)
    motion, speed, direction = _motion_words(rows, still_share)
    camera = _camera_words(rows) if still_share < 0.9 else []
    parts = [
        _brightness_word(brightness),
        _colour_words(colours),
        motion,
        *camera,
        *closing,
    ]
    attributes: Json = {
        **seen,
        "change": round(_mean_change(rows), 2),
        "still_share": round(still_share, 3),
        "direction": direction,
        "speed": round(speed, 3),
        "camera": camera,
    }
    return _observation(span, ", ".join(parts), attributes)


def _mean_change(rows: Rows) -> float:
    """Mean change, 0..255; a pair across a cut, which has none, counts as still."""
    return float(np.nan_to_num(rows[:, _CHANGE]).mean())


def _brightness_word(brightness: float) -> str:
    for limit, word in ((0.12, "very dark"), (0.28, "dark"), (0.6, "medium-bright")):
        if brightness < limit:
            return f"{word} scene"
    return "bright scene"


def _colour_words(colours: dict[str, float]) -> str:
    ranked = sorted(colours.items(), key=lambda item: -item[1])
    if ranked[0][1] >= 0.85:
        return f"almost all {ranked[0][0]}"
    named = [name for name, share in ranked[:3] if share >= 0.15] or [ranked[0][0]]
    return "mostly " + " and ".join([", ".join(named[:-1]), named[-1]] if len(named) > 1 else named)


def _motion_words(rows: Rows, still_share: float) -> tuple[str, float, str]:
    """The words, the speed in picture lengths per second, and the direction or ""."""
    if still_share >= 0.9:
        return "still picture", 0.0, ""
    change = _mean_change(rows)
    amount = "little motion" if change < 1.5 else "some motion" if change < 6 else "much motion"
    velocity = np.where(np.isnan(rows[:, _THINGS]), rows[:, _PICTURE], rows[:, _THINGS])
    known = ~np.isnan(velocity).any(axis=1) & (np.hypot(*velocity.T) >= _CAMERA_MOVES)
    if known.mean() < 0.2:
        return amount, 0.0, ""
    speeds = np.hypot(*velocity[known].T)
    speed = float(np.median(speeds))
    mean = velocity[known].mean(axis=0)
    if np.hypot(*mean) < 0.6 * speeds.mean():
        return f"{amount} in changing directions", speed, ""
    direction = _direction(*mean)
    pace = "slow motion" if speed < _SLOW else "fast motion" if speed >= _FAST else amount
    return f"{pace} {_TO[direction]}", speed, direction


_TO = {"left": "to the left", "right": "to the right", "up": "upwards", "down": "downwards"}
#: What the camera does when the picture moves that way.
_CAMERA = {
    "left": "camera pans right",
    "right": "camera pans left",
    "up": "camera tilts down",
    "down": "camera tilts up",
}


def _direction(x: float, y: float) -> str:
    return ("left" if x < 0 else "right") if abs(x) >= abs(y) else ("up" if y < 0 else "down")


def _camera_words(rows: Rows) -> list[str]:
    """What the camera does in at least a fifth of the samples; nothing where the picture does not tell."""
    picture, zoom = rows[:, _PICTURE], rows[:, _ZOOM]
    known = ~np.isnan(picture).any(axis=1)
    moving = known & (np.hypot(*np.nan_to_num(picture).T) >= _CAMERA_MOVES)
    directions = [_direction(x, y) for x, y in picture[moving].tolist()]
    enough = 0.2 * len(rows)
    words = [phrase for direction, phrase in _CAMERA.items() if directions.count(direction) >= enough]
    words += [f"camera zooms {way}" for way, sign in (("in", 1), ("out", -1)) if (sign * zoom > 0).sum() >= enough]
    if words:
        return words
    if known.sum() < 0.3 * len(rows):
        return []
    return ["static camera"] if moving.sum() < 0.2 * known.sum() else ["unsteady camera"]


def _observation(span: Span, text: str, attributes: Json) -> Observation:
    return Observation(span, FACT, text, _PROVENANCE, attributes=attributes)
