"""A library of two text videos, and `agentvid chat` in a terminal that a program watches."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyte
import pytest

from agentvid import Library, Settings

_WAIT_SECONDS = 40.0
#: Makes the pseudo terminal the process's own, so that Ctrl-C reaches it, then becomes the command.
_IN_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)

TALK = [
    (0, 6, "Welcome to this lecture about green plants."),
    (12, 18, "Chlorophyll absorbs red light and blue light."),
    (48, 54, "Rubisco is the enzyme that captures carbon dioxide."),
    (60, 66, "The café sells crème brûlée — 5 €."),
]
COOK = [(0, 5, "Today we bake sourdough bread."), (20, 25, "Mix the flour with water and let it rest overnight.")]
SPACED = "my cooking show.mp4"


class _Screen(pyte.Screen):
    """Answers what programs ask a terminal."""

    reply: Callable[[bytes], Any] = staticmethod(lambda data: None)

    def write_process_input(self, data: str) -> None:
        self.reply(data.encode())


class TerminalProcess:
    """A command in a pseudo terminal; `raw` is all that it sent, `text` what a person sees."""

    def __init__(self, arguments: list[str], environment: dict[str, str], columns: int, rows: int) -> None:
        self._master, slave = pty.openpty()
        self.raw = b""
        self._screen = _Screen(columns, rows)
        self._screen.reply = lambda data: os.write(self._master, data)
        self._stream = pyte.ByteStream(self._screen)
        self._lock = threading.Lock()
        self.resize(columns, rows)
        self._process = subprocess.Popen(
            [sys.executable, "-c", _IN_TERMINAL, sys.executable, "-m", "agentvid", *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment,
            start_new_session=True,
        )
        os.close(slave)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def text(self) -> str:
        with self._lock:
            return "\n".join(line.rstrip() for line in self._screen.display)

    @property
    def title(self) -> str:
        return self._screen.title

    def send(self, text: str) -> None:
        """Type; more than the terminal's buffer holds goes as fast as it is read."""
        data = text.encode()
        while data:
            _, is_free, _ = select.select([], [self._master], [], _WAIT_SECONDS)
            assert is_free, "nobody reads what is typed"
            data = data[os.write(self._master, data[:1024]) :]

    def line(self, text: str) -> None:
        self.send(text + "\r")

    def wait_for(self, *texts: str, seconds: float = _WAIT_SECONDS) -> str:
        """The screen, as soon as all of `texts` are on it, wherever lines were broken in them."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            seen = self.text
            words = "".join(seen.split())
            if all(text in seen or ("\n" not in text and "".join(text.split()) in words) for text in texts):
                return seen
            time.sleep(0.02)
        raise AssertionError(f"{texts} did not come; the screen:\n{self.text}\n{self.raw[-300:]!r}")

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        with self._lock:
            self._screen.resize(rows, columns)

    def exit_code(self) -> int:
        code = self._process.wait(_WAIT_SECONDS)
        self._reader.join(5)
        return code

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._reader.join(5)
        os.close(self._master)

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 65536)
            except OSError:  # the process has ended
                return
            if not data:
                return
            with self._lock:
                self.raw += data
                self._stream.feed(data)


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Lexical search only: a conversation begins at once."""
    rows = tmp_path / "rows.jsonl"
    lines = [
        {"video": video, "duration": 90, "track": "speech", "start": start, "end": end, "text": text}
        for video, texts in (("talk.mp4", TALK), (SPACED, COOK))
        for start, end, text in texts
    ]
    rows.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    with Library.open(tmp_path / "library", settings=Settings(embed=False)) as opened:
        opened.import_file(rows)
    return tmp_path / "library"


@pytest.fixture
def start(library: Path, tmp_path: Path) -> Iterator[Callable[..., TerminalProcess]]:
    """Starts `agentvid chat ARGUMENTS`; keywords are environment variables, None takes one away."""
    started = []

    def begin(*arguments: str, columns: int = 80, rows: int = 40, **variables: str | None) -> TerminalProcess:
        plain = {name: value for name, value in os.environ.items() if name not in ("LC_ALL", "LC_CTYPE", "NO_COLOR")}
        given = {"TERM": "xterm-256color", "LANG": "C.UTF-8", "AGENTVID_EMBED": "false", "HOME": str(tmp_path)}
        environment = {**plain, **given, "AGENTVID_LIBRARY": str(library), **variables}
        process = TerminalProcess(
            ["chat", *arguments],
            {name: value for name, value in environment.items() if value is not None},
            columns,
            rows,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.close()
