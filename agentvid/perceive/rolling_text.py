"""Text that moves at a steady pace: a crawl runs along one row to the left, a roll rises as credits do.

Every picture that is read shows another part of it. What two of them share tells how fast it moves; from the pace
follows when each word came on screen. A crawl or roll is believed from the third picture on that agrees, once it went
far and brought new text: a sign that the camera passes does not.
"""

from __future__ import annotations

import itertools
import re
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import NamedTuple

from agentvid.perceive.shown_text import ShownLine, bare, hull, likeness
from agentvid.perceive.text_reader import Box, TextLine
from agentvid.types import ROLLING, Span

#: Text further apart in time is another one, whatever its pace.
_GAP_SECONDS = 8.0
#: Shares of the picture: what moved less stands still, or is a box that was drawn otherwise.
_STILL, _MOVED = 0.012, 0.03
#: A pace may differ from the mean so far by this share of it, and by so much a second.
_UNSTEADY, _UNSTEADY_PER_SECOND = 0.25, 0.01
#: From so many pictures, and so far (share of the picture), it is believed.
_SIGHTINGS, _FAR = 3, 0.35
#: It brings so much more text than a picture holds at once; what goes this far need not.
_NEW_TEXT, _VERY_FAR = 1.25, 0.8
#: Letters that two pieces of a crawl share at least, and how wide the later one is.
_SHARED_LETTERS, _CRAWL_WIDTH = 6, 0.2
#: Two readings of a rising line are so alike, and so near to where it must be.
_SAME_LINE, _NEAR = 0.7, 0.05
#: One row holds so much of it, and tells times of parts no longer than this.
_ROW_SECONDS, _PART = 10.0, re.compile(r"\S{1,24}\s*")


class _Sighting(NamedTuple):
    """What one picture shows of a moving text: its lines in reading order."""

    seconds: float
    lines: tuple[TextLine, ...]


class _Part(NamedTuple):
    """A word, or a line of a roll, and when it came."""

    seconds: float
    text: str


class RollingText:
    """Give it the lines of every picture that is read, in order."""

    def __init__(self) -> None:
        self._before = _Sighting(0.0, ())
        self._open: list[_Chain] = []
        self._done: list[_Chain] = []

    def see(self, seconds: float, lines: Sequence[TextLine]) -> None:
        still = _still(self._before.lines, lines)
        before = _Sighting(self._before.seconds, _without(self._before.lines, still))
        now = _Sighting(seconds, _without(lines, still))
        for chain in self._open:
            if not chain.goes_on(now):
                chain.missed_seconds = chain.missed_seconds or seconds
        taken = {id(line) for chain in self._open if chain.last.seconds == seconds for line in chain.last.lines}
        rest = _Sighting(seconds, tuple(line for line in now.lines if id(line) not in taken))
        self._open += _begun(before, rest)
        over = [chain for chain in self._open if seconds - chain.last.seconds > chain.patience_seconds]
        self._done += [chain for chain in over if chain.is_sure]
        self._open = [chain for chain in self._open if chain not in over]
        self._before = _Sighting(seconds, tuple(lines))

    def replace(self, lines: Iterable[ShownLine], duration_seconds: float) -> list[ShownLine]:
        """`lines`, of which those that are parts of moving text give way to rows of it."""
        sure = [*self._done, *(chain for chain in self._open if chain.is_sure)]
        kept = [line for line in lines if not any(chain.shows(line) for chain in sure)]
        return kept + [row for chain in sure for row in chain.rows(duration_seconds)]


@dataclass(eq=False)
class _Chain:
    """Sightings of one moving text, two or more. `missed_seconds`: the first picture of late that did not show it."""

    sightings: list[_Sighting]
    moved: float
    missed_seconds: float | None = field(default=None, init=False)

    @property
    def last(self) -> _Sighting:
        return self.sightings[-1]

    @property
    def pace(self) -> float:
        """Shares of the picture a second, to the left or upwards."""
        return self.moved / (self.last.seconds - self.sightings[0].seconds)

    @property
    def patience_seconds(self) -> float:
        """After this nothing is left of what was seen last."""
        return min(_GAP_SECONDS, 1.0 / self.pace)

    @property
    def is_sure(self) -> bool:
        if len(self.sightings) < _SIGHTINGS or self.moved < _FAR:
            return False
        most = max(sum(len(line.text) for line in seen.lines) for seen in self.sightings)
        return self.moved >= _VERY_FAR or sum(len(part.text) for part in self.parts()) >= _NEW_TEXT * most

    def goes_on(self, now: _Sighting) -> bool:
        """Whether a picture shows the text where it must be by now; keeps that if so."""
        if not 0 < now.seconds - self.last.seconds <= self.patience_seconds:
            return False
        found = self.found_again(now)
        if found is None:
            return False
        moved, lines = found
        pace = moved / (now.seconds - self.last.seconds)
        if abs(pace - self.pace) > _UNSTEADY * self.pace + _UNSTEADY_PER_SECOND:
            return False
        self.sightings.append(_Sighting(now.seconds, lines))
        self.moved += moved
        self.missed_seconds = None
        return True

    @abstractmethod
    def found_again(self, now: _Sighting) -> tuple[float, tuple[TextLine, ...]] | None:
        """How far the text moved since the last sighting, and the lines that belong to it."""
        ...

    @abstractmethod
    def parts(self) -> list[_Part]:
        """Everything that the text says, once, in order."""
        ...

    def shows(self, line: ShownLine) -> bool:
        """Whether that line is a part of this text."""
        if line.readings or not self._span(line.span.end_seconds).overlaps(line.span):
            return False
        return bare(line.text) in {bare(seen.text) for sighting in self.sightings for seen in sighting.lines}

    def rows(self, duration_seconds: float) -> Iterator[ShownLine]:
        """The text in stretches of ten seconds, which follow each other."""
        seen = [line for sighting in self.sightings for line in sighting.lines]
        span, parts = self._span(duration_seconds), self.parts()
        first = parts[0].seconds
        groups = [
            list(group) for _, group in itertools.groupby(parts, lambda part: (part.seconds - first) // _ROW_SECONDS)
        ]
        starts = [group[0].seconds for group in groups]
        for group, start, end in zip(groups, starts, [*starts[1:], span.end_seconds], strict=True):
            if end > start:
                yield ShownLine(
                    span=Span(start, end),
                    text="".join(part.text for part in group).strip(),
                    confidence=sum(line.confidence for line in seen) / len(seen),
                    box=hull(line.box for line in seen),
                    readings=tuple((part.seconds, part.text.strip()) for part in group),
                    kind=ROLLING,
                )

    def _span(self, duration_seconds: float) -> Span:
        """Until the first picture without it, and no longer than it takes what was seen last to leave."""
        gone = self.last.seconds + self.left_to_go() / self.pace
        missed = duration_seconds if self.missed_seconds is None else self.missed_seconds
        end = max(self.last.seconds, min(gone, missed, duration_seconds))
        return Span(self.sightings[0].seconds, max(end, self.last.seconds + 1e-3))

    @abstractmethod
    def left_to_go(self) -> float:
        """How far (share of the picture) what was seen last has to go until it is gone."""
        ...

    def came_seconds(self, at: int, way: float) -> float:
        """When something came that has moved `way` (share of the picture) in sighting number `at`."""
        seconds = self.sightings[at].seconds
        return max(self.sightings[at - 1].seconds, seconds - max(0.0, way) / self.pace) if at else seconds


class _Crawl(_Chain):
    """Text that runs along one row to the left."""

    def found_again(self, now: _Sighting) -> tuple[float, tuple[TextLine, ...]] | None:
        return _crawled(self.last.lines, now.lines)

    def parts(self) -> list[_Part]:
        text, times = "", list[float]()
        for at, sighting in enumerate(self.sightings):
            new = _joined(sighting.lines)
            left, _, right, _ = hull(line.box for line in sighting.lines)
            width = (right - left) / len(new)
            came = [self.came_seconds(at, 1.0 - left - width * (index + 1)) for index in range(len(new))]
            kept, known = _seam(text, new)
            # What stands behind the seam was cut off by the edge of the picture, and is read anew.
            again = min(len(text) - kept, len(new) - known)
            text, times = text[:kept] + new[known:], times[: kept + again] + came[known + again :]
        ends = [(found.end(), found[0]) for found in _PART.finditer(text)]
        return [_Part(times[len(text[:end].rstrip()) - 1], part) for end, part in ends]

    def shows(self, line: ShownLine) -> bool:
        return _in_row(line.box, hull(seen.box for seen in self.last.lines)) and super().shows(line)

    def left_to_go(self) -> float:
        return hull(line.box for line in self.last.lines)[2]


class _Roll(_Chain):
    """Lines that rise together."""

    def found_again(self, now: _Sighting) -> tuple[float, tuple[TextLine, ...]] | None:
        return _rose(self.last.lines, now.lines, at_least=1)

    def parts(self) -> list[_Part]:
        parts: list[_Part] = []
        before: dict[int, TextLine] = {}
        for at, sighting in enumerate(self.sightings):
            passed = sighting.seconds - self.sightings[at - 1].seconds if at else 0.0
            shown: dict[int, TextLine] = {}
            for line in sighting.lines:
                known = [number for number, old in before.items() if self._is_same(line, old, passed)]
                if known:
                    shown[known[0]] = line
                    continue
                shown[len(parts)] = line
                parts.append(_Part(self.came_seconds(at, 1.0 - line.box[3]), f"{line.text} "))
            before = shown
        return sorted(parts, key=lambda part: part.seconds)

    def left_to_go(self) -> float:
        return hull(line.box for line in self.last.lines)[3]

    def _is_same(self, line: TextLine, before: TextLine, seconds: float) -> bool:
        expected = before.box[1] - self.pace * seconds
        return abs(line.box[1] - expected) <= _NEAR and _is_alike(line.text, before.text)


def _begun(before: _Sighting, now: _Sighting) -> Iterator[_Chain]:
    """The texts that move between two pictures which follow each other."""
    if not before.lines or not 0 < now.seconds - before.seconds <= _GAP_SECONDS:
        return
    risen = _rose(before.lines, now.lines, at_least=2)
    if risen is not None:
        first = tuple(line for line in before.lines if _in_columns(line.box, risen[1]))
        yield _Roll([_Sighting(before.seconds, first), _Sighting(now.seconds, risen[1])], risen[0])
        return
    for line in before.lines:
        crawled = _crawled((line,), now.lines)
        if crawled is not None:
            yield _Crawl([_Sighting(before.seconds, (line,)), _Sighting(now.seconds, crawled[1])], crawled[0])


def _rose(
    before: Sequence[TextLine], now: Sequence[TextLine], *, at_least: int
) -> tuple[float, tuple[TextLine, ...]] | None:
    """How far the lines rose that both pictures show, so many at least, and the lines that are with them."""
    pairs = [
        (old, new)
        for old, new in _pairs(before, now)
        if old.box[1] - new.box[1] >= _MOVED and abs(old.box[0] - new.box[0]) < _MOVED
    ]
    ways = sorted(old.box[1] - new.box[1] for old, new in pairs)
    if len(ways) < at_least:
        return None
    way = ways[len(ways) // 2]
    moved = [new for old, new in pairs if abs(old.box[1] - new.box[1] - way) < _MOVED]
    if len(moved) < at_least or len(moved) * 2 < len(ways):
        return None
    rising = [line for line in now if _in_columns(line.box, moved)]
    return way, tuple(sorted(rising, key=lambda line: (round(line.box[1], 2), line.box)))


def _crawled(before: Sequence[TextLine], now: Sequence[TextLine]) -> tuple[float, tuple[TextLine, ...]] | None:
    """How far the text of a row ran to the left, and what the row shows now."""
    if not before:
        return None
    place = hull(line.box for line in before)
    row = sorted((line for line in now if _in_row(line.box, place)), key=lambda line: line.box)
    if not row:
        return None
    here = hull(line.box for line in row)
    old, new = _joined(before), _joined(row)
    same = SequenceMatcher(None, old.casefold(), new.casefold(), autojunk=False).find_longest_match()
    if same.size < _SHARED_LETTERS or here[2] - here[0] < _CRAWL_WIDTH:
        return None
    way = _at(place, old, same.a + same.size / 2) - _at(here, new, same.b + same.size / 2)
    return (way, tuple(row)) if way >= _MOVED else None


def _at(box: Box, text: str, letter: float) -> float:
    """How far from the left a letter stands."""
    return box[0] + (box[2] - box[0]) * letter / len(text)


def _seam(text: str, new: str) -> tuple[int, int]:
    """So many letters of `text` are kept, and so many of `new` left out, where the two show the same."""
    tail = max(0, len(text) - len(new) - 20)
    same = SequenceMatcher(None, text[tail:].casefold(), new.casefold(), autojunk=False).find_longest_match()
    return tail + same.a + same.size, same.b + same.size


def _pairs(before: Sequence[TextLine], now: Sequence[TextLine]) -> Iterator[tuple[TextLine, TextLine]]:
    """Lines of the same text, which each picture shows once."""
    old = _once(before)
    return ((old[text], line) for text, line in _once(now).items() if text in old)


def _once(lines: Sequence[TextLine]) -> dict[str, TextLine]:
    counts = Counter(bare(line.text) for line in lines)
    return {bare(line.text): line for line in lines if counts[bare(line.text)] == 1}


def _still(before: Sequence[TextLine], now: Sequence[TextLine]) -> set[str]:
    """The texts that stand where they stood."""
    return {
        bare(new.text)
        for old, new in _pairs(before, now)
        if max(abs(one - other) for one, other in zip(old.box[:2], new.box[:2], strict=True)) < _STILL
    }


def _without(lines: Sequence[TextLine], texts: set[str]) -> tuple[TextLine, ...]:
    return tuple(line for line in lines if bare(line.text) not in texts)


def _joined(lines: Sequence[TextLine]) -> str:
    return " ".join(line.text for line in lines)


def _in_row(box: Box, row: Box) -> bool:
    return row[1] < (box[1] + box[3]) / 2 < row[3]


def _in_columns(box: Box, lines: Sequence[TextLine]) -> bool:
    """Whether a box reaches into the columns of some lines, or almost."""
    left, _, right, _ = hull(line.box for line in lines)
    return box[0] < right + _NEAR and box[2] > left - _NEAR


def _is_alike(one: str, other: str) -> bool:
    return likeness(one, other) >= _SAME_LINE
