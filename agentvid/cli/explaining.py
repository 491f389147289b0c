"""What `agentvid search --explain` prints for people: a few lines a hit, and what became of an expected span."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from agentvid.errors import UsageError
from agentvid.text import parse_timestamp, shown_name, time_range, timestamp
from agentvid.types import FRAME, Span

if TYPE_CHECKING:
    from agentvid.indexes.explain import Expected, ExplainedHit, Explanation, InChannel, Standing

#: Contributions that differ by less explain nothing, and more than these few nobody reads.
_LEAST_DIFFERENCE, _MOST_DIFFERENCES = 0.05, 4
_FOUND = {"moment": "here", "video": "elsewhere in the video", "elsewhere": "other videos only", "nowhere": "nowhere"}


def parse_expected(text: str) -> Span:
    """The span "1:00-1:20". Raises UsageError."""
    start, dash, end = text.partition("-")
    try:
        if not dash:
            raise ValueError(f"{text!r} is not a span; allowed: START-END, each seconds, M:SS or H:MM:SS")
        return Span(parse_timestamp(start), parse_timestamp(end))
    except (ValueError, UsageError) as error:
        raise UsageError(f"--expect: {error}", hint="write it as 1:00-1:20") from None


def hit_lines(hit: ExplainedHit, number: int) -> list[str]:
    """The explanation of one hit."""
    lines = _standing_lines(hit.standing)
    if hit.standing.track == FRAME:
        return lines
    if number > 1:
        lines.append(f"against hit 1: {_differences(hit.standing)}")
    else:
        lines.append(f"evidence: {_contributions(hit.standing)}")
    if hit.covered_by:
        lines.append(f"overlaps hit {hit.covered_by.hit}, IoU {hit.covered_by.iou:.2f}: that took part of its score")
    return lines


def put_off_lines(explanation: Explanation) -> list[str]:
    """The hits that stand further back, or are not shown, since their video has its share of the first ten."""
    lines = []
    for one in explanation.put_off:
        span, now = one.hit.moment.span, f"is hit {one.shown}" if one.shown else "comes after the tenth"
        lines.append(
            f"put off: {shown_name(one.hit.video)}  {time_range(span.start_seconds, span.end_seconds)} would be hit"
            f" {one.rank} and {now}: its video has {explanation.most_of_one_video} of the first ten already"
        )
    return lines


def expected_lines(expected: Expected) -> list[str]:
    """What became of the expected span."""
    span = time_range(expected.span.start_seconds, expected.span.end_seconds)
    lines = [f"expected {shown_name(expected.video)}  {span}: {expected.why}"]
    if expected.standing:
        lines.append(f"    IoU of the candidate with what was expected: {expected.iou:.2f} [{expected.standing.track}]")
        lines += [f"    {line}" for line in _standing_lines(expected.standing)]
        lines.append(f"    against hit {expected.against}: {_differences(expected.standing)}")
    if expected.channels:
        lines.append(f"    best passages: {', '.join(map(_channel, expected.channels))}")
    return lines


def _standing_lines(standing: Standing) -> list[str]:
    channels = ", ".join(map(_channel, standing.channels))
    if standing.track == FRAME:
        run = f"rank {standing.rank} of {standing.candidates} runs of frames"
        return [f"fit {standing.fit:.2f}, {run}; best frame: {channels}"]
    place = f"rank {standing.rank} of {standing.candidates} by fit alone"
    return [
        f"fit {standing.fit:.2f}, {place}; best passages: {channels}",
        f"words: {_words(standing)}",
    ]


def _channel(place: InChannel) -> str:
    measure = "BM25" if place.channel == "lexical" else "cosine"
    rank = "not ranked" if place.rank is None else str(place.rank)
    value = "none" if place.value is None else f"{place.value:.2f}"
    return f"{place.channel} {rank} ({measure} {value} at {timestamp(place.span.start_seconds)})"


def _words(standing: Standing) -> str:
    """The words by where they are, each with its rarity."""
    groups = []
    for where, label in _FOUND.items():
        found = [
            word.word if word.weight is None else f"{word.word} {word.weight:.1f}"
            for word in standing.words
            if word.found == where
        ]
        if found:
            groups.append(f"{label}: {', '.join(found)}")
    return "; ".join(groups) or "the query has none"


def _contributions(standing: Standing) -> str:
    parts = sorted(_told(standing, "contribution").items(), key=lambda part: -abs(part[1]))
    return ", ".join(f"{name} {value:+.2f}" for name, value in parts if value) or "none"


def _differences(standing: Standing) -> str:
    parts = sorted(_told(standing, "difference").items(), key=lambda part: -abs(part[1]))[:_MOST_DIFFERENCES]
    told = [f"{name} {value:+.2f}" for name, value in parts if abs(value) >= _LEAST_DIFFERENCE]
    return ", ".join(told) or "no evidence differs"


def _told(standing: Standing, value: Literal["contribution", "difference"]) -> dict[str, float]:
    """Name -> value; the parts that weigh how long the moment is are told as one."""
    from agentvid.indexes.windows import LENGTH

    told: dict[str, float] = {}
    for part in standing.evidence:
        name = "length" if part.name in LENGTH else part.name
        told[name] = told.get(name, 0.0) + getattr(part, value)
    return told
