"""The decode pass measures a picture every two seconds, and says what the same functions say of frames."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.stream import VideoStream
from numpy.typing import NDArray

from agentvid import media
from agentvid.errors import DecoderFailed
from agentvid.media.process import Message
from agentvid.media.quality import Quality, quality
from agentvid.media.read import _batch
from agentvid.media.types import QUALITY_NUMBERS

SIZE = (320, 192)


def write(path: Path, encoder: str, pixels: str) -> Path:
    """Three seconds of soft hills that drift, between white and black bars."""
    rng = np.random.default_rng(2)
    hills = np.cumsum(rng.integers(-9, 10, (SIZE[1], SIZE[0] + 60)), axis=1) + 128
    with av.open(str(path), "w") as out:
        stream = out.add_stream(encoder, rate=Fraction(20))
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = *SIZE, pixels
        if encoder == "libx264":
            stream.options = {"crf": "12"}
        for at in range(60):
            picture = np.clip(hills[:, at : at + SIZE[0]], 0, 255).astype(np.uint8)
            picture[:40], picture[-40:] = 255, 0
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.dstack([picture] * 3), "rgb24")))
        out.mux(stream.encode(None))
    return path


def measured(path: Path, *, quality: bool = True, every_frame: bool = True) -> NDArray[np.float64]:
    scan = media.scan(path, text_frames=False, quality=quality, every_frame=every_frame)
    return np.concatenate([batch.quality for batch in scan])


@pytest.mark.parametrize(
    ("name", "encoder", "pixels"),
    [
        ("usual.mp4", "libx264", "yuv420p"),
        ("full.mov", "mjpeg", "yuvj420p"),
        ("ten-bits.mkv", "libx264", "yuv420p10le"),
        ("colours.mkv", "ffv1", "bgr0"),
    ],
)
def test_the_pass_and_the_frames_say_the_same(tmp_path: Path, name: str, encoder: str, pixels: str) -> None:
    path = write(tmp_path / name, encoder, pixels)
    rows = measured(path)
    assert rows[:, 0] == pytest.approx([0.0, 2.0])
    frames = media.frames_at(path, rows[:, 0].tolist())
    told, seen = Quality.of(rows[:, 1:], None), quality([frame.image for frame in frames])
    assert (told.dark, told.bright) == pytest.approx((seen.dark, seen.bright), abs=0.02)
    assert told.dark >= 40 / 192 - 0.01, "black is black, whatever number the codec has for it"
    assert told.bright >= 40 / 192 - 0.01
    assert (told.blur, told.blocks) == pytest.approx((seen.blur, seen.blocks), abs=0.03)
    assert told.noise == pytest.approx(seen.noise, rel=0.15, abs=0.3)


def test_nothing_is_measured_unless_asked_and_key_frames_are_too(video: Path) -> None:
    assert measured(video, quality=False).shape == (0, QUALITY_NUMBERS)
    assert len(measured(video, every_frame=False)) >= 1


def test_numbers_that_are_none_and_times_of_no_frame_are_refused() -> None:
    header = {"kind": "batch", "count": 1, "measured": 1, "width": 2, "height": 1}
    image = np.zeros(6, np.uint8).tobytes()
    good = np.array([0.5, *[0.5, 0.2, 0.1, 0.0, 0.0, 0.0, 0.0]])
    for at, value in ((None, 0.0), (1, 0.4), (3, np.nan), (3, np.inf)):
        sent = good.copy()
        sent[1] = 0.5
        if at is not None:
            sent[at] = value
        message = Message("v.mp4", header, np.frombuffer(sent.tobytes() + image, np.uint8))
        if at is None:
            assert _batch(message, -1.0, (), ()).quality.tolist() == [sent[1:].tolist()]
        else:
            with pytest.raises(DecoderFailed, match="malformed quality"):
                _batch(message, -1.0, (), ())
