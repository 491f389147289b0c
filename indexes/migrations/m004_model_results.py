"""Version 4: what models said of parts of videos is kept by content, span, model and prompt."""

from __future__ import annotations

import sqlite3


def upgrade(connection: sqlite3.Connection) -> None:
    """Runs inside the transaction that the runner opened."""
    connection.execute(
        """CREATE TABLE model_results (
            content_hash TEXT NOT NULL, start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL, model TEXT NOT NULL,
            revision TEXT NOT NULL, prompt TEXT NOT NULL, reply TEXT NOT NULL, input_tokens INTEGER NOT NULL,
            output_tokens INTEGER NOT NULL, seconds JSON NOT NULL, input_hash TEXT NOT NULL,
            PRIMARY KEY (content_hash, start_ms, end_ms, model, revision, prompt)) WITHOUT ROWID"""
    )
