"""The only truth: videos, observations, passages and their vectors in one SQLite file.

A video's rows, words and vectors commit in one transaction, so that whatever is found is whole. Everything else in
the directory is a cache that can be thrown away.
"""

from __future__ import annotations

import difflib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import sqlalchemy as sa

from agentvid.errors import AmbiguousVideo, NotSaved, UnknownVideo
from agentvid.indexes import migrations, records, schema
from agentvid.indexes.base import Filter, Ids, VideoRecord
from agentvid.indexes.digests import EMPTY
from agentvid.indexes.lexical import LexicalIndex
from agentvid.indexes.results import ModelResults, forget_results
from agentvid.indexes.store import Store
from agentvid.models.base import EmbeddingSpace, SpaceKind, Vectors
from agentvid.types import Clip, Gap, Observation, Passage, Section, Span, Video

#: Every search asks the first two and every answer the others; making a statement costs more than SQLite takes to
#: answer it.
_PASSAGES = (
    sa.select(schema.passages, schema.videos.c.id.label("video_id"))
    .join(schema.videos)
    .where(schema.passages.c.id.in_(records.given_list()))
)
_CONTENT_HASHES = sa.select(
    sa.select(schema.derived.c.content_hash).where(schema.derived.c.name == schema.LEXICAL).scalar_subquery(),
    sa.select(schema.spaces.c.content_hash).where(schema.spaces.c.key == sa.bindparam("space")).scalar_subquery(),
)
_TRACK_HOLDERS = (
    sa.select(schema.observations.c.track, sa.func.count(schema.observations.c.video_key.distinct()))
    .join(schema.videos)
    .where(schema.videos.c.id.in_(records.given_list()))
    .group_by(schema.observations.c.track)
    .order_by(schema.observations.c.track)
)
_GAPS = (
    sa.select(schema.gaps, schema.videos.c.id.label("video_id"))
    .join(schema.videos)
    .order_by(schema.gaps.c.video_key, schema.gaps.c.start)
)
_GAPS_OF = _GAPS.where(schema.videos.c.id.in_(records.given_list()))


@dataclass(frozen=True, slots=True)
class Summary:
    """One line of `ls`. `tracks` counts observations; `state` is "ready", "partial" (gaps) or "missing" (no file)."""

    video: Video
    clips: int
    tracks: dict[str, int]
    state: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that could not be indexed, as of its last of `attempts` attempts."""

    path: str
    content_hash: str | None
    error_class: str
    message: str
    hint: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Total:
    """How much the library holds."""

    videos: int
    seconds: float
    clips: int
    observations: int
    passages: int
    size_bytes: int


class Catalogue:
    """One library. Safe to share between threads; one process writes at a time, any number read.

    Every method may raise LibraryDamaged or LibraryError; those that write, also LibraryBusy.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.lexical = LexicalIndex(store)
        self.results = ModelResults(store)

    @classmethod
    def open(cls, directory: Path, *, create: bool = True, lock_timeout_seconds: float = 30.0) -> Catalogue:
        """Open the library in `directory`; with `create`, make it if it is not there.

        Raises NotFound without `create`, LibraryTooNew, LibraryDamaged, LibraryBusy.
        """
        return cls(Store(directory, create=create, lock_timeout_seconds=lock_timeout_seconds))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.store.close()

    @property
    def directory(self) -> Path:
        return self.store.directory

    # Writing: each method is one transaction.

    def writer(self) -> AbstractContextManager[None]:
        """Keep other writers out for several transactions in a row. Raises LibraryBusy, LibraryError."""
        return self.store.writer()

    def put_video(self, record: VideoRecord, *, replaces: Sequence[str] = ()) -> None:
        """Store a video in place of any older version of it and of the videos in `replaces`.

        Its paths are taken from whatever video had them; a file video that loses its last path goes with it, since
        that content is no longer there. Paths at which the same content was known before stay. Raises UsageError if
        the record contradicts itself.
        """
        video = record.video
        with self.store.writing() as connection:
            kept = [path for path in _paths_of(connection, video.id) if path not in video.paths]
            for video_id in {video.id, *replaces}:
                _delete(connection, video_id)
            for path in video.paths:
                _release(connection, path)
            records.insert_video(connection, record, [*video.paths, *kept])

    def add_rows(self, record: VideoRecord) -> None:
        """Store the observations, passages and vectors of `record` beside those that its video has already.

        Nothing else of the record counts. Raises UnknownVideo, UsageError if the record contradicts itself.
        """
        with self.store.writing() as connection:
            records.add_rows(connection, _key_of(connection, record.video.id), record)

    def add_path(self, video_id: str, path: str) -> None:
        """The same content lies at `path` too. Raises UnknownVideo."""
        with self.store.writing() as connection:
            key = _key_of(connection, video_id)
            if path not in _paths_of(connection, video_id):
                _release(connection, path)
                connection.execute(schema.paths.insert().values(path=path, video_key=key))

    def move_path(self, old: str, new: str) -> None:
        """The file at `old` lies at `new` now. Raises UnknownVideo if no video has `old`."""
        if old == new:
            return
        with self.store.writing() as connection:
            at_old = sa.select(schema.paths.c.video_key).where(schema.paths.c.path == old)
            key = connection.execute(at_old).scalar()
            if key is None:
                raise _unknown(old, [])
            connection.execute(schema.paths.delete().where(schema.paths.c.path == old))
            _release(connection, new, spared_key=key)
            connection.execute(schema.paths.insert().values(path=new, video_key=key))

    def remove_video(self, video_id: str) -> None:
        """Forget a video and everything about it, what models said of it too. Raises UnknownVideo."""
        with self.store.writing() as connection:
            key = _key_of(connection, video_id)
            failed = schema.failures.c.path.in_(_paths_of(connection, video_id))
            connection.execute(schema.failures.delete().where(failed))
            content = sa.select(schema.videos.c.content_hash).where(schema.videos.c.key == key)
            forget_results(connection, connection.execute(content).scalar_one())
            records.delete_video(connection, key)

    def forget_path(self, path: str) -> None:
        """Forget a file and its failures; a video without another path goes with it. Unknown paths are ignored."""
        with self.store.writing() as connection:
            _release(connection, path)

    def record_failure(
        self, path: str, content_hash: str | None, error_class: str, message: str, hint: str = ""
    ) -> None:
        """Remember that a file failed; the same content failing again counts as another attempt."""
        table = schema.failures
        with self.store.writing(is_new_generation=False) as connection:
            before = connection.execute(sa.select(table).where(table.c.path == path)).first()
            attempts = before.attempts + 1 if before is not None and before.content_hash == content_hash else 1
            connection.execute(table.delete().where(table.c.path == path))
            connection.execute(
                table.insert().values(
                    path=path,
                    content_hash=content_hash,
                    error_class=error_class,
                    message=message,
                    hint=hint,
                    attempts=attempts,
                )
            )

    def backup(self, destination: Path) -> None:
        """A point-in-time copy of the catalogue, made while others read and write; caches are not copied."""
        with self.store.raw() as connection:
            try:
                migrations.back_up(connection, destination)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode not in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE):
                    raise
                # Of the two files only the copy is written.
                reason = f"the copy of {self.store.path} cannot be written: {error}"
                raise NotSaved(reason, hint="free some disk space, or choose another folder") from None

    # Reading: each method is one snapshot.

    @property
    def generation(self) -> int:
        """Grows with every transaction that changes what can be found."""
        with self.store.reading() as connection:
            return int(connection.execute(sa.select(schema.library.c.generation)).scalar_one())

    def videos(self) -> list[Video]:
        """All videos in the order in which they were added."""
        with self.store.reading() as connection:
            return _videos(connection, sa.true())

    def video(self, video_id: str) -> Video:
        """Raises UnknownVideo."""
        with self.store.reading() as connection:
            found = _videos(connection, schema.videos.c.id == video_id)
        if not found:
            raise _unknown(video_id, [])
        return found[0]

    def find_video(self, reference: str) -> Video:
        """The video meant by an id, a path, a file or import name, a file name without suffix, or an id's beginning.

        The first of these that fits anything decides; an id's beginning has at least 4 characters. Raises UnknownVideo
        with near names, or why the file of this name could not be indexed, or AmbiguousVideo with the candidates.
        """
        everything = self.videos()
        found = next(filter(None, _matches(everything, reference)), [])
        if len(found) == 1:
            return found[0]
        if not found:
            if failure := self.find_failure(reference):
                raise UnknownVideo(f"{reference!r} could not be indexed: {failure.message}", hint=failure.hint)
            raise _unknown(reference, everything)
        candidates = "; ".join(f"{video.id[:12]} {video.name}" for video in found)
        raise AmbiguousVideo(f"{reference!r} fits {len(found)} videos: {candidates}", hint="give an id or a whole path")

    def find_hash(self, content_hash: str) -> Video | None:
        """The video with this content, if it is known."""
        with self.store.reading() as connection:
            return next(iter(_videos(connection, schema.videos.c.content_hash == content_hash)), None)

    def find_path(self, path: str) -> Video | None:
        """The video that lies at this absolute path, if it is known."""
        keys = sa.select(schema.paths.c.video_key).where(schema.paths.c.path == path)
        with self.store.reading() as connection:
            return next(iter(_videos(connection, schema.videos.c.key.in_(keys))), None)

    def fingerprint(self, video_id: str) -> str | None:
        """What the video was made from, or None if it is unknown."""
        with self.store.reading() as connection:
            query = sa.select(schema.videos.c.fingerprint).where(schema.videos.c.id == video_id)
            found: str | None = connection.execute(query).scalar()
        return found

    def stages(self, video_id: str) -> dict[str, str]:
        """The key of every stage that is whole, by its name; nothing for a video that is unknown."""
        table = schema.stages
        query = sa.select(table.c.stage, table.c.key).where(table.c.video_key == _key_query(video_id))
        with self.store.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def observations(
        self, video_id: str, *, within: Span | None = None, tracks: Sequence[str] = ()
    ) -> list[Observation]:
        """A video's observations by start; with `within`, those that overlap it."""
        table = schema.observations
        clauses = [table.c.video_key == _key_query(video_id)]
        if within is not None:
            clauses += [table.c.start < within.end_seconds, table.c.end > within.start_seconds]
        if tracks:
            clauses.append(table.c.track.in_(records.json_list(tracks)))
        with self.store.reading() as connection:
            return _observations(connection, *clauses)

    def observations_by_id(self, ids: Iterable[int]) -> list[Observation]:
        """Observations of any videos, by start; unknown ids are left out."""
        with self.store.reading() as connection:
            return _observations(connection, schema.observations.c.id.in_(records.json_list(map(int, ids))))

    def clips(self, video_id: str) -> list[Clip]:
        return self._of_video(schema.clips, video_id, records.clip_of)

    def shots(self, video_id: str) -> list[Span]:
        return self._of_video(schema.shots, video_id, records.span_of)

    def sections(self, video_id: str) -> list[Section]:
        """The chapters of a video in order, then the whole; nothing for one indexed before there were any."""
        table = schema.sections
        query = sa.select(table).where(table.c.video_key == _key_query(video_id)).order_by(table.c.level, table.c.start)
        with self.store.reading() as connection:
            return [records.section_of(row) for row in connection.execute(query)]

    def passages(self, ids: Iterable[int]) -> dict[int, Passage]:
        """Passages by id; unknown ids are left out."""
        wanted = {records.JSON_LIST: records.json_text(map(int, ids))}
        with self.store.reading() as connection:
            return {row.id: records.passage_of(row) for row in connection.execute(_PASSAGES, wanted)}

    def passage_ids(self, where: Filter) -> Ids:
        """Ids of the passages that a filter keeps, ascending."""
        query = sa.select(schema.passages.c.id).where(*records.filter_clauses(where)).order_by(schema.passages.c.id)
        with self.store.reading() as connection:
            return np.array(connection.execute(query).scalars().all(), dtype=np.int64)

    def track_holders(self, video_ids: Iterable[str]) -> dict[str, int]:
        """How many of the videos have each track, by the track's name."""
        wanted = {records.JSON_LIST: records.json_text(video_ids)}
        with self.store.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(_TRACK_HOLDERS, wanted)}

    def summaries(self, video_id: str = "") -> list[Summary]:
        """Every video, or this one, with its counts, in the order in which they were added."""
        chosen = schema.videos.c.id == video_id if video_id else sa.true()
        with self.store.reading() as connection:
            videos = _videos(connection, chosen)
            clips = dict(_count_by_video(connection, chosen, schema.clips))
            gaps = dict(_count_by_video(connection, chosen, schema.gaps))
            tracks: dict[str, dict[str, int]] = {}
            observations = schema.observations
            for found_id, track, count in _count_by_video(connection, chosen, observations, observations.c.track):
                tracks.setdefault(found_id, {})[track] = count
        return [
            Summary(video, clips.get(video.id, 0), tracks.get(video.id, {}), _state(video, has_gaps=video.id in gaps))
            for video in videos
        ]

    def failures(self) -> list[Failure]:
        """Files that could not be indexed, by path."""
        with self.store.reading() as connection:
            return [Failure(*row) for row in connection.execute(sa.select(schema.failures).order_by("path"))]

    def find_failure(self, reference: str) -> Failure | None:
        """The file that could not be indexed, by its path, or by its name where only one has it."""
        failures = self.failures()
        places = _places(reference)
        found = [failure for failure in failures if failure.path in places]
        found = found or [failure for failure in failures if Path(failure.path).name == reference]
        return found[0] if len(found) == 1 else None

    def gaps(self, video_ids: Sequence[str] = ()) -> list[Gap]:
        """Spans that a track should have read and did not; no ids mean all videos."""
        query, wanted = (_GAPS_OF, {records.JSON_LIST: records.json_text(video_ids)}) if video_ids else (_GAPS, {})
        with self.store.reading() as connection:
            return [records.gap_of(row) for row in connection.execute(query, wanted)]

    def spaces(self, kind: SpaceKind = "text") -> list[EmbeddingSpace]:
        """Embedding spaces in which passages, or frames, have vectors."""
        table = schema.spaces
        columns = (table.c.model, table.c.revision, table.c.dimension, table.c.kind)
        query = sa.select(*columns).where(table.c.kind == kind).order_by(table.c.id)
        with self.store.reading() as connection:
            return [EmbeddingSpace(*row) for row in connection.execute(query)]

    def content_hash(self, space: EmbeddingSpace) -> str:
        """What vectors the catalogue holds in a space, as a hash that no order of adding changes."""
        table = schema.spaces
        with self.store.reading() as connection:
            found = connection.execute(sa.select(table.c.content_hash).where(table.c.key == space.key)).scalar()
        return found or EMPTY

    def content_hashes(self, space: EmbeddingSpace | None) -> tuple[str, str]:
        """What the library holds now: (hash of all words, hash of the vectors of `space`, "" without one)."""
        with self.store.reading() as connection:
            row = connection.execute(_CONTENT_HASHES, {"space": space.key if space else ""}).one()
        return row[0] or EMPTY, row[1] or ""

    def iter_vectors(self, space: EmbeddingSpace) -> Iterator[tuple[Ids, Vectors]]:
        """((n,) ids ascending, (n, dimension) float32) in chunks of one snapshot; nothing for an unknown space."""
        with self.store.reading() as connection:
            query = sa.select(schema.spaces.c.id).where(schema.spaces.c.key == space.key)
            space_id = connection.execute(query).scalar()
            if space_id is not None:
                yield from records.read_vectors(connection, space_id)

    def total(self) -> Total:
        """How much there is, counted."""
        with self.store.reading() as connection:
            seconds = connection.execute(sa.select(sa.func.total(schema.videos.c.duration_seconds))).scalar_one()
            tables = (schema.videos, schema.clips, schema.observations, schema.passages)
            videos, clips, observations, passages = (
                connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() for table in tables
            )
        size_bytes = 0
        for file in self.directory.iterdir():
            with suppress(FileNotFoundError):  # an index file may just have been replaced
                size_bytes += file.stat().st_size
        return Total(videos, float(seconds), clips, observations, passages, size_bytes)

    def _of_video(self, table: sa.Table, video_id: str, value_of: Any) -> list[Any]:
        query = sa.select(table).where(table.c.video_key == _key_query(video_id)).order_by(table.c.start)
        with self.store.reading() as connection:
            return [value_of(row) for row in connection.execute(query)]


def _key_query(video_id: str) -> sa.ScalarSelect[int]:
    return sa.select(schema.videos.c.key).where(schema.videos.c.id == video_id).scalar_subquery()


def _key_of(connection: sa.Connection, video_id: str) -> int:
    key = connection.execute(sa.select(schema.videos.c.key).where(schema.videos.c.id == video_id)).scalar()
    if key is None:
        raise _unknown(video_id, [])
    return int(key)


def _paths_of(connection: sa.Connection, video_id: str) -> list[str]:
    query = sa.select(schema.paths.c.path).where(schema.paths.c.video_key == _key_query(video_id))
    return list(connection.execute(query.order_by(sa.text("rowid"))).scalars())


def _delete(connection: sa.Connection, video_id: str) -> None:
    key = connection.execute(sa.select(schema.videos.c.key).where(schema.videos.c.id == video_id)).scalar()
    if key is not None:
        records.delete_video(connection, key)


def _release(connection: sa.Connection, path: str, *, spared_key: int | None = None) -> None:
    """Take a path and its failure out; a video left without a path goes too, unless it is `spared_key`."""
    table = schema.paths
    connection.execute(schema.failures.delete().where(schema.failures.c.path == path))
    key = connection.execute(sa.select(table.c.video_key).where(table.c.path == path)).scalar()
    if key is None:
        return
    connection.execute(table.delete().where(table.c.path == path))
    others = connection.execute(
        sa.select(sa.func.count()).select_from(table).where(table.c.video_key == key)
    ).scalar_one()
    if not others and key != spared_key:
        records.delete_video(connection, key)


def _videos(connection: sa.Connection, clause: sa.ColumnElement[bool]) -> list[Video]:
    table = schema.videos
    paths: dict[int, list[str]] = {}
    chosen = sa.select(table.c.key).where(clause)
    query = sa.select(schema.paths.c.video_key, schema.paths.c.path).where(schema.paths.c.video_key.in_(chosen))
    for key, path in connection.execute(query.order_by(sa.text("rowid"))):
        paths.setdefault(key, []).append(path)
    rows = connection.execute(sa.select(table).where(clause).order_by(table.c.key))
    return [records.video_of(row, paths.get(row.key, ())) for row in rows]


def _observations(connection: sa.Connection, *clauses: sa.ColumnElement[bool]) -> list[Observation]:
    table, made = schema.observations, schema.provenances
    used = sa.select(table.c.provenance_id).where(*clauses)
    provenances = {
        row.id: records.provenance_of(row) for row in connection.execute(sa.select(made).where(made.c.id.in_(used)))
    }
    rows = connection.execute(sa.select(table).where(*clauses).order_by(table.c.start, table.c.id))
    return [records.observation_of(row, provenances) for row in rows]


def _count_by_video(
    connection: sa.Connection, chosen: sa.ColumnElement[bool], table: sa.Table, *columns: sa.Column[Any]
) -> list[tuple[Any, ...]]:
    counts = sa.select(schema.videos.c.id, *columns, sa.func.count())
    query = counts.join(table, table.c.video_key == schema.videos.c.key).where(chosen)
    return [tuple(row) for row in connection.execute(query.group_by(table.c.video_key, *columns).order_by(*columns))]


def _state(video: Video, *, has_gaps: bool) -> str:
    if video.kind == "file" and not any(os.path.exists(path) for path in video.paths):
        return "missing"
    return "partial" if has_gaps else "ready"


def _matches(videos: list[Video], reference: str) -> Iterator[list[Video]]:
    """Videos that fit, by one way of naming them after the other."""
    places = _places(reference)
    yield [video for video in videos if video.id == reference]
    yield [video for video in videos if places & set(video.paths)]
    yield [video for video in videos if reference in _names(video)]
    yield [video for video in videos if reference in {Path(path).stem for path in video.paths}]
    if len(reference) >= 4:
        yield [video for video in videos if video.id.startswith(reference.lower())]


def _places(reference: str) -> set[str]:
    """The paths that a reference may mean."""
    return {reference, os.path.abspath(reference), os.path.realpath(reference)}


def _names(video: Video) -> set[str]:
    return {video.title, *(Path(path).name for path in video.paths)}


def _unknown(reference: str, videos: list[Video]) -> UnknownVideo:
    names = sorted({name for video in videos for name in _names(video)})
    holding = [name for name in names if reference and reference.casefold() in name.casefold()]
    near = holding[:3] or difflib.get_close_matches(reference, names, n=3, cutoff=0.4)
    hint = f"near: {', '.join(near)}" if near else "`agentvid ls` lists the videos"
    return UnknownVideo(f"no video is called {reference!r}", hint=hint)
