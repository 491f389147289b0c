"""The catalogue's file: opened with the right durability, read in snapshots, written under the writer lock.

SQLite before 3.51.3 can lose committed data when two connections reset the write-ahead log at the same moment
(fixed also in 3.50.7 and 3.44.6); on such a version the rollback journal is used instead.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa

from agentvid.errors import AgentvidError, LibraryBusy, LibraryDamaged, LibraryError, NotFound, UsageError
from agentvid.indexes import schema
from agentvid.indexes.lock import WriterLock
from agentvid.indexes.migrations import MIGRATIONS, check_not_newer, migrate, version_of

FILE_NAME = "catalogue.sqlite3"
_BUSY_SECONDS = 30.0
_PRAGMAS = (
    "foreign_keys = ON",
    "synchronous = FULL",
    "trusted_schema = OFF",
    "cell_size_check = ON",
    # A large transaction must not spill to the file early: that would lock readers out until it commits.
    "cache_spill = OFF",
)
_SQLITE_HEADER = b"SQLite format 3\x00"
_WAY_OUT = "`agentvid doctor` tells what is wrong; otherwise restore a backup, or remove the directory and index again"


def is_wal_safe(sqlite_version: str) -> bool:
    """True if this SQLite has the fix of the WAL-reset bug."""
    numbers = [int(part) for part in re.findall(r"\d+", sqlite_version)[:3]]
    version = (*numbers, 0, 0)[:3]
    return version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51, 0) or (3, 44, 6) <= version < (3, 45, 0)


class Store:
    """Connections to one catalogue file.

    `reading()` and `writing()` turn SQLite's errors into ours: LibraryBusy, LibraryDamaged, LibraryError.
    """

    def __init__(self, directory: Path, *, create: bool, lock_timeout_seconds: float = 30.0) -> None:
        self.directory = directory
        self.path = directory / FILE_NAME
        self._lock = WriterLock(directory)
        self._lock_timeout_seconds = lock_timeout_seconds
        self._written: sqlite3.Connection | None = None
        with translated_errors(self.path):
            self._prepare(create)
        self._engine = sa.create_engine(
            "sqlite+pysqlite://", creator=self._connect, poolclass=sa.QueuePool, pool_size=8, max_overflow=-1
        )
        sa.event.listen(self._engine, "begin", _begin)

    @property
    def is_writable(self) -> bool:
        return os.access(self.directory, os.W_OK) and os.access(self.path, os.W_OK)

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """One consistent snapshot. Keep it short: with a rollback journal it holds up a writer's commit."""
        with translated_errors(self.path), self._engine.connect() as connection, connection.begin():
            try:
                yield connection
            except (UsageError, json.JSONDecodeError) as error:
                # Nothing wrong was ever stored: a value that cannot exist was changed on the disk.
                raise LibraryDamaged(f"{self.path} holds an impossible value: {error}", hint=_WAY_OUT) from error

    @contextmanager
    def writer(self, lock_timeout_seconds: float | None = None) -> Iterator[None]:
        """Keep other writers out for several transactions in a row. Raises LibraryBusy, LibraryError."""
        timeout_seconds = self._lock_timeout_seconds if lock_timeout_seconds is None else lock_timeout_seconds
        with self._lock.held(timeout_seconds=timeout_seconds):
            yield

    @contextmanager
    def writing(self, *, is_new_generation: bool = True) -> Iterator[sa.Connection]:
        """One transaction under the writer lock: all of it is on disk when the block ends, or nothing.

        `is_new_generation=False` is for bookkeeping that changes nothing that can be found.
        """
        with translated_errors(self.path), self.writer():
            # Ctrl-C may come between any two steps, also of what closes a transaction; the next writer then ends it.
            if self._written is not None:
                with suppress(sqlite3.ProgrammingError):  # closed already
                    self._written.rollback()
            begin = "BEGIN IMMEDIATE"
            with self._engine.connect().execution_options(agentvid_begin=begin) as connection:
                self._written = connection.connection.driver_connection
                with connection.begin():
                    yield connection
                    if is_new_generation:
                        connection.execute(schema.library.update().values(generation=schema.library.c.generation + 1))
            self._written = None

    @contextmanager
    def raw(self) -> Iterator[sqlite3.Connection]:
        """A driver connection of its own, in autocommit mode, for what SQLAlchemy does not wrap."""
        with translated_errors(self.path), closing(self._connect()) as connection:
            yield connection

    def _prepare(self, create: bool) -> None:
        """Make, check or upgrade the file. Reads two header fields of a current library and nothing else."""
        if not self.path.is_file() or self.path.stat().st_size == 0:
            if not create:
                raise NotFound(f"no library at {self.directory}", hint="`agentvid index PATH...` makes one")
            self._migrate()
            return
        with self.path.open("rb") as file:
            if file.read(len(_SQLITE_HEADER)) != _SQLITE_HEADER:
                raise LibraryDamaged(f"{self.path} is not a SQLite file", hint=_WAY_OUT)
        with closing(self._connect()) as connection:
            version = version_of(connection)
        check_not_newer(version)
        if version < len(MIGRATIONS):
            self._migrate()

    def _migrate(self) -> None:
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LibraryError(
                f"cannot make a library at {self.directory}: {error.strerror}",
                hint="choose a directory that you may write to with --library",
            ) from error
        with self.writer():
            migrate(self.path)
            with closing(sqlite3.connect(self.path)) as connection:
                mode = "WAL" if is_wal_safe(sqlite3.sqlite_version) else "DELETE"
                connection.execute(f"PRAGMA journal_mode = {mode}")

    def _connect(self) -> sqlite3.Connection:
        if not self.is_writable:
            return self._connect_read_only()
        connection = self._connect_as("mode=rw")
        # A library made by a SQLite with the WAL fix may meet one without; then the log must go before any writing.
        if not is_wal_safe(sqlite3.sqlite_version) and _pragma(connection, "journal_mode") == "wal":
            connection.execute("PRAGMA journal_mode = DELETE")
        return connection

    def _connect_read_only(self) -> sqlite3.Connection:
        """A WAL-mode file in a read-only directory opens only as immutable, which is safe when no log is left."""
        try:
            return self._connect_as("mode=ro")
        except sqlite3.OperationalError:
            if any(self.path.with_name(FILE_NAME + log).exists() for log in ("-wal", "-journal")):
                raise LibraryError(
                    f"the last write to {self.directory} was interrupted and this directory is read-only",
                    hint="run any agentvid command there once with the right to write",
                ) from None
            return self._connect_as("mode=ro&immutable=1")

    def _connect_as(self, options: str) -> sqlite3.Connection:
        uri = f"file:{quote(os.fsencode(self.path.absolute()))}?{options}"
        connection = sqlite3.connect(
            uri, uri=True, isolation_level=None, timeout=_BUSY_SECONDS, check_same_thread=False
        )
        try:
            for pragma in _PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")
            # The first to read the file: an interrupted write is rolled back here, or the error comes here.
            _pragma(connection, "user_version")
        except BaseException:
            connection.close()
            raise
        return connection


def _begin(connection: sa.Connection) -> None:
    # The driver runs in autocommit mode, so that transactions begin here: deferred to read, immediate to write.
    connection.exec_driver_sql(connection.get_execution_options().get("agentvid_begin", "BEGIN"))


def _pragma(connection: sqlite3.Connection, name: str) -> Any:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


@contextmanager
def translated_errors(path: Path) -> Iterator[None]:
    """SQLite's, SQLAlchemy's and the system's errors as ours."""
    try:
        yield
    except (sqlite3.Error, sa.exc.DBAPIError) as error:
        cause = error.orig if isinstance(error, sa.exc.DBAPIError) and error.orig is not None else error
        raise _translate(path, cause) from error
    except OSError as error:
        raise LibraryError(f"cannot use {path}: {error.strerror}", hint="check the permissions and the disk") from error
    except UnicodeEncodeError as error:
        raise UsageError(f"the catalogue refused a text that is not Unicode: {error.reason}") from error


def _translate(path: Path, error: BaseException) -> AgentvidError:
    message = str(error)
    if "locked" in message:
        return LibraryBusy(f"{path} stayed locked for {_BUSY_SECONDS:g} s", hint="wait for the other process")
    if isinstance(error, sqlite3.OperationalError) and re.search("full|disk I/O|readonly|unable to open", message):
        return LibraryError(f"cannot write {path}: {message}", hint="free some disk space and check the permissions")
    if isinstance(
        error, sqlite3.DataError | sqlite3.IntegrityError | sqlite3.InterfaceError | sqlite3.ProgrammingError
    ):
        return UsageError(f"the catalogue refused a value: {message}")
    return LibraryDamaged(f"{path} is damaged: {message}", hint=_WAY_OUT)
