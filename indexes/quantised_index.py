"""Search in large libraries: a quantised first pass over all rows, exact cosines for what it leaves.

The first pass is product quantisation (Jegou et al., 2011) of four dimensions to four bits, scanned with the register
shuffles of FAISS's fast scan (Andre et al., 2015): 48 bytes for a vector of 384 dimensions. One inverted list holds
everything: FAISS takes a filter inside that scan, and inside a plain fast scan it takes none. The candidates are then
scored from their float16 rows, which lie memory-mapped in a file of their own.

That file is not hashed at opening, which would take longer than hundreds of searches. Every row has a CRC-32 in the
codes' file, which is hashed, and every row that a search reads is checked against it.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from agentvid.errors import LibraryDamaged
from agentvid.indexes.base import Ids
from agentvid.indexes.faiss_index import keep_to_one_thread
from agentvid.indexes.gpu_rows import MOST_RESULTS, GpuRows
from agentvid.models.base import Vectors

Rows = NDArray[np.float16]

_FLOAT16 = np.dtype("<f2")
_MEND = "agentvid doctor --repair"
_CHUNK = 65536
_TRAINING_ROWS = 25_000
_SEED = 1234
# 1,000 candidates hold 99.9 % of the ten best of a million real embeddings, 2,000 hold 99.7 % of the best hundred.
_LEAST_CANDIDATES, _CANDIDATES_PER_RESULT = 1000, 10
# Up to here allowed rows are scored directly; a filtered scan would not be faster.
_DIRECT = 4000


class QuantisedIndex:
    """Near-exact: recall@10 of 0.99 and more; exact for small filters and for large parts of the library.

    The ids are ascending, and row n of the file belongs to id n. Equal cosines go by id among the candidates.
    """

    def __init__(self, codes: Any, trained_count: int) -> None:
        """`codes` is a trained FAISS index without rows; `trained_count` says how large the library was then."""
        self._codes = codes
        self.trained_count = trained_count
        self._ids: Ids = np.empty(0, np.int64)
        self._checksums: NDArray[np.uint32] = np.empty(0, np.uint32)
        self._rows: Rows = np.empty((0, codes.d), _FLOAT16)
        self._is_checked: NDArray[np.bool_] = np.empty(0, np.bool_)
        self._gpu = GpuRows(codes.d) if GpuRows.is_available() else None

    @classmethod
    def trained_on(cls, rows: Rows) -> QuantisedIndex:
        """An empty index whose codes are learnt from (n, dimension) rows, the same from the same rows."""
        count, dimension = rows.shape
        chosen = np.random.default_rng(_SEED).choice(count, min(count, _TRAINING_ROWS), replace=False)
        parts = next(parts for parts in range(max(1, dimension // 4), 0, -1) if dimension % parts == 0)
        codes = faiss.index_factory(dimension, f"IVF1,PQ{parts}x4fs", faiss.METRIC_INNER_PRODUCT)
        keep_to_one_thread()
        codes.train(rows[np.sort(chosen)].astype(np.float32))
        return cls(codes, count)

    @classmethod
    def load(cls, data: bytes, rows_path: Path, dimension: int) -> QuantisedIndex:
        """What `save` and `save_rows` wrote. Give it only data whose sha256 the catalogue knows.

        Raises LibraryDamaged if they are of another kind, dimension or length.
        """
        file = io.BytesIO(data)
        try:
            header, ids, checksums = (np.load(file, allow_pickle=False) for _ in range(3))
            codes = faiss.deserialize_index(np.frombuffer(data, np.uint8, offset=file.tell()))
            rows = np.memmap(rows_path, _FLOAT16, "r").reshape(-1, dimension).view(np.ndarray)
        except (ValueError, EOFError, OSError, RuntimeError) as error:
            raise LibraryDamaged(f"the vector index cannot be read: {error}", hint=_MEND) from error
        if codes.d != dimension or not len(ids) == len(checksums) == len(rows) == codes.ntotal:
            raise LibraryDamaged("the vector index has another shape", hint=_MEND)
        index = cls(codes, int(header[0]))
        index._ids, index._checksums, index._rows = ids, checksums, rows
        index._is_checked = np.zeros(len(ids), np.bool_)
        return index

    @property
    def count(self) -> int:
        return len(self._ids)

    @property
    def ids(self) -> Ids:
        """(count,) ascending."""
        return self._ids

    def add(self, ids: Ids, vectors: Vectors | Rows) -> None:
        """`ids` (n,) unique and new; `vectors` (n, dimension) float32 or float16, L2-normalised."""
        if not len(ids):
            return
        keep_to_one_thread()
        ids, rows = ids.astype(np.int64), vectors.astype(_FLOAT16, copy=False)
        for part in _chunks(len(ids)):
            self._codes.add_with_ids(rows[part].astype(np.float32), ids[part])
        checksums = _checksums_of(rows)
        if self.count:
            ids = np.concatenate([self._ids, ids])
            rows = np.concatenate([self._rows, rows])
            checksums = np.concatenate([self._checksums, checksums])
        self._ids, self._rows, self._checksums = ids, rows, checksums
        self._is_checked = np.concatenate([self._is_checked, np.ones(len(ids) - len(self._is_checked), np.bool_)])
        if not (ids[1:] > ids[:-1]).all():
            self._keep(np.argsort(ids, kind="stable"))
        if self._gpu is not None:
            self._gpu.forget()

    def remove(self, ids: Ids) -> None:
        """Unknown ids are ignored."""
        gone = np.isin(self._ids, ids)
        if gone.any():
            self._codes.remove_ids(self._ids[gone])
            self._keep(np.flatnonzero(~gone))
            if self._gpu is not None:
                self._gpu.forget()

    def search(self, query: Vectors, k: int, allowed: Ids | None = None) -> tuple[Ids, NDArray[np.float32]]:
        """Ids (<=k,) and cosines (<=k,), best first, equal cosines by id, among `allowed` if given.

        Raises LibraryDamaged if a row that it read changed on the disk.
        """
        keep_to_one_thread()
        query = np.ascontiguousarray(query, np.float32)
        places = None if allowed is None else self._allowed_places(allowed)
        size = self.count if places is None else len(places)
        k = min(k, size)
        if k <= 0:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        wanted = _LEAST_CANDIDATES + _CANDIDATES_PER_RESULT * k
        if size > max(_DIRECT, 2 * wanted):
            found = self._candidates(query, wanted, None if places is None else self._ids[places])
            places = self._places(np.sort(found))
        cosines = self._cosines(query, np.arange(self.count) if places is None else places)
        ids = self._ids if places is None else self._ids[places]
        best = np.lexsort((ids, -cosines))[:k]
        return ids[best], cosines[best]

    def cosines_of(self, query: Vectors, ids: Ids) -> NDArray[np.float32]:
        """(n,) cosines with the rows of `ids`, in their order. Raises KeyError, LibraryDamaged."""
        places = np.searchsorted(self._ids, ids)
        known = places < self.count
        known[known] = self._ids[places[known]] == ids[known]
        if not known.all():
            raise KeyError(int(ids[~known][0]))
        keep_to_one_thread()
        return self._cosines(np.ascontiguousarray(query, np.float32), places)

    def is_whole(self) -> bool:
        """Whether every row is what was saved; reads the whole file."""
        parts = _chunks(self.count)
        return all(np.array_equal(_checksums_of(self._rows[part]), self._checksums[part]) for part in parts)

    def save(self, path: Path) -> None:
        """Everything but the rows."""
        with path.open("wb") as file:
            for part in (np.array([self.trained_count], np.int64), self._ids, self._checksums):
                np.save(file, part, allow_pickle=False)
            file.write(faiss.serialize_index(self._codes).data)

    def save_rows(self, path: Path) -> None:
        """The rows alone: little-endian float16, in the order of their ids."""
        with path.open("wb") as file:
            for part in _chunks(self.count):
                file.write(np.ascontiguousarray(self._rows[part]).data)

    def _candidates(self, query: Vectors, count: int, allowed: Ids | None) -> Ids:
        """About the `count` best by the codes alone."""
        if self._gpu is not None and allowed is None and count <= MOST_RESULTS:
            places = self._gpu.best(query, count, self._parts)
            if places is not None:
                return self._ids[places]
        parameters: Any = faiss.SearchParametersIVF()
        if allowed is not None:
            bits = np.packbits(self._flags(allowed), bitorder="little")
            selector_class: Any = faiss.IDSelectorBitmap
            selector = selector_class(bits)
            parameters.sel = selector
        _, found = self._codes.search(query.reshape(1, -1), count, params=parameters)
        ids: Ids = found[0][found[0] >= 0]
        return ids

    def _parts(self) -> Iterator[Vectors]:
        return (self._rows[part].astype(np.float32) for part in _chunks(self.count))

    def _cosines(self, query: Vectors, places: NDArray[np.intp]) -> NDArray[np.float32]:
        cosines = np.empty(len(places), np.float32)
        for part in _chunks(len(places)):
            rows = self._read(places[part])
            # FAISS multiplies float16 as it is, four times as fast as NumPy makes float32 of it first.
            scorer: Any = faiss.IndexScalarQuantizer(
                self._codes.d, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
            )
            scorer.add_sa_codes(rows.view(np.uint8))
            products, order = scorer.search(query.reshape(1, -1), len(rows))
            cosines[part][order[0]] = products[0]
        return cosines

    def _read(self, places: NDArray[np.intp]) -> Rows:
        """The rows; each is checked against its checksum the first time that this process reads it."""
        rows = self._rows[places]
        unread = ~self._is_checked[places]
        if unread.any():
            if not np.array_equal(_checksums_of(rows[unread]), self._checksums[places[unread]]):
                raise LibraryDamaged("vectors beside the catalogue changed on the disk", hint=_MEND)
            self._is_checked[places] = True
        return rows

    def _allowed_places(self, allowed: Ids) -> NDArray[np.intp]:
        if len(allowed) <= _DIRECT or not self.count:
            return self._places(np.unique(allowed))
        # Sorting half a million ids would take longer than the search.
        inside = (allowed >= self._ids[0]) & (allowed <= self._ids[-1])
        return np.flatnonzero(self._flags(allowed[inside])[self._ids])

    def _flags(self, ids: Ids) -> NDArray[np.bool_]:
        """One flag per id from 0 to the largest: ids count up from 1 in the catalogue, so this is small."""
        flags = np.zeros(int(self._ids[-1]) + 1, np.bool_)
        flags[ids] = True
        return flags

    def _places(self, ids: Ids) -> NDArray[np.intp]:
        """Row numbers of those of the ascending `ids` that are known."""
        places = np.searchsorted(self._ids, ids)
        inside = places < self.count
        places, ids = places[inside], ids[inside]
        known: NDArray[np.intp] = places[self._ids[places] == ids]
        return known

    def _keep(self, places: NDArray[np.intp]) -> None:
        """Only these rows, in this order."""
        self._ids, self._rows, self._checksums = self._ids[places], self._rows[places], self._checksums[places]
        self._is_checked = self._is_checked[places]


def _chunks(count: int) -> Iterator[slice]:
    return (slice(start, min(start + _CHUNK, count)) for start in range(0, count, _CHUNK))


def _checksums_of(rows: Rows) -> NDArray[np.uint32]:
    rows = np.ascontiguousarray(rows)
    return np.fromiter(map(zlib.crc32, rows), np.uint32, len(rows))
