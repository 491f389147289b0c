"""Which windows to show: the k that together most likely hold what was asked for.

A window's probability of being the moment comes from its evidence by a log-linear model with eight weights, the same
for every library. The hits are then chosen one after the other (minimum Bayes risk): each is the window that adds
most to the expected recall at IoU 0.3, 0.5 and 0.7, given the hits before it. So near copies of a hit add little,
another extent of a likely place adds something, and a second place adds what it is worth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from agentvid.indexes.places import Floats, Rows
from agentvid.indexes.windows import EVIDENCE, Windows

#: Fitted on the development halves of nine sets by `python -m benchmarks.retrieval fit`, divided by its temperature.
WEIGHTS = dict(zip(EVIDENCE, (0.84, 0.76, 1.84, 2.7, -2.1, 0.27, 2.42, 20.0), strict=True))
RECALL_AT_IOU = (0.3, 0.5, 0.7)
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


Reward = Callable[[Floats], Floats]


def recall(overlap: Floats) -> Floats:
    """What a hit earns of each true window: the share of the IoUs 0.3, 0.5 and 0.7 that it reaches."""
    earned: Floats = np.mean([overlap >= threshold for threshold in RECALL_AT_IOU], axis=0)
    return earned


def iou(overlap: Floats) -> Floats:
    """What a hit earns where one tight span is asked for: the IoU itself."""
    return overlap


def choose(windows: Windows, score: Floats, k: int, reward: Reward = recall) -> Chosen:
    """At most `k` windows that together have the largest expected reward."""
    top = np.argsort(-score, kind="stable")[: max(_MOST_WINDOWS, 2 * k)]
    probability = np.exp(score[top] - score[top].max(initial=-np.inf))
    probability /= max(probability.sum(), 1e-12)
    chosen, gains = _greedy(reward(windows.take(top).overlap()), probability, min(k, len(top)))
    return Chosen(top[chosen], gains)


def _greedy(earned: Floats, probability: Floats, k: int) -> tuple[Rows, Floats]:
    """Greedy maximisation of a submodular sum (Nemhauser, Wolsey and Fisher, 1978)."""
    covered = np.zeros(len(probability))
    chosen, gains = np.empty(k, np.int64), np.empty(k)
    free = np.ones(len(probability), bool)
    for position in range(k):
        added = probability @ np.clip(earned - covered[:, None], 0, None)
        best = int(np.argmax(np.where(free, added, -1.0)))
        chosen[position], gains[position] = best, added[best]
        covered = np.maximum(covered, earned[:, best])
        free[best] = False
    return chosen, gains


#: How sure a window is of holding the event at all: log-odds from its evidence, fitted by the same command on queries
#: asked of the right video and of another one. `margin` is how far the window's score lies above the best window of
#: all other videos: what fits another video much better is probably not in this one.
PRESENCE = {"bias": 0.0, "best": 0.33, "covered": 0.4, "video": 0.58, "margin": 0.39}
PRESENCE_ALONE = {"bias": -4.15, "similarity": 5.2, "covered": 2.95}
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
