"""The catalogue's tables as SQLAlchemy Core sees them; `migrations/` creates them.

Times are REAL seconds on the video's own clock. Videos have a small integer `key` inside the file, because the
64-character `id` would otherwise be repeated in every row.
"""

from __future__ import annotations

import os
from typing import Any

from sqlalchemy import JSON, Column, Float, ForeignKey, Integer, LargeBinary, MetaData, Table, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator


class PathText(TypeDecorator[str]):
    """A file name as text; one that is not valid UTF-8 is kept as its bytes, so that it opens again."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            return os.fsencode(value)
        return value

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        return os.fsdecode(value) if isinstance(value, bytes) else value


metadata = MetaData()


def _video_key(**options: Any) -> Column[int]:
    return Column("video_key", Integer, ForeignKey("videos.key", ondelete="CASCADE"), nullable=False, **options)


def _span() -> tuple[Column[float], Column[float]]:
    return Column("start", Float, nullable=False), Column("end", Float, nullable=False)


#: One row. `generation` grows by one in every transaction that changes what can be found.
library = Table("library", metadata, Column("generation", Integer, nullable=False))

#: `digest` is the sha256 of the video's observations and passages: SQLite has no checksums of its own.
videos = Table(
    "videos",
    metadata,
    Column("key", Integer, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("content_hash", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("duration_seconds", Float, nullable=False),
    Column("kind", Text, nullable=False),
    Column("media", JSON, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("digest", Text, nullable=False),
)
paths = Table("paths", metadata, Column("path", PathText, nullable=False, unique=True), _video_key())
#: `key` is the sha256 of all that decided the rows of a stage; a stage that failed or has gaps is not in here.
stages = Table(
    "stages", metadata, _video_key(), Column("stage", Text, nullable=False), Column("key", Text, nullable=False)
)
shots = Table("shots", metadata, _video_key(), *_span())
clips = Table(
    "clips", metadata, Column("id", Integer, primary_key=True), _video_key(), Column("index", Integer), *_span()
)
sections = Table(
    "sections",
    metadata,
    _video_key(),
    Column("level", Text, nullable=False),
    *_span(),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("observation_ids", JSON, nullable=False),
    Column("model", Text, nullable=False),
)
gaps = Table("gaps", metadata, _video_key(), *_span(), Column("track", Text), Column("reason", Text))
provenances = Table(
    "provenances",
    metadata,
    Column("id", Integer, primary_key=True),
    _video_key(),
    Column("stage", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("revision", Text, nullable=False),
    Column("parameters", JSON, nullable=False),
    Column("input_hash", Text, nullable=False),
)
observations = Table(
    "observations",
    metadata,
    Column("id", Integer, primary_key=True),
    _video_key(),
    *_span(),
    Column("track", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("confidence", Float, nullable=False),
    Column("language", Text, nullable=False),
    Column("attributes", JSON, nullable=False),
    Column("provenance_id", Integer, ForeignKey("provenances.id", ondelete="CASCADE"), nullable=False),
)
#: `words` is the text as the lexical index reads it, or NULL where that is `text` itself.
passages = Table(
    "passages",
    metadata,
    Column("id", Integer, primary_key=True),
    _video_key(),
    Column("clip_index", Integer, nullable=False),
    *_span(),
    Column("track", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("words", Text),
    Column("context", Text, nullable=False),
    Column("observation_ids", JSON, nullable=False),
)
#: `kind`: "text" for vectors of passages, "frames" for those of frames. `content_hash` covers all vectors of the space;
#: see digests.py.
spaces = Table(
    "spaces",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("model", Text, nullable=False),
    Column("revision", Text, nullable=False),
    Column("dimension", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("content_hash", Text, nullable=False),
)
#: Which videos have vectors in which space, with the sha256 of those vectors.
embedded = Table(
    "embedded",
    metadata,
    _video_key(primary_key=True),
    Column("space_id", Integer, ForeignKey("spaces.id"), primary_key=True),
    Column("digest", Text, nullable=False),
)
#: `vector` is `dimension` little-endian float16.
vectors = Table(
    "vectors",
    metadata,
    Column("passage_id", Integer, ForeignKey("passages.id", ondelete="CASCADE"), primary_key=True),
    Column("space_id", Integer, ForeignKey("spaces.id"), primary_key=True),
    Column("vector", LargeBinary, nullable=False),
)
#: The same of frames, each of which is an observation.
frame_vectors = Table(
    "frame_vectors",
    metadata,
    Column("observation_id", Integer, ForeignKey("observations.id", ondelete="CASCADE"), primary_key=True),
    Column("space_id", Integer, ForeignKey("spaces.id"), primary_key=True),
    Column("vector", LargeBinary, nullable=False),
)
failures = Table(
    "failures",
    metadata,
    Column("path", PathText, primary_key=True),
    Column("content_hash", Text),
    Column("error_class", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("hint", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
)
#: Caches outside the truth: which content each was built from, and the file with its sha256, if it is a file.
derived = Table(
    "derived",
    metadata,
    Column("name", Text, primary_key=True),
    Column("generation", Integer, nullable=False),
    Column("content_hash", Text, nullable=False),
    Column("file_name", Text, nullable=False),
    Column("file_sha256", Text, nullable=False),
    Column("detail", Text, nullable=False),
)
#: What models said of parts of contents; see results.py.
model_results = Table(
    "model_results",
    metadata,
    Column("content_hash", Text, primary_key=True),
    Column("start_ms", Integer, primary_key=True),
    Column("end_ms", Integer, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("revision", Text, primary_key=True),
    Column("prompt", Text, primary_key=True),
    Column("reply", Text, nullable=False),
    Column("input_tokens", Integer, nullable=False),
    Column("output_tokens", Integer, nullable=False),
    Column("seconds", JSON, nullable=False),
    Column("input_hash", Text, nullable=False),
)

LEXICAL = "lexical"


def vectors_of(kind: str) -> tuple[Table, Column[int], Table]:
    """(vectors, the column of what they are of, the table of that) for spaces of a kind."""
    if kind == "frames":
        return frame_vectors, frame_vectors.c.observation_id, observations
    return vectors, vectors.c.passage_id, passages
