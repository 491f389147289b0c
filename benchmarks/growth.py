"""B11: how the time and the memory of `index` grow with the length of a video, 1 to 20 hours.

One small minute is rendered and repeated through stream copy; a sidecar gives every hour a thousand lines of speech.
The exponent is the slope of a least-squares line through the logarithms. The shortest and the longest are indexed as
Matroska too: FFmpeg holds a row of every frame of an MP4 file, and of Matroska only of those that it may jump to.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.memory import index_once
from benchmarks.videos import grainy_video

WALL_BAR, MEMORY_BAR = 1.02, 0.05
HOURS = (1, 2, 5, 10, 20)
_HEIGHT, _RATE = 90, 10
_LINE_SECONDS = 3.6
_WORDS = "the a camera river stone engine garden measures carries opens turns slowly again north bright second".split()


def run(hours: Sequence[float] = HOURS) -> Iterator[str]:
    yield from _grow("mp4", hours)
    yield from _grow("mkv", (hours[0], hours[-1]))


def _grow(container: str, hours: Sequence[float]) -> Iterator[str]:
    wall, memory = [], []
    for length in hours:
        seconds, peak = _index(length, container)
        wall.append(seconds)
        memory.append(peak)
        yield f"B11 {length:4g} h of {container}: {seconds:7.1f} s, peak {peak / 1e6:.0f} MB"
    for name, values, bar in (("wall", wall, WALL_BAR), ("memory", memory, MEMORY_BAR)):
        exponent = float(np.polyfit(np.log(hours), np.log(values), 1)[0])
        verdict = "met" if exponent <= bar else "NOT met"
        yield f"B11 {container} {name} exponent {hours[0]:g}-{hours[-1]:g} h: {exponent:.3f} bar {bar:g} -> {verdict}"


def _index(hours: float, container: str) -> tuple[float, int]:
    """Seconds and peak bytes."""
    with tempfile.TemporaryDirectory() as folder:
        video = grainy_video(Path(folder), round(60 * hours), height=_HEIGHT, rate=_RATE, container=container)
        _write_speech(video.with_suffix(".srt"), hours * 3600)
        return index_once(video, Path(folder) / "library")


def _write_speech(path: Path, duration_seconds: float) -> None:
    draw = np.random.default_rng(11)
    cues = []
    for number in range(math.floor(duration_seconds / _LINE_SECONDS)):
        start = number * _LINE_SECONDS
        text = " ".join(draw.choice(_WORDS, 9))
        cues.append(f"{number + 1}\n{_clock(start)} --> {_clock(start + _LINE_SECONDS - 0.2)}\n{text}.\n")
    path.write_text("\n".join(cues), "utf-8")


def _clock(seconds: float) -> str:
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d},{thousandths:03d}"
