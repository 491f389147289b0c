"""Shifts of subtitles against sound that bursts like speech: found within a tenth of a second, or not claimed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from agentvid.models.base import Samples
from agentvid.perceive.sync import RATE, compare, voice_activity
from agentvid.types import Span


def speech(seconds: float, seed: int = 0) -> tuple[list[Span], Samples]:
    """Phrases of 1 to 5 s with pauses of 0.3 to 4 s: (their spans, noise in the band of voices under a soft hum)."""
    random = np.random.default_rng(seed)
    times = np.arange(round(seconds * RATE)) / RATE
    samples = 0.005 * np.sin(2 * np.pi * 100 * times) + 0.001 * random.standard_normal(len(times))
    spans = []
    at = float(random.uniform(0.5, 2.0))
    while (end := at + float(random.uniform(1.0, 5.0))) < seconds:
        spans.append(Span(at, end))
        first, last = round(at * RATE), round(end * RATE)
        # Syllables: four bursts a second.
        envelope = 0.6 + 0.4 * np.sin(2 * np.pi * 4 * times[first:last])
        samples[first:last] += 0.15 * envelope * np.sin(2 * np.pi * random.uniform(300, 900) * times[first:last])
        at = end + float(random.uniform(0.3, 4.0))
    return spans, samples.astype(np.float32)


def chunked(samples: Samples, start_seconds: float = 0.0) -> Iterator[tuple[float, Samples]]:
    for first in range(0, len(samples), 3 * RATE):
        yield start_seconds + first / RATE, samples[first : first + 3 * RATE]


def moved(spans: list[Span], seconds: float, rate: float = 1.0) -> list[Span]:
    return [
        Span(max(0.0, span.start_seconds * rate + seconds), span.end_seconds * rate + seconds)
        for span in spans
        if span.end_seconds * rate + seconds > 0
    ]


@pytest.mark.parametrize("shift", [-20.0, -7.3, -2.0, -0.5, 0.0, 0.5, 2.0, 7.3, 20.0])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_shift_is_found(shift: float, seed: int) -> None:
    spans, samples = speech(150.0, seed)
    sync = compare(moved(spans, shift), voice_activity(chunked(samples)))
    assert sync is not None
    assert sync.shift_seconds == pytest.approx(-shift, abs=0.1)
    assert sync.rate == 1.0
    assert sync.is_shifted == (shift != 0.0)
    assert sync.verdict == ("shifted" if shift else "in sync")
    assert sync.agreement > 0.8


@pytest.mark.parametrize("rate", [25 / 23.976, 23.976 / 25, 24 / 25])
def test_subtitles_of_a_film_at_another_rate_are_found(rate: float) -> None:
    spans, samples = speech(400.0)
    sync = compare(moved(spans, 3.0, rate), voice_activity(chunked(samples)))
    assert sync is not None
    assert sync.rate == pytest.approx(1 / rate, abs=1e-4)
    assert sync.shift_seconds == pytest.approx(-3.0 / rate, abs=0.15)


def test_sound_that_starts_late_and_has_a_hole_is_on_the_same_clock() -> None:
    spans, samples = speech(150.0)
    chunks = [*chunked(samples[10 * RATE : 60 * RATE], 10.0), *chunked(samples[75 * RATE :], 75.0)]
    sync = compare(moved(spans, -2.0), voice_activity(chunks))
    assert sync is not None
    assert sync.shift_seconds == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize("seed", range(6))
def test_subtitles_of_another_film_are_not_called_shifted(seed: int) -> None:
    _, samples = speech(150.0, seed)
    others, _ = speech(150.0, seed + 100)
    sync = compare(others, voice_activity(chunked(samples)))
    assert sync is not None
    assert not sync.is_shifted
    assert sync.verdict == "unclear"


def test_music_that_never_pauses_tells_nothing() -> None:
    spans, _ = speech(100.0)
    music = (0.2 * np.sin(2 * np.pi * 440 * np.arange(100 * RATE) / RATE)).astype(np.float32)
    sync = compare(spans, voice_activity(chunked(music)))
    assert sync is not None
    assert sync.verdict == "unclear"


def test_too_little_to_tell() -> None:
    spans, samples = speech(100.0)
    activity = voice_activity(chunked(samples))
    assert compare(spans[:3], activity) is None
    assert compare(spans, voice_activity([])) is None
    assert compare(spans, voice_activity([(0.0, samples[: 5 * RATE])])) is None
