"""The first pass of a search on a GPU: every row compared in float16 (Johnson et al., 2021).

The caller scores the candidates again from its own rows, so that results do not depend on where the first pass ran.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from agentvid.models.base import Vectors

#: FAISS returns no more results than this from a GPU.
MOST_RESULTS = 2048
# Copying all rows to the GPU takes as long as many scans on the CPU: it pays in a process that stays.
_SEARCHES_BEFORE_COPY = 32


class GpuRows:
    """Rows copied to the first GPU once enough searches asked for them; threads take turns."""

    def __init__(self, dimension: int) -> None:
        self._dimension = dimension
        self._index: Any = None
        self._searches = 0
        self._turn = threading.Lock()

    @staticmethod
    def is_available() -> bool:
        """True with a GPU and a build of FAISS that uses it (the extra `gpu`)."""
        return bool(faiss.get_num_gpus() > 0)

    def forget(self) -> None:
        """The rows changed: copy them again."""
        with self._turn:
            self._index = None

    def best(self, query: Vectors, count: int, rows: Callable[[], Iterable[Vectors]]) -> NDArray[np.int64] | None:
        """Row numbers (<=count,) of the largest inner products, or None if it is not worth copying `rows` yet."""
        with self._turn:
            self._searches += 1
            if self._searches <= _SEARCHES_BEFORE_COPY:
                return None
            if self._index is None:
                self._index = self._copied(rows())
            _, found = self._index.search(query.reshape(1, -1), count)
        places: NDArray[np.int64] = found[0][found[0] >= 0]
        return places

    def _copied(self, parts: Iterable[Vectors]) -> Any:
        gpu: Any = faiss
        config = gpu.GpuIndexFlatConfig()
        config.useFloat16 = True
        index = gpu.GpuIndexFlatIP(gpu.StandardGpuResources(), self._dimension, config)
        for part in parts:
            index.add(part)
        return index
