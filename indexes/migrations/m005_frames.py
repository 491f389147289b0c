"""Version 5: vectors of frames beside those of passages, in spaces of their own."""

from __future__ import annotations

import sqlite3

_STATEMENTS = (
    "ALTER TABLE spaces ADD COLUMN kind TEXT NOT NULL DEFAULT 'text'",
    """CREATE TABLE frame_vectors (
        observation_id INTEGER NOT NULL REFERENCES observations (id) ON DELETE CASCADE,
        space_id INTEGER NOT NULL REFERENCES spaces (id),
        vector BLOB NOT NULL, PRIMARY KEY (observation_id, space_id)) WITHOUT ROWID""",
)


def upgrade(connection: sqlite3.Connection) -> None:
    """Runs inside the transaction that the runner opened."""
    for statement in _STATEMENTS:
        connection.execute(statement)
