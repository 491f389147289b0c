"""The chosen windows together have the largest expected recall, and each says what it adds."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from agentvid.indexes.places import COARSENESS, Floats
from agentvid.indexes.ranking import (
    FIRST_HITS,
    LEAST_VIDEOS,
    RECALL_AT_IOU,
    WEIGHTS,
    choose,
    scores,
    shared_out,
    with_others,
)
from agentvid.indexes.windows import EVIDENCE, Windows

SPANS = st.tuples(st.integers(0, 2), st.integers(0, 40), st.integers(1, 30))
SCORED = st.lists(st.tuples(SPANS, st.floats(-30, 30)), max_size=40)


def windows_of(spans: list[tuple[int, int, int]]) -> Windows:
    """(video, start, length) as windows without evidence."""
    count = len(spans)
    video, start, length = (np.array([span[at] for span in spans]) for at in range(3))
    return Windows(
        np.arange(count),
        np.arange(count) + 1,
        start.astype(float),
        (start + length).astype(float),
        video.astype(np.int32),
        np.zeros(count, np.int16),
        np.zeros((count, len(EVIDENCE))),
        np.zeros(count),
    )


def split(scored: list[tuple[tuple[int, int, int], float]]) -> tuple[Windows, Floats]:
    return windows_of([span for span, _ in scored]), np.array([score for _, score in scored], float)


def expected_recall(windows: Windows, score: Floats, chosen: list[int]) -> float:
    """The probability, averaged over the thresholds, that a chosen window overlaps the right one enough."""
    probability = np.exp(score - score.max())
    probability /= probability.sum()
    overlap = windows.overlap()
    found = [(overlap[:, chosen] >= threshold).any(axis=1) for threshold in RECALL_AT_IOU]
    return float(np.mean([probability[hit].sum() for hit in found]))


@given(SCORED, st.integers(0, 45))
def test_gains_fall_and_are_the_expected_recall(scored: list[tuple[tuple[int, int, int], float]], k: int) -> None:
    windows, score = split(scored)
    chosen = choose(windows, score, k)
    assert len(chosen.windows) == len(chosen.gains) == min(k, len(scored))
    assert len(set(chosen.windows.tolist())) == len(chosen.windows)
    assert (chosen.gains >= 0).all()
    assert (np.diff(chosen.gains) <= 1e-12).all()
    assert chosen.gains.sum() <= 1 + 1e-6
    for size in range(1, len(chosen.windows) + 1):
        expected = expected_recall(windows, score, chosen.windows[:size].tolist())
        assert chosen.gains[:size].sum() == pytest.approx(expected, abs=1e-7)


@given(SCORED, st.integers(0, 20), st.integers(0, 20))
def test_the_first_of_a_longer_choice_are_the_same(
    scored: list[tuple[tuple[int, int, int], float]], k: int, more: int
) -> None:
    windows, score = split(scored)
    short, long = choose(windows, score, k), choose(windows, score, k + more)
    assert short.windows.tolist() == long.windows[:k].tolist()
    assert short.gains.tolist() == long.gains[:k].tolist()


@given(SCORED.filter(bool))
def test_one_hit_is_the_best_of_all(scored: list[tuple[tuple[int, int, int], float]]) -> None:
    windows, score = split(scored)
    (best,) = choose(windows, score, 1).windows.tolist()
    recalls = [expected_recall(windows, score, [at]) for at in range(len(scored))]
    assert recalls[best] == pytest.approx(max(recalls), abs=1e-7)


@given(SCORED, st.floats(-100, 100))
def test_only_differences_of_scores_count(scored: list[tuple[tuple[int, int, int], float]], shift: float) -> None:
    windows, score = split(scored)
    np.testing.assert_allclose(
        choose(windows, score, 5).gains, choose(windows, score + shift, 5).gains, rtol=1e-6, atol=1e-9
    )


def test_a_copy_comes_after_another_place() -> None:
    windows = windows_of([(0, 0, 10), (0, 0, 10), (0, 1, 9), (1, 50, 10)])
    chosen = choose(windows, np.array([3.0, 3.0, 3.0, 3.0]), 4)
    assert chosen.windows[1] == 3
    assert chosen.gains[1] == pytest.approx(0.25)
    assert chosen.gains[2:].sum() < 0.1


def test_of_tracks_that_tell_of_the_same_seconds_the_one_that_fits_is_shown() -> None:
    windows = replace(windows_of([(0, 0, 114), (0, 0, 114), (0, 1, 114)]), track=np.array([0, 1, 1], np.int16))
    assert choose(windows, np.array([-3.6, 8.6, -2.0]), 1).windows.tolist() == [1]
    assert choose(windows, np.array([8.6, -3.6, -2.0]), 1).windows.tolist() == [0]


def test_among_places_that_add_nothing_the_likelier_comes_first() -> None:
    windows = windows_of([(0, 0, 10)] * 4)
    assert choose(windows, np.array([1.0, 0.0, 5.0, 3.0]), 4).windows.tolist() == [2, 3, 0, 1]


def test_equals_come_in_their_order() -> None:
    windows = windows_of([(0, 100 * at, 10) for at in range(8)])
    assert choose(windows, np.zeros(8), 8).windows.tolist() == [*range(8)]


def test_no_windows_no_hits() -> None:
    chosen = choose(windows_of([]), np.empty(0), 10)
    assert (len(chosen.windows), len(chosen.gains)) == (0, 0)
    assert scores(windows_of([])).shape == (0,)


def test_a_score_is_the_weighted_evidence() -> None:
    windows = windows_of([(0, 0, 10)] * len(EVIDENCE))
    windows.evidence[:] = np.eye(len(EVIDENCE))
    assert scores(windows).tolist() == [WEIGHTS[name] for name in EVIDENCE]
    assert scores(windows, dict.fromkeys(EVIDENCE, 2.0)).tolist() == [2.0] * len(EVIDENCE)


def test_many_windows_are_ranked_by_the_best_of_them() -> None:
    windows = windows_of([(0, 100 * at, 10) for at in range(3000)])
    score = np.linspace(0.0, 30.0, 3000)
    chosen = choose(windows, score, 3000).windows.tolist()
    assert chosen[:50] == [*range(2999, 2949, -1)]


@given(SCORED, st.integers(1, 45), st.integers(2, 9))
def test_one_video_has_its_share_of_the_first_hits_and_the_rest_follows(
    scored: list[tuple[tuple[int, int, int], float]], k: int, most: int
) -> None:
    windows, score = split(scored)
    plain, limited = choose(windows, score, k), choose(windows, score, k, most=most)
    assert len(set(limited.windows.tolist())) == len(limited.windows) == min(k, len(scored))
    assert limited.gains.sum() <= 1 + 1e-6
    for size in range(1, len(limited.windows) + 1):
        expected = expected_recall(windows, score, limited.windows[:size].tolist())
        assert limited.gains[:size].sum() == pytest.approx(expected, abs=1e-7)
    there = Counter(windows.video.tolist())
    if len(there) < LEAST_VIDEOS:
        assert limited.windows.tolist() == plain.windows.tolist()
        return
    first = Counter(windows.video[limited.windows[:FIRST_HITS]].tolist())
    for video, count in first.items():
        # More than its share only where all others have theirs among the first, or nothing left.
        assert count <= most or all(first[other] >= min(there[other], most) for other in there if other != video)
    videos = windows.video[limited.windows].tolist()
    assert shared_out(videos, most) == [*range(len(videos))] or len(set(videos)) < LEAST_VIDEOS


@given(st.lists(st.integers(0, 5), max_size=40), st.integers(2, 9))
def test_hits_are_shared_out_in_their_order(videos: list[int], most: int) -> None:
    order = shared_out(videos, most)
    assert sorted(order) == [*range(len(videos))]
    for video in set(videos):
        own = [at for at in order if videos[at] == video]
        assert own == sorted(own), "of one video the best stays first"
    if sum(min(count, most) for count in Counter(videos).values()) >= FIRST_HITS and len(set(videos)) >= LEAST_VIDEOS:
        assert max(Counter(videos[at] for at in order[:FIRST_HITS]).values()) <= most
    if max(Counter(videos[:FIRST_HITS]).values(), default=0) <= most:
        assert order == [*range(len(videos))]


@given(st.lists(st.integers(0, 6), min_size=1, max_size=80), st.integers(1, 20), st.integers(2, 5))
def test_channels_are_searched_until_ten_hits_could_be_chosen(videos: list[int], depth: int, most: int) -> None:
    video = np.array(videos)

    def find(excluded: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        return [np.flatnonzero(~np.isin(video, excluded))[:depth]]

    plain = find(np.empty(0, np.int64))
    rows = with_others(plain, find, video, depth, most)
    assert set(plain[0].tolist()) <= set(rows.tolist())
    enough = min(FIRST_HITS, sum(min(count, most) for count in Counter(videos).values()))
    # At least so many, unless depth itself is too small for one video's share.
    assert sum(min(count, most) for count in Counter(video[rows].tolist()).values()) >= min(enough, depth)


@pytest.mark.parametrize("is_speech", [0, 1])
@pytest.mark.parametrize("coarseness", COARSENESS)
def test_no_moment_is_the_likelier_the_longer_it_is_without_end(is_speech: int, coarseness: float) -> None:
    shape = "seconds_squared"
    assert WEIGHTS[shape] + is_speech * WEIGHTS[f"speech_{shape}"] + coarseness * WEIGHTS[f"coarse_{shape}"] < 0
