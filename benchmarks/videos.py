"""Videos to measure on, encoded in the run: motion, cuts and film grain, so that decoding costs what it costs in life.

Drawn pictures without grain compress to a tenth of what cameras give, and would measure start-up instead of decoding.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT, RATE = 640, 360, 30
BITS_PER_SECOND = 700_000
_SHOT_SECONDS = 5


def grainy_video(
    folder: Path,
    minutes: int,
    *,
    keyframes_at_cuts: bool = True,
    height: int = HEIGHT,
    rate: int = RATE,
    container: str = "mp4",
) -> Path:
    """640x360 H.264 at 30 frames/s and 0.7 Mbit/s with a cut every 5 s: one minute, repeated without encoding again.

    A keyframe every 250 frames and, as x264 does by default, at cuts. `height` (16:9) and `rate` may be smaller.
    """
    minute, path = folder / f"minute-{height}-{rate}.mp4", folder / f"minutes-{minutes}.{container}"
    if not minute.exists():
        _encode(minute, {} if keyframes_at_cuts else {"sc_threshold": "0"}, height, rate)
    with av.open(str(minute)) as source, av.open(str(path), "w") as target:
        video = source.streams.video[0]
        copy = target.add_stream_from_template(video)
        packets = [packet for packet in source.demux(video) if packet.dts is not None]
        assert video.time_base is not None
        ticks = round(60 / Fraction(video.time_base.numerator, video.time_base.denominator))
        times = [(packet.pts, packet.dts) for packet in packets]
        for number in range(minutes):
            for packet, (pts, dts) in zip(packets, times, strict=True):
                packet.stream, packet.time_base = copy, video.time_base
                packet.pts, packet.dts = (pts or 0) + number * ticks, (dts or 0) + number * ticks
                target.mux(packet)
    return path


def _encode(path: Path, options: dict[str, str], height: int, rate: int) -> None:
    options = {"preset": "veryfast", "b": str(BITS_PER_SECOND), **options}
    with av.open(str(path), "w") as target:
        stream = target.add_stream("libx264", rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = height * 16 // 9, height, "yuv420p", 250
        for number, picture in enumerate(_pictures()):
            if number % (RATE // rate):
                continue
            picture = picture[:: HEIGHT // height, :: HEIGHT // height]
            target.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        target.mux(stream.encode())


def _pictures() -> Iterator[NDArray[np.uint8]]:
    """A minute of shots: a soft texture that moves at its own speed in each, under grain."""
    draw = np.random.default_rng(7)
    grain = draw.normal(0.0, 5.0, (16, HEIGHT, WIDTH, 1))
    for shot in range(60 // _SHOT_SECONDS):
        coarse = draw.uniform(20, 235, (HEIGHT // 24, WIDTH // 16 + 8, 3))
        texture = coarse.repeat(24, axis=0).repeat(16, axis=1)
        speed = 1 + shot % 4
        for number in range(_SHOT_SECONDS * RATE):
            left = number * speed % 120
            picture = texture[:HEIGHT, left : left + WIDTH] + grain[number % len(grain)]
            yield picture.clip(0, 255).astype(np.uint8)
