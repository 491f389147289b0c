"""What models said of parts of videos, kept so that nothing is paid for twice: rows of `model_results`.

A result belongs to a content, not to a video in the library, so that an interrupted `index` keeps what it has paid for.
Removing the last video of a content removes its results.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from agentvid.indexes import schema
from agentvid.indexes.store import Store
from agentvid.models.base import Reply
from agentvid.types import Span


@dataclass(frozen=True, slots=True)
class ResultKey:
    """What decides a result: the content and the span that was shown, the model, and the version of the prompt."""

    content_hash: str
    span: Span
    model: str
    revision: str
    prompt: str


@dataclass(frozen=True, slots=True)
class Result:
    """A reply, and what led to it: the times of the frames that were shown, and the sha256 of all that was sent."""

    reply: Reply
    seconds: tuple[float, ...]
    input_hash: str


class ModelResults:
    """Results by key. Safe to share between threads; raises what the catalogue raises."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, key: ResultKey) -> Result | None:
        table = schema.model_results
        query = sa.select(table).where(*(table.c[name] == value for name, value in _row(key).items()))
        with self._store.reading() as connection:
            row = connection.execute(query).first()
        if row is None:
            return None
        return Result(Reply(row.reply, row.input_tokens, row.output_tokens), tuple(row.seconds), row.input_hash)

    def put(self, key: ResultKey, result: Result) -> None:
        """Keep a result in place of an older one. On disk when this returns."""
        table, row = schema.model_results, _row(key)
        values = {
            "reply": result.reply.text,
            "input_tokens": result.reply.input_tokens,
            "output_tokens": result.reply.output_tokens,
            "seconds": list(result.seconds),
            "input_hash": result.input_hash,
        }
        with self._store.writing(is_new_generation=False) as connection:
            connection.execute(table.delete().where(*(table.c[name] == value for name, value in row.items())))
            connection.execute(table.insert().values(**row, **values))

    def spans(self, content_hash: str, model: str, revision: str, prompt: str) -> list[Span]:
        """The spans of a content that a model has told of, in time order."""
        table = schema.model_results
        wanted = {"content_hash": content_hash, "model": model, "revision": revision, "prompt": prompt}
        query = sa.select(table.c.start_ms, table.c.end_ms).where(*(table.c[n] == v for n, v in wanted.items()))
        with self._store.reading() as connection:
            rows = connection.execute(query.order_by(table.c.start_ms, table.c.end_ms))
            return [Span(start / 1000, end / 1000) for start, end in rows]


def forget_results(connection: sa.Connection, content_hash: str) -> None:
    """Remove every result of a content."""
    table = schema.model_results
    connection.execute(table.delete().where(table.c.content_hash == content_hash))


def _row(key: ResultKey) -> dict[str, Any]:
    return {
        "content_hash": key.content_hash,
        "start_ms": round(1000 * key.span.start_seconds),
        "end_ms": round(1000 * key.span.end_seconds),
        "model": key.model,
        "revision": key.revision,
        "prompt": key.prompt,
    }
