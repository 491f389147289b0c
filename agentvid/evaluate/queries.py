"""Query files: JSONL of `{"query", "video"?, "start", "end"}`, or `"spans": [[start, end], ...]`.

A bad line stops the run: a measurement of the other lines would look like one of the whole file.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from agentvid.errors import AgentvidError, UsageError
from agentvid.evaluate.types import Query
from agentvid.text import check_query
from agentvid.types import Span, Video

if TYPE_CHECKING:
    from agentvid.library import Library

PartOrAll = Literal["dev", "test", "all"]
Item = TypeVar("Item")
_HINT = 'a line is {"query": text, "video": name, "start": s, "end": s}, or "spans": [[s, s], ...] for several'
#: Longer than any video: numbers above are no seconds.
_LONGEST_SECONDS = 3_600_000.0


@dataclass(frozen=True, slots=True)
class Asked:
    """A query and the library's video that it is about; `query.video` is the name in the query file."""

    query: Query
    video: Video


@dataclass(frozen=True, slots=True)
class QueryLine:
    """One good line of a query file; `video` is None where the line names none."""

    number: int
    query: str
    video: str | None
    spans: tuple[Span, ...]


def load_queries(library: Library, file: Path, *, part: PartOrAll = "all", limit: int | None = None) -> list[Asked]:
    """The queries of `file` that belong to `part`, at most `limit`, spread evenly over them.

    Names mean what VIDEO means in every command. Raises UsageError, naming the line, for a bad line or a video that the
    library does not hold, for a file without queries of that part, and for a limit below 1.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"limit {limit} is not allowed; allowed: 1 or more")
    lines = read_queries(file)
    videos = library.catalogue.videos()
    queries = [(line, Query(line.query, _video_name(file, line, videos), line.spans)) for line in lines]
    chosen = [(line, query) for line, query in queries if part in ("all", query.part)]
    if not chosen:
        raise UsageError(f"{file} has no query of part {part}, and {len(lines)} in all", hint="measure --part all")
    resolved = VideoNames(library, videos)
    return [
        Asked(query, resolved.find(query.video, f"{file} line {line.number}")) for line, query in spread(chosen, limit)
    ]


def read_queries(file: Path) -> list[QueryLine]:
    """Every query of a file, blank lines left out. Raises UsageError for an unreadable or empty file or a bad line."""
    lines = [_query_line(file, number, document) for number, document in read_jsonl(file, hint=_HINT)]
    if not lines:
        raise UsageError(f"{file} holds no query; allowed: at least one line", hint=_HINT)
    return lines


def read_jsonl(file: Path, *, hint: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """(line number from 1, object) of a JSONL file. Raises UsageError for an unreadable file or a bad line."""
    try:
        text = file.read_text("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}", hint="name a JSONL file") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not UTF-8: byte {error.start}", hint="name a JSONL file") from None
    # Only at line feeds: JSON may hold other line separators as they are.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            document = json.loads(line)
        except (ValueError, RecursionError):
            raise UsageError(f"{file} line {number} is not JSON", hint=hint) from None
        if not isinstance(document, dict):
            raise UsageError(f"{file} line {number} is a JSON {type(document).__name__}, not an object", hint=hint)
        yield number, document


def spans_of(document: Mapping[str, Any]) -> tuple[Span, ...]:
    """The gold spans of a line: `spans` if it has them, else `start` and `end`. Raises UsageError."""
    pairs = document.get("spans", [[document.get("start"), document.get("end")]])
    if not isinstance(pairs, list) or not pairs:
        raise UsageError("spans is no list of [start, end]; allowed: at least one pair")
    return tuple(_span(pair) for pair in pairs)


def _span(pair: Any) -> Span:
    if not isinstance(pair, list) or len(pair) != 2:
        raise UsageError("a span is no [start, end]; allowed: two numbers")
    return Span(_seconds("start", pair[0]), _seconds("end", pair[1]))


def _seconds(name: str, value: Any) -> float:
    if value is None:
        raise UsageError(f"{name} is missing")
    # Compared before it is converted: float(10 ** 400) would overflow.
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= _LONGEST_SECONDS:
        raise UsageError(f"{name} is not a time; allowed: seconds from 0 to {_LONGEST_SECONDS:,.0f}")
    return float(value)


def _query_line(file: Path, number: int, document: Mapping[str, Any]) -> QueryLine:
    query, video = document.get("query"), document.get("video")
    try:
        if not isinstance(query, str):
            raise UsageError("query is missing or no text")
        check_query(query, "query", hint=_HINT)
        if video is not None and (not isinstance(video, str) or not video):
            raise UsageError("video is no name")
        return QueryLine(number, query, video, spans_of(document))
    except UsageError as error:
        raise UsageError(f"{file} line {number}: {error}", hint=_HINT) from None


def _video_name(file: Path, line: QueryLine, videos: Sequence[Video]) -> str:
    if line.video is not None:
        return line.video
    if len(videos) != 1:
        raise UsageError(
            f"{file} line {line.number} names no video, and the library holds {len(videos)}",
            hint='add "video": name to the line',
        )
    return videos[0].name


def spread(items: Sequence[Item], limit: int | None) -> Sequence[Item]:
    """At most `limit` of the items, evenly spread over them; all without a limit."""
    if limit is None or limit >= len(items):
        return items
    return [items[at * len(items) // limit] for at in range(limit)]


class VideoNames:
    """Finds each name once; thousands of imported videos would make `find_video` per query slow."""

    def __init__(self, library: Library, videos: Sequence[Video]) -> None:
        self._library = library
        titles = Counter(video.title for video in videos)
        ids = {video.id for video in videos}
        self._known = {
            video.title: video
            for video in videos
            if video.kind == "import" and titles[video.title] == 1 and video.title not in ids
        }

    def find(self, name: str, place: str) -> Video:
        if name not in self._known:
            try:
                self._known[name] = self._library.catalogue.find_video(name)
            except AgentvidError as error:
                raise UsageError(f"{place}: {error}", hint=error.hint) from None
        return self._known[name]
