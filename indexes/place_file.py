"""The ranking file: `Places` of one state of the catalogue, built from it, kept beside it, never the truth.

As the vector index, it is written aside, synced, renamed and entered in `derived` with its sha256; whatever is
missing, stale or damaged is built again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

import sqlalchemy as sa

from agentvid.errors import LibraryDamaged, LibraryError
from agentvid.indexes import files, records, schema
from agentvid.indexes.base import Ids
from agentvid.indexes.catalogue import Catalogue
from agentvid.indexes.digests import EMPTY
from agentvid.indexes.places import PlaceRow, Places, make_places
from agentvid.models.base import EmbeddingSpace, Vectors

#: What a file holds; raise the number when `Places` or the stems in it change.
_FORMAT = "places 3"
_WORDS_ONLY = "words"
_PREFIX = "ranking "


def derived_name(space: EmbeddingSpace | None) -> str:
    """The row of this file in the table `derived`."""
    return _PREFIX + (space.key if space else _WORDS_ONLY)


def content_hash(connection: sa.Connection, name: str) -> str | None:
    """What the file of this derived name must have been built from, or None if nothing wants it any more."""
    derived, spaces = schema.derived, schema.spaces
    words = connection.execute(sa.select(derived.c.content_hash).where(derived.c.name == schema.LEXICAL)).scalar()
    vectors = connection.execute(
        sa.select(spaces.c.content_hash).where(spaces.c.key == name.removeprefix(_PREFIX))
    ).scalar()
    if vectors is None and name != derived_name(None):
        return None
    return hashlib.sha256(f"{_FORMAT} {words or EMPTY} {vectors or EMPTY}".encode()).hexdigest()


def open_places(catalogue: Catalogue, space: EmbeddingSpace | None) -> Places:
    """The places of what the catalogue holds now; what had to be built is kept, if nobody else is writing."""
    return publish_places(catalogue, space, lock_timeout_seconds=0.0)


def publish_places(
    catalogue: Catalogue, space: EmbeddingSpace | None, *, lock_timeout_seconds: float | None = None
) -> Places:
    """Build the places and put their file beside the catalogue, unless it lies there already."""
    name = derived_name(space)
    with catalogue.store.reading() as connection:
        row = connection.execute(sa.select(schema.derived).where(schema.derived.c.name == name)).first()
        current = content_hash(connection, name)
    if row is not None and row.content_hash == current:
        data = files.read_known(catalogue.directory / row.file_name, row.file_sha256)
        if data is not None:
            try:
                return Places.from_bytes(data)
            except LibraryDamaged:
                pass  # Another version of agentvid wrote it; it is only a cache.
    places, generation, built_from = _build(catalogue, space)
    if catalogue.store.is_writable and built_from is not None:
        try:
            with catalogue.store.writer(lock_timeout_seconds):
                _write(catalogue, name, places, generation, built_from)
        except LibraryDamaged:
            raise
        except (LibraryError, OSError):
            pass  # As for vectors: a cache that could not be kept costs time at the next search; doctor reports it.
    return places


def _build(catalogue: Catalogue, space: EmbeddingSpace | None) -> tuple[Places, int, str | None]:
    """(places, generation, content hash) of one snapshot."""
    table, videos = schema.passages, schema.videos
    with catalogue.store.reading() as connection:
        generation = connection.execute(sa.select(schema.library.c.generation)).scalar_one()
        known = connection.execute(sa.select(videos.c.key, videos.c.id, videos.c.title).order_by(videos.c.key)).all()
        number = {row.key: at for at, row in enumerate(known)}
        query = sa.select(table.c.id, table.c.video_key, table.c.track, table.c.start, table.c.end, table.c.text)
        passages = [
            PlaceRow(row.id, number[row.video_key], row.track, row.start, row.end, row.text)
            for row in connection.execute(query.order_by(table.c.id))
        ]
        titles = [(row.id, row.title) for row in known]
        languages = connection.execute(sa.select(schema.observations.c.language).distinct()).scalars().all()
        try:
            dimension = space.dimension if space else 0
            places = make_places(titles, passages, _vectors(connection, space), dimension, languages)
        except (TypeError, ValueError) as error:
            # Nothing wrong was ever stored: a value of another type was changed on the disk.
            raise LibraryDamaged(f"a passage cannot be read: {error}", hint="agentvid doctor") from error
        return places, generation, content_hash(connection, derived_name(space))


def _vectors(
    connection: sa.Connection, space: EmbeddingSpace | None
) -> Callable[[], Iterator[tuple[Ids, Vectors]]] | None:
    if space is None:
        return None
    query = sa.select(schema.spaces.c.id).where(schema.spaces.c.key == space.key)
    space_id = connection.execute(query).scalar()
    if space_id is None:
        return None
    return lambda: records.read_vectors(connection, space_id)


def _write(catalogue: Catalogue, name: str, places: Places, generation: int, built_from: str) -> None:
    label = hashlib.sha256(name.encode()).hexdigest()[:8]
    path = catalogue.directory / f"ranking-{label}-{generation}.npz"
    data = places.to_bytes()
    sha256 = files.save(lambda aside: aside.write_bytes(data), path)
    with catalogue.store.writing(is_new_generation=False) as connection:
        _forget_stale(connection)
        records.record_derived(
            connection,
            name=name,
            content_hash=built_from,
            file_name=path.name,
            file_sha256=sha256,
            detail=f"{places.count} passages",
        )
    for leftover in files.leftovers(catalogue):
        leftover.unlink(missing_ok=True)


def _forget_stale(connection: sa.Connection) -> None:
    """Drop entries of other content: of spaces that no video uses any more, and of searches by words only."""
    table = schema.derived
    query = sa.select(table.c.name, table.c.content_hash).where(table.c.name.startswith(_PREFIX))
    for name, built_from in connection.execute(query).all():
        if content_hash(connection, name) != built_from:
            connection.execute(table.delete().where(table.c.name == name))


def is_ranking(name: str) -> bool:
    """Whether a row of `derived` is a ranking file."""
    return name.startswith(_PREFIX)
