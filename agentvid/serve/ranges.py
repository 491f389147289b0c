"""Byte ranges of RFC 9110, section 14: one range, or the whole.

A header of another unit or form is ignored, as the RFC wants, and so are several ranges at once: browsers ask for one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

_RANGE = re.compile(r"bytes[ \t]*=[ \t]*(\d{0,19})-(\d{0,19})[ \t]*", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes `first` up to and with `last`."""

    first: int
    last: int

    @property
    def size(self) -> int:
        return self.last - self.first + 1


class Unsatisfiable(Exception):
    """The range lies outside of what there is: 416."""


def parse_range(header: str, size: int) -> Part | None:
    """The part of `size` bytes that a Range header asks for, None for all of them. Raises Unsatisfiable."""
    found = _RANGE.fullmatch(header)
    if not found or found.group(1) == found.group(2) == "":
        return None
    first, last = found.groups()
    if first == "":  # the last so many bytes
        if int(last) == 0 or size == 0:
            raise Unsatisfiable
        return Part(max(0, size - int(last)), size - 1)
    if last and int(last) < int(first):
        return None
    if int(first) >= size:
        raise Unsatisfiable
    return Part(int(first), min(int(last), size - 1) if last else size - 1)


def is_unchanged(if_range: str, etag: str, modified_seconds: float) -> bool:
    """Whether an If-Range header names what there is: the strong tag, or the very date of Last-Modified."""
    if if_range.startswith(('"', "W/")):
        return if_range == etag
    try:
        date = parsedate_to_datetime(if_range)
    except (ValueError, TypeError, IndexError, OverflowError):
        return False
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() == int(modified_seconds)


def is_known(if_none_match: str, etag: str) -> bool:
    """Whether an If-None-Match header names what there is; a weak tag is as good here."""
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in tags or tags == ["*"]
