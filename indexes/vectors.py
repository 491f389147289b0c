"""The vector index file: chosen, built from the catalogue, published, and loaded only if the catalogue knows its hash.

A file belongs to one state of the catalogue's vectors. It is written aside, synced, renamed, and only then entered in
the table `derived` with its sha256; whatever is missing, stale or damaged is built again from the catalogue.

With FAISS, a space of more than `Backend.exact_up_to` vectors gets two files: the codes of a first pass (`.pq`), and
the float16 rows that score what it leaves (`.f16`), mapped into memory. They grow from the stale ones; the codes are
learnt anew only when the space has doubled since.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import sqlalchemy as sa

from agentvid.errors import LibraryDamaged, LibraryError, MissingDependency
from agentvid.indexes import files, records, schema
from agentvid.indexes.base import Ids, VectorIndex
from agentvid.indexes.catalogue import Catalogue
from agentvid.indexes.digests import EMPTY
from agentvid.models.base import EmbeddingSpace

if TYPE_CHECKING:
    from agentvid.indexes.quantised_index import QuantisedIndex, Rows

#: FAISS compares a query with 50,000 vectors of 384 dimensions in 2.7 ms: until there, being exact costs little.
EXACT_UP_TO = 50_000
_CODES, _ROWS = ".pq", ".f16"
_READ_AT_ONCE = 65536
_ADD_FAISS = 'pip install "agentvid[cpu]"'


class IndexClass(Protocol):
    """How a backend makes an index."""

    def __call__(self, dimension: int) -> VectorIndex: ...

    def load(self, data: bytes, dimension: int) -> VectorIndex: ...


@dataclass(frozen=True, slots=True)
class Backend:
    """One kind of vector index. `note` tells the user why it is not the better one, or is "".

    FAISS compares a query with every vector as long as there are at most `exact_up_to`; NumPy always does.
    """

    name: Literal["faiss", "numpy"]
    note: str = ""
    exact_up_to: int = EXACT_UP_TO

    @property
    def suffix(self) -> str:
        return ".faiss" if self.name == "faiss" else ".npy"

    @property
    def index_class(self) -> IndexClass:
        """Imports the library behind it."""
        if self.name == "faiss":
            from agentvid.indexes.faiss_index import FaissIndex

            return FaissIndex
        from agentvid.indexes.numpy_index import NumpyIndex

        return NumpyIndex

    def derived_name(self, space: EmbeddingSpace) -> str:
        """The row of this index in the table `derived`."""
        return f"vectors {self.name} {space.key}"

    def rows_name(self, space: EmbeddingSpace) -> str:
        """The row of its float16 vectors in the table `derived`, where they are in a file of their own."""
        return f"rows {self.name} {space.key}"


def space_key_of(derived_name: str) -> str:
    """The key of the space in `Backend.derived_name` and `Backend.rows_name`."""
    return derived_name.split(" ", 2)[-1]


def choose_backend(setting: Literal["auto", "faiss", "numpy"]) -> Backend:
    """`auto` is FAISS where it is installed. Raises MissingDependency for "faiss" where it is not."""
    if setting == "numpy":
        return Backend("numpy")
    if find_spec("faiss") is not None:
        return Backend("faiss")
    if setting == "faiss":
        raise MissingDependency("the index faiss needs the package faiss", hint=f"{_ADD_FAISS}, or use index = numpy")
    return Backend(
        "numpy", f"faiss is not installed, NumPy searches instead (slower above 100,000 passages): {_ADD_FAISS}"
    )


def open_index(catalogue: Catalogue, space: EmbeddingSpace, backend: Backend) -> VectorIndex:
    """The index of the vectors that the catalogue holds now, from its file or built again.

    What had to be built is published, if the library can be written and nobody is writing.
    """
    return publish(catalogue, space, backend, lock_timeout_seconds=0.0)


def publish(
    catalogue: Catalogue, space: EmbeddingSpace, backend: Backend, *, lock_timeout_seconds: float | None = None
) -> VectorIndex:
    """Build the index and put its file beside the catalogue, unless it lies there already; returns the index.

    A library that cannot be written, or is being written, keeps no file; the index is right all the same.
    """
    loaded = _load(catalogue, space, backend)
    if loaded is not None:
        return loaded
    built = _build(catalogue, space, backend)
    if catalogue.store.is_writable:
        try:
            with catalogue.store.writer(lock_timeout_seconds):
                _write(catalogue, space, backend, built)
        except LibraryDamaged:
            raise
        except (LibraryError, OSError):
            pass  # A cache that could not be kept costs time at the next search, and nothing else; doctor reports it.
    return built.index


@dataclass(frozen=True, slots=True)
class _Built:
    index: VectorIndex
    content_hash: str
    generation: int


def _load(catalogue: Catalogue, space: EmbeddingSpace, backend: Backend) -> VectorIndex | None:
    """The index on file if its bytes are those that the catalogue knows and they hold today's vectors."""
    with catalogue.store.reading() as connection:
        row = _entry(connection, backend.derived_name(space))
        current = connection.execute(
            sa.select(schema.spaces.c.content_hash).where(schema.spaces.c.key == space.key)
        ).scalar()
    if row is None or row.content_hash != (current or EMPTY):
        return None
    return _open(catalogue, space, backend, row)


def _entry(connection: sa.Connection, name: str) -> Any:
    return connection.execute(sa.select(schema.derived).where(schema.derived.c.name == name)).first()


def _open(catalogue: Catalogue, space: EmbeddingSpace, backend: Backend, row: Any) -> VectorIndex | None:
    path = catalogue.directory / row.file_name
    data = files.read_known(path, row.file_sha256)
    if data is None:
        return None
    try:
        if path.suffix == _CODES:
            from agentvid.indexes.quantised_index import QuantisedIndex

            return QuantisedIndex.load(data, path.with_suffix(_ROWS), space.dimension)
        return backend.index_class.load(data, space.dimension)
    except LibraryDamaged:
        # The bytes are ours but another version of the library wrote them, or the rows beside them are gone.
        return None


def _build(catalogue: Catalogue, space: EmbeddingSpace, backend: Backend) -> _Built:
    """The index of one snapshot."""
    index: VectorIndex = backend.index_class(space.dimension)
    with catalogue.store.reading() as connection:
        generation = connection.execute(sa.select(schema.library.c.generation)).scalar_one()
        row = connection.execute(sa.select(schema.spaces).where(schema.spaces.c.key == space.key)).first()
        if row is None:
            return _Built(index, EMPTY, generation)
        ids = _ids_in(connection, row.id, space)
        if backend.name == "faiss" and len(ids) > backend.exact_up_to:
            entry = _entry(connection, backend.derived_name(space))
            stale = None if entry is None else _open(catalogue, space, backend, entry)
            index = _quantised(connection, row.id, ids, space, stale)
        else:
            for part_ids, vectors in records.read_vectors(connection, row.id):
                index.add(part_ids, vectors)
    return _Built(index, row.content_hash, generation)


def _quantised(
    connection: sa.Connection, space_id: int, ids: Ids, space: EmbeddingSpace, stale: VectorIndex | None
) -> QuantisedIndex:
    """The index of `ids`, grown from the stale one if its codes are still good. A vector never changes under its id."""
    from agentvid.indexes.quantised_index import QuantisedIndex

    if isinstance(stale, QuantisedIndex) and len(ids) < 2 * stale.trained_count and stale.is_whole():
        stale.remove(np.setdiff1d(stale.ids, ids, assume_unique=True))
        added = np.setdiff1d(ids, stale.ids, assume_unique=True)
        stale.add(added, _rows_in(connection, space_id, added, space))
        return stale
    rows = _rows_in(connection, space_id, ids, space)
    index = QuantisedIndex.trained_on(rows)
    index.add(ids, rows)
    return index


def _ids_in(connection: sa.Connection, space_id: int, space: EmbeddingSpace) -> Ids:
    """Ascending ids of the passages, or frames, that have a vector in a space."""
    table, owner, _ = schema.vectors_of(space.kind)
    query = sa.select(owner).where(table.c.space_id == space_id).order_by(owner)
    return np.fromiter(connection.execute(query).scalars(), np.int64)


def _rows_in(connection: sa.Connection, space_id: int, ids: Ids, space: EmbeddingSpace) -> Rows:
    """(len(ids), dimension) float16 as stored, for ascending ids."""
    table, owner, _ = schema.vectors_of(space.kind)
    rows = np.empty((len(ids), space.dimension), "<f2")
    for start in range(0, len(ids), _READ_AT_ONCE):
        part = ids[start : start + _READ_AT_ONCE]
        query = (
            sa.select(table.c.vector)
            .where(table.c.space_id == space_id, owner.in_(records.json_list(part.tolist())))
            .order_by(owner)
        )
        blobs = b"".join(connection.execute(query).scalars())
        rows[start : start + len(part)] = np.frombuffer(blobs, "<f2").reshape(-1, space.dimension)
    return rows


def _write(catalogue: Catalogue, space: EmbeddingSpace, backend: Backend, built: _Built) -> None:
    label = hashlib.sha256(space.key.encode()).hexdigest()[:8]
    stem = f"vectors-{label}-{built.generation}"
    saved = {
        name: (file_name, files.save(save, catalogue.directory / file_name))
        for name, (file_name, save) in _parts(built.index, space, backend, stem).items()
    }
    with catalogue.store.writing(is_new_generation=False) as connection:
        forget_unused(connection)
        connection.execute(schema.derived.delete().where(schema.derived.c.name == backend.rows_name(space)))
        for name, (file_name, sha256) in saved.items():
            records.record_derived(
                connection,
                name=name,
                content_hash=built.content_hash,
                file_name=file_name,
                file_sha256=sha256,
                detail=f"{built.index.count} vectors of {space.key}",
            )
    for leftover in files.leftovers(catalogue):
        leftover.unlink(missing_ok=True)


def _parts(
    index: VectorIndex, space: EmbeddingSpace, backend: Backend, stem: str
) -> dict[str, tuple[str, Callable[[Path], None]]]:
    """Name in `derived` -> (file name, how to write it); nothing for an empty index."""
    if not index.count:
        return {}
    if backend.name == "faiss":
        from agentvid.indexes.quantised_index import QuantisedIndex

        if isinstance(index, QuantisedIndex):
            return {
                backend.rows_name(space): (stem + _ROWS, index.save_rows),
                backend.derived_name(space): (stem + _CODES, index.save),
            }
    return {backend.derived_name(space): (stem + backend.suffix, index.save)}


def forget_unused(connection: sa.Connection) -> None:
    """Drop entries of indexes of spaces that no video uses any more."""
    table = schema.derived
    known = connection.execute(sa.select(schema.spaces.c.key)).scalars().all()
    for name in connection.execute(sa.select(table.c.name)).scalars().all():
        if name.startswith(("vectors ", "rows ")) and space_key_of(name) not in known:
            connection.execute(table.delete().where(table.c.name == name))
