"""Between values and rows: what one video's record looks like inside the catalogue's tables.

Every function takes a connection inside a transaction that the caller opened.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
import sqlalchemy as sa

from agentvid.errors import LibraryDamaged, UsageError
from agentvid.indexes import schema
from agentvid.indexes.base import Filter, Ids, VideoRecord
from agentvid.indexes.digests import EMPTY, combine, digest_rows
from agentvid.indexes.lexical import FORMAT, index_words
from agentvid.models.base import EmbeddingSpace, Vectors
from agentvid.types import FRAME, Clip, Gap, Observation, Passage, Provenance, Section, Span, Video

Row = dict[str, Any]
_FLOAT16 = np.dtype("<f2")
_ROWS_AT_ONCE = 1000


def insert_video(connection: sa.Connection, record: VideoRecord, paths: Sequence[str]) -> None:
    """Every row of a video that is not in the catalogue. Raises UsageError if the record contradicts itself."""
    _check(record)
    observations = _observation_rows(connection, record)
    passages = _passage_rows(connection, record, first_observation_id=observations[0]["id"] if observations else 0)
    digest = content_digest(observations, passages)
    video = record.video
    values = {
        "id": video.id,
        "content_hash": video.content_hash,
        "title": video.title,
        "duration_seconds": video.duration_seconds,
        "kind": video.kind,
        "media": dict(video.media),
        "fingerprint": record.fingerprint,
        "digest": digest,
    }
    key = _new_id(connection.execute(schema.videos.insert().values(values)))
    _insert(connection, schema.paths, key, ({"path": path} for path in paths))
    _insert(connection, schema.stages, key, ({"stage": name, "key": made} for name, made in record.stages.items()))
    _insert(connection, schema.shots, key, map(_span_row, record.shots))
    _insert(connection, schema.clips, key, ({"index": clip.index, **_span_row(clip.span)} for clip in record.clips))
    _insert(
        connection,
        schema.gaps,
        key,
        ({"track": gap.track, "reason": gap.reason, **_span_row(gap.span)} for gap in record.gaps),
    )
    _insert(connection, schema.provenances, key, _provenance_rows(connection, record, observations))
    _insert(connection, schema.observations, key, observations)
    _insert(connection, schema.passages, key, passages)
    _insert(connection, schema.sections, key, _section_rows(record, observations))
    connection.execute(
        sa.text(
            "INSERT INTO passage_fts (rowid, text, title) SELECT id, text, title FROM passage_words"
            " WHERE video_key = :key ORDER BY id"
        ),
        {"key": key},
    )
    _update_lexical_hash(connection, added=[(video.id, digest)])
    if record.space is not None and record.vectors is not None and passages:
        _insert_vectors(connection, key, video.id, record.space, record.vectors, [row["id"] for row in passages])
    if record.frames is not None and len(record.frames.vectors):
        ids = [row["id"] for row in observations if row["track"] == FRAME]
        _insert_vectors(connection, key, video.id, record.frames.space, record.frames.vectors, ids)


def add_rows(connection: sa.Connection, key: int, record: VideoRecord) -> None:
    """The observations, passages and vectors of `record` beside those that its video has.

    Raises UsageError if the record contradicts itself.
    """
    _check(record)
    video_id, old_digest = connection.execute(
        sa.select(schema.videos.c.id, schema.videos.c.digest).where(schema.videos.c.key == key)
    ).one()
    observations = _observation_rows(connection, record)
    passages = _passage_rows(connection, record, first_observation_id=observations[0]["id"] if observations else 0)
    _insert(connection, schema.provenances, key, _provenance_rows(connection, record, observations))
    _insert(connection, schema.observations, key, observations)
    _insert(connection, schema.passages, key, passages)
    connection.execute(
        sa.text(
            "INSERT INTO passage_fts (rowid, text, title) SELECT id, text, title FROM passage_words"
            " WHERE video_key = :key AND id >= :first ORDER BY id"
        ),
        {"key": key, "first": passages[0]["id"] if passages else 0},
    )
    digest = stored_digest(connection, key)
    connection.execute(schema.videos.update().where(schema.videos.c.key == key).values(digest=digest))
    _update_lexical_hash(connection, added=[(video_id, digest)], removed=[(video_id, old_digest)])
    if record.space is not None and record.vectors is not None and passages:
        _add_vectors(connection, key, video_id, record.space, record.vectors, [row["id"] for row in passages])


def stored_digest(connection: sa.Connection, key: int) -> str:
    """`content_digest` of the rows that a video has now."""
    observations, passages = (
        connection.execute(sa.select(table).where(table.c.video_key == key).order_by(table.c.id)).mappings().all()
        for table in (schema.observations, schema.passages)
    )
    return content_digest(observations, passages)


def _add_vectors(
    connection: sa.Connection, key: int, video_id: str, space: EmbeddingSpace, vectors: Vectors, ids: list[int]
) -> None:
    """As `_insert_vectors`, beside the vectors that the video has in this space."""
    embedded, table = schema.embedded, schema.vectors
    space_id, content_hash = _space_row(connection, space)
    older = sa.and_(embedded.c.video_key == key, embedded.c.space_id == space_id)
    old_digest = connection.execute(sa.select(embedded.c.digest).where(older)).scalar()
    if old_digest is not None:
        connection.execute(embedded.delete().where(older))
        removed = combine(content_hash, removed=[(video_id, old_digest)])
        connection.execute(schema.spaces.update().where(schema.spaces.c.id == space_id).values(content_hash=removed))
    query = (
        sa.select(table.c.passage_id, table.c.vector)
        .join(schema.passages)
        .where(schema.passages.c.video_key == key, table.c.space_id == space_id)
    )
    held = connection.execute(query.order_by(table.c.passage_id)).all()
    _insert_vectors(connection, key, video_id, space, vectors, ids, held=held)


def delete_video(connection: sa.Connection, key: int) -> None:
    """Every row of a video, its words and vectors; spaces that nothing uses any more go too."""
    videos, embedded, spaces = schema.videos, schema.embedded, schema.spaces
    video_id, digest = connection.execute(sa.select(videos.c.id, videos.c.digest).where(videos.c.key == key)).one()
    connection.execute(
        sa.text(
            "INSERT INTO passage_fts (passage_fts, rowid, text, title)"
            " SELECT 'delete', id, text, title FROM passage_words WHERE video_key = :key"
        ),
        {"key": key},
    )
    _update_lexical_hash(connection, removed=[(video_id, digest)])
    joined = sa.select(spaces.c.id, spaces.c.content_hash, embedded.c.digest).join(embedded)
    for space_id, content_hash, vectors_digest in connection.execute(joined.where(embedded.c.video_key == key)).all():
        changed = combine(content_hash, removed=[(video_id, vectors_digest)])
        connection.execute(spaces.update().where(spaces.c.id == space_id).values(content_hash=changed))
    connection.execute(videos.delete().where(videos.c.key == key))
    connection.execute(spaces.delete().where(spaces.c.id.not_in(sa.select(embedded.c.space_id))))


def _check(record: VideoRecord) -> None:
    name, count = record.video.title, len(record.passages)
    if (record.space is None) != (record.vectors is None):
        raise UsageError(f"{name!r} has vectors without a space, or a space without vectors; give both or neither")
    if record.space is not None and record.vectors is not None:
        expected = (count, record.space.dimension)
        if record.vectors.shape != expected and count:
            raise UsageError(f"{name!r} has vectors of shape {record.vectors.shape}; expected {expected}")
        if not np.isfinite(record.vectors).all():
            raise UsageError(
                f"{name!r} has a vector that is not finite", hint="the embedding model failed; try another"
            )
    if record.frames is not None:
        shape = record.frames.vectors.shape
        frames = sum(observation.track == FRAME for observation in record.observations)
        if shape != (frames, record.frames.space.dimension) or not np.isfinite(record.frames.vectors).all():
            raise UsageError(f"{name!r} has vectors of shape {shape} for {frames} frames, or no numbers")
    known = range(len(record.observations))
    named = [("passage", passage.observation_ids) for passage in record.passages]
    named += [("section", section.observation_ids) for section in record.sections]
    for kind, positions in named:
        if not all(position in known for position in positions):
            raise UsageError(f"{name!r}: a {kind} names observations {positions} of {len(known)}")


def _insert(connection: sa.Connection, table: sa.Table, key: int, rows: Iterable[Row]) -> None:
    # In batches: SQLAlchemy makes as much again of what it is given at once.
    values = ({**row, "video_key": key} for row in rows)
    while batch := list(islice(values, _ROWS_AT_ONCE)):
        connection.execute(table.insert(), batch)


def _next_id(connection: sa.Connection, table: str) -> int:
    """The id after the largest that `table` ever held; ids are given here because rows refer to each other."""
    query = sa.text("SELECT seq FROM sqlite_sequence WHERE name = :name")
    return int(connection.execute(query, {"name": table}).scalar() or 0) + 1


def _span_row(span: Span) -> Row:
    return {"start": float(span.start_seconds), "end": float(span.end_seconds)}


def _observation_rows(connection: sa.Connection, record: VideoRecord) -> list[Row]:
    first_id = _next_id(connection, "observations")
    return [
        {
            "id": first_id + position,
            **_span_row(observation.span),
            "track": observation.track,
            "text": observation.text,
            "confidence": float(observation.confidence),
            "language": observation.language,
            "attributes": dict(observation.attributes),
        }
        for position, observation in enumerate(record.observations)
    ]


def _passage_rows(connection: sa.Connection, record: VideoRecord, *, first_observation_id: int) -> list[Row]:
    first_id = _next_id(connection, "passages")
    rows: list[Row] = []
    for position, passage in enumerate(record.passages):
        words = index_words(passage.text)
        rows.append(
            {
                "id": first_id + position,
                "clip_index": passage.clip_index,
                **_span_row(passage.span),
                "track": passage.track,
                "text": passage.text,
                "words": None if words == passage.text else words,
                "context": passage.context,
                "observation_ids": [first_observation_id + at for at in passage.observation_ids],
            }
        )
    return rows


def _section_rows(record: VideoRecord, observations: Sequence[Row]) -> list[Row]:
    return [
        {
            "level": section.level,
            **_span_row(section.span),
            "title": section.title,
            "text": section.text,
            "observation_ids": [observations[at]["id"] for at in section.observation_ids],
            "model": section.model,
        }
        for section in record.sections
    ]


def _provenance_rows(connection: sa.Connection, record: VideoRecord, observations: list[Row]) -> list[Row]:
    """One row per distinct provenance; sets `provenance_id` of the observations."""
    next_id = _next_id(connection, "provenances")
    rows: dict[str, Row] = {}
    for observation, row in zip(record.observations, observations, strict=True):
        made = observation.provenance
        values = {
            "stage": made.stage,
            "model": made.model,
            "revision": made.revision,
            "parameters": dict(made.parameters),
            "input_hash": made.input_hash,
        }
        known = rows.setdefault(json.dumps(values, sort_keys=True), {"id": next_id + len(rows), **values})
        row["provenance_id"] = known["id"]
    return list(rows.values())


def content_digest(observations: Iterable[Any], passages: Iterable[Any]) -> str:
    """sha256 of a video's rows in the order of their ids: what `videos.digest` holds and doctor checks again."""
    names = ("id", "start", "end", "track", "text", "confidence", "language", "attributes")
    found = ([row[name] for name in names] for row in observations)
    names_of_passage = ("id", "clip_index", "start", "end", "track", "text", "words", "context", "observation_ids")
    return digest_rows([*found, *([row[name] for name in names_of_passage] for row in passages)])


def vectors_digest(ids: Iterable[int], blobs: Iterable[bytes]) -> str:
    """sha256 of a video's vectors in one space, in the order of their passages."""
    digest = hashlib.sha256()
    for passage_id, blob in zip(ids, blobs, strict=True):
        digest.update(passage_id.to_bytes(8, "little") + blob)
    return digest.hexdigest()


def _insert_vectors(
    connection: sa.Connection,
    key: int,
    video_id: str,
    space: EmbeddingSpace,
    vectors: Vectors,
    ids: list[int],
    *,
    held: Sequence[Any] = (),
) -> None:
    """`held`: (passage id, vector) of those that the video has in this space already; new passages have larger ids."""
    blobs = [vector.tobytes() for vector in vectors.astype(_FLOAT16)]
    space_id, content_hash = _space_row(connection, space)
    table, owner, _ = schema.vectors_of(space.kind)
    rows = [{owner.name: at, "space_id": space_id, "vector": blob} for at, blob in zip(ids, blobs, strict=True)]
    connection.execute(table.insert(), rows)
    digest = vectors_digest([*(row[0] for row in held), *ids], [*(row[1] for row in held), *blobs])
    _insert(connection, schema.embedded, key, [{"space_id": space_id, "digest": digest}])
    changed = combine(content_hash, added=[(video_id, digest)])
    connection.execute(schema.spaces.update().where(schema.spaces.c.id == space_id).values(content_hash=changed))


def _space_row(connection: sa.Connection, space: EmbeddingSpace) -> tuple[int, str]:
    """(id, content hash) of a space, made if it is new."""
    table = schema.spaces
    row = connection.execute(sa.select(table.c.id, table.c.content_hash).where(table.c.key == space.key)).first()
    if row is not None:
        return row.id, row.content_hash
    values = {"model": space.model, "revision": space.revision, "dimension": space.dimension, "kind": space.kind}
    return _new_id(connection.execute(table.insert().values(key=space.key, content_hash=EMPTY, **values))), EMPTY


def _new_id(result: sa.CursorResult[Any]) -> int:
    assert result.inserted_primary_key is not None
    return int(result.inserted_primary_key[0])


def _update_lexical_hash(
    connection: sa.Connection, *, added: Sequence[tuple[str, str]] = (), removed: Sequence[tuple[str, str]] = ()
) -> None:
    """The full-text index changes in the same transaction as the rows, so its entry in `derived` does too."""
    table = schema.derived
    before = connection.execute(sa.select(table.c.content_hash).where(table.c.name == schema.LEXICAL)).scalar()
    record_derived(
        connection,
        name=schema.LEXICAL,
        content_hash=combine(before or EMPTY, added=added, removed=removed),
        detail=FORMAT,
    )


def record_derived(
    connection: sa.Connection,
    *,
    name: str,
    content_hash: str,
    file_name: str = "",
    file_sha256: str = "",
    detail: str = "",
) -> None:
    """Say which content a cache holds now."""
    generation = sa.select(schema.library.c.generation).scalar_subquery()
    connection.execute(schema.derived.delete().where(schema.derived.c.name == name))
    connection.execute(
        schema.derived.insert().values(
            name=name,
            generation=generation,
            content_hash=content_hash,
            file_name=file_name,
            file_sha256=file_sha256,
            detail=detail,
        )
    )


def read_vectors(connection: sa.Connection, space_id: int, *, chunk: int = 65536) -> Iterator[tuple[Ids, Vectors]]:
    """((n,) ids ascending, (n, dimension) float32) in chunks. Raises LibraryDamaged for a vector of another size."""
    spaces = schema.spaces
    dimension, kind = connection.execute(
        sa.select(spaces.c.dimension, spaces.c.kind).where(spaces.c.id == space_id)
    ).one()
    size = dimension * _FLOAT16.itemsize
    table, owner, _ = schema.vectors_of(kind)
    query = sa.select(owner, table.c.vector).where(table.c.space_id == space_id).order_by(owner)
    for part in connection.execution_options(yield_per=chunk).execute(query).partitions():
        ids = np.fromiter((row[0] for row in part), np.int64, len(part))
        blobs = [row[1] for row in part]
        if not all(isinstance(blob, bytes) and len(blob) == size for blob in blobs):
            raise LibraryDamaged(f"a stored vector has not {dimension} dimensions", hint="agentvid doctor --repair")
        yield ids, np.frombuffer(b"".join(blobs), _FLOAT16).astype(np.float32).reshape(len(part), dimension)


def filter_clauses(where: Filter) -> list[sa.ColumnElement[bool]]:
    """Conditions on `passages` for a filter."""
    clauses: list[sa.ColumnElement[bool]] = []
    if where.video_ids:
        keys = sa.select(schema.videos.c.key).where(schema.videos.c.id.in_(json_list(where.video_ids)))
        clauses.append(schema.passages.c.video_key.in_(keys))
    if where.tracks:
        clauses.append(schema.passages.c.track.in_(json_list(where.tracks)))
    if where.within is not None:
        clauses.append(schema.passages.c.start < where.within.end_seconds)
        clauses.append(schema.passages.c.end > where.within.start_seconds)
    return clauses


def json_list(values: Iterable[Any]) -> sa.Select[Any]:
    """Any number of values as one bound parameter: SQLite limits how many a statement may have."""
    return _each(sa.literal(json_text(values)))


#: The name under which a statement that was made before gets its list, as `json_text`.
JSON_LIST = "json_list"


def given_list() -> sa.Select[Any]:
    """`json_list` of values that are given when the statement runs."""
    return _each(sa.bindparam(JSON_LIST))


def json_text(values: Iterable[Any]) -> str:
    return json.dumps(list(values))


def _each(text: sa.ColumnElement[str]) -> sa.Select[Any]:
    return sa.select(sa.func.json_each(text).table_valued("value").c.value)


def span_of(row: Any) -> Span:
    return Span(row.start, row.end)


def observation_of(row: Any, provenances: Mapping[int, Provenance]) -> Observation:
    return Observation(
        span=span_of(row),
        track=row.track,
        text=row.text,
        provenance=provenances[row.provenance_id],
        confidence=row.confidence,
        language=row.language,
        attributes=row.attributes,
        id=row.id,
    )


def provenance_of(row: Any) -> Provenance:
    return Provenance(row.stage, row.model, row.revision, row.parameters, row.input_hash)


def passage_of(row: Any) -> Passage:
    return Passage(
        span=span_of(row),
        track=row.track,
        text=row.text,
        clip_index=row.clip_index,
        observation_ids=tuple(row.observation_ids),
        context=row.context,
        video_id=row.video_id,
        id=row.id,
    )


def section_of(row: Any) -> Section:
    return Section(row.level, span_of(row), row.title, row.text, tuple(row.observation_ids), row.model)


def video_of(row: Any, paths: Sequence[str]) -> Video:
    return Video(
        id=row.id,
        content_hash=row.content_hash,
        title=row.title,
        duration_seconds=row.duration_seconds,
        paths=tuple(paths),
        kind=row.kind,
        media=row.media,
    )


def clip_of(row: Any) -> Clip:
    return Clip(span_of(row), row.index, row.id)


def gap_of(row: Any) -> Gap:
    return Gap(row.video_id, span_of(row), row.track, row.reason)
