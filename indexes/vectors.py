"""The vector index file: chosen, built from the catalogue, published, and loaded only if the catalogue knows its hash.

A file belongs to one state of the catalogue's vectors. It is written aside, synced, renamed, and only then entered in
the table `derived` with its sha256; whatever is missing, stale or damaged is built again from the catalogue.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, Protocol

import sqlalchemy as sa

from agentvid.errors import LibraryDamaged, LibraryError, MissingDependency
from agentvid.indexes import records, schema
from agentvid.indexes.base import VectorIndex
from agentvid.indexes.catalogue import Catalogue
from agentvid.indexes.digests import EMPTY
from agentvid.indexes.migrations import sync
from agentvid.models.base import EmbeddingSpace

_ADD_FAISS = 'pip install "agentvid[cpu]"'


class IndexClass(Protocol):
    """How a backend makes an index."""

    def __call__(self, dimension: int) -> VectorIndex: ...

    def load(self, data: bytes, dimension: int) -> VectorIndex: ...


@dataclass(frozen=True, slots=True)
class Backend:
    """One kind of vector index. `note` tells the user why it is not the better one, or is ""."""

    name: Literal["faiss", "numpy"]
    note: str = ""

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


def space_key_of(derived_name: str) -> str:
    """The key of the space in `Backend.derived_name`."""
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
    table = schema.derived
    with catalogue.store.reading() as connection:
        query = sa.select(table).where(table.c.name == backend.derived_name(space))
        row = connection.execute(query).first()
        current = connection.execute(
            sa.select(schema.spaces.c.content_hash).where(schema.spaces.c.key == space.key)
        ).scalar()
    if row is None or row.content_hash != (current or EMPTY):
        return None
    data = read_known(catalogue.directory / row.file_name, row.file_sha256)
    if data is None:
        return None
    try:
        return backend.index_class.load(data, space.dimension)
    except LibraryDamaged:
        # The bytes are ours but another version of the library wrote them.
        return None


def read_known(path: Path, sha256: str) -> bytes | None:
    """The file's bytes if they have this hash. What is hashed is what is used: the file is read once."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    return data if hashlib.sha256(data).hexdigest() == sha256 else None


def _build(catalogue: Catalogue, space: EmbeddingSpace, backend: Backend) -> _Built:
    """The index of one snapshot."""
    index = backend.index_class(space.dimension)
    with catalogue.store.reading() as connection:
        generation = connection.execute(sa.select(schema.library.c.generation)).scalar_one()
        row = connection.execute(sa.select(schema.spaces).where(schema.spaces.c.key == space.key)).first()
        if row is not None:
            for ids, vectors in records.read_vectors(connection, row.id):
                index.add(ids, vectors)
    return _Built(index, row.content_hash if row is not None else EMPTY, generation)


def _write(catalogue: Catalogue, space: EmbeddingSpace, backend: Backend, built: _Built) -> None:
    label = hashlib.sha256(space.key.encode()).hexdigest()[:8]
    path = catalogue.directory / f"vectors-{label}-{built.generation}{backend.suffix}"
    sha256 = _save(built.index, path) if built.index.count else ""
    with catalogue.store.writing(is_new_generation=False) as connection:
        forget_unused(connection)
        if sha256:
            records.record_derived(
                connection,
                name=backend.derived_name(space),
                content_hash=built.content_hash,
                file_name=path.name,
                file_sha256=sha256,
                detail=f"{built.index.count} vectors of {space.key}",
            )
    for leftover in leftovers(catalogue):
        leftover.unlink(missing_ok=True)


def _save(index: VectorIndex, path: Path) -> str:
    """Write aside, sync, rename; returns the sha256 of what was written."""
    aside = path.with_name(path.name + ".tmp")
    index.save(aside)
    sha256 = hashlib.sha256(aside.read_bytes()).hexdigest()
    sync(aside)
    aside.replace(path)
    sync(path.parent)
    return sha256


def forget_unused(connection: sa.Connection) -> None:
    """Drop entries of indexes of spaces that no video uses any more."""
    table = schema.derived
    known = connection.execute(sa.select(schema.spaces.c.key)).scalars().all()
    for name in connection.execute(sa.select(table.c.name).where(table.c.name != schema.LEXICAL)).scalars().all():
        if space_key_of(name) not in known:
            connection.execute(table.delete().where(table.c.name == name))


def leftovers(catalogue: Catalogue) -> list[Path]:
    """Index files that the catalogue does not name: old ones, and those of a run that was killed."""
    with catalogue.store.reading() as connection:
        named = set(connection.execute(sa.select(schema.derived.c.file_name)).scalars())
    return sorted(path for path in catalogue.directory.glob("vectors-*") if path.name not in named)
