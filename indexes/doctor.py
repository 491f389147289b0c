"""Finds what is wrong with a library, and mends what can be made again from the catalogue.

Nothing here opens a cache the way search does: a file is judged by its sha256 before anything parses it, and a
broken full-text index is dropped and built again, never read. Repairing twice does no more than repairing once.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from agentvid.errors import LibraryDamaged, LibraryTooNew
from agentvid.indexes import files, place_file, records, schema, vectors
from agentvid.indexes.base import Filter
from agentvid.indexes.catalogue import Catalogue
from agentvid.indexes.digests import EMPTY, combine
from agentvid.indexes.migrations.m001_create import CREATE_FULL_TEXT
from agentvid.indexes.vectors import Backend

_MEND = "agentvid doctor --repair"


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and the way out."""

    what: str
    hint: str


def examine(directory: Path, *, backend: Backend) -> list[Problem]:
    """Everything wrong with the library, worst first; changes nothing. Raises NotFound if there is no library."""
    try:
        with Catalogue.open(directory, create=False) as catalogue:
            damage = list(_damage(catalogue))
            if damage:
                return damage
            return [
                *_changed_rows(catalogue),
                *_word_index(catalogue),
                *_sums(catalogue),
                *_index_files(catalogue, backend),
                *_videos_without_vectors(catalogue),
                *_missing_files(catalogue),
            ]
    except (LibraryDamaged, LibraryTooNew) as error:
        return [Problem(str(error), error.hint)]


def repair(directory: Path, *, backend: Backend) -> list[str]:
    """Mend what the catalogue can make again; says what was done, which is nothing the second time.

    Videos whose rows changed on the disk are marked, so that the next `agentvid index` makes them again. Raises
    LibraryDamaged if the catalogue itself is broken, LibraryBusy, NotFound.
    """
    done: list[str] = []
    with Catalogue.open(directory, create=False) as catalogue, catalogue.writer():
        _refuse_damaged(catalogue)
        if next(_word_index(catalogue), None):
            _rebuild_words(catalogue)
            _refuse_damaged(catalogue)
            done.append("built the word index again")
        done += _drop_orphans(catalogue)
        done += _mark_changed(catalogue)
        if next(_sums(catalogue), None):
            _recompute_sums(catalogue)
            done.append("computed the content hashes again")
        if next(_index_files(catalogue, backend), None):
            done += _rebuild_files(catalogue, backend)
    return done


def _damage(catalogue: Catalogue) -> Iterator[Problem]:
    """SQLite's own check of the file. What it says of the word index is left to `_word_index`."""
    with catalogue.store.raw() as connection:
        try:
            lines = [line for (line,) in connection.execute("PRAGMA integrity_check(20)")]
        except sqlite3.DatabaseError as error:
            # Newer versions of SQLite have FTS5 check itself here, and stop when it cannot even start.
            lines = [str(error)]
    for line in lines:
        if line != "ok" and "fts" not in line:
            yield Problem(
                f"the catalogue is damaged: {line}",
                "restore a backup, or remove the library's directory and index the videos again",
            )


def _refuse_damaged(catalogue: Catalogue) -> None:
    for problem in _damage(catalogue):
        raise LibraryDamaged(problem.what, hint=problem.hint)


def _changed_rows(catalogue: Catalogue) -> Iterator[Problem]:
    """Rows that are not what was stored, and rows that belong to nothing."""
    with catalogue.store.raw() as connection:
        orphans = len(connection.execute("PRAGMA foreign_key_check").fetchall())
    if orphans:
        yield Problem(f"{orphans} rows belong to no video", _MEND)
    for video in _changed_videos(catalogue):
        first = f"{_MEND}, then " if video.fingerprint else ""
        what = f"text or vectors of {video.title!r} changed on the disk"
        yield Problem(what, f"{first}`agentvid index` the file again")


def _changed_videos(catalogue: Catalogue) -> list[sa.Row[Any, Any, Any, Any]]:
    """(key, title, digest, fingerprint) of videos whose rows or vectors do not have the digest stored with them."""
    with catalogue.store.reading() as connection:
        table = schema.videos
        videos = connection.execute(sa.select(table.c.key, table.c.title, table.c.digest, table.c.fingerprint)).all()
    changed = []
    for video in videos:
        try:
            with catalogue.store.reading() as connection:
                is_same = video.digest == records.stored_digest(connection, video.key)
                is_same = is_same and not _changed_vectors(connection, video.key)
        except (LibraryDamaged, TypeError):  # a value of another type has no digest
            is_same = False
        if not is_same:
            changed.append(video)
    return changed


def _changed_vectors(connection: sa.Connection, key: int) -> bool:
    embedded, spaces = schema.embedded, schema.spaces
    stored = connection.execute(
        sa.select(spaces.c.id, spaces.c.kind, embedded.c.digest).join(embedded).where(embedded.c.video_key == key)
    ).all()
    for space_id, kind, digest in stored:
        found, owner, owners = schema.vectors_of(kind)
        query = (
            sa.select(owner, found.c.vector)
            .join(owners)
            .where(owners.c.video_key == key, found.c.space_id == space_id)
            .order_by(owner)
        )
        rows = connection.execute(query).all()
        if records.vectors_digest([row[0] for row in rows], [row[1] for row in rows]) != digest:
            return True
    return False


def _word_index(catalogue: Catalogue) -> Iterator[Problem]:
    """FTS5's comparison of its index with the words; in a read-only library only the counts."""
    with catalogue.store.raw() as connection:
        try:
            indexed = connection.execute("SELECT count(*) FROM passage_fts_docsize").fetchone()[0]
            passages = connection.execute("SELECT count(*) FROM passages").fetchone()[0]
            is_whole = indexed == passages
            if catalogue.store.is_writable:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("INSERT INTO passage_fts (passage_fts, rank) VALUES ('integrity-check', 1)")
                connection.execute("ROLLBACK")
        except sqlite3.DatabaseError as error:
            if "locked" in str(error):
                raise
            is_whole = False
    if not is_whole:
        yield Problem("the word index does not match the words", _MEND)


def _sums(catalogue: Catalogue) -> Iterator[Problem]:
    with catalogue.store.reading() as connection:
        if _sums_stored(connection) != _sums_now(connection):
            yield Problem("the content hashes do not match the content", _MEND)


def _sums_stored(connection: sa.Connection) -> dict[str, str]:
    derived, spaces = schema.derived, schema.spaces
    lexical = connection.execute(sa.select(derived.c.content_hash).where(derived.c.name == schema.LEXICAL)).scalar()
    of_spaces = connection.execute(sa.select(spaces.c.key, spaces.c.content_hash))
    return {schema.LEXICAL: lexical or EMPTY, **{row[0]: row[1] for row in of_spaces}}


def _sums_now(connection: sa.Connection) -> dict[str, str]:
    videos, embedded, spaces = schema.videos, schema.embedded, schema.spaces
    pairs = [(row[0], row[1]) for row in connection.execute(sa.select(videos.c.id, videos.c.digest))]
    sums = {schema.LEXICAL: combine(EMPTY, added=pairs)}
    for space_id, key in connection.execute(sa.select(spaces.c.id, spaces.c.key)).all():
        query = sa.select(videos.c.id, embedded.c.digest).join(embedded).where(embedded.c.space_id == space_id)
        sums[key] = combine(EMPTY, added=[(row[0], row[1]) for row in connection.execute(query)])
    return sums


def _index_files(catalogue: Catalogue, backend: Backend) -> Iterator[Problem]:
    """Cache files that are missing, stale, damaged or nobody's."""
    with catalogue.store.reading() as connection:
        rows = connection.execute(sa.select(schema.derived).where(schema.derived.c.name != schema.LEXICAL)).all()
        current = {row.name: _content_hash(connection, row.name) for row in rows}
    for row in rows:
        kind = "ranking file" if place_file.is_ranking(row.name) else "vector index"
        path = catalogue.directory / row.file_name
        if not path.is_file():
            yield Problem(f"the {kind} {row.file_name} is missing", _MEND)
        elif not files.has_hash(path, row.file_sha256):
            yield Problem(f"the {kind} {row.file_name} is damaged", _MEND)
        elif current[row.name] != row.content_hash:
            yield Problem(f"the {kind} {row.file_name} is out of date", _MEND)
    known = {row.name for row in rows}
    for space in [*catalogue.spaces(), *catalogue.spaces("frames")]:
        if backend.derived_name(space) not in known:
            yield Problem(f"no {backend.name} index of {space.model} is on file", _MEND)
    for space in catalogue.spaces():
        if place_file.derived_name(space) not in known:
            yield Problem(f"no ranking file for {space.model} is there", _MEND)
    if not catalogue.spaces() and len(catalogue.passage_ids(Filter())) and place_file.derived_name(None) not in known:
        yield Problem("no ranking file is there", _MEND)
    for path in files.leftovers(catalogue):
        yield Problem(f"{path.name} belongs to no index", _MEND)


def _content_hash(connection: sa.Connection, name: str) -> str | None:
    """What the cache of this name should have been built from."""
    if place_file.is_ranking(name):
        return place_file.content_hash(connection, name)
    table = schema.spaces
    found: str | None = connection.execute(
        sa.select(table.c.content_hash).where(table.c.key == vectors.space_key_of(name))
    ).scalar()
    return found


def _videos_without_vectors(catalogue: Catalogue) -> Iterator[Problem]:
    """Videos that search by meaning cannot see, although the library has vectors of others."""
    with catalogue.store.reading() as connection:
        with_passages = sa.select(schema.passages.c.video_key).distinct()
        embedded = sa.select(schema.embedded.c.video_key).join(schema.spaces).where(schema.spaces.c.kind == "text")
        query = sa.select(schema.videos.c.title).where(
            schema.videos.c.key.in_(with_passages), schema.videos.c.key.not_in(embedded)
        )
        blind = connection.execute(query).scalars().all() if connection.execute(embedded.limit(1)).first() else []
    if blind:
        names = ", ".join(blind[:3]) + (", ..." if len(blind) > 3 else "")
        yield Problem(
            f"{len(blind)} videos have no vectors, so that search finds them by words only: {names}",
            "`agentvid index` them again with embed = true",
        )
    spaces = catalogue.spaces()
    if len(spaces) > 1:
        models = ", ".join(space.key for space in spaces)
        yield Problem(
            f"the library holds vectors of {len(spaces)} models, each blind to the other's videos: {models}",
            "`agentvid index` all videos again with one embedder",
        )


def _missing_files(catalogue: Catalogue) -> Iterator[Problem]:
    for video in catalogue.videos():
        for path in video.paths:
            if not os.path.exists(path):
                yield Problem(
                    f"the video file {path} is not there",
                    "mount its disk, `agentvid index` its new place, or `agentvid rm` it",
                )


def _rebuild_words(catalogue: Catalogue) -> None:
    """Drop the index and make it from the passages."""
    with catalogue.store.raw() as connection:
        try:
            connection.execute("DROP TABLE IF EXISTS passage_fts")
        except sqlite3.DatabaseError:
            # FTS5 cannot even open what is left: take its name out of the schema, then its tables one by one.
            connection.execute("PRAGMA writable_schema = ON")
            connection.execute("DELETE FROM sqlite_schema WHERE name = 'passage_fts'")
            connection.execute("PRAGMA writable_schema = RESET")
        connection.execute("BEGIN IMMEDIATE")
        for part in ("data", "idx", "docsize", "config"):
            connection.execute(f"DROP TABLE IF EXISTS passage_fts_{part}")
        connection.execute(CREATE_FULL_TEXT)
        connection.execute("INSERT INTO passage_fts (passage_fts) VALUES ('rebuild')")
        connection.execute("COMMIT")


def _drop_orphans(catalogue: Catalogue) -> list[str]:
    """Delete rows whose parent is gone, until none is left: a deleted row may have been a parent."""
    count = 0
    with catalogue.store.raw() as connection:
        connection.execute("BEGIN IMMEDIATE")
        while orphans := connection.execute("PRAGMA foreign_key_check").fetchall():
            for table, rowid, _, _ in orphans:
                count += _delete_orphan(connection, table, rowid)
        connection.execute("COMMIT")
    return [f"removed {count} rows that belonged to no video"] if count else []


def _delete_orphan(connection: sqlite3.Connection, table: str, rowid: Any) -> int:
    # Tables without rowid do not tell which row it is; they have only the one parent that can be missing.
    conditions = {
        "vectors": "passage_id NOT IN (SELECT id FROM passages) OR space_id NOT IN (SELECT id FROM spaces)",
        "frame_vectors": (
            "observation_id NOT IN (SELECT id FROM observations) OR space_id NOT IN (SELECT id FROM spaces)"
        ),
        "embedded": "video_key NOT IN (SELECT key FROM videos) OR space_id NOT IN (SELECT id FROM spaces)",
    }
    condition = conditions.get(table, "rowid = ?")
    parameters = () if table in conditions else (rowid,)
    return connection.execute(f"DELETE FROM {table} WHERE {condition}", parameters).rowcount


def _mark_changed(catalogue: Catalogue) -> list[str]:
    unmarked = [video for video in _changed_videos(catalogue) if video.fingerprint]
    with catalogue.store.writing(is_new_generation=False) as connection:
        for video in unmarked:
            connection.execute(schema.videos.update().where(schema.videos.c.key == video.key).values(fingerprint=""))
            connection.execute(schema.stages.delete().where(schema.stages.c.video_key == video.key))
    return [f"marked {video.title!r} to be indexed again" for video in unmarked]


def _recompute_sums(catalogue: Catalogue) -> None:
    with catalogue.store.writing() as connection:
        for key, content_hash in _sums_now(connection).items():
            if key == schema.LEXICAL:
                update: sa.Update = schema.derived.update().where(schema.derived.c.name == schema.LEXICAL)
            else:
                update = schema.spaces.update().where(schema.spaces.c.key == key)
            connection.execute(update.values(content_hash=content_hash))


def _rebuild_files(catalogue: Catalogue, backend: Backend) -> list[str]:
    """Forget every cache file and publish those of each space."""
    with catalogue.store.writing(is_new_generation=False) as connection:
        connection.execute(schema.derived.delete().where(schema.derived.c.name != schema.LEXICAL))
    done = []
    for path in files.leftovers(catalogue):
        path.unlink(missing_ok=True)
        done.append(f"removed {path.name}")
    spaces = catalogue.spaces()
    for space in spaces:
        vectors.publish(catalogue, space, backend)
        place_file.publish_places(catalogue, space)
        done.append(f"built the vector index and the ranking file of {space.model} again")
    for space in catalogue.spaces("frames"):
        vectors.publish(catalogue, space, backend)
        done.append(f"built the index of frames of {space.model} again")
    if not spaces:
        place_file.publish_places(catalogue, None)
        done.append("built the ranking file again")
    return done
