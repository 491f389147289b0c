"""Chapters and whole videos with their digests. Videos indexed before have none until they are indexed again."""

from __future__ import annotations

import sqlite3

_STATEMENTS = (
    """CREATE TABLE sections (
        video_key INTEGER NOT NULL REFERENCES videos (key) ON DELETE CASCADE,
        level TEXT NOT NULL, start REAL NOT NULL, "end" REAL NOT NULL, title TEXT NOT NULL, text TEXT NOT NULL,
        observation_ids JSON NOT NULL, model TEXT NOT NULL)""",
    "CREATE INDEX sections_by_video ON sections (video_key, start)",
)


def upgrade(connection: sqlite3.Connection) -> None:
    """Runs inside the transaction that the runner opened."""
    for statement in _STATEMENTS:
        connection.execute(statement)
