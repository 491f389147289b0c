"""B4: the frames shown at 64 random times of an hour, against the best plain PyAV loop and torchcodec."""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.ratio import measure
from benchmarks.videos import grainy_video

BAR = 0.8
TIMES, SECONDS = 64, 3600.0

# Each in a fresh process and with the same arguments: the file, then the times in rising order. The last line tells
# what was read, so that a fast wrong answer is no answer.
_OURS = """
import sys
from pathlib import Path
from agentvid import media
frames = media.frames_at(Path(sys.argv[1]), [float(time) for time in sys.argv[2:]])
print([int(frame.image.sum()) for frame in frames])
"""
# Sorted, all threads, one seek for each time, no colour conversion on the way: what a careful user writes. A frame that
# starts within half a millisecond is the frame meant, as in ours.
_PYAV = """
import sys, av
sums = []
with av.open(sys.argv[1]) as container:
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    start, tick = stream.start_time or 0, float(stream.time_base)
    for time in map(float, sys.argv[2:]):
        container.seek(int(time / tick) + start, stream=stream)
        shown = None
        for frame in container.decode(stream):
            if (frame.pts - start) * tick > time + 0.0005:
                break
            shown = frame
        sums.append(int(shown.to_ndarray(format="rgb24").sum()))
print(sums)
"""
_TORCHCODEC = """
import sys
from torchcodec.decoders import VideoDecoder
decoder = VideoDecoder(sys.argv[1], dimension_order="NHWC", num_ffmpeg_threads=0, seek_mode=sys.argv[2])
frames = decoder.get_frames_played_at(seconds=[float(time) for time in sys.argv[3:]])
print([int(frame.sum()) for frame in frames.data.numpy().astype("int64")])
"""


def run() -> Iterator[str]:
    draw = random.Random(4)
    times = [str(time) for time in sorted(draw.uniform(0, SECONDS) for _ in range(TIMES))]
    with tempfile.TemporaryDirectory() as folder:
        video = grainy_video(Path(folder), 60, keyframes_at_cuts=False)
        yield f"B4 file: 640x360 H.264, grain, keyframes 250 apart, {SECONDS:g} s, {video.stat().st_size / 1e6:.0f} MB"
        pairs = zip(_read(_OURS, str(video), *times), _read(_PYAV, str(video), *times), strict=True)
        yield f"B4 frames that are those of the plain loop: {sum(ours == plain for ours, plain in pairs)}/{TIMES}"
        yield measure(
            f"B4 {TIMES} frames / plain PyAV loop",
            BAR,
            lambda: _read(_OURS, str(video), *times),
            lambda: _read(_PYAV, str(video), *times),
            pairs=7,
        ).line()
        for mode in ("approximate", "exact"):
            try:
                _read(_TORCHCODEC, str(video), mode, *times[:1])
            except subprocess.CalledProcessError as error:
                reason = error.stderr.decode().strip().splitlines()[-1]
                yield f"B4 torchcodec ({mode}) cannot be measured here: {reason[:160]}"
                continue
            yield measure(
                f"B4 {TIMES} frames / torchcodec ({mode})",
                BAR,
                lambda: _read(_OURS, str(video), *times),
                lambda mode=mode: _read(_TORCHCODEC, str(video), mode, *times),  # type: ignore[misc]
                pairs=5,
            ).line()


def _read(code: str, *arguments: str) -> list[int]:
    done = subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True)
    sums: list[int] = [int(number) for number in done.stdout.decode().strip(" []\n").split(",")]
    return sums
