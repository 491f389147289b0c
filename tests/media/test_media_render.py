"""What the renderer promises: the burnt time can be read at any size, and wrong wishes are refused."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentvid import media
from agentvid.errors import UsageError
from agentvid.media.render import Scene, read_burnt_time, render_video


@given(seed=st.integers(0, 2**32), height=st.integers(24, 200))
def test_what_is_no_burnt_time_is_refused_or_read_but_never_an_accident(seed: int, height: int) -> None:
    image = np.full((height, 160, 3), seed % 256, np.uint8)

    with pytest.raises(ValueError, match="no burnt time"):
        read_burnt_time(image)


@pytest.mark.parametrize("side", [64, 100, 160, 333])
def test_burnt_times_survive_shrinking(video: Path, side: int) -> None:
    (frame,) = media.frames_at(video, [4.0], max_side=side)

    assert read_burnt_time(frame.image) == 4.0
    assert read_burnt_time(frame.image.mean(axis=2).astype(np.uint8)) == 4.0


def test_motion_moves_and_stillness_stands(tmp_path: Path) -> None:
    path = tmp_path / "motion.mp4"
    render_video(path, [Scene(1), Scene(1, motion="right")], size=(320, 180), burn_time=False, title="Two halves")

    images = [frame.image.astype(int) for frame in media.frames_at(path, [0.2, 0.8, 1.2, 1.8])]
    assert abs(images[0] - images[1]).max() < 12
    reds = [np.argwhere(image[..., 0] > 180)[:, 1].mean() for image in images[2:]]
    assert reds[1] - reds[0] > 100
    assert media.probe(path).title == "Two halves"


def test_the_duration_is_returned(tmp_path: Path) -> None:
    seconds = render_video(tmp_path / "a.mkv", [Scene(0.5), Scene(0.3)], size=(64, 64), rate=Fraction(10))

    assert seconds == pytest.approx(0.8)
    assert media.probe(tmp_path / "a.mkv").duration_seconds == pytest.approx(0.8, abs=0.01)


def test_wishes_that_cannot_be_granted(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"x\.txt: unknown suffix"):
        render_video(tmp_path / "x.txt", [Scene(1)])
    with pytest.raises(UsageError, match="holds no text subtitles"):
        render_video(tmp_path / "x.ts", [Scene(1)], subtitles=[(0, 1, "a")])
    with pytest.raises(UsageError, match="even sides"):
        render_video(tmp_path / "x.mp4", [Scene(1)], size=(65, 64))
    with pytest.raises(UsageError, match="rotation 45"):
        render_video(tmp_path / "x.mp4", [Scene(1)], rotation_degrees=45)
