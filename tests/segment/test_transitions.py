"""Dissolves and fades are shot changes; flashes, whips of the camera and people who walk by are none."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import cv2
import numpy as np
import pytest

from agentvid.errors import UsageError
from agentvid.media.types import FrameBatch
from agentvid.segment import ShotReader
from agentvid.segment.shots import DETECTORS

Picture = np.ndarray
RATE = 25


def wide(seed: int) -> Picture:
    """A colourful scene, wider than the picture: patches of several sizes."""
    draw = np.random.default_rng(seed)
    scene = np.full((90, 640, 3), draw.uniform(60, 190, 3), np.float32)
    for cells, strength in ((3, 40), (9, 30), (30, 20)):
        noise = draw.normal(0, strength, (cells, cells * 7, 3)).astype(np.float32)
        scene += cv2.resize(noise, (640, 90), interpolation=cv2.INTER_CUBIC)
    return np.clip(scene, 0, 255).astype(np.uint8)


def view(seed: int, left: float = 100) -> Picture:
    return wide(seed)[:, round(left) : round(left) + 160]


def blend(one: Picture, other: Picture, share: float) -> Picture:
    return np.asarray(cv2.addWeighted(one, 1 - share, other, share, 0))


def starts(
    pictures: Iterable[Picture], times: np.ndarray | None = None, *, batch: int = 64, every_frame: bool = True
) -> list[float]:
    """Where the shots after the first begin."""
    images = np.stack(list(pictures))
    times = np.arange(len(images)) / RATE if times is None else times
    reader = ShotReader(every_frame=every_frame)
    for first in range(0, len(images), batch):
        reader.read(FrameBatch(times[first : first + batch], images[first : first + batch]))
    shots = reader.shots(float(times[-1]) + 1 / RATE)
    assert shots[0].start_seconds == 0.0
    assert all(one.end_seconds == other.start_seconds for one, other in itertools.pairwise(shots))
    return [shot.start_seconds for shot in shots[1:]]


def drifting(seed: int, frames: int, speed: float = 0.4) -> list[Picture]:
    return [view(seed, 100 + speed * number) for number in range(frames)]


def dissolve(length: int, before: int = 60, after: int = 60) -> list[Picture]:
    one, other = drifting(1, before + length), drifting(2, after + length)
    mixed = [blend(one[before + step], other[step], (step + 1) / (length + 1)) for step in range(length)]
    return one[:before] + mixed + other[length:]


@pytest.mark.parametrize("length", [5, 8, 12, 18, 25])
def test_a_dissolve_is_one_boundary_inside_of_it(length: int) -> None:
    found = starts(dissolve(length))
    assert len(found) == 1
    assert 60 <= round(found[0] * RATE) <= 60 + length


def test_a_dissolve_keeps_its_time_when_the_frame_rate_varies() -> None:
    pictures = dissolve(18)
    kept = [number for number in range(len(pictures)) if number % 6 in (0, 1, 3)]
    found = starts([pictures[number] for number in kept], np.array(kept) / RATE)
    assert len(found) == 1
    assert 60 <= found[0] * RATE <= 78


@pytest.mark.parametrize("level", [0, 255])
@pytest.mark.parametrize("hold", [1, 12, 1000])
def test_a_fade_through_one_colour_is_one_boundary_inside_of_it(level: int, hold: int) -> None:
    plain = np.full((90, 160, 3), level, np.uint8)
    down = [blend(view(1), plain, step / 10) for step in range(1, 10)]
    up = [blend(plain, view(2), step / 10) for step in range(1, 10)]
    found = starts(drifting(1, 50, 0) + down + [plain] * hold + up + drifting(2, 50, 0))
    assert len(found) == 1
    assert found[0] * RATE == pytest.approx(50 + 9 + hold / 2, abs=2)


def test_a_black_start_and_a_black_end_are_no_boundaries() -> None:
    black = np.zeros((90, 160, 3), np.uint8)
    ramp = [blend(black, view(1), step / 15) for step in range(15)]
    assert starts([black] * 30 + ramp + drifting(1, 80, 0) + ramp[::-1] + [black] * 40) == []


@pytest.mark.parametrize("length", [1, 2, 4])
@pytest.mark.parametrize("strength", [0.6, 1.0])
def test_a_flash_is_no_boundary(length: int, strength: float) -> None:
    pictures = drifting(3, 120)
    for number in range(50, 50 + length):
        pictures[number] = blend(pictures[number], np.full_like(pictures[number], 255), strength)
    assert starts(pictures) == []


def test_a_whip_of_the_camera_is_no_boundary() -> None:
    lefts = [50.0] * 50 + [50 + 35 * step for step in range(1, 10)] + [365.0] * 50
    assert starts(view(4, left) for left in lefts) == []


def test_somebody_who_walks_by_is_no_boundary() -> None:
    pictures = drifting(5, 120)
    for step in range(9):
        passed = pictures[50 + step].copy()
        cv2.ellipse(passed, (step * 40 - 80, 90), (45, 90), 0, 0, 360, (30, 25, 40), -1)
        pictures[50 + step] = passed
    assert starts(pictures) == []


def test_frames_that_come_twice_do_not_turn_a_pan_into_cuts() -> None:
    lefts = [50 + 5 * (number // 2) for number in range(160)]
    assert starts((view(6, left) for left in lefts), np.arange(160) / 50) == []


def test_slides_that_last_are_cuts_where_they_change() -> None:
    times = np.arange(8) * 12.0
    found = starts((view(number) for number in range(8)), times)
    assert found == times[1:].tolist()


def test_shots_do_not_depend_on_how_frames_are_batched() -> None:
    pictures = [picture for number in range(6) for picture in drifting(number, 70)] + dissolve(20)
    found = starts(pictures)
    assert len(found) == 7
    assert starts(pictures, batch=7) == found
    assert starts(pictures, batch=1000) == found


def test_of_key_frames_those_that_differ_begin_shots() -> None:
    times = np.arange(6) * 4.0
    seeds = (1, 1, 2, 2, 2, 3)
    assert starts((view(seed) for seed in seeds), times, every_frame=False) == [8.0, 20.0]


def test_pictures_of_a_few_pixels_have_shots() -> None:
    pictures = [np.full((2, 160, 3), 40 if number < 60 else 200, np.uint8) for number in range(120)]
    assert starts(pictures) in ([], [60 / RATE])


@pytest.mark.parametrize("detector", DETECTORS)
def test_every_detector_keeps_to_the_video(detector: str) -> None:
    def cuts_and_black() -> Iterable[Picture]:
        for number in range(4):
            yield from drifting(number, 50)
            yield from [np.zeros((90, 160, 3), np.uint8)] * 20

    reader = ShotReader(detector)
    images = np.stack(list(cuts_and_black()))
    reader.read(FrameBatch(np.arange(len(images)) / RATE, images))
    shots = reader.shots(len(images) / RATE)
    assert 4 <= len(shots) <= 8
    assert shots[0].start_seconds == 0.0
    assert shots[-1].end_seconds == len(images) / RATE


def test_an_unknown_detector_is_named_with_those_that_are_known() -> None:
    with pytest.raises(UsageError, match=r"'magic' is not known; allowed: transitions, adaptive"):
        ShotReader("magic")
