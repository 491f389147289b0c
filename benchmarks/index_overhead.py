"""B1: `index` without OCR and embeddings, of every frame and `--fast`, against a bare PyAV decode of the same file."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.ratio import measure
from benchmarks.videos import grainy_video

BAR, FAST_BAR = 1.3, 0.4

# The fastest plain loop: all frames, frame and slice threads, no conversion, in a fresh process as ours is.
_DECODE = """
import sys, av
with av.open(sys.argv[1]) as container:
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    for frame in container.decode(stream):
        frame.pts
"""


def run() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        video = grainy_video(Path(folder), 10)
        library = Path(folder) / "library"
        environment = os.environ | {
            "AGENTVID_LIBRARY": str(library),
            "AGENTVID_OCR": "false",
            "AGENTVID_EMBED": "false",
        }

        def index(*flags: str) -> None:
            shutil.rmtree(library, ignore_errors=True)
            command = [sys.executable, "-m", "agentvid", "index", *flags, str(video)]
            subprocess.run(command, env=environment, check=True, capture_output=True)

        def decode() -> None:
            subprocess.run([sys.executable, "-c", _DECODE, str(video)], check=True)

        yield f"B1 file: 640x360 H.264 with grain, 600 s, {video.stat().st_size / 1e6:.0f} MB"
        yield measure("B1 index / bare decode", BAR, index, decode, pairs=7).line()
        yield measure("B1 index --fast / bare decode", FAST_BAR, lambda: index("--fast"), decode, pairs=7).line()
