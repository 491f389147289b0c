"""Where one chapter of a video ends and the next begins: where what is said before and after differs most.

Text tiling (Hearst, "TextTiling", Computational Linguistics 1997) over clips, solved exactly: of all ways to cut the
clips into at most so many chapters, the one whose clips lie nearest to the means of their chapters (the kernel
change-point criterion of Arlot, Celisse and Harchaoui, JMLR 2019), found by dynamic programming.
"""

from __future__ import annotations

import zlib
from collections import Counter, defaultdict
from collections.abc import Sequence

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

Matrix = NDArray[np.float64]


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
    features = _features(clips, passages, vectors)
    costs = _Costs(features, times, typical / _SPREAD, typical * _SPREAD)
    scatter = float(((features - features.mean(axis=0)) ** 2).sum(axis=1).mean())
    cheap, dear = _LEAST_GAIN * scatter, _HIGHEST_PRICE
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
    """What a run of clips costs as a chapter: the squared distances of its clips from their mean."""

    def __init__(self, features: Matrix, times: Matrix, shortest_seconds: float, longest_seconds: float) -> None:
        sums = np.vstack([np.zeros(features.shape[1]), np.cumsum(features, axis=0)])
        squares = np.concatenate([[0.0], np.cumsum((features**2).sum(axis=1))])
        self._runs: list[tuple[int, Matrix]] = []
        for end in range(1, len(times)):
            # One clip may be longer than a chapter should be; it is a chapter then.
            first = min(int(np.searchsorted(times, times[end] - longest_seconds)), end - 1)
            starts = np.arange(first, end)
            total = sums[end] - sums[starts]
            scatter = squares[end] - squares[starts] - (total**2).sum(axis=1) / (end - starts)
            too_short = times[end] - times[starts] < shortest_seconds
            self._runs.append((first, scatter + _TOO_SHORT * too_short))

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


def _features(clips: Sequence[Clip], passages: Sequence[Passage], vectors: Vectors | None) -> Matrix:
    """(len(clips), columns): per clip the direction of its words and of its meaning; zeros where nothing is told."""
    row_of = {clip.index: row for row, clip in enumerate(clips)}
    rows = np.array([row_of[passage.clip_index] for passage in passages])
    texts: dict[int, list[str]] = defaultdict(list)
    for row, passage in zip(rows.tolist(), passages, strict=True):
        texts[row] += content_words(passage.text)
    parts = [_words_of(texts, len(clips))]
    if vectors is not None:
        meaning = np.zeros((len(clips), vectors.shape[1]))
        np.add.at(meaning, rows, vectors)
        parts.append(_directions(meaning))
    return np.hstack(parts)


def _words_of(texts: dict[int, list[str]], count: int) -> Matrix:
    """Words that are said in more than one clip, rarer ones more, hashed."""
    holders = Counter(word for said in texts.values() for word in set(said))
    table = np.zeros((count, _WORD_COLUMNS))
    for row, said in texts.items():
        for word, times in Counter(said).items():
            if holders[word] > 1:
                weight = np.log1p(times) * np.log(count / holders[word])
                table[row, zlib.crc32(word.encode()) % _WORD_COLUMNS] += weight
    return _directions(table)


def _directions(table: Matrix) -> Matrix:
    lengths = np.linalg.norm(table, axis=1, keepdims=True)
    return table / np.where(lengths > 0, lengths, 1.0)
