"""Lines of text with the time they were on screen, and the rows that they become.

A running clock or counter would be one row per tick; its readings are joined into one row per ten seconds, which keeps
every reading searchable, and its exact time in the attributes.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from agentvid.perceive.text_reader import Box, overlap
from agentvid.types import SCREEN, Span

#: A reader that misses a line once has not seen it go.
BRIDGE_SECONDS = 2.5
#: A line whose digits change sooner than this, at least so many times, ticks; one row holds this much of it.
_TICK_SECONDS, _TICKS, _TICKING_ROW_SECONDS = 8.0, 3, 10.0
#: More text than this on one slide becomes several observations.
_ROW_CHARACTERS = 500
#: A gap this wide (share of the picture) between columns.
_COLUMN_GAP = 0.04


@dataclass(frozen=True, slots=True)
class ShownLine:
    """A line with the time it was on screen. `readings`: (seconds, text) of a line that ticks or moves."""

    span: Span
    text: str
    confidence: float
    box: Box
    readings: tuple[tuple[float, str], ...] = ()
    kind: str = SCREEN


def likeness(one: str, other: str) -> float:
    """0 to 1: the letters that two readings have in common, in their order."""
    return SequenceMatcher(None, bare(one), bare(other), autojunk=False).ratio()


def bare(text: str) -> str:
    return "".join(text.casefold().split())


def join_ticking(lines: Iterable[ShownLine]) -> list[ShownLine]:
    """Chains of short lines in one place that differ in their digits only become one line per ten seconds."""
    joined: list[ShownLine] = []
    chains: dict[str, list[list[ShownLine]]] = {}
    for line in sorted(lines, key=lambda line: (line.span, line.box)):
        shape = re.sub(r"\d+", "0", bare(line.text))
        if line.span.duration_seconds > _TICK_SECONDS or "0" not in shape:
            joined.append(line)
            continue
        known = chains.setdefault(shape, [])
        for chain in known:
            follows = 0 <= line.span.start_seconds - chain[-1].span.end_seconds <= BRIDGE_SECONDS
            if follows and overlap(line.box, chain[-1].box) >= 0.4:
                chain.append(line)
                break
        else:
            known.append([line])
    for chain in itertools.chain.from_iterable(chains.values()):
        joined += _ticking_rows(chain) if len(chain) >= _TICKS else chain
    return joined


def _ticking_rows(chain: Sequence[ShownLine]) -> list[ShownLine]:
    rows = []
    first = chain[0].span.start_seconds
    for _, group in itertools.groupby(chain, lambda line: (line.span.start_seconds - first) // _TICKING_ROW_SECONDS):
        lines = list(group)
        rows.append(
            ShownLine(
                span=lines[0].span.hull(lines[-1].span),
                text=" ".join(line.text for line in lines),
                confidence=sum(line.confidence for line in lines) / len(lines),
                box=hull(line.box for line in lines),
                readings=tuple((line.span.start_seconds, line.text) for line in lines),
            )
        )
    return rows


def rows_of(lines: Sequence[ShownLine]) -> Iterable[list[ShownLine]]:
    """Lines of one interval in reading order, cut where the text grows too long. Lines with readings stay alone."""
    row: list[ShownLine] = []
    for line in _reading_order([line for line in lines if not line.readings]):
        if row and sum(len(other.text) for other in row) + len(line.text) > _ROW_CHARACTERS:
            yield row
            row = []
        row.append(line)
    if row:
        yield row
    yield from ([line] for line in lines if line.readings)


def _reading_order(lines: Sequence[ShownLine]) -> list[ShownLine]:
    """Columns from left to right, in each from top to bottom, by recursive cuts along the widest gap.

    The XY-cut of Nagy & Seth (1984): what no gap divides is in the order of rows.
    """
    for low, high, least in ((0, 2, _COLUMN_GAP), (1, 3, 0.0)):
        ordered = sorted(lines, key=lambda line: (line.box[low], line.box))
        reached = itertools.accumulate((line.box[high] for line in ordered), max)
        gaps = [line.box[low] - edge for line, edge in zip(ordered[1:], reached, strict=False)]
        widest = max(gaps, default=0.0)
        if widest > least:
            cut = gaps.index(widest) + 1
            return _reading_order(ordered[:cut]) + _reading_order(ordered[cut:])
    rows: list[list[ShownLine]] = []
    for line in sorted(lines, key=lambda line: (line.box[1] + line.box[3], line.box)):
        if not rows or (line.box[1] + line.box[3]) / 2 > rows[-1][0].box[3]:
            rows.append([])
        rows[-1].append(line)
    return [line for row in rows for line in sorted(row, key=lambda line: line.box)]


def hull(boxes: Iterable[Box]) -> Box:
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)
