"""What one method found for every query: scored, written to a file, and compared with an earlier file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agentvid.errors import UsageError
from agentvid.evaluate.bootstrap import Difference, compare
from agentvid.evaluate.metrics import Found, Scores, mean_scores
from agentvid.evaluate.queries import Asked, read_jsonl
from agentvid.types import Json, Span

Scorer = Callable[[Sequence[Found], str, Sequence[Span]], Scores]
_HINT = "give a file that --output of the same command wrote"


@dataclass(frozen=True, slots=True)
class Absent:
    """What was found for a query in a video that it is not about."""

    video: str
    found: tuple[Found, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """One method's hits for every query, best first. `ms` has the time of each, or is empty where none was taken.

    `absent`, one per query, is empty unless the queries were also asked of other videos.
    """

    name: str
    found: tuple[tuple[Found, ...], ...]
    ms: tuple[float, ...] = ()
    absent: tuple[Absent, ...] = ()

    def scores(self, asked: Sequence[Asked], scorer: Scorer) -> list[Scores]:
        """One set of scores per query; with `absent`, "rejected" is 1 where nothing was found there."""
        scores = [scorer(found, one.video.name, one.query.spans) for one, found in zip(asked, self.found, strict=True)]
        if not self.absent:
            return scores
        return [{**one, "rejected": float(not absent.found)} for one, absent in zip(scores, self.absent, strict=True)]


def run_json(run: Run, asked: Sequence[Asked], scorer: Scorer) -> Json:
    """`{"name", "metrics": {metric: mean}, "ms": {"p50", "p95"} or None}`."""
    metrics = {name: round(value, 6) for name, value in mean_scores(run.scores(asked, scorer)).items()}
    ms = None
    if run.ms:
        middle, high = np.percentile(run.ms, [50, 95])
        ms = {"p50": round(float(middle), 2), "p95": round(float(high), 2)}
    return {"name": run.name, "metrics": metrics, "ms": ms}


def differences_json(run: Run, first: Run, asked: Sequence[Asked], scorer: Scorer) -> Json:
    """`{metric: difference}`: `run` minus `first` over the same queries, with the interval and p of `compare`."""
    differences = compare(run.scores(asked, scorer), first.scores(asked, scorer))
    return {name: difference.to_json() for name, difference in differences.items()}


def write_run(file: Path, run: Run, asked: Sequence[Asked]) -> None:
    """One line per query: query, video, spans, hits, ms. Raises UsageError if the file cannot be written."""
    lines = [json.dumps(line) + "\n" for line in _run_lines(run, asked)]
    try:
        file.write_text("".join(lines), "utf-8")
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}", hint="choose another --output") from None


def _run_lines(run: Run, asked: Sequence[Asked]) -> list[Json]:
    lines: list[Json] = []
    for at, (one, found) in enumerate(zip(asked, run.found, strict=True)):
        line: Json = {
            "query": one.query.query,
            "video": one.video.name,
            "spans": [[span.start_seconds, span.end_seconds] for span in one.query.spans],
            "hits": [hit.to_json() for hit in found],
            "ms": round(run.ms[at], 3) if run.ms else None,
        }
        if run.absent:
            absent = run.absent[at]
            line["absent"] = {"video": absent.video, "hits": [hit.to_json() for hit in absent.found]}
        lines.append(line)
    return lines


@dataclass(frozen=True, slots=True)
class Comparison:
    """A run against an earlier one: how many queries or questions both have, and the differences over those."""

    against: str
    matched: int
    differences: Mapping[str, Difference]

    def to_json(self) -> Json:
        differences = {name: difference.to_json() for name, difference in self.differences.items()}
        return {"against": self.against, "matched": self.matched, "differences": differences}


def check_files(queries: Path, output: Path | None, against: Path | None) -> None:
    """Before a measurement that takes minutes: raise UsageError if its files could be neither written nor compared."""
    if against:
        _read_run(against)
    if output and output.resolve() == queries.resolve():
        raise UsageError(f"{output} is the query file, and would be lost", hint="choose another --output")
    if output and (output.is_dir() or not output.parent.is_dir()):
        raise UsageError(f"{output} is no file in a folder that exists", hint="choose another --output")


def compare_with_file(run: Run, asked: Sequence[Asked], file: Path, scorer: Scorer) -> Comparison:
    """`run` against the hits in `file`, both scored with today's gold spans; queries match by text and video.

    Raises UsageError for an unreadable file, a bad line, or no query in common.
    """
    earlier = _read_run(file)
    seen: Counter[tuple[str, str]] = Counter()
    pairs: list[tuple[int, _Line]] = []
    for at, one in enumerate(asked):
        key = (one.query.query, one.video.name)
        line = earlier.get((*key, seen[key]))
        seen[key] += 1
        if line is not None:
            pairs.append((at, line))
    if not pairs:
        raise UsageError(f"{file} has none of these {len(asked)} queries", hint=_HINT)
    has_absent = all(line.absent is not None for _, line in pairs)
    there = Run(
        str(file),
        tuple(line.found for _, line in pairs),
        absent=tuple(line.absent for _, line in pairs if line.absent) if has_absent else (),
    )
    scores = run.scores(asked, scorer)
    differences = compare([scores[at] for at, _ in pairs], there.scores([asked[at] for at, _ in pairs], scorer))
    return Comparison(str(file), len(pairs), differences)


@dataclass(frozen=True, slots=True)
class _Line:
    found: tuple[Found, ...]
    absent: Absent | None


def _read_run(file: Path) -> dict[tuple[str, str, int], _Line]:
    """(query, video, how many same ones came before) -> line: a file may ask the same twice."""
    lines: dict[tuple[str, str, int], _Line] = {}
    seen: Counter[tuple[str, str]] = Counter()
    for number, document in read_jsonl(file, hint=_HINT):
        try:
            key = (str(document["query"]), str(document["video"]))
            absent = document.get("absent")
            found = _found(document["hits"])
            line = _Line(found, Absent(str(absent["video"]), _found(absent["hits"])) if absent else None)
        except (KeyError, TypeError, ValueError, UsageError) as error:
            raise UsageError(f"{file} line {number} is no line of a run: {error}", hint=_HINT) from None
        lines[(*key, seen[key])] = line
        seen[key] += 1
    return lines


def _found(hits: Any) -> tuple[Found, ...]:
    return tuple(
        Found(str(hit["video"]), Span(float(hit["start"]), float(hit["end"])), float(hit.get("score", 0.0)))
        for hit in hits
    )
