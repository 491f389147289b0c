"""Names in the place of paths: what leaves the server tells nobody how the disk is laid out."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from agentvid.media.process import display_name
from agentvid.types import Video

_LONGEST_LINE = 300
#: The directories of an absolute path in a text: "/home/ann/my films/" of "/home/ann/my films/talk.mp4".
_DIRECTORIES = re.compile(r"(?<![\w.:/<])/(?:[^/'\"<>:;,\n]+/)+(?=[^/\s'\"<>])")


def name_of(video: Video) -> str:
    """The name of the file, or the name given at import. Two videos may share it: ids tell them apart."""
    return display_name(Path(video.paths[0])) if video.paths else video.title


class Names:
    """Replaces the paths of some videos, and of the library itself, in JSON documents."""

    def __init__(self, videos: Iterable[Video], directory: Path) -> None:
        self._names = {path: display_name(Path(path)) for video in videos for path in video.paths}
        self._names[str(directory)] = "the library"
        # The longest first: one path may begin another.
        self._paths = sorted(self._names, key=len, reverse=True)
        self._directories = {os.path.dirname(path) for path in self._paths}

    def clean(self, document: Any) -> Any:
        """The document with names for paths, in values of any depth."""
        if isinstance(document, dict):
            return {key: self.clean(value) for key, value in document.items()}
        if isinstance(document, list):
            return [self.clean(value) for value in document]
        if not isinstance(document, str) or "/" not in document:
            return document
        if document in self._names:
            return self._names[document]
        if any(directory in document for directory in self._directories):
            for path in self._paths:
                document = document.replace(path, self._names[path])
        return document


def plain_line(text: str) -> str:
    """A message as one short line in which every absolute path is cut to its last part."""
    line = " ".join(_DIRECTORIES.sub("", text).split())
    return line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 1]}…"
