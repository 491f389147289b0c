"""Paths as a user gives them -> video files."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

VIDEO_SUFFIXES = frozenset(
    [
        *(".mp4", ".m4v", ".mov", ".qt", ".mkv", ".webm", ".avi", ".ts", ".m2ts", ".mts", ".mpg", ".mpeg", ".mpe"),
        *(".vob", ".wmv", ".asf", ".flv", ".f4v", ".3gp", ".3g2", ".ogv", ".ogm", ".mxf"),
    ]
)
#: Suffixes that TypeScript also uses: the bytes decide.
_AMBIGUOUS_SUFFIXES = {".ts", ".mts"}


@dataclass(frozen=True, slots=True)
class DiscoveryProblem:
    """A path that gave no video, why, and what would help."""

    path: str
    error: str
    hint: str


@dataclass(frozen=True, slots=True)
class Discovery:
    """Absolute paths of videos, in the order of the arguments and of names inside directories; and what went wrong.

    `empty` are directories given that hold no video: nothing was found there, and nothing failed.
    """

    videos: list[Path] = field(default_factory=list)
    problems: list[DiscoveryProblem] = field(default_factory=list)
    empty: list[Path] = field(default_factory=list)


@dataclass(slots=True)
class _Search:
    """The state of one search: what was found, and which files and directories were seen already."""

    found: Discovery = field(default_factory=Discovery)
    seen: set[tuple[int, int]] = field(default_factory=set)

    def is_new(self, status: os.stat_result) -> bool:
        """True once for each file or directory, whatever links lead to it."""
        identity = (status.st_dev, status.st_ino)
        if identity in self.seen:
            return False
        self.seen.add(identity)
        return True

    def take(self, path: Path) -> None:
        """List a file, or say that its name cannot be stored: one such name must not stop the others."""
        try:
            str(path).encode()
        except UnicodeEncodeError:
            self.refuse(path, f"{path}: its name or that of a folder above is not UTF-8", "rename it")
        else:
            self.found.videos.append(path)

    def refuse(self, path: object, error: str, hint: str) -> None:
        self.found.problems.append(DiscoveryProblem(str(path), error, hint))


def find_videos(paths: Sequence[str | Path]) -> Discovery:
    """The video files that `paths` name.

    A file named is taken whatever it is called. A directory is searched with its subdirectories for files with a
    video suffix; hidden ones and downloads in progress are left out. Symbolic links are followed, loops are not, and
    each file is listed once.
    """
    search = _Search()
    for path in paths:
        _add(search, path)
    return search.found


def _add(search: _Search, named: str | Path) -> None:
    if "://" in str(named) or re.match(r"https?:/", str(named)):
        search.refuse(named, f"{named} is an address, not a file", "download it first, then index the file")
        return
    if not str(named):  # Path("") is the working directory, which nobody meant by a variable that is not set
        search.refuse(named, "the empty path names no file", "name a file or a directory; . is the one you are in")
        return
    try:
        path = _absolute(Path(named))
        status = path.stat()
    except (OSError, ValueError, RuntimeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or "not a path"
        search.refuse(named, f"{named}: {reason}", "check the name")
        return
    if stat.S_ISDIR(status.st_mode):
        _add_directory(search, path, status)
    elif not stat.S_ISREG(status.st_mode):
        search.refuse(path, f"{path} is neither a file nor a directory", "copy what it yields into a file first")
    elif search.is_new(status):
        search.take(path)


def _absolute(path: Path) -> Path:
    """The path as given, made absolute; ".." is resolved, as it means nothing else behind a link."""
    return path.resolve() if ".." in path.parts else path.absolute()


def _add_directory(search: _Search, top: Path, status: os.stat_result) -> None:
    if not search.is_new(status):
        return
    problems_before = len(search.found.problems)
    has_videos = False
    # No recursion, so that depth is no limit; the top is known to be new and is listed first.
    waiting = _entries(search, top)
    while waiting:
        path = waiting.pop()
        try:
            if path.is_dir():
                waiting += _entries(search, path) if search.is_new(path.stat()) else []
            elif _is_video(path):
                has_videos = True
                if search.is_new(path.stat()):
                    search.take(path)
        except OSError as error:
            search.refuse(path, f"{path}: {error.strerror or error}", "repair or remove it, or leave it out")
    if not has_videos and len(search.found.problems) == problems_before:
        search.found.empty.append(top)


def _entries(search: _Search, directory: Path) -> list[Path]:
    """What lies in a directory and is not hidden, in reverse natural order."""
    try:
        names = [name for name in os.listdir(directory) if not name.startswith(".")]
    except OSError as error:
        search.refuse(directory, f"{directory}: {error.strerror or error}", "check its permissions, or leave it out")
        return []
    return [directory / name for name in sorted(names, key=_natural, reverse=True)]


def _is_video(path: Path) -> bool:
    """By suffix; unfinished downloads end in .part, .crdownload, .ytdl or .tmp and so drop out."""
    suffix = path.suffix.lower()
    if suffix not in VIDEO_SUFFIXES:
        return False
    if not stat.S_ISREG(path.stat().st_mode):
        return False
    return suffix not in _AMBIGUOUS_SUFFIXES or _is_transport_stream(path)


def _is_transport_stream(path: Path) -> bool:
    """MPEG-TS packets of 188 bytes, or 192 with a time stamp before each, begin with 0x47."""
    with path.open("rb") as file:
        head = file.read(197)
    return any(len(head) > second and head[first] == head[second] == 0x47 for first, second in ((0, 188), (4, 196)))


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Sort key by which "part2" comes before "part10"; equal for equal names only."""
    pieces = re.split(r"(\d+)", name)
    key = [
        (0, int(piece), "") if piece.isdecimal() and len(piece) < 1000 else (1, 0, piece.casefold()) for piece in pieces
    ]
    return [*key, (2, 0, name)]
