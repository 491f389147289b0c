"""Chapters for the description of a YouTube video: the first at 0:00, three or more, each of ten seconds or more."""

from __future__ import annotations

from typing import BinaryIO

from agentvid.errors import UsageError
from agentvid.exports.base import Format, LeftOut, Material, one_line, utf8
from agentvid.text import timestamp

_LEAST_CHAPTERS, _LEAST_SECONDS, _LONGEST_TITLE = 3, 10, 100


def _write(material: Material, file: BinaryIO) -> list[LeftOut]:
    """Raises UsageError where the chapters break YouTube's rules, which would make it show none."""
    starts = [int(item.span.start_seconds) for item in material.items]
    last_end = material.items[-1].span.end_seconds if material.items else 0.0
    lengths = [later - start for start, later in zip(starts, [*starts[1:], int(last_end)], strict=True)]
    broken = ""
    if len(starts) < _LEAST_CHAPTERS:
        broken = f"there are {len(starts)}; YouTube shows {_LEAST_CHAPTERS} or more"
    elif starts[0] != 0:
        broken = f"the first starts at {timestamp(starts[0])}; YouTube wants 0:00"
    elif min(lengths) < _LEAST_SECONDS:
        short = starts[lengths.index(min(lengths))]
        broken = f"the one at {timestamp(short)} lasts {min(lengths)} s; YouTube wants {_LEAST_SECONDS} s or more"
    if broken:
        raise UsageError(
            f"the chapters of {material.title!r} do not fit: {broken}", hint="as WebVTT they do: `agentvid export vtt`"
        )
    for item, start in zip(material.items, starts, strict=True):
        file.write(utf8(f"{timestamp(start)} {_title(item.text)}\n"))
    return []


def _title(text: str) -> str:
    """YouTube refuses a description with angle brackets in it."""
    return one_line(text).replace("<", "‹").replace(">", "›")[:_LONGEST_TITLE]


FORMAT = Format(
    name="youtube",
    suffix=".txt",
    media_type="text/plain",
    about="chapters for the description of a YouTube video",
    subjects=frozenset({"chapters"}),
    write=_write,
)
