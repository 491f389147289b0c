"""JSON lines, one span each, with exact stream times where the file is there; `agentvid import` reads them back."""

from __future__ import annotations

import json
from typing import BinaryIO

from agentvid.exports.base import EVERYTHING, Format, Item, LeftOut, Material, Source
from agentvid.types import Json


def line_of(item: Item, source: Source, *, is_row: bool = False) -> Json:
    """`{"id", "video", "video_id", "duration", "track", "start", "end", "text", "score", "language", "pts", ...}`.

    A row of a track has `confidence` for `score`. `pts` and `end_pts` count ticks of `time_base` seconds, a fraction as
    text, in the file's own video stream.
    """
    line: Json = {
        "id": item.id,
        "video": source.name,
        "video_id": item.video_id,
        "duration": round(source.duration_seconds, 3),
        "track": item.track,
        "start": round(item.span.start_seconds, 3),
        "end": round(item.span.end_seconds, 3),
        "text": item.text,
        "confidence" if is_row else "score": round(item.score, 6),
    }
    if item.language:
        line["language"] = item.language
    if source.timing is not None:
        exact = source.timing
        line["time_base"] = str(exact.time_base)
        line["pts"], line["end_pts"] = exact.pts(item.span.start_seconds), exact.pts(item.span.end_seconds)
    return line


def _write(material: Material, file: BinaryIO) -> list[LeftOut]:
    for item in material.items:
        line = line_of(item, material.source(item), is_row=material.subject == "track")
        # ASCII: escapes keep every control character harmless and exact.
        file.write(json.dumps(line).encode("ascii") + b"\n")
    return []


FORMAT = Format(
    name="jsonl",
    suffix=".jsonl",
    media_type="application/jsonl",
    about="JSON lines, one span each, seconds and stream ticks; `agentvid import` reads them back",
    subjects=EVERYTHING,
    write=_write,
)
