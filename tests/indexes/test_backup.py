"""A backup is whole or refused, whatever others do to the library meanwhile and somebody did to the file since."""

from __future__ import annotations

import hashlib
import json
import random
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from agentvid.backup import MANIFEST, backup, restore
from agentvid.config import load_settings
from agentvid.errors import AgentvidError, LibraryDamaged, LibraryError, LibraryTooNew, NotFound, NotSaved, UsageError
from agentvid.library import Library
from agentvid.planners.learned import learn, read_learned
from tests.disk import largest_file

SCRIPT = Path(__file__).with_name("killed_writer.py")
ROWS = [
    ("lecture", 2, 6, "Stream ciphers use a key."),
    ("lecture", 40, 45, "Never use a key twice."),
    ("harbour", 3, 9, "A red boat leaves the pier."),
]


def opened(directory: Path) -> Library:
    return Library.open(settings=load_settings({"library": directory}, environ={}).settings, create=False)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("kept") / "library"
    lines = [
        json.dumps(
            {"video": name, "duration": 90, "track": "speech", "start": start, "end": end, "text": text}
        ).encode()
        for name, start, end, text in ROWS
    ]
    with Library.open(settings=load_settings({"library": directory}, environ={}).settings) as made:
        assert not made.import_file(lines).failed
        made.ask("What is said about a key?", thread="ciphers")
        made.ask("Which boat leaves the pier?")
        (directory / "egress.jsonl").write_text("{}\n")
        assert "learned as" in learn(
            directory, "20261120T120000000-0badcafe", "Who uses a key?", (), 'search(query="key")'
        )
    return directory


@pytest.fixture
def file(library: Path, tmp_path: Path) -> Path:
    backup(library, tmp_path / "kept.backup")
    return tmp_path / "kept.backup"


def test_a_restored_library_finds_and_remembers_the_same(library: Path, file: Path, tmp_path: Path) -> None:
    again = tmp_path / "deep" / "again"
    document = restore(file, again)
    assert (document["videos"], document["threads"], document["traces"]) == (2, 1, 2)
    assert document["parts"] == ["catalogue.sqlite3", "threads.sqlite3", "examples.yaml", "egress.jsonl", "traces"]
    assert read_learned(again) == read_learned(library)
    with opened(library) as before, opened(again) as after:
        for query in ("key", "red boat", "what must never be done twice?"):
            assert after.search(query) == before.search(query)
        assert after.threads() == before.threads()
        assert after.thread("ciphers") == before.thread("ciphers")
        assert after.ask("And what else?", thread="ciphers").trace_id
    assert {path.name for path in (library / "traces").iterdir()} <= {
        path.name for path in (again / "traces").iterdir()
    }


def test_nothing_is_left_beside_the_backup_and_the_library(file: Path, tmp_path: Path) -> None:
    restore(file, tmp_path / "again")
    assert {path.name for path in tmp_path.iterdir()} == {"kept.backup", "again"}


def test_backups_while_another_process_indexes_are_whole(tmp_path: Path) -> None:
    source = tmp_path / "library"
    writer = subprocess.Popen(
        [sys.executable, str(SCRIPT), "write", str(source), "0", "7"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert writer.stdout
        for _ in range(4):
            writer.stdout.readline()
        for number in range(4):
            backup(source, tmp_path / f"{number}.backup")
        assert writer.poll() is None
    finally:
        writer.kill()
        writer.communicate()
    for number in range(4):
        restored = tmp_path / f"again{number}"
        restore(tmp_path / f"{number}.backup", restored)
        checked = subprocess.run(
            [sys.executable, str(SCRIPT), "check", str(restored)], capture_output=True, text=True, check=False
        )
        assert not checked.stderr
        assert checked.stdout.split()


def test_a_file_is_replaced_only_if_that_is_asked_for(library: Path, file: Path) -> None:
    before = file.read_bytes()
    with pytest.raises(UsageError, match="exists already"):
        backup(library, file)
    assert file.read_bytes() == before
    assert backup(library, file, overwrite=True)["bytes"] == file.stat().st_size


def test_a_backup_never_lands_in_the_library_and_needs_one(library: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="lies in the library"):
        backup(library, library / "catalogue.sqlite3", overwrite=True)
    with pytest.raises(NotFound):
        backup(tmp_path / "none", tmp_path / "kept.backup")
    assert not list(tmp_path.iterdir())


def test_a_disk_without_room_for_the_backup_is_said_of_the_backup(library: Path, tmp_path: Path) -> None:
    before = set(tmp_path.iterdir())
    with largest_file(8192), pytest.raises(NotSaved, match="the copy of"):
        backup(library, tmp_path / "full.backup")
    assert set(tmp_path.iterdir()) == before


def test_a_damaged_library_is_not_backed_up(file: Path, tmp_path: Path) -> None:
    restore(file, tmp_path / "again")
    with (tmp_path / "again" / "catalogue.sqlite3").open("r+b") as catalogue:
        catalogue.seek(3 * 4096)
        catalogue.write(b"\xff" * 8192)
    with pytest.raises(LibraryDamaged):
        backup(tmp_path / "again", tmp_path / "second.backup")
    assert not (tmp_path / "second.backup").exists()


def test_only_an_empty_directory_is_restored_into(file: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert restore(file, tmp_path / "empty")["videos"] == 2
    with pytest.raises(UsageError, match="is not empty"):
        restore(file, tmp_path / "empty")
    with pytest.raises(UsageError, match="is not empty"):
        restore(file, file)


def test_a_directory_that_names_a_place_outside_of_the_file_is_damage(file: Path, tmp_path: Path) -> None:
    data = file.read_bytes()
    starts = int.from_bytes(data[-6:-2], "little") + 1_000_000  # where the directory of a zip file begins
    changed = tmp_path / "changed.backup"
    changed.write_bytes(data[:-6] + starts.to_bytes(4, "little") + data[-2:])
    with pytest.raises(LibraryDamaged):
        restore(changed, tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_no_changed_byte_makes_another_library(file: Path, tmp_path: Path) -> None:
    """Whatever byte is changed, the library is refused or the same; and so for files that end too soon."""
    data, chance = file.read_bytes(), random.Random(5)
    manifest = json.loads(zipfile.ZipFile(file).read(MANIFEST))
    changed = tmp_path / "changed.backup"
    messages: set[str] = set()
    refused = 0
    for number in range(150):
        at = chance.randrange(len(data))
        changed.write_bytes(data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :] if number % 3 else data[:at])
        try:
            restore(changed, tmp_path / f"again{number}")
        except AgentvidError as error:
            messages.add(str(error))
            refused += 1
            assert not (tmp_path / f"again{number}").exists()
        else:
            assert {
                str(path.relative_to(tmp_path / f"again{number}"))
                for path in (tmp_path / f"again{number}").rglob("*")
                if path.is_file()
            } == set(manifest["files"])
    assert refused >= 100
    assert not any("\n" in message for message in messages)
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".part")]


Change = Callable[[dict[str, bytes], dict[str, object]], object]


def put(name: str, data: bytes = b"x", size: int | None = None, sha256: str = "") -> Change:
    def change(parts: dict[str, bytes], files: dict[str, object]) -> None:
        parts[name] = data
        files[name] = {
            "bytes": len(data) if size is None else size,
            "sha256": sha256 or hashlib.sha256(data).hexdigest(),
        }

    return change


def drop_catalogue(parts: dict[str, bytes], files: dict[str, object]) -> None:
    del parts["catalogue.sqlite3"], files["catalogue.sqlite3"]


@pytest.mark.parametrize(
    "change",
    [
        put("../outside.json"),
        put("/tmp/outside.json"),
        put("traces/../../outside.json"),
        put("traces/a.json/../../b.json"),
        put("traces/\x1b[2J.json"),
        put("writer.lock"),
        put("vectors-0-1.faiss"),
        put("examples.yaml", b"#" * (17 * 2**20)),
        put("traces/a.json", b"{}", size=3),
        put("traces/a.json", b"{}", size=2**62),
        put("traces/a.json", b"{}", size=-1),
        put("traces/a.json", b"{}", sha256="0" * 64),
        put("catalogue.sqlite3", b""),
        put("catalogue.sqlite3", b"SQLite format 3\0" + b"\0" * 4096),
        put("threads.sqlite3", b"no database at all" * 100),
        lambda parts, _: parts.update({"more.json": b"{}"}),
        lambda parts, _: parts.pop("threads.sqlite3"),
        drop_catalogue,
    ],
)
def test_forged_backups_are_refused_and_leave_nothing(change: Change, file: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist() if name != MANIFEST}
        manifest = json.loads(archive.read(MANIFEST))
    change(parts, manifest["files"])
    with zipfile.ZipFile(tmp_path / "forged.backup", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in {**parts, MANIFEST: json.dumps(manifest).encode()}.items():
            archive.writestr(name, data)
    with pytest.raises(LibraryDamaged) as refused:
        restore(tmp_path / "forged.backup", tmp_path / "inner" / "again")
    assert not {c for c in str(refused.value) if not c.isprintable()}
    assert {path.name for path in tmp_path.rglob("*")} <= {"kept.backup", "forged.backup", "inner"}


def test_links_in_a_backup_are_not_made(library: Path, file: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(file) as archive, zipfile.ZipFile(tmp_path / "links.backup", "w") as forged:
        for name in archive.namelist():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (stat.S_IFLNK | 0o777) << 16
            forged.writestr(entry, archive.read(name))
    restore(tmp_path / "links.backup", tmp_path / "again")
    assert not [path for path in (tmp_path / "again").rglob("*") if path.is_symlink()]


def test_what_is_no_backup_or_a_newer_one_is_said(file: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no backup")
    with pytest.raises(LibraryDamaged, match="no whole backup"):
        restore(tmp_path / "text", tmp_path / "again")
    with pytest.raises(UsageError, match="is not there"):
        restore(tmp_path / "none", tmp_path / "again")
    with pytest.raises((UsageError, LibraryError)):
        restore(tmp_path, tmp_path / "again")
    with zipfile.ZipFile(file) as archive:
        manifest = json.loads(archive.read(MANIFEST)) | {"format": 2}
    with zipfile.ZipFile(tmp_path / "newer", "w") as archive:
        archive.writestr(MANIFEST, json.dumps(manifest))
    with pytest.raises(LibraryTooNew):
        restore(tmp_path / "newer", tmp_path / "again")
