"""Where one chapter of a video ends and the next begins: where what is said before and after differs most.

Text tiling (Hearst, "TextTiling", Computational Linguistics 1997) over clips, solved exactly: of all ways to cut the
clips into at most so many chapters, the one whose clips lie nearest to the means of their chapters (the kernel
change-point criterion of Arlot, Celisse and Harchaoui, JMLR 2019), found by dynamic programming.
"""

from __future__ import annotations

import math
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from agentvid.models.base import Vectors
from agentvid.types import Clip, Passage
from agentvid.words import content_words

#: A video has about ten chapters, but none is meant to be shorter or longer than this.
_CHAPTERS, _SHORTEST_SECONDS, _LONGEST_SECONDS = 10, 60.0, 480.0
#: A chapter may be so many times longer or shorter than what is typical for its video.
_SPREAD = 3.0
#: What a chapter that is too short costs; a clip costs at most 2.
_TOO_SHORT = 4.0
#: A chapter must explain so many times the scatter of one clip: cutting noise explains about one of it.
_LEAST_GAIN = 1.75
#: Halvings of the price of a chapter until there are as many as wanted.
_PRICE_STEPS, _HIGHEST_PRICE = 30, 64.0
#: Words are hashed to so many columns: two that share one now and then do no harm.
_WORD_COLUMNS = 1024

Vector = NDArray[np.float64]


def chapter_ends(clips: Sequence[Clip], passages: Sequence[Passage], vectors: Vectors | None = None) -> list[int]:
    """For each chapter, how many of the clips, in order of time, lie before its end; the last is len(clips).

    Clips are compared by their passages' words and, where there are vectors (len(passages), dimension), by those too.
    """
    times = np.array([clips[0].span.start_seconds, *(clip.span.end_seconds for clip in clips)])
    duration_seconds = float(times[-1] - times[0])
    typical = min(max(duration_seconds / _CHAPTERS, _SHORTEST_SECONDS), _LONGEST_SECONDS)
    wanted = round(duration_seconds / typical)
    if wanted <= 1 or not passages:
        return [len(clips)]
    costs = _Costs(_Features(clips, passages, vectors), times, typical / _SPREAD, typical * _SPREAD)
    cheap, dear = _LEAST_GAIN * costs.scatter, _HIGHEST_PRICE
    if len(costs.cut(cheap)) <= wanted:
        return costs.cut(cheap)
    for _ in range(_PRICE_STEPS):
        price = (cheap + dear) / 2
        if len(costs.cut(price)) > wanted:
            cheap = price
        else:
            dear = price
    return costs.cut(dear)


class _Costs:
    """What a run of clips costs as a chapter: the squared distances of its clips from their mean.

    `scatter`: the mean squared distance of all clips from the mean of all.
    """

    def __init__(
        self, features: Iterable[Vector], times: Vector, shortest_seconds: float, longest_seconds: float
    ) -> None:
        self._runs: list[tuple[int, Vector]] = []
        # Of each run that ends with the clip at hand, by its start: the sum of its rows, and of their squares.
        begun, totals, squares = 0, np.zeros((0, 0)), np.zeros(0)
        whole, whole_squares = np.zeros(1), 0.0
        for end, row in enumerate(features, 1):
            # One clip may be longer than a chapter should be; it is a chapter then.
            first = min(int(np.searchsorted(times, times[end] - longest_seconds)), end - 1)
            totals = np.vstack([totals[first - begun :].reshape(-1, len(row)), np.zeros(len(row))]) + row
            squares = np.append(squares[first - begun :], 0.0) + row @ row
            begun, starts = first, np.arange(first, end)
            scatter = squares - np.einsum("ij,ij->i", totals, totals) / (end - starts)
            too_short = times[end] - times[starts] < shortest_seconds
            self._runs.append((first, scatter + _TOO_SHORT * too_short))
            whole, whole_squares = whole + row, whole_squares + float(row @ row)
        self.scatter = whole_squares / len(self._runs) - float(whole @ whole) / len(self._runs) ** 2

    def cut(self, price: float) -> list[int]:
        """The ends of the chapters of least total cost if each costs `price` besides."""
        best, back = np.zeros(len(self._runs) + 1), [0] * (len(self._runs) + 1)
        for end, (first, scatter) in enumerate(self._runs, 1):
            totals = best[first:end] + scatter + price
            start = int(totals.argmin())
            best[end], back[end] = totals[start], first + start
        ends = [len(self._runs)]
        while back[ends[-1]]:
            ends.append(back[ends[-1]])
        return ends[::-1]


class _Features:
    """Per clip the direction of its words and of its meaning; zeros where nothing is told.

    Rows (columns,) float64 are made when they are asked for: a table of a long video would take more memory than all
    else that is known of it.
    """

    def __init__(self, clips: Sequence[Clip], passages: Sequence[Passage], vectors: Vectors | None) -> None:
        self._clips, self._passages, self._vectors = clips, passages, vectors
        self._told: dict[int, list[int]] = defaultdict(list)
        for at, passage in enumerate(passages):
            self._told[passage.clip_index].append(at)
        #: In how many clips each word is said.
        self._holders = Counter(word for clip in clips for word in set(self._words(clip)))

    def __iter__(self) -> Iterator[Vector]:
        for clip in self._clips:
            parts = [_direction(self._told_words(clip))]
            if self._vectors is not None:
                told = self._vectors[self._told.get(clip.index, [])]
                parts.append(_direction(told.sum(axis=0, dtype=np.float64)))
            yield np.concatenate(parts)

    def _words(self, clip: Clip) -> list[str]:
        return [word for at in self._told.get(clip.index, ()) for word in content_words(self._passages[at].text)]

    def _told_words(self, clip: Clip) -> Vector:
        """Words that are said in more than one clip, rarer ones more, hashed."""
        row = np.zeros(_WORD_COLUMNS)
        for word, times in Counter(self._words(clip)).items():
            if self._holders[word] > 1:
                weight = math.log1p(times) * math.log(len(self._clips) / self._holders[word])
                row[zlib.crc32(word.encode()) % _WORD_COLUMNS] += weight
        return row


def _direction(row: Vector) -> Vector:
    length = float(np.linalg.norm(row))
    return row / length if length else row
