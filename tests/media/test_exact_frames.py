"""Frames at given times are those that decoding everything shows, bit by bit, whatever the decoder left out."""

from __future__ import annotations

import random
from bisect import bisect_right
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from agentvid import media
from agentvid.errors import MediaError, UsageError
from agentvid.media.render import Scene, read_burnt_time, render_video

#: Name -> encoder, its options, and whether frames last 1, 2, 3, 1, 2, 3 ... ticks.
ENCODINGS: dict[str, tuple[str, dict[str, str], bool]] = {
    "pyramid.mp4": ("libx264", {"x264-params": "keyint=40:bframes=4:b-pyramid=normal:scenecut=0"}, False),
    "open-gop.mkv": ("libx264", {"x264-params": "keyint=12:min-keyint=12:bframes=3:open-gop=1:scenecut=0"}, False),
    "variable.mp4": ("libx264", {"x264-params": "keyint=30:bframes=3:open-gop=1"}, True),
    "open-gop.ts": ("libx264", {"x264-params": "keyint=20:bframes=3:open-gop=1"}, False),
    "hevc.mp4": ("libx265", {"x265-params": "keyint=24:bframes=3:open-gop=1:log-level=none"}, False),
    "one-keyframe.mp4": ("libx264", {"x264-params": "keyint=infinite:bframes=3"}, True),
}

Truth = list[tuple[float, NDArray[np.uint8]]]


def encode(path: Path, source: Path, codec: str, options: dict[str, str], is_variable: bool) -> Path:
    with av.open(str(source)) as given_, av.open(str(path), "w") as out:
        stream: Any = out.add_stream(codec, rate=25, options={"preset": "veryfast", **options})
        stream.width, stream.height, stream.pix_fmt = 160, 90, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        frames: Any = given_.decode(video=0)
        for number, frame in enumerate(frames):
            if is_variable and number % 6 not in (0, 1, 3):
                continue
            frame.pts, frame.time_base, frame.pict_type = number * 40, Fraction(1, 1000), 0
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def decoded(path: Path) -> Truth:
    """(seconds, RGB) of every frame, by decoding everything in order."""
    with av.open(str(path)) as container:
        stream: Any = container.streams.video[0]
        tick, start, frames = float(stream.time_base), stream.start_time or 0, container.decode(stream)
        return [((frame.pts - start) * tick, frame.to_ndarray(format="rgb24")) for frame in frames]


@pytest.fixture(scope="module")
def encoded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Truth]]:
    folder = tmp_path_factory.mktemp("encoded")
    source = folder / "source.mkv"
    render_video(source, [Scene(3, motion="pan"), Scene(3, (90, 30, 20), motion="right")], size=(160, 90))
    made = {name: encode(folder / name, source, *how) for name, how in ENCODINGS.items()}
    return {name: (path, decoded(path)) for name, path in made.items()}


@pytest.mark.parametrize("name", list(ENCODINGS))
def test_frames_equal_those_of_decoding_everything(encoded: dict[str, tuple[Path, Truth]], name: str) -> None:
    path, truth = encoded[name]
    starts = [seconds for seconds, _ in truth]
    draw = random.Random(name)
    some = [draw.uniform(0, 6.5) for _ in range(12)]
    for asked in (some, [some[0]], starts[3:9], [0.0], [starts[-1], 99.0], starts[:2] + starts[-2:]):
        for time, frame in zip(asked, media.frames_at(path, asked), strict=True):
            seconds, image = truth[bisect_right(starts, time + 0.0005) - 1]
            assert frame.seconds == pytest.approx(seconds, abs=1e-6)
            assert np.array_equal(frame.image, image)


def test_far_times_are_read_by_several_processes_and_stay_in_order(tmp_path: Path) -> None:
    path = tmp_path / "long.mp4"
    render_video(path, [Scene(600, motion="right")], size=(128, 72), rate=2, gop=60)
    draw = random.Random(3)
    asked = [draw.uniform(0, 600) for _ in range(40)]
    for time, frame in zip(asked, media.frames_at(path, asked), strict=True):
        assert frame.seconds == pytest.approx(int(time * 2) / 2)
        assert read_burnt_time(frame.image) == pytest.approx(frame.seconds, abs=0.0011)


def test_a_damaged_file_fails_with_its_name_whichever_process_finds_it(tmp_path: Path) -> None:
    path = tmp_path / "bad.mp4"
    render_video(path, [Scene(600)], size=(64, 64), rate=1, gop=60, burn_time=False)
    whole = path.read_bytes()
    first, last = whole.index(b"mdat") + 4, whole.index(b"moov") - 4
    path.write_bytes(whole[:first] + bytes(last - first) + whole[last:])
    with pytest.raises(MediaError, match=r"bad\.mp4"):
        media.frames_at(path, [10.5 * n for n in range(40)])


@pytest.mark.parametrize("name", ["constant-25.mp4", "turned-90.mp4", "turned-180.mov", "turned-270.mp4"])
def test_a_region_is_that_part_of_the_upright_picture(clocks: dict[str, Path], name: str) -> None:
    whole, part = (media.frames_at(clocks[name], [2.0], region=r)[0].image for r in (None, RIGHT_BOTTOM))
    assert np.array_equal(part, whole[90:, 160:240])


RIGHT_BOTTOM = media.Region(0.5, 0.5, 0.75, 1.0)


@given(st.floats(0, 0.9), st.floats(0, 0.9), st.floats(0.01, 1), st.floats(0.01, 1))
def test_a_region_has_the_size_it_tells_and_lies_in_the_picture(x: float, y: float, w: float, h: float) -> None:
    region = media.Region(x, y, min(1.0, x + w), min(1.0, y + h))
    image = np.arange(37 * 53 * 3, dtype=np.uint8).reshape(37, 53, 3)
    cut = region.cut(image)
    assert (cut.shape[1], cut.shape[0]) == region.size(53, 37)
    assert cut.size > 0


def test_a_small_region_keeps_its_detail(video: Path) -> None:
    (frame,) = media.frames_at(video, [0.5], region=media.Region(0, 0, 0.25, 0.25), max_side=64)
    assert frame.image.shape == (36, 64, 3)


@pytest.mark.parametrize("shares", [(0.5, 0, 0.5, 1), (0, 0.2, 1, 0.1), (-0.1, 0, 1, 1), (0, 0, 1.1, 1)])
def test_what_is_no_part_of_a_picture_is_refused(shares: tuple[float, float, float, float]) -> None:
    with pytest.raises(UsageError, match="is no part of a picture"):
        media.Region(*shares)
