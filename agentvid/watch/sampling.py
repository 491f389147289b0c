"""Which moments of a span to look at: pure functions from spans, relevance or frame vectors to times or positions.

Vectors are rows of any kind in which near means alike: `signatures` of pixels here, embeddings where there are some.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agentvid.errors import UsageError
from agentvid.media.types import Image
from agentvid.types import Span

Vectors = NDArray[np.float32]

#: Root mean square difference of two signatures, 0 to 1, up to which they show the same: noise of the encoder.
SAME = 0.02
#: A signature is the picture at so many columns and rows.
_COLUMNS, _ROWS = 16, 9


def uniform(span: Span, count: int) -> list[float]:
    """The middles of `count` equal parts of the span, in seconds, rising. Raises UsageError for a count below 1."""
    _check_count(count)
    step = span.duration_seconds / count
    return [span.start_seconds + (number + 0.5) * step for number in range(count)]


def at_rate(span: Span, frames_per_second: float, *, most: int) -> list[float]:
    """Times at a fixed rate, as many as fit and at least one; evenly spread where that were more than `most`.

    A fixed rate keeps the speed of what is seen (Apollo, Zohar et al. 2024). Raises UsageError for a rate or `most`
    that is not positive.
    """
    if not frames_per_second > 0:
        raise UsageError(f"{frames_per_second} frames per second are not allowed; allowed: more than 0")
    _check_count(most)
    # Not `ceil`: a part of a step at the end is within half a step of the last time, or nearly so.
    count = min(float(most), max(1.0, span.duration_seconds * frames_per_second))
    if count == most:
        return uniform(span, most)
    half = 0.5 / frames_per_second
    times = [span.start_seconds + half + number / frames_per_second for number in range(int(count))]
    return [time for time in times if time < span.end_seconds] or uniform(span, 1)


def by_relevance(
    span: Span, relevant: Sequence[tuple[Span, float]], count: int, *, even_share: float = 0.5
) -> list[float]:
    """`count` rising times, dense where something relevant lies: quantiles of a density over the span.

    `even_share` of the density is the same everywhere, so that nothing stays unseen; the rest is divided among the
    relevant spans by their weight (>= 0), whatever their length. Without relevant spans, as `uniform`. Weights may come
    from text found there or from similar frames. Raises UsageError for a count below 1.
    """
    _check_count(count)
    inside = [(part, weight) for s, weight in relevant if weight > 0 and (part := s.intersection(span))]
    total = sum(weight for _, weight in inside)
    if not total:
        return uniform(span, count)
    edges = sorted({span.start_seconds, span.end_seconds, *(e for s, _ in inside for e in _ends(s))})
    starts, ends = np.array(edges[:-1]), np.array(edges[1:])
    density = np.full(len(starts), even_share / span.duration_seconds)
    for part, weight in inside:
        covered = (starts >= part.start_seconds) & (ends <= part.end_seconds)
        density[covered] += (1 - even_share) * weight / total / part.duration_seconds
    mass = np.concatenate([[0.0], np.cumsum(density * (ends - starts))])
    wanted = (np.arange(count) + 0.5) / count * mass[-1]
    return [float(time) for time in np.interp(wanted, mass, edges)]


def signatures(images: Sequence[Image]) -> Vectors:
    """(n, 432) float32: each picture shrunk to 16x9 colours; a distance is a root mean square difference, 0 to 1."""
    rows = thumbnails(images).reshape(len(images), _COLUMNS * _ROWS * 3)
    return rows / np.float32(np.sqrt(_COLUMNS * _ROWS * 3))


def thumbnails(images: Sequence[Image]) -> Vectors:
    """(n, 9, 16, 3) float32, 0 to 1: each picture shrunk to 16x9 colours."""
    import cv2

    small = [cv2.resize(image, (_COLUMNS, _ROWS), interpolation=cv2.INTER_AREA) for image in images]
    return np.array(small, np.float32).reshape(len(images), _ROWS, _COLUMNS, 3) / np.float32(255)


def distinct(vectors: Vectors, *, same: float = SAME) -> list[int]:
    """Positions without those that differ from the last one kept by at most `same`: still pictures are kept once.

    As frames are pruned in VideoLLaMA 3 (Zhang et al. 2025), whole pictures instead of patches.
    """
    kept: list[int] = []
    for position, vector in enumerate(vectors):
        if not kept or float(np.linalg.norm(vector - vectors[kept[-1]])) > same:
            kept.append(position)
    return kept


def core(vectors: Vectors, count: int, *, same: float = SAME) -> list[int]:
    """At most `count` positions, rising, that together stand for all: none is like another, none is far from all.

    Farthest-first traversal (Gonzalez 1985; at most twice the smallest possible distance to the nearest chosen) from
    the most typical frame. Core frames without duplicates are VideoEspresso's idea (Han et al. 2024), where a language
    model picks them by their captions. Raises UsageError for a count below 1.
    """
    _check_count(count)
    if not len(vectors):
        return []
    typical = int(np.argmin(np.linalg.norm(vectors - vectors.mean(axis=0), axis=1)))
    chosen = [typical]
    apart = np.linalg.norm(vectors - vectors[typical], axis=1)
    while len(chosen) < count and float(apart.max()) > same:
        chosen.append(int(np.argmax(apart)))
        apart = np.minimum(apart, np.linalg.norm(vectors - vectors[chosen[-1]], axis=1))
    return sorted(chosen)


def _ends(span: Span) -> tuple[float, float]:
    return span.start_seconds, span.end_seconds


def _check_count(count: int) -> None:
    if count < 1:
        raise UsageError(f"{count} frames are not allowed; allowed: 1 or more")
