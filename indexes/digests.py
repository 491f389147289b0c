"""Order-independent hashes of content, kept up to date in constant time.

A content hash is the sum modulo 2^256 of one sha256 per video (the additive multiset hash of Bellare and Micciancio,
1997): adding or removing a video adds or subtracts one number. It tells whether a cache belongs to this content; it is
no signature.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

_MODULUS = 1 << 256
EMPTY = f"{0:064x}"


def digest_rows(rows: Iterable[Any]) -> str:
    """sha256 of rows of JSON values, in order."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode())
        digest.update(b"\n")
    return digest.hexdigest()


def combine(
    content_hash: str, *, added: Iterable[tuple[str, str]] = (), removed: Iterable[tuple[str, str]] = ()
) -> str:
    """`content_hash` after (video id, digest) pairs were added and removed."""
    total = int(content_hash, 16)
    total += sum(_number(pair) for pair in added) - sum(_number(pair) for pair in removed)
    return f"{total % _MODULUS:064x}"


def _number(pair: tuple[str, str]) -> int:
    return int.from_bytes(hashlib.sha256(":".join(pair).encode()).digest())
