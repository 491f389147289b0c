"""Killed, out of space, or with two writers: what was acknowledged is there, whole, and nothing else."""

from __future__ import annotations

import random
import resource
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from agentvid.errors import LibraryBusy, LibraryDamaged, LibraryError, LibraryTooNew
from agentvid.indexes.base import Filter, VideoRecord
from agentvid.indexes.catalogue import Catalogue
from agentvid.indexes.doctor import examine, repair
from agentvid.indexes.migrations import APPLICATION_ID, MIGRATIONS, migrate
from agentvid.indexes.place_file import open_places
from agentvid.indexes.vectors import Backend, open_index
from agentvid.models.scripted import HashEmbedder

MakeRecord = Callable[..., VideoRecord]
NUMPY = Backend("numpy")

SCRIPT = Path(__file__).with_name("killed_writer.py")


def run_script(*arguments: str | Path | int, preexec_fn: Callable[[], None] | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=preexec_fn,
    )


def check_whole(directory: Path) -> list[str]:
    """Names of the videos, after every promise about the library was checked."""
    out, err = run_script("check", directory).communicate(timeout=60)
    assert not err, err
    return out.split()


def kill_often(directory: Path, kills: int) -> dict[str, str]:
    process = run_script("kill", directory, kills)
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    return dict(line.split("=") for line in out.split())


def test_a_writer_killed_at_any_moment_loses_nothing(tmp_path: Path) -> None:
    counted = kill_often(tmp_path / "library", 60)
    assert int(counted["kills"]) == 60
    assert int(counted["while_writing"]) >= 20


@pytest.mark.slow
def test_a_writer_killed_very_often_loses_nothing(tmp_path: Path) -> None:
    assert int(kill_often(tmp_path / "library", 1000)["while_writing"]) >= 330


def test_a_full_disk_is_said_and_the_old_state_stays(tmp_path: Path) -> None:
    directory = tmp_path / "library"
    stored: list[str] = []
    for extra in (250_000, 0, 5_000, 60_000):
        size = extra + ((directory / "catalogue.sqlite3").stat().st_size if stored else 0)
        limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (size, size))
        writer = run_script("write", directory, len(stored), 1_000_000, preexec_fn=limit)
        out, err = writer.communicate(timeout=60)
        assert writer.returncode == 1
        assert "LibraryError: cannot write" in err, err
        stored += out.split()[1:]
        assert check_whole(directory) == stored
    assert len(stored) > 3


def test_a_second_writer_waits_and_then_names_the_first(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from agentvid.indexes.catalogue import Catalogue\n"
        "with Catalogue.open(Path(sys.argv[1])) as library, library.writer():\n"
        "    print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with Catalogue.open(tmp_path, lock_timeout_seconds=0.1) as library:
            assert library.videos() == []
            started = time.monotonic()
            with pytest.raises(LibraryBusy, match=f"process {holder.pid}"):
                library.record_failure("/v/x.mp4", None, "NotAVideo", "empty")
            assert 0.1 <= time.monotonic() - started < 5
            holder.kill()
            holder.wait()
            library.record_failure("/v/x.mp4", None, "NotAVideo", "empty")
            assert len(library.failures()) == 1
    finally:
        holder.kill()
        holder.communicate()


def test_threads_take_turns(library: Catalogue, make_record: MakeRecord) -> None:
    records = [make_record(f"v{number}", ["one", "two"]) for number in range(12)]
    threads = [threading.Thread(target=library.put_video, args=(record,)) for record in records]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(library.videos()) == 12
    assert library.generation == 12


def test_readers_see_whole_videos_while_another_writes(tmp_path: Path) -> None:
    directory = tmp_path / "library"
    process = run_script("write", directory, 0, 7)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        with Catalogue.open(directory, create=False) as library:
            generations: list[int] = []
            while len(set(generations)) < 10:
                with library.store.reading() as connection:
                    count = connection.exec_driver_sql("SELECT count(*) FROM passages").scalar_one()
                    vectors = connection.exec_driver_sql("SELECT count(*) FROM vectors").scalar_one()
                    words = connection.exec_driver_sql("SELECT count(*) FROM passage_fts_docsize").scalar_one()
                    generations.append(connection.exec_driver_sql("SELECT generation FROM library").scalar_one())
                assert count == vectors == words
                assert count % 20 == 0
            assert generations == sorted(generations)
    finally:
        process.kill()
        process.communicate()


def test_the_lock_can_be_taken_inside_itself(library: Catalogue, make_record: MakeRecord) -> None:
    with library.writer(), library.writer():
        library.put_video(make_record("talk", ["one"]))
    assert len(library.videos()) == 1


# Migrations


def add_column(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE videos ADD COLUMN added TEXT")
    connection.execute("UPDATE videos SET added = 'yes'")


def fail_half_way(connection: sqlite3.Connection) -> None:
    add_column(connection)
    connection.execute("CREATE TABLE half (x)")
    connection.execute("INSERT INTO nowhere VALUES (1)")


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        number: int = connection.execute("PRAGMA user_version").fetchone()[0]
        return number


def test_an_old_library_is_copied_before_it_is_changed(library: Catalogue, make_record: MakeRecord) -> None:
    library.put_video(make_record("talk", ["one"]))
    library.close()
    path = library.store.path
    migrate(path, (*MIGRATIONS, add_column))
    assert version(path) == len(MIGRATIONS) + 1
    copy = path.with_name(f"{path.name}.v{len(MIGRATIONS)}.backup")
    assert version(copy) == len(MIGRATIONS)
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT title FROM videos").fetchall() == [("talk",)]


def test_a_failed_migration_leaves_the_library_as_it_was(library: Catalogue, make_record: MakeRecord) -> None:
    library.put_video(make_record("talk", ["one"]))
    library.close()
    path = library.store.path
    before = path.read_bytes()
    with pytest.raises(LibraryError, match="as it was"):
        migrate(path, (*MIGRATIONS, fail_half_way))
    assert path.read_bytes() == before
    with Catalogue.open(library.directory) as again:
        assert again.find_video("talk").title == "talk"


def test_migrations_run_once(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.sqlite3"
    migrate(path)
    before = path.read_bytes()
    migrate(path)
    assert path.read_bytes() == before
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
    with pytest.raises(LibraryTooNew):
        migrate(path, ())


# Damage


def test_flipped_bits_never_give_a_wrong_answer(
    tmp_path: Path, make_record: MakeRecord, embedder: HashEmbedder
) -> None:
    directory = tmp_path / "library"
    lines = [f"line number{at} about something{at % 7}" for at in range(60)]
    with Catalogue.open(directory) as library:
        library.put_video(make_record("talk", lines))
        open_index(library, embedder.space, NUMPY)
        open_places(library, embedder.space)
    path = directory / "catalogue.sqlite3"
    whole = path.read_bytes()
    chance = random.Random(4)
    for _ in range(60):
        flipped = bytearray(whole)
        at = chance.randrange(len(whole))
        flipped[at] ^= 1 << chance.randrange(8)
        path.write_bytes(bytes(flipped) if chance.random() < 0.8 else whole[:at])
        try:
            with Catalogue.open(directory, create=False) as library:
                texts = [
                    observation.text for video in library.videos() for observation in library.observations(video.id)
                ]
                library.lexical.containing("line something3", Filter())
                open_index(library, embedder.space, NUMPY)
                open_places(library, embedder.space)
            is_same = texts == lines
        except LibraryError:
            is_same = False
        except Exception as error:
            raise AssertionError(f"byte {at}: {error!r}") from error
        if not is_same and path.stat().st_size:
            assert [problem for problem in examine(directory, backend=NUMPY) if "is not there" not in problem.what]
        for _ in range(2):
            try:
                repair(directory, backend=NUMPY)
            except (LibraryDamaged, LibraryError):
                break
