"""Sampling: times rise and stay inside, relevance draws frames, and core frames find what even sampling misses."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentvid.errors import UsageError
from agentvid.types import Span
from agentvid.watch.sampling import at_rate, by_relevance, core, distinct, signatures, uniform

spans = st.tuples(st.floats(0, 1e4), st.floats(0.05, 5e3)).map(lambda pair: Span(pair[0], pair[0] + pair[1]))


def rises_inside(times: list[float], span: Span) -> bool:
    inside = all(span.start_seconds <= time < span.end_seconds for time in times)
    return inside and all(a < b for a, b in itertools.pairwise(times))


@given(spans, st.integers(1, 60))
def test_uniform_times_split_the_span(span: Span, count: int) -> None:
    times = uniform(span, count)
    assert len(times) == count
    assert rises_inside(times, span)


@given(spans, st.floats(0.1, 30), st.integers(1, 200))
def test_a_rate_gives_as_many_frames_as_fit_and_never_too_many(span: Span, rate: float, most: int) -> None:
    times = at_rate(span, rate, most=most)
    assert rises_inside(times, span)
    assert 1 <= len(times) <= most
    if len(times) < most:
        assert abs(len(times) - span.duration_seconds * rate) <= 1.001
        assert np.allclose(np.diff(times), 1 / rate)


@given(spans, st.lists(st.tuples(spans, st.floats(0, 10)), max_size=6), st.integers(1, 40))
def test_relevance_keeps_times_inside_and_rising(span: Span, relevant: list[tuple[Span, float]], count: int) -> None:
    times = by_relevance(span, relevant, count)
    assert len(times) == count
    assert all(span.start_seconds <= time <= span.end_seconds for time in times)
    assert times == sorted(times)


def test_relevance_draws_its_share_and_leaves_no_long_stretch_unseen() -> None:
    span, needle = Span(0, 3600), Span(1800, 1810)
    times = by_relevance(span, [(needle, 0.9)], 16)
    assert sum(needle.contains(time) for time in times) == 8
    assert max(np.diff([0.0, *times, 3600.0])) < 600
    # Nothing known, nothing preferred.
    assert by_relevance(span, [], 16) == uniform(span, 16)
    assert by_relevance(span, [(Span(5000, 6000), 1.0)], 16) == uniform(span, 16)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=40), st.integers(1, 8))
def test_core_frames_differ_and_leave_nothing_far_away(kinds: list[int], count: int) -> None:
    vectors = np.eye(5, dtype=np.float32)[kinds]
    chosen = core(vectors, count)
    assert chosen == sorted(set(chosen))
    found = [kinds[position] for position in chosen]
    assert len(set(found)) == len(found) == min(count, len(set(kinds)))
    kept = [kinds[position] for position in distinct(vectors)]
    assert kept == [k for i, k in enumerate(kinds) if i == 0 or k != kinds[i - 1]]


def test_eight_core_frames_hold_every_needle_where_even_sampling_holds_few() -> None:
    draw = np.random.default_rng(1)
    hits = {"core": 0, "even": 0}
    for _ in range(20):
        pictures = [np.full((36, 64, 3), 90, np.uint8) + draw.integers(0, 3, (36, 64, 3), np.uint8) for _ in range(240)]
        needles = draw.choice(240, 5, replace=False)
        for number, at in enumerate(needles):
            pictures[at][6 * number : 6 * number + 8, 8 * number : 8 * number + 16] = (250, 250, 40 * number)
        chosen = core(signatures(pictures), 8)
        hits["core"] += len(set(chosen) & set(needles))
        hits["even"] += len({int(time) for time in uniform(Span(0, 240), 8)} & set(needles))
    assert hits["core"] / 100 >= 0.95
    assert hits["even"] / 100 <= 0.3


def test_what_cannot_be_sampled_is_refused() -> None:
    for wrong in (
        lambda: uniform(Span(0, 1), 0),
        lambda: at_rate(Span(0, 1), 0.0, most=3),
        lambda: core(np.eye(3, dtype=np.float32), 0),
    ):
        with pytest.raises(UsageError, match="allowed"):
            wrong()
    assert core(np.empty((0, 3), np.float32), 4) == []
