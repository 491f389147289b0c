"""Where the page of a library is while a server runs, for commands that link to it.

A server keeps a file `page-PID.json` in the library and a lock on it. The kernel drops the lock when the server ends,
however it ends, so that a file that nobody locks is one left behind.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PATTERN = "page-*.json"


@contextmanager
def present(library_dir: Path, url: str) -> Iterator[bool]:
    """Say that the page is at `url` while the context is open; False if the library cannot be written."""
    path = library_dir / f"page-{os.getpid()}.json"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        yield False
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, json.dumps({"url": url}).encode("ascii"))
        yield True
    finally:
        with suppress(OSError):
            path.unlink()
        os.close(descriptor)


def running_page(library_dir: str | Path) -> str | None:
    """The base URL of a server that runs for this library, as "http://127.0.0.1:8642"; None if there is none."""
    found = []
    for path in Path(library_dir).glob(_PATTERN):
        with suppress(OSError, ValueError, KeyError, TypeError):
            if url := _url_of(path):
                found.append((path.stat().st_mtime, url))
    return max(found)[1] if found else None


def _url_of(path: Path) -> str:
    """The address in a file that a server holds, "" for one left behind, which is removed."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return str(json.loads(os.read(descriptor, 4096))["url"])
        with suppress(OSError):
            path.unlink()
        return ""
    finally:
        os.close(descriptor)
