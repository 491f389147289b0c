"""Files that were made once and can be made again: a folder of bounded size, the oldest unused ones go first."""

from __future__ import annotations

import os
import re
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

_NAME = re.compile(r"[0-9A-Za-z_-]{1,200}(\.[0-9a-z]{1,8})?")


class Cache:
    """A folder with at most `max_bytes` in files; safe between threads, and between processes.

    A cache that cannot be written remembers nothing, and everything goes on.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder, self._max_bytes = folder, max_bytes
        self._lock = threading.Lock()
        self._size: int | None = None

    def read(self, name: str) -> bytes | None:
        """What was stored under this name, None if it is not there any more."""
        path = self._path(name)
        try:
            data = path.read_bytes()
            _use(path)
        except OSError:
            return None
        return data

    def write(self, name: str, data: bytes) -> None:
        """Store whole or not at all."""
        if len(data) > self._max_bytes:
            return
        with suppress(OSError):
            temporary = self.new_file()
            try:
                temporary.write_bytes(data)
                self.keep(temporary, name)
            finally:
                temporary.unlink(missing_ok=True)

    def new_file(self) -> Path:
        """An empty file in the folder that `keep` can take. Raises OSError if there can be none."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".new-", dir=self._folder)
        os.close(handle)
        return Path(name)

    def keep(self, temporary: Path, name: str) -> Path:
        """Give a new file its name, and make room. Raises OSError."""
        path = self._path(name)
        size = temporary.stat().st_size
        os.replace(temporary, path)
        with self._lock:
            self._size = None if self._size is None else self._size + size
            if self._size is None or self._size > self._max_bytes:
                self._size = self._make_room(path)
        return path

    def find(self, name: str) -> Path | None:
        """The file of that name, None if it is not there."""
        path = self._path(name)
        try:
            _use(path)
        except OSError:
            return None
        return path

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} names no file of a cache")
        return self._folder / name

    def _make_room(self, spared: Path) -> int:
        """Remove those unused for longest until three quarters are left, if there is too much; returns the size."""
        found = []
        for path in self._folder.iterdir():
            with suppress(OSError):
                status = path.stat()
                found.append((status.st_atime_ns, status.st_size, path))
        size = sum(item[1] for item in found)
        if size <= self._max_bytes:
            return size
        for _, bytes_of_it, path in sorted(found):
            if size <= self._max_bytes * 3 // 4:
                break
            if path != spared and not path.name.startswith(".new-"):
                with suppress(OSError):
                    path.unlink()
                    size -= bytes_of_it
        return size


def _use(path: Path) -> None:
    """The last to go. When it was written stays: callers are told that as Last-Modified. Raises OSError."""
    os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))
