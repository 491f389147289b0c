"""`agentvid eval convert`: a published set as the two files that the other commands read."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from agentvid.errors import UsageError
from agentvid.evaluate.sets import read_set
from agentvid.types import Json

ROWS, QUERIES = "rows.jsonl", "queries.jsonl"


def convert(name: str, directory: Path, to: Path) -> Json:
    """Write `to`/rows.jsonl, for `agentvid import`, and `to`/queries.jsonl; what was written, counted.

    Raises UsageError for an unknown set, missing files, files of these names in `to`, or if `to` cannot be written.
    """
    rows_file, queries_file = to / ROWS, to / QUERIES
    for file in (rows_file, queries_file):
        if file.exists():
            raise UsageError(f"{file} exists and stays as it is", hint="choose another --to, or delete it")
    annotated = read_set(name, directory)
    if not annotated.queries:
        raise UsageError(f"{directory} gives no query of {name}", hint="give the folder with the set's own files")
    try:
        to.mkdir(parents=True, exist_ok=True)
        _write(rows_file, (row.to_json() for row in annotated.rows))
        _write(queries_file, (query.to_json() for query in annotated.queries))
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be written: {error.strerror}", hint="choose another --to") from None
    counts = {"rows": len(annotated.rows), "queries": len(annotated.queries)}
    videos = len({row.video for row in annotated.rows})
    return {"set": name, "videos": videos, **counts, "rows_file": str(rows_file), "queries_file": str(queries_file)}


def _write(file: Path, lines: Iterable[Json]) -> None:
    with file.open("w", encoding="utf-8") as opened:
        opened.writelines(json.dumps(line) + "\n" for line in lines)
