"""Exact search with FAISS: inner products over float16 rows under our own ids (Douze et al., 2024).

The catalogue keeps vectors as float16, so that FAISS's float16 rows lose nothing and take half the space of float32.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from agentvid.errors import LibraryDamaged
from agentvid.indexes.base import Ids
from agentvid.models.base import Vectors


def keep_to_one_thread() -> None:
    """Call before FAISS works, in the thread that asks: for each OpenMP keeps a number, and servers search in many.

    One query gains nothing from a team of threads; waking it costs 4 ms, or 20 on a busy machine.
    """
    faiss.omp_set_num_threads(1)


class FaissIndex:
    """`IndexIDMap2` over a flat float16 scalar quantiser: no training, nothing approximate."""

    def __init__(self, dimension: int) -> None:
        flat = faiss.IndexScalarQuantizer(dimension, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
        self._index: Any = faiss.IndexIDMap2(flat)

    @classmethod
    def load(cls, data: bytes, dimension: int) -> FaissIndex:
        """The index that `save` wrote. Give it only bytes whose sha256 the catalogue knows.

        FAISS's reader trusts its input. Raises LibraryDamaged if the index is of another kind or dimension.
        """
        try:
            read = faiss.deserialize_index(np.frombuffer(data, np.uint8))
        except RuntimeError as error:
            raise LibraryDamaged(
                f"the vector index cannot be read: {error}", hint="agentvid doctor --repair"
            ) from error
        index = cls(dimension)
        if (
            not isinstance(read, faiss.IndexIDMap2)
            or read.d != dimension
            or read.metric_type != index._index.metric_type
        ):
            raise LibraryDamaged("the vector index has another shape", hint="agentvid doctor --repair")
        index._index = read
        return index

    @property
    def count(self) -> int:
        return int(self._index.ntotal)

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """`ids` (n,) unique and new; `vectors` (n, dimension) float32, L2-normalised."""
        if len(ids):
            self._index.add_with_ids(np.ascontiguousarray(vectors, np.float32), np.ascontiguousarray(ids, np.int64))

    def remove(self, ids: Ids) -> None:
        """Unknown ids are ignored."""
        self._index.remove_ids(np.ascontiguousarray(ids, np.int64))

    def search(self, query: Vectors, k: int, allowed: Ids | None = None) -> tuple[Ids, NDArray[np.float32]]:
        """Ids (<=k,) and cosines (<=k,), best first, equal cosines by id, among `allowed` if given."""
        k = min(k, self.count if allowed is None else len(allowed))
        if k <= 0:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        keep_to_one_thread()
        parameters = None
        if allowed is not None:
            selector = faiss.IDSelectorBatch(np.ascontiguousarray(allowed, np.int64))
            parameters = faiss.SearchParameters()
            parameters.sel = selector
        queries = np.ascontiguousarray(query, np.float32).reshape(1, -1)
        cosines, ids = self._index.search(queries, k, params=parameters)
        found = ids[0] >= 0
        ids, cosines = ids[0][found], cosines[0][found]
        order = np.lexsort((ids, -cosines))
        return ids[order], cosines[order]

    def cosines_of(self, query: Vectors, ids: Ids) -> NDArray[np.float32]:
        """(n,) cosines with the rows of `ids`, in their order. Raises KeyError for an unknown id."""
        keep_to_one_thread()
        try:
            found: Vectors = self._index.reconstruct_batch(np.ascontiguousarray(ids, np.int64))
        except RuntimeError as error:
            raise KeyError(f"no vector of one of {len(ids)} ids") from error
        cosines: NDArray[np.float32] = found @ query.astype(np.float32)
        return cosines

    def save(self, path: Path) -> None:
        path.write_bytes(faiss.serialize_index(self._index).tobytes())
