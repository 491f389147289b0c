"""B15: how long a command takes to start, and to search 10,000 clips."""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.ratio import measure

HELP_BAR = 2.0
SEARCH_BAR_SECONDS = 1.0
CLIPS = 10_000


def run() -> Iterator[str]:
    def show_help() -> None:
        subprocess.run([sys.executable, "-m", "agentvid", "--help"], check=True, capture_output=True)

    def import_typer() -> None:
        subprocess.run([sys.executable, "-c", "import typer"], check=True)

    yield measure("B15 --help / import typer", HELP_BAR, show_help, import_typer, pairs=21).line()
    yield from _search()


def _search() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"AGENTVID_LIBRARY": str(Path(folder) / "library")}
        rows = Path(folder) / "rows.jsonl"
        rows.write_text("".join(made_up_rows(CLIPS)), "utf-8")
        command = [sys.executable, "-m", "agentvid"]
        subprocess.run([*command, "import", str(rows)], env=environment, check=True, capture_output=True)

        seconds = []
        for _ in range(11):
            started = time.perf_counter()
            subprocess.run(
                [*command, "search", "a red boat in the harbour", "--json"],
                env=environment,
                check=True,
                capture_output=True,
            )
            seconds.append(time.perf_counter() - started)
        typical = statistics.median(seconds[1:])
        verdict = "met" if typical <= SEARCH_BAR_SECONDS else "NOT met"
        yield f"B15 search on {CLIPS} clips: {typical:.3f} s bar {SEARCH_BAR_SECONDS:g} s -> {verdict}"


def made_up_rows(clips: int) -> Iterator[str]:
    """Clips of 20 s with made-up sentences, 360 to a video of two hours."""
    draw = random.Random(7)
    nouns = ("boat", "harbour", "crane", "market", "engine", "bridge", "garden", "violin", "storm", "ladder", "window")
    verbs = ("carries", "opens", "follows", "repairs", "paints", "lifts", "crosses", "answers", "counts", "turns")
    for number in range(clips):
        video, place = divmod(number, 360)
        sentence = f"the {draw.choice(nouns)} {draw.choice(verbs)} the {draw.choice(nouns)} number {number}"
        row = {"video": f"video {video}", "track": "caption", "start": place * 20, "end": place * 20 + 20}
        yield json.dumps(row | {"duration": 7200, "text": sentence}) + "\n"
