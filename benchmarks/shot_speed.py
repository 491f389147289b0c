"""B2: finding the shots of a file, against `scenedetect detect-adaptive` with each of its readers on the same file."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.ratio import measure
from benchmarks.videos import grainy_video

BAR = 0.45
READERS = ("opencv", "pyav")

_OURS = """
import sys
from pathlib import Path
from agentvid import media
from agentvid.segment import ShotReader
reader = ShotReader()
scan = media.scan(Path(sys.argv[1]), text_frames=False)
for batch in scan:
    reader.read(batch)
print(len(reader.shots(scan.duration_seconds)))
"""


def run(minutes: int = 5) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        video = grainy_video(Path(folder), minutes)
        yield f"B2 file: 640x360 H.264 with grain, {minutes * 60} s, {video.stat().st_size / 1e6:.0f} MB"

        def ours() -> None:
            subprocess.run([sys.executable, "-c", _OURS, str(video)], check=True, capture_output=True)

        for reader in READERS:

            def peer(reader: str = reader) -> None:
                command = [sys.executable, "-m", "scenedetect", "-q", "-i", str(video), "-b", reader, "-o", folder]
                subprocess.run([*command, "detect-adaptive", "list-scenes"], check=True, capture_output=True)

            yield measure(f"B2 shots / scenedetect detect-adaptive ({reader})", BAR, ours, peer, pairs=5).line()
