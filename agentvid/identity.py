"""Which content a file holds, and the id that a video gets from it."""

from __future__ import annotations

import hashlib
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


def video_id_from_hash(content_hash: str) -> str:
    """A video's id: the first 16 hex digits of its content's sha256."""
    return content_hash[:_ID_LENGTH]
