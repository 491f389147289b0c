"""The command line in the process of the tests: a second per test would go to imports."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from agentvid.cli import main

#: Video, its duration, track, start, end, text.
Line = tuple[str, float, str, float, float, str]


def agentvid(*arguments: str) -> tuple[int, str, str]:
    """(exit code, stdout, stderr), without embedding."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    os.environ["AGENTVID_EMBED"] = "false"  # the fixture of every test takes it out again
    try:
        with redirect_stdout(out), redirect_stderr(err):
            main(arguments)
    except SystemExit as exit_:
        code = int(exit_.code or 0)
    return code, out.getvalue(), err.getvalue()


def import_lines(file: Path, lines: Sequence[Line]) -> None:
    """Write the file, and import it."""
    names = ("video", "duration", "track", "start", "end", "text")
    file.write_text("".join(json.dumps(dict(zip(names, line, strict=True))) + "\n" for line in lines), "utf-8")
    assert agentvid("import", str(file))[0] == 0
