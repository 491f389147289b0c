"""Chat threads: what was asked before in a conversation, kept as LangGraph checkpoints beside the catalogue.

A checkpoint holds the JSON state of a question and the turns before it, one for each question. Reading one makes plain
values only: no type that a damaged or forged file names is built (strict msgpack, no pickle).
"""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver

from agentvid.errors import LibraryBusy, LibraryError, NotFound, UsageError
from agentvid.indexes.store import is_wal_safe
from agentvid.state import turn_from_json
from agentvid.types import Json

FILE = "threads.sqlite3"
_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)
_WAIT_SECONDS = 30.0
_SETTING_UP = threading.Lock()
_WAY_OUT = "delete the file to go on: it holds conversations and no videos"


class _Saver(SqliteSaver):
    """Write-ahead logging only on a SQLite that is safe with it; the base class would switch it on at every start."""

    def setup(self) -> None:
        # SQLite waits for no lock when the journal is changed: of two questions that begin a file, one would fail.
        with _SETTING_UP:
            is_new = not self.conn.execute("SELECT 1 FROM sqlite_master WHERE name = 'writes'").fetchone()
            if is_new:
                super().setup()
            if not is_wal_safe(sqlite3.sqlite_version):
                self.conn.execute("PRAGMA journal_mode = DELETE")
        self.is_setup = True


def config_of(thread: str) -> RunnableConfig:
    """Raises UsageError for what is no name of a thread."""
    if not _ID.fullmatch(thread):
        raise UsageError(f"{thread[:70]!r} names no thread; allowed: 1 to 64 letters, digits, '.', '_' and '-'")
    return {"configurable": {"thread_id": thread}}


@contextmanager
def checkpointer(library: Path) -> Iterator[SqliteSaver]:
    """The checkpoints of a library, while the context is open.

    Raises LibraryBusy if another process holds them, LibraryError if the file cannot be read or written.
    """
    path = library / FILE
    try:
        with closing(sqlite3.connect(path, check_same_thread=False, timeout=_WAIT_SECONDS)) as connection:
            serde = JsonPlusSerializer(pickle_fallback=False, allowed_json_modules=None, allowed_msgpack_modules=None)
            yield _Saver(connection, serde=serde)
    except sqlite3.OperationalError as error:
        kind = LibraryBusy if "locked" in str(error) else LibraryError
        raise kind(f"{path}: {error}", hint="try again, or check that the library can be written") from None
    except sqlite3.Error as error:
        raise LibraryError(f"{path}: {error}", hint=_WAY_OUT) from None


def list_threads(library: Path) -> list[Json]:
    """`{"thread", "turns", "question", "asked_at"}`: the last question of each, the thread asked last first.

    `asked_at`: ISO 8601, UTC.
    """
    if not (library / FILE).exists():
        return []
    with checkpointer(library) as saver:
        with saver.cursor(transaction=False) as cursor:
            newest = "SELECT thread_id FROM checkpoints GROUP BY thread_id ORDER BY max(checkpoint_id) DESC"
            names = [row[0] for row in cursor.execute(newest)]
        # A first question that was left before its end has no turn.
        return [listed for name in names if (listed := _listed(saver, name))["turns"]]


def _listed(saver: SqliteSaver, thread: str) -> Json:
    turns = turns_of(saver, thread)
    found = saver.get_tuple(config_of(thread))
    asked_at = found.checkpoint["ts"] if found else ""
    question = turns[-1]["question"] if turns else ""
    return {"thread": thread, "turns": len(turns), "question": question, "asked_at": asked_at}


def read_thread(library: Path, thread: str) -> list[Json]:
    """Its turns, the first first, as `turn_to_json` makes them. Raises NotFound."""
    turns: list[Json] = []
    if (library / FILE).exists():
        with checkpointer(library) as saver:
            turns = turns_of(saver, thread)
    if not turns:
        known = ", ".join(item["thread"] for item in list_threads(library)[:5]) or "none"
        raise NotFound(f"no thread {thread!r} in {library}", hint=f"newest threads: {known}")
    return turns


def last_turn(library: Path, thread: str) -> Json | None:
    """The last turn of a thread, None if it is new. Raises as `checkpointer` and `turns_of`."""
    if not (library / FILE).exists():
        return None
    with checkpointer(library) as saver:
        turns = turns_of(saver, thread)
    return turns[-1] if turns else None


def remove_thread(library: Path, thread: str) -> None:
    """Forget a thread. Raises NotFound."""
    read_thread(library, thread)
    with checkpointer(library) as saver:
        saver.delete_thread(thread)


def turns_of(saver: SqliteSaver, thread: str) -> list[Json]:
    """The turns of a thread, none if it is new. Raises LibraryError if what is stored cannot be read."""
    try:
        found = saver.get_tuple(config_of(thread))
        turns: Any = found.checkpoint["channel_values"].get("turns", []) if found else []
        for turn in turns:
            turn_from_json(turn)
    except (ValueError, KeyError, TypeError, AttributeError, NotImplementedError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise LibraryError(f"thread {thread!r} in {FILE} is damaged: {reason:.120}", hint=_WAY_OUT) from None
    return list(turns)
