"""Burnt-in subtitles are told from other text on screen by what all lines of a video have in common.

Subtitles replace each other in one band, one at a time, of one height, about the middle column or from one left edge,
each for a few seconds, and come and go alone. A slide's title goes with the slide, a name of the lower third is not
followed by the next one, a logo stays, a clock reads almost the same: none of them is a subtitle.
"""

from __future__ import annotations

import itertools
import statistics
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from agentvid.perceive.shown_text import ShownLine, bare, likeness
from agentvid.types import SCREEN, SUBTITLE

#: How long one may last, and how long half of them do at most.
_SHORTEST_SECONDS, _LONGEST_SECONDS, _MEDIAN_SECONDS = 0.2, 10.0, 7.0
#: Letters are no higher than this (share of the picture), nor differ more from each other.
_HEIGHT, _HEIGHT_RATIO = 0.13, 1.6
#: So many different ones there are at least, and one more for so many seconds of video.
_DIFFERENT, _ONE_MORE_SECONDS = 4, 600.0
#: Bands are this high, half of it to either side, and looked for at steps of the second; so many are tried.
_BAND, _BAND_STEP, _BANDS = 0.05, 0.01, 6
#: They stand in the lower part, or at the top.
_LOWER, _UPPER = 0.55, 0.25
#: Shares of the width: about one middle that is near the picture's, or from one left edge and long.
_CENTRED, _MIDDLE, _FLUSH, _FLUSH_WIDTH = 0.05, 0.12, 0.03, 0.25
#: The next one comes this soon, and changes of two lines this near are one change.
_NEXT_SECONDS, _AT_ONCE_SECONDS = 4.0, 0.12
#: Shares of the lines of a band: most do, few do. All lines of a slide come or go with others of it.
_MOST, _FEW, _HALF = 0.65, 0.35, 0.5
#: Texts more alike than this are one that is read otherwise, or counts.
_ALIKE = 0.6


def with_kinds(lines: Sequence[ShownLine], duration_seconds: float) -> list[ShownLine]:
    """The lines of a whole video, those that are subtitles named so."""
    found: set[int] = set()
    least = _DIFFERENT + duration_seconds / _ONE_MORE_SECONDS
    changes = _Changes(lines)
    for band in _bands(lines):
        left = [at for at in band if at not in found]
        if _are_subtitles([lines[at] for at in left], least) and _few_change_with_others(left, changes):
            found.update(left)
    for _ in range(2):  # of three lines the last is a neighbour of a neighbour
        found |= changes.of_neighbours(found)
    return [replace(line, kind=SUBTITLE) if at in found else line for at, line in enumerate(lines)]


class _Changes:
    """When lines come and go, to ask which do so together."""

    def __init__(self, lines: Sequence[ShownLine]) -> None:
        self._lines = lines
        self._starts = sorted((line.span.start_seconds, at) for at, line in enumerate(lines))
        self._ends = sorted((line.span.end_seconds, at) for at, line in enumerate(lines))

    def is_with_others(self, at: int) -> bool:
        """Whether a line comes or goes with one that stands elsewhere."""
        return any(not _is_beside(self._lines[at], self._lines[other]) for other in self._with(at))

    def of_neighbours(self, found: set[int]) -> set[int]:
        """What stands above or below a line found, and comes and goes with it."""
        return {
            other
            for at in found
            for other in self._with(at)
            if _may_be_one(self._lines[other])
            and _is_beside(self._lines[at], self._lines[other])
            and _come_and_go_together(self._lines[at], self._lines[other])
        }

    def _with(self, at: int) -> Iterator[int]:
        span = self._lines[at].span
        for times, seconds in ((self._starts, span.start_seconds), (self._ends, span.end_seconds)):
            for near, other in times[bisect_left(times, (seconds - _AT_ONCE_SECONDS, -1)) :]:
                if near > seconds + _AT_ONCE_SECONDS:
                    break
                if other != at:
                    yield other


def _may_be_one(line: ShownLine) -> bool:
    letters = sum(character.isalpha() for character in line.text)
    return (
        line.kind == SCREEN
        and not line.readings
        and _SHORTEST_SECONDS <= line.span.duration_seconds <= _LONGEST_SECONDS
        and _height(line) <= _HEIGHT
        and letters >= 2
        and letters * 2 >= sum(character.isalnum() for character in line.text)
    )


def _bands(lines: Sequence[ShownLine]) -> Iterator[list[int]]:
    """Lines that may be subtitles by the band they stand in, those of the fullest first. Bands overlap."""
    steps: dict[int, list[int]] = defaultdict(list)
    for at, line in enumerate(lines):
        if _may_be_one(line):
            steps[round(_middle(line) / _BAND_STEP)].append(at)
    reach = round(_BAND / _BAND_STEP / 2)
    bands = [[at for step in range(low - reach, low + reach + 1) for at in steps.get(step, ())] for low in steps]
    for band in sorted(bands, key=len, reverse=True)[: _BANDS * (2 * reach + 1)]:
        height = statistics.median(_height(lines[at]) for at in band)
        yield [at for at in band if 1 / _HEIGHT_RATIO <= _height(lines[at]) / height <= _HEIGHT_RATIO]


def _are_subtitles(band: Sequence[ShownLine], least: float) -> bool:
    if len({bare(line.text) for line in band}) < least:
        return False
    lines = sorted(band, key=lambda line: line.span)
    pairs = list(itertools.pairwise(lines))
    gaps = [after.span.start_seconds - before.span.end_seconds for before, after in pairs]
    total = sum(line.span.duration_seconds for line in lines)
    is_near = [gap <= _NEXT_SECONDS for gap in gaps]
    followed = [any(near) for near in zip([False, *is_near], [*is_near, False], strict=True)]
    differ = [likeness(before.text, after.text) <= _ALIKE for before, after in pairs]
    return (
        statistics.median(line.span.duration_seconds for line in lines) <= _MEDIAN_SECONDS
        and _are_placed(lines)
        and sum(-gap for gap in gaps if gap < 0) <= _FEW * total
        and sum(followed) >= _MOST * len(lines)
        and sum(differ) >= _MOST * len(pairs)
    )


def _are_placed(lines: Sequence[ShownLine]) -> bool:
    """Whether lines stand about the middle column, low or high in the picture, or low and flush left."""
    height = statistics.median(map(_middle, lines))
    centres = [(line.box[0] + line.box[2]) / 2 for line in lines]
    centre = statistics.median(centres)
    if abs(centre - 0.5) <= _MIDDLE and sum(abs(one - centre) <= _CENTRED for one in centres) >= _MOST * len(lines):
        return height >= _LOWER or height <= _UPPER
    lefts = [line.box[0] for line in lines]
    left = statistics.median(lefts)
    is_wide = statistics.median(line.box[2] - line.box[0] for line in lines) >= _FLUSH_WIDTH
    return is_wide and height >= _LOWER and sum(abs(one - left) <= _FLUSH for one in lefts) >= _MOST * len(lines)


def _few_change_with_others(band: Sequence[int], changes: _Changes) -> bool:
    return sum(changes.is_with_others(at) for at in band) <= _HALF * len(band)


def _is_beside(line: ShownLine, other: ShownLine) -> bool:
    """Whether two lines stand in one block: above each other with little between, or in one row; of like height."""
    heights = sorted((_height(line), _height(other)))
    gap = max(line.box[1], other.box[1]) - min(line.box[3], other.box[3])
    shared = min(line.box[2], other.box[2]) - max(line.box[0], other.box[0])
    return gap <= heights[0] and shared > -heights[1] and heights[1] <= 2 * heights[0]


def _come_and_go_together(line: ShownLine, other: ShownLine) -> bool:
    starts = abs(line.span.start_seconds - other.span.start_seconds)
    return max(starts, abs(line.span.end_seconds - other.span.end_seconds)) <= 3 * _AT_ONCE_SECONDS


def _height(line: ShownLine) -> float:
    return line.box[3] - line.box[1]


def _middle(line: ShownLine) -> float:
    return (line.box[1] + line.box[3]) / 2
