"""Which windows to show: the k that together most likely hold what was asked for.

A window's probability of being the moment comes from its evidence by a log-linear model, the same for every library.
The hits are then chosen one after the other (minimum Bayes risk): each is the window that adds most to the expected
recall at IoU 0.3 to 0.7, given the hits before it. So near copies of a hit add little, another extent of a likely place
adds something, and a second place adds what it is worth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agentvid.indexes.places import Floats, Rows
from agentvid.indexes.windows import EVIDENCE, Windows

#: Fitted on the development halves of twelve sets, as `python -m benchmarks.retrieval fit` does.
WEIGHTS = {
    "pooled": 1.33,
    "best": 0.31,
    "words": 2.81,
    "covered": 4.43,
    "video": 1.02,
    "video_covered": 2.86,
    "phrase": 20.0,
    "position": 6.0,
    "passages": -2.5,
    "seconds": 1.81,
    "seconds_squared": -0.274,
    "speech": 1.02,
    "long_speech": 0.152,
    "speech_passages": 0.139,
    "spoken_fact": -0.998,
    "procedure": 1.39,
    "discussion": 2.3,
    "reason": 1.25,
    "fact": 0.153,
}
#: What a hit is expected to reach; 0.5 counts twice. In smaller steps than an evaluation's 0.3, 0.5 and 0.7: what is a
#: little too long or too short still earns something.
RECALL_AT_IOU = (0.3, 0.4, 0.5, 0.5, 0.6, 0.7)
#: Where one span is asked for, log-odds count for less by this factor: weights that spread twenty hits well are too
#: sure of one, and a hedge between neighbouring spans overlaps more of what evidence cannot tell apart.
SPAN_TEMPERATURE = 1.3
#: So many of the best windows share the probability, twice the hits if more are wanted: more change nothing.
_MOST_WINDOWS = 200


@dataclass(frozen=True, slots=True)
class Chosen:
    """Positions of windows, best first; what expected recall each adds to those before (falling, sum <= 1)."""

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


def choose(windows: Windows, score: Floats, k: int, reward: Reward = recall) -> Chosen:
    """At most `k` windows that together have the largest expected reward."""
    top, probability = posterior(windows, score, k)
    chosen = pick(windows.take(top), probability, k, reward)
    return Chosen(top[chosen.windows], chosen.gains)


def posterior(windows: Windows, score: Floats, k: int) -> tuple[Rows, Floats]:
    """(the best windows, the probability that each is the moment if one of them is)."""
    top = highest(score, max(_MOST_WINDOWS, 2 * k))
    probability = np.exp(score[top] - score[top].max(initial=-np.inf))
    probability /= max(probability.sum(), 1e-12)
    return top, probability


def pick(best: Windows, probability: Floats, k: int, reward: Reward = recall) -> Chosen:
    """At most `k` of these windows, of which all together have this probability."""
    earned = reward(best.overlap()) * np.where(np.equal.outer(best.track, best.track), 1.0, _OTHER_TRACK)
    chosen, gains = greedy(earned, probability, min(k, len(probability)))
    return Chosen(chosen, gains)


def greedy(earned: NDArray[np.floating], probability: Floats, k: int) -> tuple[Rows, Floats]:
    """Greedy maximisation of a submodular sum (Nemhauser, Wolsey and Fisher, 1978); `earned` (w, w) is symmetric.

    What a window adds only falls as others are chosen, so that only the seemingly best ones are computed again
    (Minoux, 1978).
    """
    covered = np.zeros(len(probability))
    chosen, gains = np.empty(k, np.int64), np.empty(k)
    bounds = earned @ probability
    for position in range(k):
        best, added = -1, 0.0
        while best < 0 or added < bounds[best]:
            if best >= 0:
                bounds[best] = added
            best = int(np.argmax(bounds))
            added = float(np.maximum(earned[best] - covered, 0) @ probability)
        chosen[position], gains[position] = best, added
        covered = np.maximum(covered, earned[best])
        bounds[best] = -1.0
    return chosen, gains


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
