"""What the shell offers at Tab: names of videos, tracks, threads, traces, export formats and settings.

Tab must be quick and say nothing: the catalogue is read by SQLite alone, for a fraction of a second, and what cannot be
read is not offered. Names come from strangers, and shells evaluate what they are offered: a name that is not plain
letters, digits and `._-+=,@%` is offered as the video's id instead.
"""

from __future__ import annotations

import os
import re
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import typer

from agentvid.errors import AgentvidError

_PLAIN = re.compile(r"\w[\w.+=,@%-]{0,199}")
_ID_CHARACTERS = 12
_MOST_SECONDS = 0.5
_MOST_ROWS = 2000
_MOST_TRACES = 20
_VIDEOS = f"SELECT v.id, v.title, p.path FROM videos v LEFT JOIN paths p ON p.video_key = v.key LIMIT {_MOST_ROWS}"
_TRACKS = f"SELECT DISTINCT track FROM observations LIMIT {_MOST_ROWS}"
_THREADS = f"SELECT DISTINCT thread_id FROM checkpoints LIMIT {_MOST_ROWS}"


def video_names(context: typer.Context, incomplete: str) -> list[str]:
    """The file or import name where it is plain and the only one, else the beginning of the id; ids if one is begun."""
    rows = _rows(context, "catalogue.sqlite3", _VIDEOS)
    named = [(video_id, os.path.basename(path) if path else title) for video_id, title, path in rows]
    counts = Counter(name for _, name in named)
    short = {video_id: video_id[:_ID_CHARACTERS] for video_id, _ in named}
    offered = {name if counts[name] == 1 and _PLAIN.fullmatch(name) else short[video_id] for video_id, name in named}
    return _fitting(offered, incomplete) or _fitting(short.values(), incomplete)


def tracks(context: typer.Context, incomplete: str) -> list[str]:
    return _fitting((row[0] for row in _rows(context, "catalogue.sqlite3", _TRACKS)), incomplete)


def thread_ids(context: typer.Context, incomplete: str) -> list[str]:
    return _fitting((row[0] for row in _rows(context, "threads.sqlite3", _THREADS)), incomplete)


def trace_names(context: typer.Context, incomplete: str) -> list[str]:
    """`last`, and the newest traces."""
    from agentvid.trace import LAST, trace_ids

    found: list[str] = []
    with suppress(AgentvidError, OSError, ValueError):
        found = trace_ids(_library(context))[:_MOST_TRACES]
    return _fitting([LAST, *found], incomplete)


def references(context: typer.Context, incomplete: str) -> list[str]:
    """What `play`, `clip` and `export` take: a trace or a video."""
    return [*trace_names(context, incomplete), *video_names(context, incomplete)]


def formats(incomplete: str) -> list[str]:
    from agentvid.exports.registry import EXPORTS

    return _fitting(EXPORTS, incomplete)


def setting_names(incomplete: str) -> list[str]:
    from agentvid.config import Settings

    return _fitting(Settings.model_fields, incomplete)


def _fitting(names: Iterable[str], incomplete: str) -> list[str]:
    return sorted({name for name in names if name.startswith(incomplete) and _PLAIN.fullmatch(name)})


def _library(context: typer.Context) -> Path:
    """The command itself is not run at Tab, so its global options are read off the line."""
    from agentvid.config import load_settings

    return load_settings({"library": context.find_root().params.get("library")}).settings.library


def _rows(context: typer.Context, file: str, query: str) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    with suppress(AgentvidError, OSError, ValueError, sqlite3.Error):
        rows.extend(_read(_library(context) / file, query))
    return rows


def _read(path: Path, query: str) -> Iterator[tuple[Any, ...]]:
    uri = f"file:{quote(os.fsencode(path.absolute()))}?mode=ro"
    deadline = time.monotonic() + _MOST_SECONDS
    with closing(sqlite3.connect(uri, uri=True, timeout=_MOST_SECONDS)) as connection:
        connection.text_factory = os.fsdecode
        connection.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)
        connection.execute("PRAGMA trusted_schema = OFF")
        yield from connection.execute(query)
