"""Rendered videos with known truth, made once per session."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from agentvid.media.render import Scene, render_video

SCENES = (
    Scene(1.6, (30, 60, 120), "Ocean currents", ("carry heat", "to the north"), tone_hertz=440),
    Scene(2.0, (200, 200, 180), motion="pan", tone_hertz=880),
    Scene(1.2, (90, 20, 20), motion="left", tone_hertz=660),
)
SUBTITLES = ((0.5, 1.5, "carry heat"), (2.0, 3.25, "second\nline"))

#: Name -> how it is rendered; the name's suffix is the file's.
CLOCKS: dict[str, dict[str, Any]] = {
    "constant-25.mp4": {},
    "film-23976.mp4": {"rate": Fraction(24000, 1001)},
    "ntsc-2997.mkv": {"rate": Fraction(30000, 1001)},
    "variable.mp4": {"variable_rate": True},
    "variable.webm": {"variable_rate": True},
    "empty-edit.mp4": {"start_offset_seconds": 1.5},
    "edit-list.mov": {"start_offset_seconds": -0.4},
    "late-start.mkv": {"start_offset_seconds": 3.0},
    "transport.ts": {},
    "transport-late.ts": {"start_offset_seconds": 7.5},
    "b-frames.avi": {},
    "turned-90.mp4": {"rotation_degrees": 90},
    "turned-180.mov": {"rotation_degrees": 180},
    "turned-270.mp4": {"rotation_degrees": 270},
}


@pytest.fixture(scope="session")
def clocks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every video of CLOCKS, with a tone, and with subtitles where the container holds them."""
    folder = tmp_path_factory.mktemp("clocks")
    for name, options in CLOCKS.items():
        texts = SUBTITLES if Path(name).suffix in (".mp4", ".mov", ".mkv", ".webm") else ()
        render_video(folder / name, SCENES, size=(320, 180), gop=20, subtitles=texts, audio="tone", **options)
    return {name: folder / name for name in CLOCKS}


@pytest.fixture(scope="session")
def video(clocks: dict[str, Path]) -> Path:
    return clocks["constant-25.mp4"]


@pytest.fixture(scope="session")
def long_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minute, so that a decoder of it is still at work when a test interferes."""
    path = tmp_path_factory.mktemp("long") / "long.mp4"
    render_video(path, [Scene(60, motion="right")], size=(160, 90), gop=250)
    return path
