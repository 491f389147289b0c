"""`agentvid chat` in a script: one question a line, plain answers or JSON lines, and an exit code."""

from __future__ import annotations

import io
import json
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from agentvid.cli import main

QUESTION = "What does Rubisco capture?"


@dataclass
class Finished:
    returncode: int
    stdout: str
    stderr: str


def chat(library: Path, lines: str | bytes, *arguments: str) -> Finished:
    """The command in this process, with pipes for its streams."""
    out, err, before = io.StringIO(), io.StringIO(), (sys.stdin, dict(os.environ))
    os.environ |= {"AGENTVID_LIBRARY": str(library), "AGENTVID_EMBED": "false"}
    sys.stdin = io.TextIOWrapper(io.BytesIO(lines.encode() if isinstance(lines, str) else lines), "utf-8")
    code = 0
    try:
        with redirect_stdout(out), redirect_stderr(err):
            main(["chat", *arguments])
    except SystemExit as exit_:
        code = int(exit_.code or 0)
    finally:
        sys.stdin = before[0]
        os.environ.clear()
        os.environ.update(before[1])
    return Finished(code, out.getvalue(), err.getvalue())


def test_plain_answers_and_commands(library: Path) -> None:
    finished = chat(library, f"/scope talk.mp4\n\n{QUESTION}\n/usage\n")
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr == ""
    assert finished.stdout.startswith("scope: talk.mp4\nAt 0:48-0:54 the speech says:")
    assert "   1  talk.mp4  0:48-0:54  speech\n" in finished.stdout
    assert "this session, 1 questions" in finished.stdout
    assert "\x1b" not in finished.stdout


def test_json_lines_with_failures_among_them(library: Path) -> None:
    lines = (
        f"{QUESTION}\n/scope nosuch.mp4\n{'x' * 20_000}\n/scope talk.mp4\n".encode() + b"\xff\xfe\n/quit\nnever asked\n"
    )
    finished = chat(library, lines, "--json", "--thread", "script")
    first, second, third, fourth = map(json.loads, finished.stdout.splitlines())
    assert first["claims"][0]["verdict"] == "supported"
    assert "nosuch.mp4" in second["error"]
    assert "allowed: up to 10000" in third["error"]
    assert fourth["abstained"]
    assert finished.returncode == 4
    assert "scope: talk.mp4" in finished.stderr
    assert "Traceback" not in finished.stderr


@pytest.mark.parametrize(
    ("lines", "arguments", "code", "says"),
    [
        ("", (), 0, ""),
        ("Who repairs the spaceship?\n", (), 3, ""),
        ("", ("nosuch.mp4",), 3, "nosuch.mp4"),
        ("", ("--thread", "a b"), 2, "names no thread"),
        ("", ("--continue",), 3, "no earlier conversation"),
        ("", ("--continue", "--thread", "a"), 2, "exclude each other"),
        ("", ("--verify", "hard"), 2, "hard"),
    ],
)
def test_exit_codes(library: Path, lines: str, arguments: tuple[str, ...], code: int, says: str) -> None:
    finished = chat(library, lines, *arguments)
    assert finished.returncode == code, finished.stderr
    assert says in finished.stderr
    assert len(finished.stderr.splitlines()) <= 1
