"""A library as one file and back: what cannot be made again, each part with its sha256 in a manifest.

The file is a zip: `manifest.json`, the catalogue and the threads as SQLite's backup API copies them while others read
and write, learned examples, the log of what left the machine, and traces. Indexes are not in it: the next search makes
them. A backup may come from anybody: names are matched against a list, sizes against the manifest and the disk, and
nothing becomes a library before all of it was read and checked.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import shutil
import sqlite3
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Annotated
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agentvid import __version__
from agentvid.egress import FILE as EGRESS
from agentvid.egress import OLDER_FILE as OLDER_EGRESS
from agentvid.errors import LibraryDamaged, LibraryError, LibraryTooNew, UsageError
from agentvid.indexes.catalogue import Catalogue
from agentvid.indexes.migrations import back_up, check_not_newer, sync, version_of
from agentvid.indexes.store import FILE_NAME as CATALOGUE
from agentvid.planners.learned import FILE as EXAMPLES
from agentvid.saving import saving
from agentvid.text import terminal_text
from agentvid.threads import FILE as THREADS
from agentvid.threads import checkpointer
from agentvid.trace import FOLDER as TRACES
from agentvid.trace import trace_ids
from agentvid.types import Json

FORMAT, MANIFEST = 1, "manifest.json"
#: What a backup may hold, and how large each may be; None: as large as the disk.
_ALLOWED = (
    (re.compile(re.escape(CATALOGUE)), None),
    (re.compile(re.escape(THREADS)), None),
    (re.compile(re.escape(EXAMPLES)), 16 * 2**20),
    (re.compile(f"{re.escape(EGRESS)}|{re.escape(OLDER_EGRESS)}"), None),
    (re.compile(rf"{TRACES}/[0-9A-Za-z-]{{1,40}}\.json"), 64 * 2**20),
)
_MAX_MANIFEST_BYTES = 256 * 2**20
_MAX_FILES = 1_000_000
_PIECE_BYTES = 2**20
#: What must stay free on the disk.
_SPARE_BYTES = 16 * 2**20
_ANOTHER = "restore another backup"


class Part(BaseModel):
    """One file of the library in a backup."""

    model_config = ConfigDict(extra="forbid", strict=True)
    bytes: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Manifest(BaseModel):
    """What a backup holds. `made_at`: ISO 8601, UTC; `agentvid`: the version that made it."""

    model_config = ConfigDict(extra="forbid", strict=True)
    format: int
    agentvid: Annotated[str, Field(max_length=40)]
    made_at: Annotated[str, Field(max_length=40)]
    videos: Annotated[int, Field(ge=0)]
    threads: Annotated[int, Field(ge=0)]
    files: Annotated[dict[str, Part], Field(max_length=_MAX_FILES)]

    def to_json(self) -> Json:
        """What `backup` and `restore` print of it."""
        traces = sum(name.startswith(f"{TRACES}/") for name in self.files)
        parts = [name for name in (CATALOGUE, THREADS, EXAMPLES, OLDER_EGRESS, EGRESS) if name in self.files]
        return {
            "made_at": self.made_at,
            "agentvid": self.agentvid,
            "videos": self.videos,
            "threads": self.threads,
            "traces": traces,
            "parts": [*parts, *([TRACES] if traces else [])],
        }


def backup(library: Path, file: Path, *, overwrite: bool = False) -> Json:
    """Write a backup of the library; others may read and write it meanwhile.

    It gets its name after it was read back and every hash and both databases were checked. Returns
    `{"file", "bytes", "made_at", "agentvid", "videos", "threads", "traces", "parts"}`. Raises NotFound if there is no
    library, LibraryDamaged, LibraryBusy, UsageError and NotSaved as `saving`.
    """
    if file.resolve().is_relative_to(library.resolve()):
        raise UsageError(f"{file} lies in the library", hint="choose a file in another folder, best on another disk")
    with Catalogue.open(library, create=False) as catalogue, saving(file, overwrite=overwrite) as written:
        aside = Path(written.name)
        with tempfile.TemporaryDirectory(prefix=f".{file.name[:40]}.", dir=file.parent) as folder:
            manifest = _write(catalogue, Path(folder), written)
        written.flush()
        with _opened(aside) as archive:
            for name, part in _read_manifest(archive, aside).files.items():
                _copy_part(archive, name, part, None, aside)
        size = aside.stat().st_size
    return {"file": str(file), "bytes": size, **manifest.to_json()}


def _write(catalogue: Catalogue, folder: Path, written: IO[bytes]) -> Manifest:
    library = catalogue.directory
    catalogue.backup(folder / CATALOGUE)
    videos = _checked(folder / CATALOGUE, "SELECT count(*) FROM videos", is_catalogue=True)
    files, threads = {CATALOGUE: folder / CATALOGUE}, 0
    if (library / THREADS).exists():
        with checkpointer(library) as saver:
            back_up(saver.conn, folder / THREADS)
        threads = _checked(folder / THREADS, "SELECT count(DISTINCT thread_id) FROM checkpoints")
        files[THREADS] = folder / THREADS
    files |= {name: library / name for name in (EXAMPLES, OLDER_EGRESS, EGRESS) if (library / name).exists()}
    files |= {f"{TRACES}/{trace_id}.json": library / TRACES / f"{trace_id}.json" for trace_id in trace_ids(library)}
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    manifest = Manifest(format=FORMAT, agentvid=__version__, made_at=now, videos=videos, threads=threads, files={})
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, path in files.items():
            try:
                source = path.open("rb")
            except FileNotFoundError:  # removed since it was listed
                continue
            with source, archive.open(name, "w", force_zip64=True) as target:
                manifest.files[name] = _copy(source, target)
        archive.writestr(MANIFEST, manifest.model_dump_json())
    return manifest


def restore(file: Path, library: Path) -> Json:
    """Make a library of a backup, in a directory that is empty or not there; it appears whole or not at all.

    Returns `{"file", "library", "made_at", "agentvid", "videos", "threads", "traces", "parts"}`. Raises UsageError if
    the directory holds anything or the file cannot be read, LibraryDamaged if it is no whole backup, LibraryTooNew,
    LibraryError if the library cannot be written.
    """
    library = library.resolve()
    if library.exists() and not (library.is_dir() and not any(library.iterdir())):
        raise UsageError(
            f"{library} is not empty; allowed: a directory that is empty or not there",
            hint="name another one with --library",
        )
    with _opened(file) as archive:
        manifest = _read_manifest(archive, file)
        aside = library.with_name(f".{library.name[:40]}.{secrets.token_hex(6)}.part")
        try:
            aside.mkdir(parents=True)
            _check_room(manifest, aside)
            _unpack(archive, manifest, aside, file)
            os.replace(aside, library)
            sync(library.parent)
        except OSError as error:
            if error.errno == errno.EINVAL:
                raise  # of the file that is read, not of the library
            raise LibraryError(
                f"cannot make a library at {library}: {error.strerror or error}",
                hint="choose a directory that you may write to with --library",
            ) from None
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    return {"file": str(file), "library": str(library), **manifest.to_json()}


def _unpack(archive: zipfile.ZipFile, manifest: Manifest, folder: Path, file: Path) -> None:
    for name, part in manifest.files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        with path.open("xb") as target:
            _copy_part(archive, name, part, target, file)
            target.flush()
            os.fsync(target.fileno())
    _checked(folder / CATALOGUE, "SELECT count(*) FROM videos", is_catalogue=True)
    if THREADS in manifest.files:
        _checked(folder / THREADS, "SELECT count(*) FROM checkpoints")
    for path in {(folder / name).parent for name in manifest.files}:
        sync(path)


@contextmanager
def _opened(file: Path) -> Iterator[zipfile.ZipFile]:
    """The archive; what zipfile finds wrong with it, whenever, is LibraryDamaged."""
    shown = terminal_text(str(file))
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except FileNotFoundError:
        raise UsageError(f"{shown} is not there", hint="name a file that `agentvid backup` wrote") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise _damaged(file, str(error)) from None
    except (IsADirectoryError, PermissionError) as error:
        raise UsageError(f"{shown} cannot be read: {error.strerror}", hint="name a file that you may read") from None
    except OSError as error:
        if error.errno == errno.EINVAL:  # a damaged directory sends zipfile to a place before the file's beginning
            raise _damaged(file, "its directory names a place outside of it") from None
        raise


def _read_manifest(archive: zipfile.ZipFile, file: Path) -> Manifest:
    """The manifest, after its names and sizes and those of the archive were compared."""
    entries = {entry.filename: entry for entry in archive.infolist()}
    if MANIFEST not in entries:
        raise _damaged(file, "it has no manifest")
    if entries[MANIFEST].file_size > _MAX_MANIFEST_BYTES:
        raise _damaged(file, "its manifest is too large")
    try:
        manifest = Manifest.model_validate_json(archive.read(MANIFEST))
    except ValidationError as error:
        raise _damaged(file, f"its manifest is not one: {error.errors()[0]['msg']}") from None
    if manifest.format != FORMAT:
        raise LibraryTooNew(
            f"{terminal_text(str(file))} has the backup format {manifest.format}; this agentvid reads {FORMAT}",
            hint="pip install --upgrade agentvid",
        )
    if CATALOGUE not in manifest.files:
        raise _damaged(file, "it has no catalogue")
    if {*manifest.files, MANIFEST} != set(entries) or len(entries) != len(archive.infolist()):
        raise _damaged(file, "its files are not those of its manifest")
    for name, part in manifest.files.items():
        if not any(pattern.fullmatch(name) and part.bytes <= (most or part.bytes) for pattern, most in _ALLOWED):
            raise _damaged(file, f"{terminal_text(name)[:80]!r} of {part.bytes} bytes is nothing that a backup holds")
        if entries[name].file_size != part.bytes:
            raise _damaged(file, f"{name} has {entries[name].file_size} bytes in place of {part.bytes}")
    return manifest


def _check_room(manifest: Manifest, folder: Path) -> None:
    needed = sum(part.bytes for part in manifest.files.values()) + _SPARE_BYTES
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise LibraryError(
            f"the library needs {needed // 2**20} MiB and {free // 2**20} MiB are free", hint="free some disk space"
        )


def _copy_part(archive: zipfile.ZipFile, name: str, part: Part, target: IO[bytes] | None, file: Path) -> None:
    """Read a file of the archive and compare it with the manifest; None as target only compares."""
    with archive.open(name) as source:
        copied = _copy(source, target)
    if copied != part:
        raise _damaged(file, f"{name} is not what was backed up")


def _copy(source: IO[bytes], target: IO[bytes] | None) -> Part:
    digest, count = hashlib.sha256(), 0
    while piece := source.read(_PIECE_BYTES):
        digest.update(piece)
        count += len(piece)
        if target is not None:
            target.write(piece)
    return Part(bytes=count, sha256=digest.hexdigest())


def _checked(path: Path, count: str, *, is_catalogue: bool = False) -> int:
    """SQLite's own check of a file that nobody else uses, and what `count` counts in it.

    Raises LibraryDamaged, LibraryTooNew.
    """
    uri = f"file:{quote(os.fsencode(path.absolute()))}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.execute("PRAGMA cell_size_check = ON")
            found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if found != "ok":
                raise LibraryDamaged(f"{path.name} is damaged: {found}", hint="agentvid doctor")
            if is_catalogue:
                if version_of(connection) == 0:
                    raise LibraryDamaged(f"{path.name} is empty", hint="agentvid doctor")
                check_not_newer(version_of(connection))
            return int(connection.execute(count).fetchone()[0])
    except sqlite3.Error as error:
        raise LibraryDamaged(f"{path.name} is damaged: {error}", hint="agentvid doctor") from None


def _damaged(file: Path, why: str) -> LibraryDamaged:
    shown = terminal_text(str(file))
    return LibraryDamaged(f"{shown} is no whole backup of a library: {terminal_text(why)}", hint=_ANOTHER)
