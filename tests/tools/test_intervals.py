"""The laws of interval algebra, on spans drawn from a small grid so that ends often meet."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentvid.tools import intervals
from agentvid.types import Moment, Span

GRID = st.integers(0, 24)
SPANS = st.tuples(GRID, GRID).filter(lambda ends: ends[0] != ends[1]).map(lambda ends: Span(*map(float, sorted(ends))))
MANY = st.lists(SPANS, max_size=8)
MOMENTS = st.lists(st.builds(Moment, st.sampled_from(["a", "b"]), SPANS), max_size=8)


def seconds(spans: list[Span]) -> set[int]:
    """The whole seconds in a set of spans whose ends are whole."""
    return {t for span in spans for t in range(int(span.start_seconds), int(span.end_seconds))}


def is_normal(spans: list[Span]) -> bool:
    return all(first.end_seconds < second.start_seconds for first, second in pairwise(spans))


@given(MANY, MANY, SPANS)
def test_set_operations_agree_with_sets_of_seconds(first: list[Span], second: list[Span], whole: Span) -> None:
    assert seconds(intervals.union([*first, *second])) == seconds(first) | seconds(second)
    assert seconds(intervals.intersection(first, second)) == seconds(first) & seconds(second)
    assert seconds(intervals.gaps(first, whole)) == seconds([whole]) - seconds(first)
    assert intervals.total_seconds(first) == len(seconds(first))


@given(MANY, MANY, SPANS)
def test_results_are_disjoint_sorted_and_stable(first: list[Span], second: list[Span], whole: Span) -> None:
    joined = intervals.union(first)
    assert is_normal(joined)
    assert intervals.union(joined) == joined
    assert is_normal(intervals.gaps(first, whole))
    assert intervals.intersection(first, second) == intervals.intersection(second, first)
    assert intervals.intersection(first, first) == joined


@given(MANY, SPANS)
def test_complement_of_the_complement_is_what_was_inside(spans: list[Span], whole: Span) -> None:
    free = intervals.gaps(spans, whole)
    assert intervals.gaps(free, whole) == intervals.intersection(spans, [whole])
    parts = intervals.total_seconds(free) + intervals.total_seconds(intervals.intersection(spans, [whole]))
    assert parts == whole.duration_seconds


@given(SPANS, SPANS)
def test_relations_have_converses_and_agree_with_distance(first: Span, second: Span) -> None:
    name = intervals.relation(first, second)
    assert intervals.relation(second, first) == intervals.CONVERSE[name]
    assert first.overlaps(second) == (name not in ("before", "meets", "met_by", "after"))
    assert (intervals.distance_seconds(first, second) > 0) == (name in ("before", "after"))
    assert (first == second) == (name == "equals")


@pytest.mark.parametrize(
    ("second", "name"),
    [
        ((7, 9), "before"),
        ((6, 9), "meets"),
        ((5, 9), "overlaps"),
        ((3, 9), "starts"),
        ((2, 9), "during"),
        ((2, 6), "finishes"),
        ((3, 6), "equals"),
        ((4, 6), "finished_by"),
        ((4, 5), "contains"),
        ((3, 5), "started_by"),
        ((1, 4), "overlapped_by"),
        ((1, 3), "met_by"),
        ((1, 2), "after"),
    ],
)
def test_all_thirteen_relations(second: tuple[float, float], name: str) -> None:
    assert intervals.relation(Span(3, 6), Span(*second)) == name


@given(MOMENTS, MOMENTS)
def test_filters_agree_with_looking_at_every_pair(items: list[Moment], others: list[Moment]) -> None:
    same = [(i, [o for o in others if o.video_id == i.video_id]) for i in items]
    assert intervals.overlapping(items, others) == [i for i, near in same if any(i.span.overlaps(o.span) for o in near)]
    for reach in (0.0, 1.0, 3.0):
        expected = [i for i, near in same if any(intervals.distance_seconds(i.span, o.span) <= reach for o in near)]
        assert intervals.near(items, others, reach) == expected
    inside = [i for i, near in same if seconds([i.span]) <= seconds([o.span for o in near])]
    assert intervals.inside(items, others) == inside


@given(MOMENTS)
def test_merging_moments_is_union_in_each_video(items: list[Moment]) -> None:
    merged = intervals.merge(items)
    for video_id, group in intervals.by_video(items).items():
        expected = intervals.union(item.span for item in group)
        assert [m.span for m in merged if m.video_id == video_id] == expected
    assert len(merged) == sum(
        len(intervals.union(m.span for m in group)) for group in intervals.by_video(items).values()
    )


def test_joined_moments_keep_the_words_once_and_the_best_score() -> None:
    first = Moment("v", Span(0, 5), 0.2, "speech", "one", 0.9, {"dense": 4}, (1,))
    second = Moment("v", Span(4, 9), 0.8, "ocr", "two", None, {"lexical": 1}, (2, 3))
    joined = intervals.join([first, second, first])
    assert joined == Moment("v", Span(0, 9), 0.8, "", "one two", 0.9, {"lexical": 1}, (1, 2, 3))


def test_joining_long_texts_again_and_again_does_not_grow() -> None:
    long = [Moment("v", Span(i, i + 1), text=f"{i} " + "x" * 3_000, observation_ids=(i,)) for i in range(4)]
    joined = intervals.join(long)
    assert joined.span == Span(0, 4)
    assert joined.observation_ids == (0,), "only rows whose words are there are named"
