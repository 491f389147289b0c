"""Scores and the bootstrap: laws that hold for any ranking, and values worked out by hand."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentvid.evaluate.bootstrap import compare
from agentvid.evaluate.metrics import (
    IOUS,
    TOPS,
    Found,
    best_iop,
    best_iou,
    grounding_scores,
    mean_scores,
    retrieval_scores,
)
from agentvid.types import Span

spans = st.builds(
    lambda start, length: Span(start, start + length), st.floats(0, 500, width=32), st.floats(0.125, 200, width=32)
)
golds = st.lists(spans, min_size=1, max_size=4).map(tuple)
rankings = st.lists(st.builds(Found, st.sampled_from(["film", "talk"]), spans), max_size=25)


@given(rankings, golds)
def test_recall_grows_with_depth_and_falls_with_iou(found: list[Found], gold: tuple[Span, ...]) -> None:
    scores = retrieval_scores(found, "film", gold)
    for least in IOUS:
        over_depth = [scores[f"R@{top}/{least}"] for top in TOPS]
        assert over_depth == sorted(over_depth)
    for top in TOPS:
        over_iou = [scores[f"R@{top}/{least}"] for least in IOUS]
        assert over_iou == sorted(over_iou, reverse=True)
        assert scores[f"R@{top}/{IOUS[0]}"] <= scores[f"video-R@{top}"]
    assert scores["misses@20"] == 1 - scores["R@20/0.5"]
    assert scores["R@1/0.5"] <= scores["MRR"] <= scores["R@20/0.5"]
    assert all(0 <= value <= 1 for value in scores.values())
    assert scores["mIoU"] <= scores["IoP"] + 1e-9


@given(golds, rankings)
def test_a_perfect_ranking_gives_one(gold: tuple[Span, ...], rest: list[Found]) -> None:
    found = [Found("film", gold[-1]), *rest]
    scores = dict(retrieval_scores(found, "film", gold))
    assert scores.pop("misses@20") == 0
    assert all(value == pytest.approx(1) for value in scores.values())
    grounded = dict(grounding_scores(found, "film", gold))
    assert grounded.pop("empty") == 0
    assert all(value == pytest.approx(1) for value in grounded.values())


@given(golds)
def test_another_video_or_nothing_gives_zero(gold: tuple[Span, ...]) -> None:
    for found in ([], [Found("talk", gold[0])]):
        scores = dict(retrieval_scores(found, "film", gold))
        assert scores.pop("misses@20") == 1
        assert not any(scores.values())
    assert grounding_scores([], "film", gold)["empty"] == 1


@given(st.lists(st.tuples(rankings, golds), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_the_order_of_queries_changes_nothing(
    queries: list[tuple[list[Found], tuple[Span, ...]]], shuffler: random.Random
) -> None:
    scores = [retrieval_scores(found, "film", gold) for found, gold in queries]
    shuffled = shuffler.sample(scores, len(scores))
    assert mean_scores(shuffled) == mean_scores(scores)


@given(spans, golds)
def test_the_best_gold_span_counts(span: Span, gold: tuple[Span, ...]) -> None:
    assert best_iou(span, gold) == max(best_iou(span, (one,)) for one in gold)
    assert best_iop(span, gold) == max(best_iop(span, (one,)) for one in gold)


def test_scores_worked_out_by_hand() -> None:
    found = [
        Found("film", Span(0, 20)),  # IoU 5 / 25, 5 of its 20 s are right
        Found("talk", Span(15, 25)),
        Found("film", Span(15, 20)),  # exactly half
        Found("film", Span(15, 25)),
    ]
    scores = retrieval_scores(found, "film", (Span(15, 25), Span(300, 310)))
    assert scores["mIoU"] == pytest.approx(0.2)
    assert scores["IoP"] == pytest.approx(0.25)
    assert scores["MRR"] == pytest.approx(1 / 3)
    assert (scores["R@1/0.3"], scores["R@5/0.5"], scores["R@5/0.7"]) == (0, 1, 1)
    assert (scores["video-R@1"], scores["misses@20"]) == (1, 0)


def test_half_a_span_in_decimal_times_is_half() -> None:
    assert retrieval_scores([Found("film", Span(0.1, 0.4))], "film", (Span(0.1, 0.7),))["R@1/0.5"] == 1


def test_hits_beyond_twenty_do_not_count() -> None:
    found = [Found("talk", Span(0, 1))] * 20 + [Found("film", Span(0, 1))]
    scores = retrieval_scores(found, "film", (Span(0, 1),))
    assert (scores["MRR"], scores["misses@20"]) == (0, 1)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_identical_runs_do_not_differ(values: list[float]) -> None:
    scores = [{"mIoU": value} for value in values]
    difference = compare(scores, scores, resamples=200)["mIoU"]
    assert (difference.here - difference.there, difference.low, difference.high, difference.p) == (0, 0, 0, 1)


def test_bootstrap_tells_a_gain_from_noise_and_is_repeatable() -> None:
    chance = random.Random(7)
    before = [{"mIoU": chance.random(), "MRR": 0.5} for _ in range(300)]
    better = [{"mIoU": min(1.0, one["mIoU"] + chance.uniform(0.0, 0.1)), "MRR": 0.5} for one in before]
    noisy = [{"mIoU": one["mIoU"] + chance.uniform(-0.1, 0.1), "extra": 1.0} for one in before]
    gain, noise = compare(better, before), compare(noisy, before)
    assert 0 < gain["mIoU"].low < gain["mIoU"].here - gain["mIoU"].there < gain["mIoU"].high
    assert gain["mIoU"].p < 0.001
    assert gain["MRR"].p == 1
    assert noise.keys() == {"mIoU"}
    assert noise["mIoU"].low < 0 < noise["mIoU"].high
    assert compare(better, before) == gain


def test_bootstrap_interval_agrees_with_theory() -> None:
    chance = random.Random(3)
    here = [{"R": float(chance.random() < 0.6)} for _ in range(400)]
    there = [{"R": 0.0} for _ in here]
    difference = compare(here, there)["R"]
    share = difference.here
    half = 1.96 * (share * (1 - share) / 400) ** 0.5
    assert difference.low == pytest.approx(share - half, abs=0.01)
    assert difference.high == pytest.approx(share + half, abs=0.01)
