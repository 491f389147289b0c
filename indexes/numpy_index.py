"""Exact search with NumPy alone: the fallback without FAISS, and the oracle that FAISS is tested against."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agentvid.errors import LibraryDamaged
from agentvid.indexes.base import Ids
from agentvid.models.base import Vectors


class NumpyIndex:
    """Inner products with every row. On file a single `.npy` of (id, float16 vector) records, without pickle."""

    def __init__(self, dimension: int) -> None:
        self._dimension = dimension
        self._ids: Ids = np.empty(0, np.int64)
        self._vectors: Vectors = np.empty((0, dimension), np.float32)

    @classmethod
    def load(cls, data: bytes, dimension: int) -> NumpyIndex:
        """The index that `save` wrote. Raises LibraryDamaged if it is none of this dimension."""
        try:
            rows = np.load(io.BytesIO(data), allow_pickle=False)
        except (ValueError, EOFError, OSError) as error:
            raise LibraryDamaged(
                f"the vector index cannot be read: {error}", hint="agentvid doctor --repair"
            ) from error
        if not isinstance(rows, np.ndarray) or rows.dtype != _record(dimension) or rows.ndim != 1:
            raise LibraryDamaged("the vector index has another shape", hint="agentvid doctor --repair")
        index = cls(dimension)
        index._ids = np.ascontiguousarray(rows["id"], np.int64)
        index._vectors = rows["vector"].astype(np.float32)
        return index

    @property
    def count(self) -> int:
        return len(self._ids)

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """`ids` (n,) unique and new; `vectors` (n, dimension) float32, L2-normalised."""
        all_ids = np.concatenate([self._ids, ids.astype(np.int64)])
        # Sorted by id, so that a filter finds its rows by bisection.
        order = np.argsort(all_ids, kind="stable")
        self._ids = all_ids[order]
        self._vectors = np.concatenate([self._vectors, vectors.astype(np.float32)])[order]

    def remove(self, ids: Ids) -> None:
        """Unknown ids are ignored."""
        keep = np.isin(self._ids, ids, invert=True)
        self._ids, self._vectors = self._ids[keep], self._vectors[keep]

    def search(self, query: Vectors, k: int, allowed: Ids | None = None) -> tuple[Ids, NDArray[np.float32]]:
        """Ids (<=k,) and cosines (<=k,), best first, equal cosines by id, among `allowed` if given."""
        ids, vectors = self._ids, self._vectors
        if allowed is not None:
            rows = _rows_of(ids, allowed)
            ids, vectors = ids[rows], vectors[rows]
        k = min(k, len(ids))
        if k <= 0:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        cosines = vectors @ query.astype(np.float32)
        # Everything that ties with the k-th best takes part in the ordering, so that ties do not depend on chance.
        kth = np.partition(cosines, len(cosines) - k)[len(cosines) - k]
        candidates = np.flatnonzero(cosines >= kth)
        best = candidates[np.lexsort((ids[candidates], -cosines[candidates]))][:k]
        return ids[best], cosines[best]

    def cosines_of(self, query: Vectors, ids: Ids) -> NDArray[np.float32]:
        """(n,) cosines with the rows of `ids`, in their order. Raises KeyError for an unknown id."""
        places = np.searchsorted(self._ids, ids)
        known = places < self.count
        known[known] = self._ids[places[known]] == ids[known]
        if not known.all():
            raise KeyError(int(ids[~known][0]))
        cosines: NDArray[np.float32] = self._vectors[places] @ query.astype(np.float32)
        return cosines

    def save(self, path: Path) -> None:
        rows = np.empty(len(self._ids), _record(self._dimension))
        rows["id"], rows["vector"] = self._ids, self._vectors
        with path.open("wb") as file:
            np.save(file, rows, allow_pickle=False)


def _record(dimension: int) -> np.dtype[np.void]:
    return np.dtype([("id", "<i8"), ("vector", "<f2", (dimension,))])


def _rows_of(ids: Ids, allowed: Ids) -> NDArray[np.intp]:
    """Positions in the sorted `ids` of those that are in `allowed`."""
    wanted = np.unique(allowed)
    positions = np.searchsorted(ids, wanted)
    inside = positions < len(ids)
    positions, wanted = positions[inside], wanted[inside]
    rows: NDArray[np.intp] = positions[ids[positions] == wanted]
    return rows
