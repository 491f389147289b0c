"""`agentvid eval convert`: a published set as the files that the other commands read."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from agentvid.errors import UsageError
from agentvid.evaluate.sets import read_set
from agentvid.types import Json

ROWS, QUERIES, QUESTIONS = "rows.jsonl", "queries.jsonl", "questions.jsonl"


def convert(name: str, directory: Path, to: Path) -> Json:
    """Write `to`/rows.jsonl, for `agentvid import`, `to`/queries.jsonl and, where the set has answers, questions.jsonl.

    Returns what was written, counted; "questions_file" is None for a set without answers.

    Raises UsageError for an unknown set, missing files, files of these names in `to`, or if `to` cannot be written.
    """
    rows_file, queries_file, questions_file = to / ROWS, to / QUERIES, to / QUESTIONS
    for file in (rows_file, queries_file, questions_file):
        if file.exists():
            raise UsageError(f"{file} exists and stays as it is", hint="choose another --to, or delete it")
    annotated = read_set(name, directory)
    if not annotated.queries:
        raise UsageError(f"{directory} gives no query of {name}", hint="give the folder with the set's own files")
    try:
        to.mkdir(parents=True, exist_ok=True)
        _write(rows_file, (row.to_json() for row in annotated.rows))
        _write(queries_file, (query.to_json() for query in annotated.queries))
        if annotated.questions:
            _write(questions_file, (question.to_json() for question in annotated.questions))
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be written: {error.strerror}", hint="choose another --to") from None
    return {
        "set": name,
        "videos": len({row.video for row in annotated.rows}),
        "rows": len(annotated.rows),
        "queries": len(annotated.queries),
        "questions": len(annotated.questions),
        "rows_file": str(rows_file),
        "queries_file": str(queries_file),
        "questions_file": str(questions_file) if annotated.questions else None,
    }


def _write(file: Path, lines: Iterable[Json]) -> None:
    with file.open("w", encoding="utf-8") as opened:
        opened.writelines(json.dumps(line) + "\n" for line in lines)
