"""Version 1: every table of the first release."""

from __future__ import annotations

import sqlite3

CREATE_FULL_TEXT = """CREATE VIRTUAL TABLE passage_fts USING fts5(
    text, title, content='passage_words', content_rowid='id', tokenize='porter unicode61 remove_diacritics 2')"""

_STATEMENTS = (
    "CREATE TABLE library (generation INTEGER NOT NULL)",
    "INSERT INTO library VALUES (0)",
    """CREATE TABLE videos (
        key INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, content_hash TEXT NOT NULL,
        title TEXT NOT NULL, duration_seconds REAL NOT NULL, kind TEXT NOT NULL, media JSON NOT NULL,
        fingerprint TEXT NOT NULL, digest TEXT NOT NULL)""",
    "CREATE INDEX videos_by_content_hash ON videos (content_hash)",
    """CREATE TABLE paths (
        path TEXT NOT NULL UNIQUE,
        video_key INTEGER NOT NULL REFERENCES videos (key) ON DELETE CASCADE)""",
    "CREATE INDEX paths_by_video ON paths (video_key)",
    """CREATE TABLE shots (
        video_key INTEGER NOT NULL REFERENCES videos (key) ON DELETE CASCADE,
        start REAL NOT NULL, "end" REAL NOT NULL)""",
    "CREATE INDEX shots_by_video ON shots (video_key)",
    """CREATE TABLE clips (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        video_key INTEGER NOT NULL REFERENCES videos (key) ON DELETE CASCADE,
        "index" INTEGER NOT NULL, start REAL NOT NULL, "end" REAL NOT NULL)""",
    "CREATE INDEX clips_by_video ON clips (video_key)",
    """CREATE TABLE gaps (
        video_key INTEGER NOT NULL REFERENCES videos (key) ON DELETE CASCADE,
        start REAL NOT NULL, "end" REAL NOT NULL, track TEXT NOT NULL, reason TEXT NOT NULL)""",
    "CREATE INDEX gaps_by_video ON gaps (video_key)",
    """CREATE TABLE provenances (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        video_key INTEGER NOT NULL REFERENCES videos (key) ON DELETE CASCADE,
        stage TEXT NOT NULL, model TEXT NOT NULL, revision TEXT NOT NULL, parameters JSON NOT NULL,
        input_hash TEXT NOT NULL)""",
    "CREATE INDEX provenances_by_video ON provenances (video_key)",
    # AUTOINCREMENT: an id is never given twice, so that an answer or an index of yesterday cannot mean another row.
    """CREATE TABLE observations (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        video_key INTEGER NOT NULL REFERENCES videos (key) ON DELETE CASCADE,
        start REAL NOT NULL, "end" REAL NOT NULL, track TEXT NOT NULL, text TEXT NOT NULL,
        confidence REAL NOT NULL, language TEXT NOT NULL, attributes JSON NOT NULL,
        provenance_id INTEGER NOT NULL REFERENCES provenances (id) ON DELETE CASCADE)""",
    "CREATE INDEX observations_by_video ON observations (video_key, start)",
    "CREATE INDEX observations_by_provenance ON observations (provenance_id)",
    """CREATE TABLE passages (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        video_key INTEGER NOT NULL REFERENCES videos (key) ON DELETE CASCADE,
        clip_index INTEGER NOT NULL, start REAL NOT NULL, "end" REAL NOT NULL, track TEXT NOT NULL,
        text TEXT NOT NULL, words TEXT, context TEXT NOT NULL, observation_ids JSON NOT NULL)""",
    "CREATE INDEX passages_by_video ON passages (video_key, start)",
    """CREATE TABLE spaces (
        id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, model TEXT NOT NULL, revision TEXT NOT NULL,
        dimension INTEGER NOT NULL, content_hash TEXT NOT NULL)""",
    """CREATE TABLE embedded (
        video_key INTEGER NOT NULL REFERENCES videos (key) ON DELETE CASCADE,
        space_id INTEGER NOT NULL REFERENCES spaces (id), digest TEXT NOT NULL,
        PRIMARY KEY (video_key, space_id)) WITHOUT ROWID""",
    """CREATE TABLE vectors (
        passage_id INTEGER NOT NULL REFERENCES passages (id) ON DELETE CASCADE,
        space_id INTEGER NOT NULL REFERENCES spaces (id), vector BLOB NOT NULL,
        PRIMARY KEY (passage_id, space_id)) WITHOUT ROWID""",
    """CREATE TABLE failures (
        path TEXT NOT NULL PRIMARY KEY, content_hash TEXT, error_class TEXT NOT NULL, message TEXT NOT NULL,
        hint TEXT NOT NULL, attempts INTEGER NOT NULL)""",
    """CREATE TABLE derived (
        name TEXT NOT NULL PRIMARY KEY, generation INTEGER NOT NULL, content_hash TEXT NOT NULL,
        file_name TEXT NOT NULL, file_sha256 TEXT NOT NULL, detail TEXT NOT NULL)""",
    # What the full-text index reads. External content: the index holds no second copy of the words.
    """CREATE VIEW passage_words (id, video_key, text, title) AS
        SELECT passages.id, passages.video_key, COALESCE(passages.words, passages.text), videos.title
        FROM passages JOIN videos ON videos.key = passages.video_key""",
    CREATE_FULL_TEXT,
)


def upgrade(connection: sqlite3.Connection) -> None:
    """Runs inside the transaction that the runner opened."""
    for statement in _STATEMENTS:
        connection.execute(statement)
