"""A library of the first format opens, answers and loses nothing.

data/catalogue_v1.sqlite3.gz was written by `agentvid index` and `agentvid import` when there was one migration: a video
of 6 s with subtitles and titles, and an imported one.
"""

from __future__ import annotations

import gzip
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from agentvid.indexes.base import Filter
from agentvid.indexes.catalogue import Catalogue
from agentvid.indexes.doctor import examine
from agentvid.indexes.known import NOTHING, read_known
from agentvid.indexes.migrations import MIGRATIONS
from agentvid.indexes.vectors import Backend

OLD = Path(__file__).parent / "data" / "catalogue_v1.sqlite3.gz"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    directory = tmp_path / "old"
    directory.mkdir()
    (directory / "catalogue.sqlite3").write_bytes(gzip.decompress(OLD.read_bytes()))
    return directory


def content(path: Path) -> dict[str, list[Any]]:
    """Every row of every table of the first format."""
    with closing(sqlite3.connect(path)) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        mine = [name for name in tables if "fts" not in name and not name.startswith("sqlite_")]
        return {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in mine}


def test_no_row_is_lost(old: Path) -> None:
    path = old / "catalogue.sqlite3"
    before = content(path)
    with Catalogue.open(old, create=False):
        pass
    after = content(path)
    for name, rows in before.items():
        # a later format may have put columns behind those of the first
        assert [row[: len(old_row)] for row, old_row in zip(after[name], rows, strict=True)] == rows, name
    assert len(before["observations"]) == 6
    assert after["stages"] == []
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    assert content(old / "catalogue.sqlite3.v1.backup") == before


def test_it_is_found_and_whole_and_will_be_read_anew(old: Path) -> None:
    with Catalogue.open(old, create=False) as catalogue:
        film = catalogue.find_video("harbour.mp4")
        assert {row.track for row in catalogue.observations(film.id)} == {"fact", "ocr", "speech"}
        assert len(catalogue.passage_ids(Filter(video_ids=(film.id,)))) == 4
        assert read_known(catalogue, film, None) is NOTHING
    damage = [problem.what for problem in examine(old, backend=Backend("numpy")) if "changed" in problem.what]
    assert damage == []
