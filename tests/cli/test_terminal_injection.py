"""What videos say and how files are called never drives a terminal: every command that prints it, on a real one."""

from __future__ import annotations

import io
import json
import os
import pty
import threading
import unicodedata
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path

import pytest

from agentvid.cli import main
from agentvid.config import load_settings
from agentvid.library import Library
from agentvid.media.render import Scene, render_video
from tests.terminals import END, read_to_end

_SEQUENCES = (
    "[2J [H [31m [?1049h [6n [21t [8m [0c c ]0;owned\x07 ]2;owned\x1b\\ ]52;c;b3duZWQ=\x07 ]8;;http://x\x07 "
    "P+q544e\x1b\\ _Gowned\x1b\\ ^owned\x1b\\ [5i #8 (0 7 8 D M"
).split()
#: C0 and C1, whole sequences in both forms, directions, invisible and line-breaking characters.
HOSTILE = [
    *(chr(code) for code in (*range(1, 9), *range(11, 32), *range(127, 160))),
    *(f"\x1b{sequence}" for sequence in _SEQUENCES),
    *(f"\x9b{sequence[1:]}" for sequence in _SEQUENCES if sequence.startswith("[")),
    *"\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c\u200b\u2060\ufeff\u00ad\u2028\u2029",
    *("\U000e0041", "\U000e007f", "\ufff9", "\ufffb", "a\rb", "a\b\b\bb", "\x1b" * 40),
]
#: Joiners shape letters of several scripts, and cannot do anything else.
_UNSAFE, _HARMLESS = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}, set("\n\t\u200c\u200d")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video for each string, called by it and saying it; a thread and a trace that repeat them."""
    directory = tmp_path_factory.mktemp("hostile") / "library"
    lines = [
        json.dumps(
            {
                "video": f"film{number} {text} end",
                "duration": 9,
                "track": "speech",
                "start": 1,
                "end": 4,
                "text": f"rocket {text} number {number}",
            }
        ).encode()
        for number, text in enumerate(HOSTILE)
    ]
    settings = load_settings({"library": directory, "embed": False}, environ={}).settings
    with Library.open(settings=settings) as made:
        report = made.import_file(lines)
        assert len(report.indexed) >= 100, report.failed[:3]
        made.ask(f"What is said about the rocket {''.join(HOSTILE[20:80])}?", thread="launch")
    return directory


def on_terminal(library: Path, *arguments: str) -> str:
    """Everything that a command writes to a terminal that shows no colours, and to its stderr.

    The terminal is real; the command runs in this process, where everything is imported.
    """
    os.environ.update({"AGENTVID_LIBRARY": str(library), "AGENTVID_EMBED": "false"})
    ours, theirs = pty.openpty()
    written: list[bytes] = []
    reader = threading.Thread(target=lambda: written.append(read_to_end(ours)), daemon=True)
    reader.start()
    errors = io.StringIO()
    with open(theirs, "w", encoding="utf-8") as terminal:
        assert terminal.isatty()
        with redirect_stdout(terminal), redirect_stderr(errors), suppress(SystemExit):
            main(arguments)
        terminal.flush()
        os.write(theirs, END)
        reader.join(10)
    os.close(ours)
    # The terminal itself makes "\r\n" of a line feed.
    return written[0].replace(b"\r\n", b"\n").decode("utf-8", "surrogateescape") + errors.getvalue()


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"TERM": "dumb", "NO_COLOR": "1", "COLUMNS": "200"}.items():
        monkeypatch.setenv(name, value)


def test_there_are_a_hundred_strings() -> None:
    assert len(set(HOSTILE)) >= 100


@pytest.mark.parametrize(
    "line",
    [
        "ls",
        "ls --json",
        "show film3",
        "search rocket -k 200",
        "search rocket -k 200 --explain",
        "ask rocket",
        "trace show last",
        "trace ls",
        "thread ls",
        "thread show launch",
        "export markdown last",
        "doctor",
    ],
)
def test_no_control_character_reaches_the_terminal(line: str, library: Path) -> None:
    shown = on_terminal(library, *line.split())
    assert shown
    assert not {c for c in shown if unicodedata.category(c) in _UNSAFE and c not in _HARMLESS}


def test_errors_repeat_arguments_harmlessly(library: Path) -> None:
    every = "".join(HOSTILE)
    for arguments in (["show", every], ["thread", "show", every], ["search", "x", "--video", every], [every]):
        shown = on_terminal(library, *arguments)
        assert shown.startswith("agentvid: ")
        assert not {c for c in shown if unicodedata.category(c) in _UNSAFE and c not in _HARMLESS}


def test_on_a_terminal_the_long_words_of_a_table_are_folded_and_whole(tmp_path: Path) -> None:
    """A path is one word; a name that is cut off helps nobody."""
    name = "".join(f"part{number:02d}-" for number in range(30))
    row = {"video": name, "duration": 9, "track": "speech", "start": 1, "end": 4, "text": "A rocket."}
    values = {"library": tmp_path / "library", "embed": False}
    with Library.open(settings=load_settings(values, environ={}).settings) as made:
        made.import_file([json.dumps(row).encode()])
    shown = on_terminal(tmp_path / "library", "ls")
    assert name in "".join(line[2:].split("  ", 1)[0].strip() for line in shown.splitlines())


ODD = "first\nsecond\tthird\u2028last.mp4"


def test_a_name_of_several_lines_is_printed_on_one(tmp_path: Path) -> None:
    """Files may be called so; what is imported may not."""
    render_video(tmp_path / ODD, [Scene(4.0)], size=(160, 90), rate=10, subtitles=[(0.5, 3.0, "The rocket rises.")])
    values = {"library": tmp_path / "library", "embed": False, "ocr": False}
    with Library.open(settings=load_settings(values, environ={}).settings) as made:
        assert made.add([tmp_path / ODD]).indexed
    for line in ("show first", "search rocket", "search rocket --explain", "ask rocket", "rm first"):
        arguments = [str(tmp_path / ODD) if word == "first" else word for word in line.split()]
        named = [shown for shown in on_terminal(tmp_path / "library", *arguments).split("\n") if "last.mp4" in shown]
        assert named, line
        assert all("first" in shown and "\t" not in shown and "\u2028" not in shown for shown in named), line
