"""Cache files beside the catalogue: written aside and renamed, opened only with the sha256 that the catalogue knows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from agentvid.indexes import schema
from agentvid.indexes.catalogue import Catalogue
from agentvid.indexes.migrations import sync

_PATTERNS = ("vectors-*", "ranking-*")


def read_known(path: Path, sha256: str) -> bytes | None:
    """The file's bytes if they have this hash. What is hashed is what is used: the file is read once."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    return data if hashlib.sha256(data).hexdigest() == sha256 else None


def has_hash(path: Path, sha256: str) -> bool:
    """Whether the file is there with this hash; reads it in pieces, so that its size does not matter."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        return False


def save(write: Callable[[Path], object], path: Path) -> str:
    """Write aside, sync, rename; returns the sha256 of what was written."""
    aside = path.with_name(path.name + ".tmp")
    write(aside)
    with aside.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    sync(aside)
    aside.replace(path)
    sync(path.parent)
    return sha256


def leftovers(catalogue: Catalogue) -> list[Path]:
    """Cache files that the catalogue does not name: old ones, and those of a run that was killed."""
    with catalogue.store.reading() as connection:
        named = set(connection.execute(sa.select(schema.derived.c.file_name)).scalars())
    found = (path for pattern in _PATTERNS for path in catalogue.directory.glob(pattern))
    return sorted(path for path in found if path.name not in named)
