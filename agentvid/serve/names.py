"""Names in the place of paths: what leaves the server tells nobody how the disk is laid out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from agentvid.types import Video

#: An absolute path in a text, up to its last part: `/home/ann/films/` of "/home/ann/films/talk.mp4".
_DIRECTORIES = re.compile(r"(?<![\w.:/<])/(?:[^/\s'\"<>]+/)+(?=[^/\s'\"<>])")


def name_of(video: Video) -> str:
    """The name of the file, or the name given at import. Two videos may share it: ids tell them apart."""
    return Path(video.paths[0]).name if video.paths else video.title


def without_paths(document: Any, videos: Iterable[Video], directory: Path) -> Any:
    """A JSON document with the paths of `videos` replaced by their names, and what lies in the library by its name."""
    known = {path: Path(path).name for video in videos for path in video.paths}
    known[str(directory)] = "the library"
    # The longest first: one path may begin another.
    return _replaced(document, sorted(known.items(), key=lambda item: -len(item[0])))


def _replaced(value: Any, known: list[tuple[str, str]]) -> Any:
    if isinstance(value, str):
        if "/" in value:
            for path, name in known:
                value = value.replace(path, name)
        return value
    if isinstance(value, dict):
        return {key: _replaced(item, known) for key, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, known) for item in value]
    return value


def plain_line(text: str) -> str:
    """An error's text as one short line, with the last part of every path in it."""
    line = " ".join(_DIRECTORIES.sub("", text).split())
    return line if len(line) <= 300 else f"{line[:299]}…"
