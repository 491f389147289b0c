"""Resident memory while indexing must not grow with the length of the video."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from benchmarks.videos import grainy_video

BAR = 1.10
MINUTES = (2, 8, 32)
_FORKED_SECONDS = 0.1


def run() -> Iterator[str]:
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        for minutes in MINUTES:
            video = grainy_video(Path(folder), minutes)
            peaks.append(index_once(video, Path(folder) / f"library-{minutes}")[1])
            yield f"memory: {minutes:3} min of video, peak {peaks[-1] / 1e6:.0f} MB"
    growth = peaks[-1] / peaks[0]
    verdict = "met" if growth <= BAR else "NOT met"
    yield f"memory {MINUTES[-1]} min / {MINUTES[0]} min: {growth:.3f} bar {BAR:g} -> {verdict}"


def index_once(video: Path, library: Path) -> tuple[float, int]:
    """Seconds that `index` took, and the peak resident memory of its processes together, sampled every 20 ms."""
    started = time.monotonic()
    environment = os.environ | {"AGENTVID_LIBRARY": str(library), "AGENTVID_EMBED": "false", "AGENTVID_OCR": "false"}
    command = [sys.executable, "-m", "agentvid", "index", str(video)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        peak = 0
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            peak = max(peak, _resident_bytes(watched))
            time.sleep(0.02)
    if process.returncode:
        raise SystemExit(f"index failed with exit code {process.returncode}")
    return time.monotonic() - started, peak


def _resident_bytes(process: psutil.Process) -> int:
    total = 0
    for part in [process, *_children(process)]:
        try:
            # For a moment a process that was just made still has the memory of the one that made it.
            if time.time() - part.create_time() > _FORKED_SECONDS:
                total += part.memory_info().rss
        except psutil.Error:
            continue  # it ended between the listing and the look
    return total


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return list(process.children(recursive=True))
    except psutil.Error:
        return []
