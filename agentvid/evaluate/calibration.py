"""Is the confidence of `ask` a probability? Reliability, calibration error, risk and coverage, and a better map.

An answer is right if at least half of its first piece of evidence lies in a gold span of the query. With `has_absent`
every query is also asked of another video, where no answer is right.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from agentvid.errors import UsageError
from agentvid.evaluate.grounding import other_videos
from agentvid.evaluate.queries import Asked, read_jsonl
from agentvid.evaluate.types import Part, part_of
from agentvid.types import Answer, Json, Span, Video

if TYPE_CHECKING:
    from agentvid.library import Library

BINS = 10
MIN_INSIDE = 0.5
#: So few answers say nothing about a probability.
MIN_ANSWERS = 20
_CLIP = 1e-6
_NEWTON_STEPS, _RIDGE = 50, 1e-6
_HINT = "give a file that --output of `agentvid eval calibration` wrote"

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Judged:
    """One answer: how sure it was, whether it abstained, and whether its evidence lies where the gold span does."""

    query: str
    video: str
    confidence: float
    is_abstained: bool
    is_right: bool
    is_absent: bool = False

    @property
    def part(self) -> Part:
        return part_of(self.video)

    def to_json(self) -> Json:
        return {
            "query": self.query,
            "video": self.video,
            "confidence": round(self.confidence, 6),
            "abstained": self.is_abstained,
            "right": self.is_right,
            "absent": self.is_absent,
        }


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers whose confidence lies in [low, high): how sure they were and how many were right."""

    low: float
    high: float
    count: int
    confidence: float
    right: float

    def to_json(self) -> Json:
        return {name: round(getattr(self, name), 4) for name in ("low", "high", "count", "confidence", "right")}


@dataclass(frozen=True, slots=True)
class Platt:
    """sigmoid(slope * logit(confidence) + intercept) (Platt, 1999)."""

    slope: float
    intercept: float

    def __call__(self, confidence: Numbers) -> Numbers:
        return _sigmoid(self.slope * _logit(confidence) + self.intercept)


@dataclass(frozen=True, slots=True)
class Isotonic:
    """The rising step function of least squares, by pooling adjacent violators (Ayer et al., 1955)."""

    thresholds: Numbers
    values: Numbers

    def __call__(self, confidence: Numbers) -> Numbers:
        at = np.searchsorted(self.thresholds, confidence, side="right") - 1
        return self.values[np.clip(at, 0, len(self.values) - 1)]


def judge_answers(library: Library, asked: Sequence[Asked], *, has_absent: bool = False) -> Iterator[Judged]:
    """Ask every query of its own video, and with `has_absent` of another one. Raises what `Library.ask` raises."""
    others = other_videos([one.video for one in asked]) if has_absent else {}
    for one in asked:
        answer = library.ask(one.query.query, videos=[one.video.id], keep_trace=False)
        yield _judged(one, answer, is_right=_is_right(answer, one.video, one.query.spans))
        if has_absent:
            answer = library.ask(one.query.query, videos=[others[one.video.id].id], keep_trace=False)
            yield replace(_judged(one, answer, is_right=False), is_absent=True)


def _judged(one: Asked, answer: Answer, *, is_right: bool) -> Judged:
    return Judged(one.query.query, one.query.video, answer.confidence, answer.abstained, is_right)


def _is_right(answer: Answer, video: Video, gold: Sequence[Span]) -> bool:
    if answer.abstained or not answer.evidence or answer.evidence[0].video_id != video.id:
        return False
    first = answer.evidence[0].span
    shares = [shared.duration_seconds for span in gold if (shared := first.intersection(span))]
    return max(shares, default=0.0) >= MIN_INSIDE * first.duration_seconds


def reliability(confidence: Numbers, right: Numbers, *, bins: int = BINS) -> list[Bin]:
    """Bins of equal width that hold an answer, from 0 to 1."""
    at = _bins(confidence, bins)
    return [
        Bin(
            number / bins,
            (number + 1) / bins,
            int(chosen.sum()),
            float(confidence[chosen].mean()),
            float(right[chosen].mean()),
        )
        for number in range(bins)
        if (chosen := at == number).any()
    ]


def expected_calibration_error(confidence: Numbers, right: Numbers, *, bins: int = BINS) -> float:
    """Mean distance of confidence and share right over bins, weighted by their size (Naeini et al., 2015)."""
    found = reliability(confidence, right, bins=bins)
    return sum(one.count * abs(one.confidence - one.right) for one in found) / len(confidence)


def brier(confidence: Numbers, right: Numbers) -> float:
    """Mean squared distance of confidence and outcome (Brier, 1950)."""
    return float(np.mean((confidence - right) ** 2))


def risk_coverage(confidence: Numbers, right: Numbers) -> Mapping[float, float]:
    """coverage -> share wrong among the surest answers, at ten coverages (El-Yaniv and Wiener, 2010)."""
    order = np.argsort(-confidence, kind="stable")
    wrong = np.cumsum(1 - right[order]) / np.arange(1, len(order) + 1)
    return {step / 10: float(wrong[max(1, round(len(order) * step / 10)) - 1]) for step in range(1, 11)}


def fit_platt(confidence: Numbers, right: Numbers) -> Platt:
    """Maximum likelihood by Newton's method, with a touch of ridge so that separable answers end too."""
    inputs = np.stack([_logit(confidence), np.ones(len(confidence))], axis=1)
    weights = np.array([1.0, 0.0])
    for _ in range(_NEWTON_STEPS):
        chance = _sigmoid(inputs @ weights)
        slope = inputs.T @ (chance - right) / len(right) + _RIDGE * (weights - [1.0, 0.0])
        curve = (inputs.T * (chance * (1 - chance))) @ inputs / len(right) + _RIDGE * np.eye(2)
        weights = weights - np.clip(np.linalg.solve(curve, slope), -2.0, 2.0)
    return Platt(float(weights[0]), float(weights[1]))


def fit_isotonic(confidence: Numbers, right: Numbers) -> Isotonic:
    """The least-squares fit among rising step functions."""
    starts, counts = np.unique(confidence, return_counts=True)
    sums = np.array([right[confidence == start].sum() for start in starts])
    blocks: list[tuple[float, float, float]] = []
    for start, count, total in zip(starts, counts, sums, strict=True):
        blocks.append((float(start), float(count), float(total)))
        while len(blocks) > 1 and blocks[-2][2] / blocks[-2][1] >= blocks[-1][2] / blocks[-1][1]:
            _, more, extra = blocks.pop()
            first, count_before, total_before = blocks.pop()
            blocks.append((first, count_before + more, total_before + extra))
    return Isotonic(np.array([block[0] for block in blocks]), np.array([block[2] / block[1] for block in blocks]))


def calibration_json(judged: Sequence[Judged]) -> Json:
    """How good the confidence of the answers is, and what a map fitted on the dev half would make of the test half.

    Raises UsageError for too few answers.
    """
    answered = [one for one in judged if not one.is_abstained]
    if len(answered) < MIN_ANSWERS:
        raise UsageError(
            f"{len(answered)} answers are too few for a calibration; allowed: {MIN_ANSWERS} or more",
            hint="ask more queries, or pool earlier answers with --with",
        )
    confidence, right = _columns(answered)
    document: Json = {
        "asked": len(judged),
        "answered": len(answered),
        "absent_answered": sum(one.is_absent for one in answered),
        **_measures(confidence, right),
        "reliability": [one.to_json() for one in reliability(confidence, right)],
        "risk": {f"{share:.1f}": round(risk, 4) for share, risk in risk_coverage(confidence, right).items()},
        "held_out": None,
    }
    halves = {part: _columns([one for one in answered if one.part == part]) for part in ("dev", "test")}
    if min(len(half[0]) for half in halves.values()) >= MIN_ANSWERS:
        document["held_out"] = _held_out(*halves["dev"], *halves["test"])
    return document


def _held_out(confidence: Numbers, right: Numbers, unseen: Numbers, truth: Numbers) -> Json:
    platt = fit_platt(confidence, right)
    maps: dict[str, Callable[[Numbers], Numbers]] = {
        "as it is": lambda values: values,
        "Platt": platt,
        "isotonic": fit_isotonic(confidence, right),
    }
    measured = {name: _measures(fitted(unseen), truth) for name, fitted in maps.items()}
    return {"maps": measured, "slope": round(platt.slope, 4), "intercept": round(platt.intercept, 4)}


def _measures(confidence: Numbers, right: Numbers) -> Json:
    measures = {
        "right": float(right.mean()),
        "confidence": float(confidence.mean()),
        "ECE": expected_calibration_error(confidence, right),
        "Brier": brier(confidence, right),
    }
    return {name: round(value, 4) for name, value in measures.items()}


def write_judged(file: Path, judged: Sequence[Judged]) -> None:
    """One line per answer. Raises UsageError if the file cannot be written."""
    try:
        file.write_text("".join(json.dumps(one.to_json()) + "\n" for one in judged), "utf-8")
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}", hint="choose another --output") from None


def read_judged(file: Path) -> list[Judged]:
    """What `write_judged` wrote. Raises UsageError naming the line that it cannot have written."""
    return [_from_line(file, number, line) for number, line in read_jsonl(file, hint=_HINT)]


def _from_line(file: Path, number: int, line: Mapping[str, Any]) -> Judged:
    try:
        found = Judged(
            line["query"], line["video"], float(line["confidence"]), line["abstained"], line["right"], line["absent"]
        )
    except (KeyError, TypeError, ValueError):
        raise UsageError(f"{file} line {number} is no judged answer", hint=_HINT) from None
    flags = (found.is_abstained, found.is_right, found.is_absent)
    is_text = isinstance(found.query, str) and isinstance(found.video, str)
    if not (is_text and all(isinstance(flag, bool) for flag in flags) and 0 <= found.confidence <= 1):
        raise UsageError(f"{file} line {number} is no judged answer", hint=_HINT)
    return found


def _columns(judged: Sequence[Judged]) -> tuple[Numbers, Numbers]:
    """(confidence, 1 for right and 0 for wrong)."""
    confidence = np.array([one.confidence for one in judged], np.float64)
    return confidence, np.array([one.is_right for one in judged], np.float64)


def _bins(confidence: Numbers, bins: int) -> NDArray[np.int64]:
    return np.minimum((confidence * bins).astype(np.int64), bins - 1)


def _logit(confidence: Numbers) -> Numbers:
    clipped = np.clip(confidence, _CLIP, 1 - _CLIP)
    return np.log(clipped / (1 - clipped))


def _sigmoid(values: Numbers) -> Numbers:
    return 1 / (1 + np.exp(-np.clip(values, -700, 700)))
