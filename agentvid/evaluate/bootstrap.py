"""Is one run better than another? The paired bootstrap over queries (Efron and Tibshirani, 1993; Koehn, 2004)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agentvid.evaluate.metrics import Scores
from agentvid.types import Json

RESAMPLES = 10_000
_SEED = 20_240_229
_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Difference:
    """`here` minus `there` of one metric, with the 95 % percentile interval and the two-sided p of "no difference"."""

    here: float
    there: float
    low: float
    high: float
    p: float

    def to_json(self) -> Json:
        numbers = {"here": self.here, "there": self.there, "difference": self.here - self.there}
        numbers |= {"low": self.low, "high": self.high, "p": self.p}
        return {name: round(number, 6) for name, number in numbers.items()}


def compare(
    here: Sequence[Scores], there: Sequence[Scores], *, resamples: int = RESAMPLES, seed: int = _SEED
) -> dict[str, Difference]:
    """Each metric that both runs have, over the same queries in the same order (at least one); seeded.

    p is (1 + the resamples on the rarer side of 0) / (resamples + 1), twice, at most 1.
    """
    names = [name for name in here[0] if name in there[0]]
    table = np.array([[[run[name] for name in names] for run in runs] for runs in (here, there)], np.float64)
    differences = table[0] - table[1]
    drawn = _resampled_means(differences, resamples, np.random.default_rng(seed))
    low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
    rarer = np.minimum((drawn <= 0).sum(axis=0), (drawn >= 0).sum(axis=0))
    p = np.minimum(1.0, 2 * (1 + rarer) / (resamples + 1))
    means = table.mean(axis=1)
    columns = zip(names, means[0], means[1], low, high, p, strict=True)
    return {name: Difference(*map(float, numbers)) for name, *numbers in columns}


def _resampled_means(
    differences: NDArray[np.float64], resamples: int, random: np.random.Generator
) -> NDArray[np.float64]:
    """(resamples, metrics): the mean of each metric over queries drawn with replacement."""
    count = len(differences)
    means = []
    for start in range(0, resamples, _AT_ONCE):
        drawn = random.integers(count, size=(min(_AT_ONCE, resamples - start), count))
        # How often each query was drawn, times its difference: one matrix product instead of a copy per resample.
        times = np.stack([np.bincount(line, minlength=count) for line in drawn]).astype(np.float64)
        means.append(times @ differences / count)
    return np.concatenate(means)
