"""Large enough for its first pass, the quantised index finds what comparing everything finds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from agentvid.errors import LibraryDamaged
from agentvid.indexes.base import Ids
from agentvid.models.base import Vectors

pytest.importorskip("faiss", exc_type=ImportError)

if TYPE_CHECKING:
    from agentvid.indexes.quantised_index import QuantisedIndex

COUNT, DIMENSION = 20_000, 64


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    """(20000, 64) around 300 centres, exact in float16."""
    random = np.random.default_rng(3)
    centres = random.standard_normal((300, DIMENSION))
    rows = centres[random.integers(0, 300, COUNT)] + 0.8 * random.standard_normal((COUNT, DIMENSION))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float16).astype(np.float32)


@pytest.fixture(scope="module")
def ids() -> Ids:
    return np.arange(5, 5 + 2 * COUNT, 2, dtype=np.int64)


@pytest.fixture
def index(ids: Ids, vectors: Vectors) -> QuantisedIndex:
    return make(ids, vectors)


def make(ids: Ids, vectors: Vectors) -> QuantisedIndex:
    from agentvid.indexes.quantised_index import QuantisedIndex

    index = QuantisedIndex.trained_on(vectors.astype(np.float16))
    index.add(ids, vectors)
    return index


def recall(index: QuantisedIndex, ids: Ids, vectors: Vectors, allowed: Ids | None = None, *, k: int = 10) -> float:
    """Share of the truly best `k` that are found, over 100 queries; whatever is found must have its true cosine."""
    kept = np.ones(len(ids), bool) if allowed is None else np.isin(ids, allowed)
    shares = []
    for query in vectors[:: len(vectors) // 100]:
        cosines = np.where(kept, vectors @ query, -2.0)
        found, scores = index.search(query, k, allowed)
        assert len(found) == min(k, kept.sum())
        assert (np.diff(scores) <= 0).all()
        places = np.searchsorted(ids, found)
        assert kept[places].all()
        np.testing.assert_allclose(scores, cosines[places], atol=1e-5)
        shares.append(len(set(found.tolist()) & set(ids[np.argsort(-cosines)[:k]].tolist())) / len(found))
    return float(np.mean(shares))


@pytest.mark.parametrize("k", [1, 10, 100])
def test_nearly_everything_that_is_best_is_found(index: QuantisedIndex, ids: Ids, vectors: Vectors, k: int) -> None:
    assert recall(index, ids, vectors, k=k) >= 0.99


@pytest.mark.parametrize("size", [1, 300, 4000])
def test_a_small_filter_is_exact(index: QuantisedIndex, ids: Ids, vectors: Vectors, size: int) -> None:
    assert recall(index, ids, vectors, ids[7 : 7 + size]) == 1.0


@pytest.mark.parametrize("size", [4500, 19_000])
def test_a_large_filter_lets_nothing_else_through(index: QuantisedIndex, ids: Ids, vectors: Vectors, size: int) -> None:
    allowed = np.random.default_rng(4).permutation(ids)[:size]
    unknown = np.array([-7, 6, 10**12], np.int64)
    assert recall(index, ids, vectors, np.concatenate([allowed, unknown])) >= 0.99


def test_asking_for_a_large_part_is_exact(index: QuantisedIndex, ids: Ids, vectors: Vectors) -> None:
    found, _ = index.search(vectors[0], 2000)
    assert set(found.tolist()) == set(ids[np.argsort(-(vectors @ vectors[0]), kind="stable")[:2000]].tolist())


def test_what_is_removed_is_not_found_and_the_rest_still_is(index: QuantisedIndex, ids: Ids, vectors: Vectors) -> None:
    index.remove(ids[1::2])
    index.remove(np.array([1, 2], np.int64))
    assert index.count == COUNT // 2
    assert recall(index, ids[::2], vectors[::2]) >= 0.99


def test_what_is_added_later_is_found_without_training(ids: Ids, vectors: Vectors) -> None:
    half = COUNT // 2
    index = make(ids[:half], vectors[:half])
    index.add(ids[half:][::-1], vectors[half:][::-1])
    assert (index.count, index.trained_count) == (COUNT, half)
    assert recall(index, ids, vectors) >= 0.99


def test_equal_cosines_go_by_id(index: QuantisedIndex, vectors: Vectors) -> None:
    index.add(np.array([900_003, 900_001], np.int64), vectors[[42, 42]])
    assert index.search(vectors[42], 3)[0].tolist() == [5 + 2 * 42, 900_001, 900_003]


def test_training_is_the_same_every_time(index: QuantisedIndex, ids: Ids, vectors: Vectors, tmp_path: Path) -> None:
    index.save(tmp_path / "one")
    make(ids, vectors).save(tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_loaded_index_answers_the_same(index: QuantisedIndex, vectors: Vectors, tmp_path: Path) -> None:
    loaded = saved_and_loaded(index, tmp_path)
    assert loaded.is_whole()
    for query in vectors[:20]:
        for before, after in zip(index.search(query, 30), loaded.search(query, 30), strict=True):
            np.testing.assert_array_equal(before, after)


def test_a_row_that_changed_on_the_disk_is_refused(index: QuantisedIndex, vectors: Vectors, tmp_path: Path) -> None:
    loaded = saved_and_loaded(index, tmp_path, damaged_row=42)
    with pytest.raises(LibraryDamaged, match="changed on the disk"):
        loaded.search(vectors[42], 1)
    with pytest.raises(LibraryDamaged, match="changed on the disk"):
        loaded.cosines_of(vectors[0], np.array([5 + 2 * 42], np.int64))
    assert not loaded.is_whole()


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data[:-128], lambda data: b""])
def test_rows_of_another_length_are_refused(index: QuantisedIndex, tmp_path: Path, change: object) -> None:
    assert callable(change)
    with pytest.raises(LibraryDamaged):
        saved_and_loaded(index, tmp_path, change=change)


def saved_and_loaded(
    index: QuantisedIndex, folder: Path, *, damaged_row: int | None = None, change: object = None
) -> QuantisedIndex:
    from agentvid.indexes.quantised_index import QuantisedIndex

    index.save(folder / "codes.pq")
    index.save_rows(folder / "rows.f16")
    rows = bytearray((folder / "rows.f16").read_bytes())
    if damaged_row is not None:
        rows[damaged_row * DIMENSION * 2] ^= 1
    (folder / "rows.f16").write_bytes(change(bytes(rows)) if callable(change) else rows)
    return QuantisedIndex.load((folder / "codes.pq").read_bytes(), folder / "rows.f16", DIMENSION)


def test_a_gpu_gives_the_same_results(index: QuantisedIndex, ids: Ids, vectors: Vectors) -> None:
    from agentvid.indexes.gpu_rows import GpuRows

    if not GpuRows.is_available():
        pytest.skip("no GPU, or faiss-cpu")
    for _ in range(2):
        assert recall(index, ids, vectors) >= 0.99
        index.remove(ids[:1])
        ids, vectors = ids[1:], vectors[1:]
