"""Live steps of a question: one line on a terminal's stderr that the next step overwrites; nothing in a pipe."""

from __future__ import annotations

import os
import sys
import unicodedata
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TextIO

from agentvid.text import terminal_text

if TYPE_CHECKING:
    from agentvid.events import Event
    from agentvid.library import Library
    from agentvid.types import Answer

_CLEAR = "\r\x1b[K"
_DIM, _PLAIN = "\x1b[2m", "\x1b[0m"


def ask_showing_steps(library: Library, question: str, **options: Any) -> Answer:
    """What `library.ask` says; meanwhile its steps are to be seen, if somebody looks."""
    from agentvid.types import Answer

    with Steps() as steps:
        if not steps.are_seen:
            return library.ask(question, **options)
        for event in library.stream(question, **options):
            if isinstance(event, Answer):
                return event
            steps.show(event)
    raise AssertionError("the answer comes last")


class Steps:
    """Shows events on `stream`, stderr if None, and clears the line at the end; nothing unless it is a terminal."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self.are_seen = self._stream.isatty() and os.environ.get("TERM") != "dumb"
        self._written = ""

    def show(self, event: Event) -> None:
        """Overwrite what was shown before. Words of a model run on until something else happens."""
        self._written = self._written + event.get("text", "") if event["event"] == "token" else ""
        self._write(self._written or step_text(event))

    def clear(self) -> None:
        """Take the line away, so that something else can be printed."""
        if self.are_seen:
            self._stream.write(_CLEAR)
            self._stream.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.clear()

    def _write(self, text: str) -> None:
        if not self.are_seen:
            return
        line = terminal_text(" ".join(text.split()))
        columns = os.get_terminal_size(self._stream.fileno()).columns or 80
        # Of an answer that is being written, the end; of a step, the beginning.
        line = _cut(line[::-1], columns - 1)[::-1] if self._written else _cut(line, columns - 1)
        dimmed = line if os.environ.get("NO_COLOR") else f"{_DIM}{line}{_PLAIN}"
        self._stream.write(f"{_CLEAR}{dimmed}")
        self._stream.flush()


def step_text(event: Event) -> str:
    """An event in one line of text, as data: it may hold words of a video."""
    if event["event"] == "tool":
        return f"step {event.get('step', 0)}: {event['detail']} ({event.get('seconds', 0.0):.2f} s)"
    return f"{event['node']}: {event['detail']}"


def _cut(text: str, columns: int) -> str:
    """As much of `text` as fits into so many columns; a letter of East Asian scripts takes two."""
    for position, character in enumerate(text):
        columns -= 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if columns < 0:
            return text[:position]
    return text
