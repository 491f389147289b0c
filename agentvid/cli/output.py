"""Printing: JSON and text to stdout, everything else to stderr; text from videos never reaches a terminal raw."""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

from agentvid.text import terminal_text


def print_json(document: Any, *, indent: int | None = 2) -> None:
    """ASCII JSON: escapes keep control characters and odd file names harmless and exact."""
    sys.stdout.write(json.dumps(document, indent=indent) + "\n")
    sys.stdout.flush()


def print_text(text: str = "") -> None:
    sys.stdout.write(terminal_text(text) + "\n")


def shorten(value: object, limit: int = 200) -> str:
    text = str(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table on stdout. Wide cells fold on a terminal; in a pipe lines stay whole."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=box.SIMPLE_HEAD)
    for row in rows:
        table.add_row(*(Text(terminal_text(str(cell))) for cell in row))
    Console(file=sys.stdout, width=None if sys.stdout.isatty() else 200).print(table)


def note(text: str) -> None:
    """One line for the user that is not data."""
    sys.stderr.write(terminal_text(text).replace("\n", " ") + "\n")


def log_plainly() -> None:
    """Warnings and errors that libraries log are one line on stderr each: they may hold what a stranger sent.

    Tracebacks only with AGENTVID_DEBUG=1.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(_PlainLines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING)


class _PlainLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = terminal_text(f"agentvid: {record.getMessage()}").replace("\n", " ")
        if record.exc_info and os.environ.get("AGENTVID_DEBUG"):
            return f"{line}\n{_shown(self.formatException(record.exc_info))}"
        return line


def report_traceback(error: BaseException) -> None:
    """Where an error came from, for AGENTVID_DEBUG=1: without keys, which errors of providers may show."""
    sys.stderr.write(_shown("".join(traceback.format_exception(error))))


def _shown(text: str) -> str:
    from agentvid.models.failures import masked

    return terminal_text(masked(text))


def report_error(message: str, hint: str = "") -> None:
    """The one-line error: what was wrong and, after the dash, the way out."""
    note(f"agentvid: {message}" + (f" - {hint}" if hint else ""))
