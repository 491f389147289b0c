"""Printing: JSON and text to stdout, everything else to stderr; text from videos never reaches a terminal raw."""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

from agentvid.text import printable_line, terminal_text

#: The line below the heads of a table in a pipe is no longer, however wide its rows are.
_RULE_COLUMNS = 200


def print_json(document: Any, *, indent: int | None = 2) -> None:
    """ASCII JSON: escapes keep control characters and odd file names harmless and exact."""
    sys.stdout.write(json.dumps(document, indent=indent) + "\n")
    sys.stdout.flush()


def print_text(text: str = "") -> None:
    sys.stdout.write(terminal_text(text) + "\n")


def print_line(text: str) -> None:
    """One line whatever `text` repeats: names of files may hold line feeds."""
    print_text(printable_line(text))


def shorten(value: object, limit: int = 200) -> str:
    text = str(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table on stdout. Wide cells fold on a terminal; in a pipe every row is one line, for grep and cut."""
    if not sys.stdout.isatty():
        sys.stdout.write(_lines([columns, *rows]))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    # A path is one long word: without "fold" its end would be cut off.
    table = Table(*(Column(name, overflow="fold") for name in columns), box=box.SIMPLE_HEAD)
    for row in rows:
        table.add_row(*(Text(terminal_text(str(cell))) for cell in row))
    Console(file=sys.stdout).print(table)


def _lines(rows: Sequence[Sequence[object]]) -> str:
    """Rows as lines with aligned columns, the first of them as heads with a rule below."""
    from rich.cells import cell_len

    texts = [[terminal_text(str(cell)).replace("\n", " ") for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(*texts, strict=True)]
    heads, *lines = (
        "   ".join(cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in texts
    )
    rule = "─" * min(_RULE_COLUMNS, sum(widths) + 3 * (len(widths) - 1))
    return "".join(f" {line}".rstrip() + "\n" for line in ("", f" {heads}", rule, *(f" {line}" for line in lines), ""))


def note(text: str) -> None:
    """One line for the user that is not data."""
    sys.stderr.write(terminal_text(text).replace("\n", " ") + "\n")


def note_failed(path: str, error: str, hint: str) -> None:
    """Why a file was not indexed, without saying its name twice."""
    reason = error.removeprefix(f"{os.path.basename(path)}: ").removeprefix(f"{path}: ").removeprefix(f"{path} ")
    note(f"failed: {path}: {reason}" + (f" - {hint}" if hint else ""))


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
