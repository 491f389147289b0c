"""Every vector index keeps the same promises; NumPy's is the oracle. Small ones are exact, quantised or not."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from agentvid.errors import LibraryDamaged
from agentvid.indexes.base import Ids, VectorIndex
from agentvid.indexes.numpy_index import NumpyIndex
from agentvid.indexes.vectors import Backend, IndexClass
from agentvid.models.base import Vectors

DIMENSION = 24


class QuantisedClass:
    """A `QuantisedIndex` made like the others, its rows saved beside its codes."""

    def __init__(self, folder: Path) -> None:
        self.rows_path = folder / "rows.f16"

    def __call__(self, dimension: int) -> VectorIndex:
        from agentvid.indexes.quantised_index import QuantisedIndex

        class Made(QuantisedIndex):
            def save(made, path: Path) -> None:
                super().save(path)
                made.save_rows(self.rows_path)

        training = np.random.default_rng(1).standard_normal((800, dimension)).astype(np.float16)
        return Made.trained_on(training)

    def load(self, data: bytes, dimension: int) -> VectorIndex:
        from agentvid.indexes.quantised_index import QuantisedIndex

        return QuantisedIndex.load(data, self.rows_path, dimension)


@pytest.fixture(params=["numpy", "faiss", "quantised"])
def index_class(request: pytest.FixtureRequest, tmp_path: Path) -> IndexClass:
    if request.param == "numpy":
        return Backend("numpy").index_class
    pytest.importorskip("faiss", exc_type=ImportError)
    return Backend("faiss").index_class if request.param == "faiss" else QuantisedClass(tmp_path)


@pytest.fixture
def vectors() -> Vectors:
    """(500, 24), L2-normalised, exact in float16 as the catalogue's are."""
    random = np.random.default_rng(7).standard_normal((500, DIMENSION)).astype(np.float32)
    rows: Vectors = random / np.linalg.norm(random, axis=1, keepdims=True)
    return rows.astype(np.float16).astype(np.float32)


@pytest.fixture
def ids() -> Ids:
    return np.random.default_rng(8).permutation(np.arange(10, 5010, 10)).astype(np.int64)


@pytest.fixture
def index(index_class: IndexClass, ids: Ids, vectors: Vectors) -> VectorIndex:
    made = index_class(DIMENSION)
    made.add(ids[:200], vectors[:200])
    made.add(ids[200:], vectors[200:])
    return made


def brute_force(ids: Ids, vectors: Vectors, query: Vectors, k: int, allowed: Ids | None = None) -> tuple[Ids, Vectors]:
    cosines = vectors @ query
    keep = np.ones(len(ids), bool) if allowed is None else np.isin(ids, allowed)
    order = np.lexsort((ids[keep], -cosines[keep]))[:k]
    return ids[keep][order], cosines[keep][order]


@pytest.mark.parametrize("k", [1, 10, 500, 1000])
def test_search_is_exact(index: VectorIndex, ids: Ids, vectors: Vectors, k: int) -> None:
    for query in vectors[:20]:
        expected_ids, expected_cosines = brute_force(ids, vectors, query, k)
        found_ids, found_cosines = index.search(query, k)
        assert found_ids.dtype == np.int64
        assert found_ids[0] == expected_ids[0]
        np.testing.assert_allclose(found_cosines, expected_cosines, atol=1e-5)
        assert set(found_ids.tolist()) == set(expected_ids.tolist())


@pytest.mark.parametrize("size", [0, 1, 37, 499])
def test_only_the_allowed_are_found_and_none_is_lost(index: VectorIndex, ids: Ids, vectors: Vectors, size: int) -> None:
    allowed = np.sort(ids[:size])
    for query in vectors[100:110]:
        expected_ids, expected_cosines = brute_force(ids, vectors, query, 20, allowed)
        found_ids, found_cosines = index.search(query, 20, allowed)
        np.testing.assert_allclose(found_cosines, expected_cosines, atol=1e-5)
        assert set(found_ids.tolist()) == set(expected_ids.tolist())


def test_unknown_allowed_ids_are_ignored(index: VectorIndex, vectors: Vectors) -> None:
    found, _ = index.search(vectors[0], 5, np.array([-3, 11, 10**12], np.int64))
    assert found.tolist() == []


def test_equal_cosines_go_by_id(index_class: IndexClass) -> None:
    same = index_class(DIMENSION)
    row = np.zeros((1, DIMENSION), np.float32)
    row[0, 3] = 1.0
    same.add(np.array([9, 4, 7], np.int64), np.repeat(row, 3, axis=0))
    assert same.search(row[0], 3)[0].tolist() == [4, 7, 9]


def test_removed_rows_are_not_found_and_others_stay(index: VectorIndex, ids: Ids, vectors: Vectors) -> None:
    index.remove(np.concatenate([ids[:100], [999_999]]))
    assert index.count == 400
    found, _ = index.search(vectors[0], 500)
    assert set(found.tolist()) == set(ids[100:].tolist())


def test_cosines_of_chosen_rows_are_exact(index: VectorIndex, ids: Ids, vectors: Vectors) -> None:
    chosen = np.array([499, 3, 250, 3])
    found = index.cosines_of(vectors[7], ids[chosen])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, vectors[chosen] @ vectors[7], atol=1e-5)
    assert index.cosines_of(vectors[7], np.empty(0, np.int64)).shape == (0,)


@pytest.mark.parametrize("unknown", [-1, 11, 10**12])
def test_a_cosine_of_an_unknown_id_is_an_error(index: VectorIndex, ids: Ids, vectors: Vectors, unknown: int) -> None:
    with pytest.raises(KeyError):
        index.cosines_of(vectors[0], np.array([ids[0], unknown], np.int64))


def test_an_empty_index_finds_nothing(index_class: IndexClass) -> None:
    empty = index_class(DIMENSION)
    assert empty.count == 0
    ids, cosines = empty.search(np.ones(DIMENSION, np.float32), 5)
    assert (len(ids), len(cosines)) == (0, 0)
    empty.remove(np.array([1], np.int64))


def test_no_results_are_asked_for(index: VectorIndex, vectors: Vectors) -> None:
    assert len(index.search(vectors[0], 0)[0]) == 0


def test_a_saved_index_answers_the_same(
    index: VectorIndex, index_class: IndexClass, vectors: Vectors, tmp_path: Path
) -> None:
    index.save(tmp_path / "index")
    loaded = index_class.load((tmp_path / "index").read_bytes(), DIMENSION)
    assert loaded.count == index.count
    for query in vectors[:10]:
        for before, after in zip(index.search(query, 30), loaded.search(query, 30), strict=True):
            np.testing.assert_array_equal(before, after)


def test_saving_twice_gives_the_same_bytes(index: VectorIndex, tmp_path: Path) -> None:
    index.save(tmp_path / "one")
    index.save(tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_an_index_of_another_dimension_is_refused(index: VectorIndex, index_class: IndexClass, tmp_path: Path) -> None:
    index.save(tmp_path / "index")
    with pytest.raises(LibraryDamaged, match="shape"):
        index_class.load((tmp_path / "index").read_bytes(), DIMENSION + 1)


@pytest.mark.parametrize("data", [b"", b"nothing of the kind", b"\x93NUMPY\x01\x00"])
def test_bytes_that_are_no_index_are_refused(index_class: IndexClass, data: bytes) -> None:
    with pytest.raises(LibraryDamaged):
        index_class.load(data, DIMENSION)


def test_a_pickle_is_never_read(tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(LibraryDamaged):
        Backend("numpy").index_class.load((tmp_path / "rows.npy").read_bytes(), DIMENSION)


def test_a_search_in_any_thread_wakes_no_team_of_threads(index_class: IndexClass, vectors: Vectors) -> None:
    """OpenMP keeps the number for each thread: servers search in many, and waking a team costs what a search costs."""
    faiss = pytest.importorskip("faiss", exc_type=ImportError)
    index = index_class(DIMENSION)
    index.add(np.arange(500), vectors)

    def used() -> int:
        index.search(vectors[3], 5)
        return int(faiss.omp_get_max_threads())

    with ThreadPoolExecutor(1) as elsewhere:
        assert elsewhere.submit(used).result() == 1 or isinstance(index, NumpyIndex)
