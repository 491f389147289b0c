"""Which windows to show: the k that together most likely hold what was asked for.

A window's probability of being the moment comes from its evidence by a log-linear model, the same for every library.
The hits are then chosen one after the other (minimum Bayes risk): each is the window that adds most to the expected
recall at IoU 0.3 to 0.7, given the hits before it. So near copies of a hit add little, another extent of a likely place
adds something, and a second place adds what it is worth.

Of the first ten hits of a search through a whole library no video has more than four, or a video stuffed with what
people ask for would have them all. What is put off for that comes right after the tenth.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agentvid.indexes.places import Floats, Rows
from agentvid.indexes.windows import EVIDENCE, Windows

#: Fitted on the development halves of twelve sets, much as `python -m benchmarks.retrieval fit` does: docs/retrieval.md
#: says how exactly.
WEIGHTS = {
    "pooled": 0.882,
    "best": 0.628,
    "words": 4.34,
    "covered": 3.83,
    "video": 0.855,
    "video_covered": 3.67,
    "phrase": 20.0,
    "position": 5.95,
    "passages": -2.88,
    "seconds": 1.71,
    "passages_squared": 0.411,
    "seconds_squared": -0.278,
    "passages_seconds": -0.312,
    "speech_passages": -0.073,
    "speech_seconds": 1.04,
    "speech_passages_squared": 0.0313,
    "speech_seconds_squared": -0.0442,
    "speech_passages_seconds": 0.0672,
    "coarse_passages": -0.735,
    "coarse_seconds": -0.285,
    "coarse_passages_squared": -0.196,
    "coarse_seconds_squared": 0.0599,
    "coarse_passages_seconds": 0.25,
    "long_speech": 0.299,
    "spoken_fact": -0.9,
    "procedure": 1.57,
    "discussion": 2.79,
    "reason": 0.507,
    "fact": 0.202,
}
#: What a hit is expected to reach; 0.5 counts twice. In smaller steps than an evaluation's 0.3, 0.5 and 0.7: what is a
#: little too long or too short still earns something.
RECALL_AT_IOU = (0.3, 0.4, 0.5, 0.5, 0.6, 0.7)
#: Where one span is asked for, log-odds count for less by this factor: weights that spread twenty hits well are too
#: sure of one, and a hedge between neighbouring spans overlaps more of what evidence cannot tell apart.
SPAN_TEMPERATURE = 1.3
#: So many of the best windows share the probability, twice the hits if more are wanted: more change nothing.
_MOST_WINDOWS = 200
#: Of so many first hits one video has at most so many, if at least so many videos have candidates: of two, one has to
#: be most of it.
FIRST_HITS, MOST_OF_ONE_VIDEO, LEAST_VIDEOS = 10, 4, 3
#: Then so many windows take part that are the best of their videos, at most so many of each: enough for the first hits,
#: whatever one video has among the best of all.
_SPREAD_WINDOWS, _SPREAD_OF_EACH = 50, 10


@dataclass(frozen=True, slots=True)
class Chosen:
    """Positions of windows, best first; what expected recall each adds to those before (sum <= 1).

    It falls, except that what was put off for another video's hits adds more than the last of these.
    """

    windows: Rows
    gains: Floats


def scores(windows: Windows, weights: dict[str, float] = WEIGHTS) -> Floats:
    """(w,) log-odds up to a constant; only differences within one query mean something."""
    values: Floats = windows.evidence @ np.array([weights[name] for name in EVIDENCE])
    return values


def highest(values: Floats, k: int) -> Rows:
    """Positions of the `k` highest, best first, earlier ones first among equals."""
    found = np.arange(len(values))
    if len(values) > k:
        found = np.flatnonzero(values >= np.partition(values, len(values) - k)[len(values) - k])
    return found[np.argsort(-values[found], kind="stable")][:k]


Reward = Callable[[Floats], Floats]


def recall(overlap: Floats) -> Floats:
    """What a hit earns of each true window: the share of RECALL_AT_IOU that it reaches."""
    earned: Floats = np.mean([overlap >= threshold for threshold in RECALL_AT_IOU], axis=0)
    return earned


def iou(overlap: Floats) -> Floats:
    """What a hit earns where one tight span is asked for: the IoU itself."""
    return overlap


#: A hit earns this much of what it would earn of a window that says it in another track. The same seconds may be told
#: by several tracks: they are one moment, and the hit must be the track that fits.
_OTHER_TRACK = 0.8


def choose(windows: Windows, score: Floats, k: int, reward: Reward = recall, *, most: int | None = None) -> Chosen:
    """At most `k` windows that together have the largest expected reward; `most` of one video among the first ten."""
    top, probability = posterior(windows, score, k, most)
    chosen = pick(windows.take(top), probability, k, reward, most=most)
    return Chosen(top[chosen.windows], chosen.gains)


def posterior(windows: Windows, score: Floats, k: int, most: int | None = None) -> tuple[Rows, Floats]:
    """(the best windows, the probability that each is the moment if one of them is)."""
    top = highest(score, max(_MOST_WINDOWS, 2 * k))
    if most is not None and len(top) < len(score):
        order = highest(score, len(score))
        kept = np.zeros(len(score), bool)
        kept[top] = kept[order[spread(windows.video[order])]] = True
        top = order[kept[order]]
    probability = np.exp(score[top] - score[top].max(initial=-np.inf))
    probability /= max(probability.sum(), 1e-12)
    return top, probability


def spread(video: NDArray[np.integer]) -> Rows:
    """Positions of the first _SPREAD_WINDOWS of which no video has more than _SPREAD_OF_EACH, ascending."""
    by_video = np.argsort(video, kind="stable")
    begins = np.flatnonzero(np.diff(video[by_video], prepend=-1))
    earlier = np.empty(len(video), np.int64)
    earlier[by_video] = np.arange(len(video)) - np.repeat(begins, np.diff(begins, append=len(video)))
    return np.flatnonzero(earlier < _SPREAD_OF_EACH)[:_SPREAD_WINDOWS]


def pick(best: Windows, probability: Floats, k: int, reward: Reward = recall, *, most: int | None = None) -> Chosen:
    """At most `k` of these windows, of which all together have this probability."""
    earned = reward(best.overlap()) * np.where(np.equal.outer(best.track, best.track), 1.0, _OTHER_TRACK)
    chosen, gains = greedy(earned, probability, min(k, len(probability)), Limit.of(best.video, most))
    return Chosen(chosen, gains)


@dataclass(frozen=True, slots=True)
class Limit:
    """Of the first ten windows that are chosen, `most` are of one video; `video` (w,) tells which that is."""

    video: NDArray[np.int32]
    most: int

    @classmethod
    def of(cls, video: NDArray[np.int32], most: int | None) -> Limit | None:
        """None where nothing limits it, or too few videos have candidates."""
        return None if most is None or len(np.unique(video)) < LEAST_VIDEOS else cls(video, most)


def greedy(
    earned: NDArray[np.floating], probability: Floats, k: int, limit: Limit | None = None
) -> tuple[Rows, Floats]:
    """Greedy maximisation of a submodular sum (Nemhauser, Wolsey and Fisher, 1978); `earned` (w, w) is symmetric.

    What a window adds only falls as others are chosen, so that only the seemingly best ones are computed again
    (Minoux, 1978). With a limit, the windows of a video that has its share wait until ten are chosen, or no other is
    left.
    """
    covered = np.zeros(len(probability))
    chosen, gains = np.empty(k, np.int64), np.empty(k)
    bounds = earned @ probability
    waiting = np.full(len(bounds), -1.0)
    taken: Counter[int] = Counter()
    for position in range(k):
        if limit and (position == FIRST_HITS or bounds.max() < 0):
            bounds, limit = np.maximum(bounds, waiting), None
        best, added = -1, 0.0
        while best < 0 or added < bounds[best]:
            if best >= 0:
                bounds[best] = added
            best = int(np.argmax(bounds))
            added = float(np.maximum(earned[best] - covered, 0) @ probability)
        chosen[position], gains[position] = best, added
        covered = np.maximum(covered, earned[best])
        bounds[best] = -1.0
        if limit:
            video = int(limit.video[best])
            taken[video] += 1
            if taken[video] == limit.most:
                same = limit.video == video
                waiting[same], bounds[same] = bounds[same], -1.0
    return chosen, gains


def shared_out(videos: Sequence[Hashable], most: int) -> list[int]:
    """Positions of hits, which are given by their videos, in the order that keeps `most` of the first ten to one."""
    taken: Counter[Hashable] = Counter()
    first: list[int] = []
    if len(set(videos)) >= LEAST_VIDEOS:
        for at, video in enumerate(videos):
            if len(first) < FIRST_HITS and taken[video] < most:
                first.append(at)
                taken[video] += 1
    return [*first, *sorted(set(range(len(videos))) - set(first))]


def with_others(
    found: Sequence[Rows], find: Callable[[Rows], Sequence[Rows]], video: NDArray[np.integer], depth: int, most: int
) -> Rows:
    """What each channel found, `depth` rows if it could, and rows of other videos where those of few keep them out.

    `find(excluded)` searches every channel again without those videos; `video` (n,) tells of which one a row is. It
    goes on until ten hits could be chosen, `most` of one video, from what every channel found, or there is no more.
    """
    excluded = np.empty(0, np.int64)
    while len(more := np.union1d(excluded, _crowding(found, video, depth, most))) > len(excluded):
        excluded = more
        found = [np.concatenate(pair) for pair in zip(found, find(excluded), strict=True)]
    return np.unique(np.concatenate(found))


def _crowding(found: Sequence[Rows], video: NDArray[np.integer], depth: int, most: int) -> Rows:
    """The videos that leave the others too few rows of a channel."""
    crowding = [np.empty(0, np.int64)]
    for rows in found:
        videos, counts = np.unique(video[rows], return_counts=True)
        if len(rows) >= depth and np.minimum(counts, most).sum() < FIRST_HITS:
            crowding.append(videos[counts > most])
    return np.concatenate(crowding)


#: How sure a window is of holding the event at all: log-odds from its evidence, fitted by the same command on queries
#: asked of the right video and of another one. `margin` is how far the window's score lies above the best window of
#: all other videos: what fits another video much better is probably not in this one.
PRESENCE = {"bias": 0.46, "best": 0.19, "covered": 1.19, "video": 0.78, "margin": 0.33}
PRESENCE_ALONE = {"bias": -4.02, "similarity": 6.41, "covered": 2.46}
PRESENCE_BY_WORDS = {"bias": -1.96, "covered": 4.24}


def presence(windows: Windows, margins: Floats | None) -> Floats:
    """(w,) probabilities that what was asked for is there; `margins` (w,) where there are other videos to compare."""
    columns = presence_columns(windows, margins)
    weights = PRESENCE_ALONE if margins is None else PRESENCE
    if not windows.similarity.any():  # no vectors: words alone have to tell
        weights = PRESENCE_BY_WORDS
    odds = sum(weight * columns[name] for name, weight in weights.items())
    certain: Floats = 1 / (1 + np.exp(-odds))
    return certain


def presence_columns(windows: Windows, margins: Floats | None) -> dict[str, Floats]:
    """Everything that `presence` may weigh, (w,) each."""
    columns = {name: windows.evidence[:, at] for at, name in enumerate(EVIDENCE)}
    columns |= {"similarity": windows.similarity, "bias": np.ones(len(windows.first))}
    return columns if margins is None else columns | {"margin": margins}
