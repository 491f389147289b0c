"""The two files of a large vector index: made, grown, mended and dropped with the library."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from agentvid.errors import LibraryDamaged
from agentvid.indexes import doctor, schema
from agentvid.indexes.base import VectorIndex, VideoRecord
from agentvid.indexes.catalogue import Catalogue
from agentvid.indexes.files import leftovers
from agentvid.indexes.vectors import Backend, open_index, publish
from agentvid.models.scripted import HashEmbedder

pytest.importorskip("faiss", exc_type=ImportError)

MakeRecord = Callable[..., VideoRecord]
BACKEND = Backend("faiss", exact_up_to=700)
WORDS = "river mountain city train night storm harbour market bridge forest".split()


@pytest.fixture
def filled(library: Catalogue, make_record: MakeRecord) -> Catalogue:
    """Eight videos of 100 passages."""
    chance = random.Random(5)
    for number in range(8):
        library.put_video(make_record(f"film {number}", lines(chance)))
    return library


def lines(chance: random.Random, count: int = 100) -> list[str]:
    return [" ".join(chance.choices(WORDS, k=4)) for _ in range(count)]


def answers(index: VectorIndex, embedder: HashEmbedder) -> list[list[int]]:
    queries = embedder.encode_query(["river storm", "market", "night train bridge"])
    return [index.search(query, 10)[0].tolist() for query in queries]


def suffixes(library: Catalogue) -> list[str]:
    return sorted(path.suffix for path in library.directory.glob("vectors-*"))


def trained_count(index: VectorIndex) -> int:
    from agentvid.indexes.quantised_index import QuantisedIndex

    assert isinstance(index, QuantisedIndex)
    return index.trained_count


def test_a_large_space_has_codes_and_rows_and_answers_as_numpy_does(filled: Catalogue, embedder: HashEmbedder) -> None:
    built = publish(filled, embedder.space, BACKEND)
    assert suffixes(filled) == [".f16", ".pq"]
    expected = answers(publish(filled, embedder.space, Backend("numpy")), embedder)
    assert answers(built, embedder) == answers(open_index(filled, embedder.space, BACKEND), embedder) == expected
    assert not [problem for problem in doctor.examine(filled.directory, backend=BACKEND) if "index" in problem.what]


def test_codes_grow_until_the_library_has_doubled(
    filled: Catalogue, make_record: MakeRecord, embedder: HashEmbedder
) -> None:
    publish(filled, embedder.space, BACKEND)
    filled.remove_video(filled.videos()[0].id)
    filled.put_video(make_record("more", lines(random.Random(1), 300)))
    grown = publish(filled, embedder.space, BACKEND)
    assert (grown.count, trained_count(grown)) == (1000, 800)
    assert answers(grown, embedder) == answers(publish(filled, embedder.space, Backend("numpy")), embedder)
    filled.put_video(make_record("much more", lines(random.Random(2), 600)))
    assert trained_count(publish(filled, embedder.space, BACKEND)) == 1600
    assert suffixes(filled) == [".f16", ".npy", ".pq"]
    assert leftovers(filled) == []


def test_a_library_that_shrank_is_searched_exactly_again(filled: Catalogue, embedder: HashEmbedder) -> None:
    publish(filled, embedder.space, BACKEND)
    filled.remove_video(filled.videos()[0].id)
    publish(filled, embedder.space, BACKEND)
    assert suffixes(filled) == [".faiss"]
    with filled.store.reading() as connection:
        names = connection.execute(sa.select(schema.derived.c.name)).scalars().all()
    assert BACKEND.rows_name(embedder.space) not in names


@pytest.mark.parametrize("suffix", [".pq", ".f16"])
def test_a_missing_file_is_made_again(filled: Catalogue, embedder: HashEmbedder, suffix: str) -> None:
    expected = answers(publish(filled, embedder.space, BACKEND), embedder)
    (path,) = filled.directory.glob(f"vectors-*{suffix}")
    path.unlink()
    assert answers(open_index(filled, embedder.space, BACKEND), embedder) == expected
    assert suffixes(filled) == [".f16", ".pq"]


def test_damaged_codes_are_made_again(filled: Catalogue, embedder: HashEmbedder) -> None:
    expected = answers(publish(filled, embedder.space, BACKEND), embedder)
    (path,) = filled.directory.glob("vectors-*.pq")
    whole = path.read_bytes()
    for at in range(0, len(whole), len(whole) // 20):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert answers(open_index(filled, embedder.space, BACKEND), embedder) == expected
        assert path.read_bytes() == whole


def test_damaged_rows_are_refused_never_kept_and_mended(
    filled: Catalogue, make_record: MakeRecord, embedder: HashEmbedder
) -> None:
    expected = answers(publish(filled, embedder.space, BACKEND), embedder)
    (path,) = filled.directory.glob("vectors-*.f16")
    whole = path.read_bytes()
    path.write_bytes(whole[:1000] + b"\xff\x00" + whole[1002:])
    with pytest.raises(LibraryDamaged) as refused:
        answers(open_index(filled, embedder.space, BACKEND), embedder)
    assert "doctor --repair" in refused.value.hint
    assert any("damaged" in problem.what for problem in doctor.examine(filled.directory, backend=BACKEND))
    doctor.repair(filled.directory, backend=BACKEND)
    assert answers(open_index(filled, embedder.space, BACKEND), embedder) == expected
    (path,) = filled.directory.glob("vectors-*.f16")
    assert path.read_bytes() == whole
    # Growing from damaged rows would give them a new, valid hash.
    path.write_bytes(whole[:1000] + b"\xff\x00" + whole[1002:])
    filled.put_video(make_record("more", lines(random.Random(1), 3)))
    assert trained_count(publish(filled, embedder.space, BACKEND)) == 803
