"""Which content a file holds, and the id that a video gets from it."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

_BLOCK_BYTES = 1024 * 1024
_ID_LENGTH = 16


def hash_file(path: Path) -> str:
    """sha256 of a file's bytes as 64 hex digits, read in blocks. Raises OSError if it cannot be read."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def holds(path: Path, content_hash: str) -> bool:
    """Whether a file holds the content with this sha256; remembered while its size and time of change stay.

    Raises OSError if it cannot be read.
    """
    status = path.stat()
    return _hash_of(path, status.st_size, status.st_mtime_ns, status.st_ino) == content_hash


@lru_cache(maxsize=1024)
def _hash_of(path: Path, size: int, modified_ns: int, inode: int) -> str:
    return hash_file(path)


def video_id_from_hash(content_hash: str) -> str:
    """A video's id: the first 16 hex digits of its content's sha256."""
    return content_hash[:_ID_LENGTH]
