"""One writer at a time: an flock on `writer.lock`, which the kernel drops when its owner dies, however it dies."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from agentvid.errors import LibraryBusy, LibraryError

_POLL_SECONDS = 0.02


class WriterLock:
    """A library's writer lock; the thread that holds it may take it again inside."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._thread_lock = threading.RLock()
        self._depth = 0
        self._file: FileIO | None = None

    @contextmanager
    def held(self, *, timeout_seconds: float) -> Iterator[None]:
        """Hold the lock.

        Raises LibraryBusy naming the owner's process id after `timeout_seconds`, LibraryError if the directory
        cannot be written or locked.
        """
        deadline = time.monotonic() + timeout_seconds
        if not self._thread_lock.acquire(timeout=timeout_seconds):
            raise self._busy(str(os.getpid()))
        try:
            if self._depth == 0:
                # Ctrl-C may come between any two steps, and leave a file that nobody holds any more.
                self._close()
                self._acquire(deadline)
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0:
                    self._close()
        finally:
            self._thread_lock.release()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _acquire(self, deadline: float) -> None:
        try:
            self._file = FileIO(self._directory / "writer.lock", "r+", opener=_open_or_make)
        except OSError as error:
            raise LibraryError(
                f"cannot write to the library at {self._directory}: {error.strerror}",
                hint="choose a directory that you may write to with --library",
            ) from error
        try:
            self._wait(self._file.fileno(), deadline)
            # Who holds it, for the message of whoever waits; stale after a crash, when nobody reads it.
            os.pwrite(self._file.fileno(), f"{os.getpid():<20}".encode("ascii"), 0)
        except BaseException:
            self._close()
            raise

    def _wait(self, descriptor: int, deadline: float) -> None:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise self._busy(os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()) from None
                time.sleep(_POLL_SECONDS)
            except OSError as error:
                raise LibraryError(
                    f"the file system of {self._directory} does not lock files: {error.strerror}",
                    hint="keep the library on a local disk",
                ) from error

    def _busy(self, owner: str) -> LibraryBusy:
        return LibraryBusy(
            f"the library at {self._directory} is being written by process {owner or 'unknown'}",
            hint="wait for it to finish, or stop it",
        )


def _open_or_make(path: str, _flags: int) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
