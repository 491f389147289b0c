"""Version 3: what each stage of a video was made from, so that only what has changed since is made again.

A video from before has no keys: its rows stay and answer, and the next `agentvid index` of its file reads it anew.
"""

from __future__ import annotations

import sqlite3

_STATEMENTS = (
    """CREATE TABLE stages (
        video_key INTEGER NOT NULL REFERENCES videos (key) ON DELETE CASCADE,
        stage TEXT NOT NULL, "key" TEXT NOT NULL, UNIQUE (video_key, stage))""",
)


def upgrade(connection: sqlite3.Connection) -> None:
    """Runs inside the transaction that the runner opened."""
    for statement in _STATEMENTS:
        connection.execute(statement)
