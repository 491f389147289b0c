"""What was typed, kept for the next session: a file beside the catalogue that only its owner may read.

One JSON string a line, so that a question of several lines is one entry and a damaged line costs itself alone.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from prompt_toolkit.history import History

from agentvid.text import MAX_QUERY_CHARACTERS, terminal_text

FILE = "chat_history.jsonl"
MAX_ENTRIES = 1000
#: A file that someone else wrote is not read whole.
_MAX_BYTES = 16 * 1024 * 1024


class FileHistory(History):
    """At most the last `MAX_ENTRIES`; a file that cannot be read or written costs the memory, never the chat."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self._path = directory / FILE

    def load_history_strings(self) -> Iterable[str]:
        """The newest first, as prompt_toolkit wants them."""
        entries = self._read()
        if len(entries) > MAX_ENTRIES:
            entries = entries[-MAX_ENTRIES:]
            with suppress(OSError):
                self._rewrite(entries)
        return reversed(entries)

    def store_string(self, string: str) -> None:
        if len(string) > MAX_QUERY_CHARACTERS:
            return
        with suppress(OSError):
            handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            with os.fdopen(handle, "w", encoding="ascii") as file:
                os.chmod(self._path, 0o600)
                file.write(json.dumps(string) + "\n")

    def _read(self) -> list[str]:
        entries = []
        try:
            with self._path.open("rb") as file:
                lines = file.read(_MAX_BYTES).splitlines()
        except OSError:
            return []
        for line in lines:
            with suppress(ValueError, RecursionError):
                entry = json.loads(line)
                if isinstance(entry, str) and entry:
                    entries.append(terminal_text(entry)[:MAX_QUERY_CHARACTERS])
        return entries

    def _rewrite(self, entries: list[str]) -> None:
        handle, temporary = tempfile.mkstemp(prefix=".chat-", dir=self._path.parent)  # mkstemp makes it 0600
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.writelines(json.dumps(entry) + "\n" for entry in entries)
        os.replace(temporary, self._path)
