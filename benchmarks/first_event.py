"""How soon `agentvid ask` shows that it works: its first step on a terminal, against importing LangGraph alone."""

from __future__ import annotations

import math
import os
import pty
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.ratio import measure
from benchmarks.start_up import made_up_rows

BAR = 1.3
CLIPS = 2_000
QUESTION = "What is said about the red boat?"


def run() -> Iterator[str]:
    def import_langgraph() -> None:
        subprocess.run([sys.executable, "-c", "import langgraph.graph"], check=True)

    with tempfile.TemporaryDirectory() as folder:
        library, rows = Path(folder) / "library", Path(folder) / "rows.jsonl"
        rows.write_text("".join(made_up_rows(CLIPS)), "utf-8")
        agentvid = [sys.executable, "-m", "agentvid", "--library", str(library)]
        subprocess.run([*agentvid, "import", str(rows)], check=True, capture_output=True)
        ask = [*agentvid, "ask", QUESTION]
        first = measure(
            "ask: first step / import langgraph.graph", BAR, partial(_until, ask, b"start: "), import_langgraph
        )
        yield first.line()
        # It comes after LangGraph, the planner's bank and the index: it has no bar, but is told.
        call = measure("ask: first tool call", math.inf, partial(_until, ask, b"step 1: "), import_langgraph)
        yield f"{call.name} / import langgraph.graph: {call.median:.3f} [{call.low:.3f}, {call.high:.3f}]"


def _until(command: list[str], step: bytes) -> None:
    """Run a command whose stderr is a terminal until it shows `step`. Raises RuntimeError if it ends before."""
    ours, theirs = pty.openpty()
    try:
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs) as process:
            os.close(theirs)
            shown = b""
            while step not in shown:
                try:
                    shown += os.read(ours, 65_536)
                except OSError:  # the other end is closed
                    process.wait()
                    raise RuntimeError(f"{command} ended without {step!r}: {shown!r}") from None
            process.kill()
    finally:
        os.close(ours)
