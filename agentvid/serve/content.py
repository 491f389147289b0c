"""A video's file, opened only if it holds the content that was indexed.

A path may lead elsewhere since then: to another file, through a link, to nothing. What was opened is compared by its
hash with what the catalogue knows, so that whatever a path leads to, only content of the library is ever sent. The hash
of a file is remembered as long as its identity (device, inode, size, times) stays the same.
"""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from dataclasses import dataclass
from pathlib import Path

from agentvid.serve.cache import Cache
from agentvid.serve.errors import Refused
from agentvid.types import Video

_BLOCK_BYTES = 1 << 20
Identity = tuple[int, int, int, int, int]


@dataclass(slots=True)
class Content:
    """An open file that holds a video. Close it. What `is_ours` is written once and never again."""

    descriptor: int
    size: int
    modified_seconds: float
    identity: Identity
    is_ours: bool = False

    def read(self, offset: int, count: int) -> bytes:
        """Raises Refused with 409 if the file changed since it was opened."""
        self.check()
        return os.pread(self.descriptor, count, offset)

    def check(self) -> None:
        """Raises Refused with 409 if the file changed since it was opened."""
        if not self.is_ours and identity_of(os.fstat(self.descriptor)) != self.identity:
            raise Refused(409, "the file changed while it was read", "index it again")

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


class Contents:
    """Opens files of videos; safe between threads. Reading a whole file for its hash ends when `stopping` is set."""

    def __init__(self, cache: Cache, stopping: threading.Event) -> None:
        self._cache, self._stopping = cache, stopping
        self._hashes: dict[Identity, str] = {}
        self._hashing = threading.Lock()

    def open(self, video: Video) -> Content:
        """Raises Refused: 404 for a video that has no file, 410 if it is gone, 409 if another content lies there."""
        if video.kind != "file":
            raise Refused(404, "this video has no file: it was imported as text", "index its file to watch it")
        is_another = False
        for path in video.paths:
            content = open_file(path)
            if content is None:
                continue
            try:
                if self._hash(content) == video.content_hash:
                    return content
            except BaseException:
                content.close()
                raise
            content.close()
            is_another = True
        if is_another:
            raise Refused(409, "the file holds another content than when it was indexed", "index it again")
        raise Refused(410, "the file of this video is not there any more", "put it back, or index it where it is now")

    def _hash(self, content: Content) -> str:
        """The sha256 of a file, read once as long as its identity stays the same, also over several starts."""
        with self._hashing:
            known = self._hashes.get(content.identity)
        if known is None:
            name = "-".join(str(abs(number)) for number in content.identity) + ".sha256"
            known = (self._cache.read(name) or b"").decode("ascii", "replace")
            if not known:
                known = self._read_hash(content.descriptor)
                content.check()
                self._cache.write(name, known.encode("ascii"))
            with self._hashing:
                self._hashes[content.identity] = known
        return known

    def _read_hash(self, descriptor: int) -> str:
        digest, offset = hashlib.sha256(), 0
        while block := os.pread(descriptor, _BLOCK_BYTES, offset):
            if self._stopping.is_set():
                raise Refused(503, "the server ends")
            digest.update(block)
            offset += len(block)
        return digest.hexdigest()


def is_there(video: Video) -> bool:
    return video.kind == "file" and any(os.path.isfile(path) for path in video.paths)


def identity_of(status: os.stat_result) -> Identity:
    """What changes when a file is replaced or written; the change time cannot be set back."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def open_file(path: str | Path) -> Content | None:
    """A regular file; None if there is none that can be read."""
    try:
        # Opening a named pipe would wait for its writer without O_NONBLOCK.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError):
        return None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        return None
    return Content(descriptor, status.st_size, status.st_mtime, identity_of(status))
