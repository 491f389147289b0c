"""The index file is a cache: missing, stale or damaged, it is made again and search answers the same."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest

from agentvid.indexes.base import VectorIndex, VideoRecord
from agentvid.indexes.catalogue import Catalogue
from agentvid.indexes.files import leftovers
from agentvid.indexes.vectors import Backend, choose_backend, open_index, publish
from agentvid.models.scripted import HashEmbedder

MakeRecord = Callable[..., VideoRecord]
NUMPY, FAISS = Backend("numpy"), Backend("faiss")
BACKENDS = pytest.mark.parametrize("backend", [NUMPY, FAISS], ids=lambda backend: backend.name)


@pytest.fixture
def filled(library: Catalogue, make_record: MakeRecord) -> Catalogue:
    words = "river mountain city train night storm harbour market bridge forest".split()
    chance = random.Random(5)
    for number in range(6):
        library.put_video(make_record(f"film {number}", [" ".join(chance.sample(words, 3)) for _ in range(30)]))
    return library


def answers(index: VectorIndex, embedder: HashEmbedder) -> list[list[int]]:
    queries = embedder.encode_query(["river storm", "market", "night train bridge"])
    return [index.search(query, 10)[0].tolist() for query in queries]


def files(library: Catalogue) -> list[str]:
    return sorted(path.name for path in library.directory.glob("vectors-*"))


@BACKENDS
def test_what_is_published_is_what_is_opened(filled: Catalogue, embedder: HashEmbedder, backend: Backend) -> None:
    built = publish(filled, embedder.space, backend)
    (name,) = files(filled)
    assert name.endswith(backend.suffix)
    opened = open_index(filled, embedder.space, backend)
    assert opened.count == filled.total().passages
    assert answers(opened, embedder) == answers(built, embedder)


def test_both_backends_agree(filled: Catalogue, embedder: HashEmbedder) -> None:
    queries = embedder.encode_query(["river storm", "market bridge"])
    one, two = (publish(filled, embedder.space, backend) for backend in (NUMPY, FAISS))
    for query in queries:
        np.testing.assert_allclose(one.search(query, 50)[1], two.search(query, 50)[1], atol=1e-6)
    assert len(files(filled)) == 2


@BACKENDS
def test_a_stale_file_is_replaced(
    filled: Catalogue, make_record: MakeRecord, embedder: HashEmbedder, backend: Backend
) -> None:
    publish(filled, embedder.space, backend)
    before = files(filled)
    filled.put_video(make_record("more", ["something quite new"]))
    opened = open_index(filled, embedder.space, backend)
    assert opened.count == filled.total().passages
    assert len(files(filled)) == 1
    assert files(filled) != before


@BACKENDS
def test_any_damage_is_noticed_and_mended(filled: Catalogue, embedder: HashEmbedder, backend: Backend) -> None:
    expected = answers(publish(filled, embedder.space, backend), embedder)
    (path,) = filled.directory.glob("vectors-*")
    whole = path.read_bytes()
    chance = random.Random(3)
    for _ in range(25):
        at = chance.randrange(len(whole))
        flipped = bytearray(whole)
        flipped[at] ^= 1 << chance.randrange(8)
        damaged = bytes(flipped) if chance.random() < 0.7 else whole[:at]
        path.write_bytes(damaged)
        assert answers(open_index(filled, embedder.space, backend), embedder) == expected
        assert path.read_bytes() == whole
    path.unlink()
    assert answers(open_index(filled, embedder.space, backend), embedder) == expected


def test_a_planted_file_is_never_parsed(filled: Catalogue, embedder: HashEmbedder) -> None:
    publish(filled, embedder.space, FAISS)
    (path,) = filled.directory.glob("vectors-*")
    path.write_bytes(b"IxMp" + b"\xff" * 4096)
    assert open_index(filled, embedder.space, FAISS).count == filled.total().passages


def test_leftovers_of_a_killed_run_go(filled: Catalogue, embedder: HashEmbedder) -> None:
    (filled.directory / "vectors-0-1.faiss.tmp").write_bytes(b"half")
    (filled.directory / "vectors-0-1.npy").write_bytes(b"old")
    publish(filled, embedder.space, NUMPY)
    assert leftovers(filled) == []
    assert len(files(filled)) == 1


def test_an_emptied_library_keeps_no_index(filled: Catalogue, embedder: HashEmbedder) -> None:
    publish(filled, embedder.space, NUMPY)
    for video in filled.videos():
        filled.remove_video(video.id)
    assert publish(filled, embedder.space, NUMPY).count == 0
    assert files(filled) == []


def test_while_another_writes_the_index_is_built_in_memory(filled: Catalogue, embedder: HashEmbedder) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with filled.writer(), ThreadPoolExecutor(1) as other:
        index = other.submit(open_index, filled, embedder.space, NUMPY).result(timeout=30)
    assert index.count == filled.total().passages
    assert files(filled) == []


def test_publishing_twice_writes_once(filled: Catalogue, embedder: HashEmbedder) -> None:
    publish(filled, embedder.space, NUMPY)
    (path,) = filled.directory.glob("vectors-*")
    before = path.stat().st_mtime_ns
    publish(filled, embedder.space, NUMPY)
    assert path.stat().st_mtime_ns == before


def test_the_backend_can_be_chosen() -> None:
    assert choose_backend("numpy") == NUMPY
    assert choose_backend("auto").name in ("faiss", "numpy")
