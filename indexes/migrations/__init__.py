"""Numbered steps from an empty file to the newest catalogue; `PRAGMA user_version` counts the steps taken.

Each step and its version number commit together or not at all. Before an existing library is changed, a copy is
made beside it. A library from a newer agentvid is never touched.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from agentvid.errors import LibraryDamaged, LibraryError, LibraryTooNew
from agentvid.indexes.migrations import (
    m001_create,
    m002_sections,
    m003_stages,
    m004_model_results,
    m005_frames,
)

Migration = Callable[[sqlite3.Connection], None]

#: "AgVd", in the file's header: this SQLite file is an agentvid catalogue.
APPLICATION_ID = 0x41675664

MIGRATIONS: tuple[Migration, ...] = (
    m001_create.upgrade,
    m002_sections.upgrade,
    m003_stages.upgrade,
    m004_model_results.upgrade,
    m005_frames.upgrade,
)


def version_of(connection: sqlite3.Connection) -> int:
    """Steps taken by this file; 0 for an empty one.

    Raises LibraryDamaged if the file is some other program's database.
    """
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    application_id: int = connection.execute("PRAGMA application_id").fetchone()[0]
    is_empty = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
    if not is_empty and application_id != APPLICATION_ID:
        raise LibraryDamaged(
            "catalogue.sqlite3 is the database of another program", hint="choose another directory with --library"
        )
    return version


def check_not_newer(version: int, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Raises LibraryTooNew if a newer agentvid wrote the library."""
    if version > len(migrations):
        raise LibraryTooNew(
            f"this library has format {version}; this agentvid reads up to {len(migrations)}",
            hint="pip install --upgrade agentvid",
        )


def migrate(path: Path, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Take the steps that are missing. Call it under the writer lock.

    Raises LibraryTooNew (nothing touched), or LibraryError if a step fails; that step is rolled back.
    """
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = FULL")
        version = version_of(connection)
        check_not_newer(version, migrations)
        if 0 < version < len(migrations):
            back_up(connection, path.with_name(f"{path.name}.v{version}.backup"))
        for number in range(version + 1, len(migrations) + 1):
            _step(connection, number, migrations[number - 1])


def _step(connection: sqlite3.Connection, number: int, upgrade: Migration) -> None:
    # Python's sqlite3 would commit before DDL; with an explicit transaction a failed step leaves no trace.
    connection.execute("BEGIN IMMEDIATE")
    try:
        upgrade(connection)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise LibraryError(
            f"migration {number} failed: {error}; the library is as it was", hint="free some disk space and try again"
        ) from error


def back_up(connection: sqlite3.Connection, destination: Path) -> None:
    """A point-in-time copy by SQLite's backup API, written aside and renamed, so that it is whole or absent."""
    aside = destination.with_name(destination.name + ".tmp")
    aside.unlink(missing_ok=True)
    with closing(sqlite3.connect(aside)) as copy:
        connection.backup(copy)
    sync(aside)
    aside.replace(destination)
    sync(destination.parent)


def sync(path: Path) -> None:
    """fsync a file, or a directory after a rename in it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
