"""The doctor finds every kind of harm, mends what the catalogue can make again, and says what it cannot."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from agentvid.errors import LibraryDamaged, NotFound
from agentvid.indexes.base import Filter, VideoRecord
from agentvid.indexes.catalogue import Catalogue
from agentvid.indexes.doctor import examine, repair
from agentvid.indexes.place_file import publish_places
from agentvid.indexes.retriever import Retriever
from agentvid.indexes.vectors import Backend, publish
from agentvid.models.scripted import HashEmbedder

MakeRecord = Callable[..., VideoRecord]
NUMPY = Backend("numpy")


@pytest.fixture
def directory(tmp_path: Path, make_record: MakeRecord, embedder: HashEmbedder) -> Path:
    file = tmp_path / "film.mp4"
    file.write_bytes(b"video")
    with Catalogue.open(tmp_path / "library") as library:
        library.put_video(make_record("film", ["red door", "blue sky", "红门"], paths=[str(file)]))
        library.put_video(make_record("told", ["green hill", "red lamp"], paths=()))
        publish(library, embedder.space, NUMPY)
        publish_places(library, embedder.space)
    return tmp_path / "library"


def change(directory: Path, *statements: str) -> None:
    with closing(sqlite3.connect(directory / "catalogue.sqlite3", isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def whats(directory: Path) -> list[str]:
    return [problem.what for problem in examine(directory, backend=NUMPY)]


def test_a_sound_library_has_no_problem(directory: Path) -> None:
    assert examine(directory, backend=NUMPY) == []
    assert repair(directory, backend=NUMPY) == []


def test_examining_changes_nothing(directory: Path) -> None:
    before = (directory / "catalogue.sqlite3").read_bytes()
    (directory / "vectors-old.npy").write_bytes(b"old")
    examine(directory, backend=NUMPY)
    assert (directory / "catalogue.sqlite3").read_bytes() == before
    assert (directory / "vectors-old.npy").exists()


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("INSERT INTO passage_fts (passage_fts) VALUES ('delete-all')", "word index"),
        ("DELETE FROM passage_fts_docsize WHERE id = 1", "word index"),
        ("UPDATE passage_fts_data SET block = zeroblob(40)", "word index"),
        ("DELETE FROM passage_fts_data", "word index"),
        ("UPDATE passage_fts_data SET block = x'ff' WHERE id > 10", "word index"),
        ("DELETE FROM passage_fts_config", "word index"),
        ("DROP TABLE passage_fts_idx", "word index"),
        ("DROP TABLE passage_fts", "word index"),
        ("UPDATE spaces SET content_hash = '" + "0" * 64 + "'", "content hashes"),
        ("UPDATE derived SET content_hash = '' WHERE name = 'lexical'", "content hashes"),
        ("UPDATE derived SET file_sha256 = 'x' WHERE name != 'lexical'", "damaged"),
        ("UPDATE derived SET content_hash = 'x' WHERE name != 'lexical'", "out of date"),
        ("DELETE FROM derived WHERE name != 'lexical'", "on file"),
    ],
)
def test_what_the_catalogue_can_make_again_is_mended(
    directory: Path, embedder: HashEmbedder, statement: str, what: str
) -> None:
    with Catalogue.open(directory) as library:
        before = Retriever(library, embedder, NUMPY).search("red lamp", k=5)
    change(directory, statement)
    assert any(what in line for line in whats(directory)), whats(directory)
    assert repair(directory, backend=NUMPY) != []
    assert whats(directory) == []
    assert repair(directory, backend=NUMPY) == []
    with Catalogue.open(directory) as library:
        assert Retriever(library, embedder, NUMPY).search("red lamp", k=5) == before


@pytest.mark.parametrize("kind", ["vectors", "ranking"])
def test_index_files_are_mended(directory: Path, kind: str) -> None:
    (path,) = directory.glob(f"{kind}-*")
    whole = path.read_bytes()
    for harm in (b"", whole[:-1], whole + b"x", None):
        if harm is None:
            path.unlink()
        else:
            path.write_bytes(harm)
        (directory / f"{kind}-0-0.npy.tmp").write_bytes(b"half")
        assert len(whats(directory)) == 2
        repair(directory, backend=NUMPY)
        assert whats(directory) == []
        assert path.read_bytes() == whole


def test_a_library_of_words_has_its_ranking_file_mended(tmp_path: Path, make_record: MakeRecord) -> None:
    directory = tmp_path / "library"
    with Catalogue.open(directory) as library:
        assert whats(directory) == []
        library.put_video(make_record("told", ["green hill"], paths=(), is_embedded=False))
        assert whats(directory) == ["no ranking file is there"]
        publish_places(library, None)
    assert whats(directory) == []
    (path,) = directory.glob("ranking-*")
    path.unlink()
    assert whats(directory) == [f"the ranking file {path.name} is missing"]
    assert repair(directory, backend=NUMPY) == ["built the ranking file again"]
    assert repair(directory, backend=NUMPY) == []
    assert whats(directory) == []
    assert path.is_file()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE passages SET text = 'red cat' WHERE id = 1",
        "UPDATE observations SET text = 'red cat' WHERE id = 1",
        'UPDATE observations SET "end" = 99 WHERE id = 1',
        'UPDATE observations SET "end" = 0 WHERE id = 1',
        "UPDATE observations SET attributes = '{' WHERE id = 1",
        "UPDATE vectors SET vector = zeroblob(128) WHERE passage_id = 1",
        "UPDATE vectors SET vector = x'00' WHERE passage_id = 1",
        "DELETE FROM vectors WHERE passage_id = 1",
    ],
)
def test_changed_rows_have_their_video_made_again(directory: Path, make_record: MakeRecord, statement: str) -> None:
    change(directory, statement)
    assert any("'film' changed on the disk" in line for line in whats(directory))
    assert "marked 'film' to be indexed again" in repair(directory, backend=NUMPY)
    assert repair(directory, backend=NUMPY) == []
    with Catalogue.open(directory) as library:
        film = library.find_video("film.mp4")
        assert library.fingerprint(film.id) == ""
        library.put_video(make_record("film", ["red door", "blue sky", "红门"], paths=film.paths))
        assert library.lexical.containing("door", Filter())
    repair(directory, backend=NUMPY)
    assert whats(directory) == []


def test_rows_of_nobody_are_removed(directory: Path) -> None:
    change(
        directory,
        "PRAGMA foreign_keys = OFF",
        "INSERT INTO vectors SELECT 999, space_id, vector FROM vectors LIMIT 1",
        "INSERT INTO shots VALUES (999, 0, 1)",
        "INSERT INTO provenances VALUES (999, 999, '', '', '', '{}', '')",
        "INSERT INTO observations VALUES (999, 1, 0, 1, 't', 't', 1, '', '{}', 998)",
    )
    assert any("belong to no video" in line for line in whats(directory))
    assert "removed 4 rows that belonged to no video" in repair(directory, backend=NUMPY)
    assert whats(directory) == []


def test_what_no_repair_can_bring_back_is_said(
    directory: Path, tmp_path: Path, make_record: MakeRecord, embedder: HashEmbedder
) -> None:
    (tmp_path / "film.mp4").unlink()
    with Catalogue.open(directory) as library:
        library.put_video(make_record("blind", ["words"], paths=(), is_embedded=False))
        publish_places(library, embedder.space)
    (blind, gone) = examine(directory, backend=NUMPY)
    assert "blind" in blind.what
    assert "embed = true" in blind.hint
    assert str(tmp_path / "film.mp4") in gone.what
    assert "agentvid rm" in gone.hint


def test_two_models_in_one_library_are_said(directory: Path, make_record: MakeRecord) -> None:
    other = HashEmbedder(32)
    record = make_record("other", ["words"], paths=(), is_embedded=False)
    with Catalogue.open(directory) as library:
        from dataclasses import replace

        library.put_video(replace(record, space=other.space, vectors=other.encode_document(["words"])))
        publish(library, other.space, NUMPY)
        publish_places(library, other.space)
    assert any("2 models" in line for line in whats(directory))


def test_a_broken_catalogue_is_said_and_not_touched(directory: Path) -> None:
    path = directory / "catalogue.sqlite3"
    data = bytearray(path.read_bytes())
    for page in range(3, len(data) // 4096 - 1):
        data[page * 4096 : page * 4096 + 100] = b"\xff" * 100
    path.write_bytes(bytes(data))
    (first, *_) = examine(directory, backend=NUMPY)
    assert "damaged" in first.what
    with pytest.raises(LibraryDamaged):
        repair(directory, backend=NUMPY)
    assert path.read_bytes() == bytes(data)


def test_there_must_be_a_library(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        examine(tmp_path / "nothing", backend=NUMPY)
    with pytest.raises(NotFound):
        repair(tmp_path / "nothing", backend=NUMPY)
