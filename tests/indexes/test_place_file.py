"""The ranking file is a cache: missing, stale, damaged or foreign, it is made again and search answers the same."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from agentvid.config import Settings
from agentvid.errors import LibraryDamaged
from agentvid.indexes import schema
from agentvid.indexes.base import Filter, VideoRecord
from agentvid.indexes.catalogue import Catalogue
from agentvid.indexes.doctor import examine, repair
from agentvid.indexes.place_file import open_places, publish_places
from agentvid.indexes.places import Places
from agentvid.indexes.retriever import Retriever
from agentvid.indexes.vectors import Backend, publish
from agentvid.library import Library
from agentvid.models.base import EmbeddingSpace
from agentvid.models.scripted import HashEmbedder

MakeRecord = Callable[..., VideoRecord]
NUMPY = Backend("numpy")
WORDS = "river mountain city train night storm harbour market bridge forest".split()


@pytest.fixture
def filled(library: Catalogue, make_record: MakeRecord) -> Catalogue:
    """Six videos that are no files, one without vectors."""
    chance = random.Random(5)
    for number in range(6):
        lines = [" ".join(chance.sample(WORDS, 3)) for _ in range(20)]
        library.put_video(make_record(f"film {number}", lines, paths=(), is_embedded=number != 3))
    return library


@pytest.fixture(params=[True, False], ids=["vectors", "words"])
def space(request: pytest.FixtureRequest, embedder: HashEmbedder) -> EmbeddingSpace | None:
    return embedder.space if request.param else None


def files(library: Catalogue) -> list[Path]:
    return sorted(library.directory.glob("ranking-*"))


def derived(library: Catalogue) -> list[str]:
    """Names of the ranking files that the catalogue knows."""
    with library.store.reading() as connection:
        return [
            name for name in connection.execute(sa.select(schema.derived.c.name)).scalars() if name.startswith("rank")
        ]


def describe(places: Places) -> list[object]:
    terms = places.terms(WORDS)
    return [
        places.video_ids,
        places.ids.tolist(),
        [term.rows.tolist() for term in terms],
        places.has_vector.tolist(),
        places.norms.tolist(),
        places.centroids.tolist(),
        places.sample.tolist(),
    ]


def whats(library: Catalogue) -> list[str]:
    found = (problem.what for problem in examine(library.directory, backend=NUMPY))
    return [what for what in found if "have no vectors" not in what]


def test_the_places_are_what_the_catalogue_holds(filled: Catalogue, space: EmbeddingSpace | None) -> None:
    places = open_places(filled, space)
    passages = filled.passages(filled.passage_ids(Filter()))
    assert places.ids.tolist() == sorted(passages)
    for row, at in enumerate(places.ids.tolist()):
        passage = passages[at]
        assert places.video_ids[places.video[row]] == passage.video_id
        assert places.tracks[places.track[row]] == passage.track
        assert (places.start[row], places.end[row]) == (passage.span.start_seconds, passage.span.end_seconds)
    if space is None:
        assert not places.has_vector.any()
    else:
        with_vector = np.concatenate([ids for ids, _ in filled.iter_vectors(space)])
        assert places.ids[places.has_vector].tolist() == with_vector.tolist()
        assert 0 < places.has_vector.sum() < places.count
        assert places.sample.shape == (len(with_vector), space.dimension)


def test_what_is_published_is_what_is_opened(filled: Catalogue, space: EmbeddingSpace | None) -> None:
    built = publish_places(filled, space)
    (path,) = files(filled)
    before = path.stat().st_mtime_ns
    assert describe(open_places(filled, space)) == describe(publish_places(filled, space)) == describe(built)
    assert path.stat().st_mtime_ns == before


def test_a_stale_file_is_replaced(filled: Catalogue, space: EmbeddingSpace | None, make_record: MakeRecord) -> None:
    publish_places(filled, space)
    before = files(filled)
    filled.put_video(make_record("more", ["something quite new"]))
    places = open_places(filled, space)
    assert places.ids.tolist() == filled.passage_ids(Filter()).tolist()
    assert len(files(filled)) == 1
    assert files(filled) != before
    filled.remove_video(filled.find_video("more").id)
    assert open_places(filled, space).ids.tolist() == filled.passage_ids(Filter()).tolist()
    assert len(files(filled)) == 1


def test_any_damage_is_noticed_and_mended(filled: Catalogue, space: EmbeddingSpace | None) -> None:
    expected = describe(publish_places(filled, space))
    (path,) = files(filled)
    whole = path.read_bytes()
    chance = random.Random(3)
    for _ in range(25):
        at = chance.randrange(len(whole))
        flipped = bytearray(whole)
        flipped[at] ^= 1 << chance.randrange(8)
        path.write_bytes(bytes(flipped) if chance.random() < 0.7 else whole[:at])
        assert describe(open_places(filled, space)) == expected
        assert path.read_bytes() == whole
    path.unlink()
    assert describe(open_places(filled, space)) == expected
    assert path.read_bytes() == whole


@pytest.mark.parametrize("planted", [b"", b"not a file of ours", "text"], ids=["empty", "bytes", "another npz"])
def test_a_foreign_file_with_the_right_hash_is_made_again(
    filled: Catalogue, space: EmbeddingSpace | None, tmp_path: Path, planted: bytes | str
) -> None:
    expected = describe(publish_places(filled, space))
    if isinstance(planted, str):
        np.savez(tmp_path / "other.npz", text=np.frombuffer(b'[["v"], [], []]', np.uint8))
        planted = (tmp_path / "other.npz").read_bytes()
    (path,) = files(filled)
    path.write_bytes(planted)
    with filled.store.writing(is_new_generation=False) as connection:
        sha256 = hashlib.sha256(planted).hexdigest()
        table = schema.derived
        connection.execute(table.update().where(table.c.name.startswith("ranking")).values(file_sha256=sha256))
    assert describe(open_places(filled, space)) == expected
    assert path.read_bytes() != planted


def test_the_doctor_says_and_mends(filled: Catalogue, space: EmbeddingSpace | None, make_record: MakeRecord) -> None:
    if space is None:
        for video in filled.videos():
            filled.remove_video(video.id)
        filled.put_video(make_record("told", ["river storm"], paths=(), is_embedded=False))
    else:
        publish(filled, space, NUMPY)
    assert [what for what in whats(filled) if what.startswith("no ranking file")]
    expected = describe(publish_places(filled, space))
    assert whats(filled) == []
    (path,) = files(filled)
    whole = path.read_bytes()
    for harm, says in ((b"", "damaged"), (whole + b"x", "damaged"), (None, "missing")):
        if harm is None:
            path.unlink()
        else:
            path.write_bytes(harm)
        (path.parent / "ranking-0-0.npz").write_bytes(b"of nobody")
        assert whats(filled) == [f"the ranking file {path.name} is {says}", "ranking-0-0.npz belongs to no index"]
        assert repair(filled.directory, backend=NUMPY) != []
        assert whats(filled) == []
        assert files(filled) == [path]
        assert repair(filled.directory, backend=NUMPY) == []
        assert describe(open_places(filled, space)) == expected
    filled.put_video(make_record("more", ["new words"], paths=(), is_embedded=space is not None))
    assert any("ranking file" in what and "out of date" in what for what in whats(filled))
    repair(filled.directory, backend=NUMPY)
    assert whats(filled) == []
    assert open_places(filled, space).count == filled.total().passages


def test_files_of_other_content_are_forgotten(
    filled: Catalogue, embedder: HashEmbedder, make_record: MakeRecord
) -> None:
    """A search by words leaves a file that nothing keeps up to date; it is no fault of the library."""
    Retriever(filled, None, NUMPY).search("river")
    publish(filled, embedder.space, NUMPY)
    publish_places(filled, embedder.space)
    assert len(files(filled)) == len(derived(filled)) == 2
    filled.put_video(make_record("more", ["new words"], paths=()))
    publish(filled, embedder.space, NUMPY)
    publish_places(filled, embedder.space)
    assert len(files(filled)) == len(derived(filled)) == 1
    assert whats(filled) == []
    for video in filled.videos():
        filled.remove_video(video.id)
    publish_places(filled, None)
    assert derived(filled) == ["ranking words"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE vectors SET vector = x'00' WHERE passage_id = 1",
        "UPDATE vectors SET vector = x''",
        "UPDATE vectors SET vector = 'text' WHERE passage_id = 1",
        "UPDATE passages SET start = 'soon' WHERE id = 1",
        "UPDATE passages SET text = x'ff' WHERE id = 1",
        "UPDATE passages SET track = x'ff' WHERE id = 1",
    ],
)
def test_values_changed_on_the_disk_are_damage(filled: Catalogue, embedder: HashEmbedder, statement: str) -> None:
    with filled.store.raw() as connection:
        connection.execute(statement)
    for backend in (NUMPY, Backend("faiss")):
        with pytest.raises(LibraryDamaged):
            Retriever(filled, embedder, backend).search("river")
    assert [what for what in whats(filled) if "changed on the disk" in what]


def test_leftovers_of_a_killed_run_go(filled: Catalogue, space: EmbeddingSpace | None) -> None:
    (filled.directory / "ranking-0-1.npz.tmp").write_bytes(b"half")
    (filled.directory / "ranking-0-1.npz").write_bytes(b"old")
    publish_places(filled, space)
    assert len(files(filled)) == 1


def test_while_another_writes_the_places_are_built_in_memory(filled: Catalogue, space: EmbeddingSpace | None) -> None:
    with filled.writer(), ThreadPoolExecutor(1) as other:
        places = other.submit(open_places, filled, space).result(timeout=30)
    assert places.count == filled.total().passages
    assert files(filled) == []


def imported(name: str, *texts: str) -> list[bytes]:
    rows = (
        {"video": name, "track": "speech", "start": 9 * at, "end": 9 * at + 5, "text": t} for at, t in enumerate(texts)
    )
    return [json.dumps(row).encode() for row in rows]


def test_the_library_publishes_after_it_was_changed(tmp_path: Path) -> None:
    with Library.open(tmp_path / "store", settings=Settings(embed=False)) as library:
        for change in (
            lambda: library.import_file(imported("a.mp4", "a red door", "the sea")),
            lambda: library.import_file(imported("b.mp4", "a blue door")),
            lambda: library.import_file(imported("a.mp4", "a green door")),
            lambda: library.remove("b.mp4"),
        ):
            change()
            assert whats(library.catalogue) == []
            (path,) = files(library.catalogue)
            before = path.stat().st_mtime_ns
            assert library.search("door")
            assert path.stat().st_mtime_ns == before
        assert [moment.text for moment in library.retriever.search("door")] == ["a green door"]
        library.remove("a.mp4")
        assert library.search("door") == []
        assert whats(library.catalogue) == []


WRITE = """
import sys
from pathlib import Path
from agentvid.config import Settings
from agentvid.library import Library
with Library.open(Path(sys.argv[1]), settings=Settings(embed=False)) as library:
    library.import_file([sys.argv[2].encode()])
"""


def test_what_another_process_published_is_opened(tmp_path: Path) -> None:
    with Library.open(tmp_path / "store", settings=Settings(embed=False)) as library:
        library.import_file(imported("a.mp4", "a red door"))
        assert library.search("quokka") == []
        (line,) = imported("zoo.mp4", "a quokka eats")
        subprocess.run([sys.executable, "-c", WRITE, str(tmp_path / "store"), line], check=True, timeout=60)
        (path,) = files(library.catalogue)
        before = path.stat().st_mtime_ns
        assert library.retriever.search("quokka")[0].text == "a quokka eats"
        assert path.stat().st_mtime_ns == before


READ_ONLY = """
import os, shutil, sys, tempfile
from pathlib import Path
from agentvid.indexes.catalogue import Catalogue
from agentvid.indexes.retriever import Retriever
from agentvid.indexes.vectors import Backend
from agentvid.models.scripted import HashEmbedder
def search(directory):
    with Catalogue.open(Path(directory), create=False) as library:
        found = Retriever(library, HashEmbedder(64), Backend("numpy")).search("red door", k=1)
        return [moment.text for moment in found], library.store.is_writable
with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
    # A copy is searched first, to import everything while it can be read: the environment may lie in a private folder.
    search(shutil.copytree(sys.argv[1], Path(scratch) / "copy"))
if os.geteuid() == 0:
    os.setuid(65534)  # nobody: the superuser may write anywhere
print(*search(sys.argv[1]))
"""


@pytest.mark.parametrize("is_published", [True, False])
def test_a_read_only_library_is_searched_with_and_without_the_file(
    make_record: MakeRecord, embedder: HashEmbedder, is_published: bool
) -> None:
    # Not in pytest's own folders, which others may not enter.
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "library"
        with Catalogue.open(directory) as library:
            library.put_video(make_record("talk", ["a red door", "the sea"]))
            if is_published:
                publish_places(library, embedder.space)
            before = files(library)
        (directory / "catalogue.sqlite3").chmod(0o444)
        directory.chmod(0o555)
        Path(folder).chmod(0o755)
        command = [sys.executable, "-c", READ_ONLY, str(directory)]
        run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        directory.chmod(0o755)
        assert sorted(directory.glob("ranking-*")) == before
    assert run.stdout == "['a red door'] False\n", run.stderr
