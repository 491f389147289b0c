"""Videos to measure on: rendered once per run, with motion and cuts, so that decoding costs what it costs in life."""

from __future__ import annotations

from pathlib import Path

from agentvid.media.render import Scene, render_video

_SCENES = (
    Scene(12.0, (40, 60, 90), title="Opening", lines=("First line", "Second line")),
    Scene(18.0, (120, 80, 40), motion="pan"),
    Scene(10.0, (30, 90, 50), motion="right"),
    Scene(20.0, (90, 90, 110), motion="pan", title="Middle"),
)


def ten_minutes(folder: Path) -> Path:
    """640x360 H.264 at 30 frames/s, 600 s, ten times the same minute."""
    return long_video(folder, 10, rate=30)


def long_video(folder: Path, minutes: int, *, rate: int = 25) -> Path:
    path = folder / f"minutes-{minutes}.mp4"
    render_video(path, _SCENES * minutes, rate=rate, gop=250)
    return path
