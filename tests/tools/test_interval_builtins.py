"""Every builtin on moments against an oracle that looks at every pair and every whole second of every video.

Moments are drawn in two videos on a small grid, so that ends often meet, repeat and fall together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentvid.tools.intervals import CONVERSE
from agentvid.tools.program import BUILTINS
from agentvid.types import Moment, Span, Video

LENGTH = 20
SCOPE = {name: Video(name, f"hash-{name}", name.upper(), float(LENGTH)) for name in ("a", "b")}
ENDS = [(float(first), float(last)) for last in range(LENGTH + 1) for first in range(last)]
SPANS = st.sampled_from(ENDS).map(lambda ends: Span(*ends))
MOMENT = st.builds(Moment, st.sampled_from(["a", "b"]), SPANS)
MOMENTS = st.lists(MOMENT, max_size=7).map(tuple)
SECONDS = st.integers(-3, 12).map(float)
Second = tuple[str, int]
Moments = tuple[Moment, ...]

#: Allen's relations by their definition, of [s, e) to [t, f).
ALLEN: Mapping[str, Callable[[float, float, float, float], bool]] = {
    "before": lambda s, e, t, f: e < t,
    "meets": lambda s, e, t, f: e == t,
    "overlaps": lambda s, e, t, f: s < t < e < f,
    "starts": lambda s, e, t, f: s == t and e < f,
    "during": lambda s, e, t, f: t < s and e < f,
    "finishes": lambda s, e, t, f: t < s and e == f,
    "equals": lambda s, e, t, f: (s, e) == (t, f),
    "finished_by": lambda s, e, t, f: s < t and e == f,
    "contains": lambda s, e, t, f: s < t and f < e,
    "started_by": lambda s, e, t, f: s == t and f < e,
    "overlapped_by": lambda s, e, t, f: t < s < f < e,
    "met_by": lambda s, e, t, f: f == s,
    "after": lambda s, e, t, f: f < s,
}


def call(name: str, *arguments: Any, **named: Any) -> Any:
    return BUILTINS[name].run(*arguments, **named)


def seconds(moments: Sequence[Moment]) -> set[Second]:
    """The whole seconds that moments hold; the end is not one of them."""
    return {(m.video_id, t) for m in moments for t in range(int(m.span.start_seconds), int(m.span.end_seconds))}


def start(moment: Moment) -> float:
    return moment.span.start_seconds


def end(moment: Moment) -> float:
    return moment.span.end_seconds


def of(moments: Sequence[Moment], video_id: str) -> list[Moment]:
    return [moment for moment in moments if moment.video_id == video_id]


def holds(name: str, one: Moment, other: Moment) -> bool:
    return one.video_id == other.video_id and ALLEN[name](start(one), end(one), start(other), end(other))


def runs(found: set[Second], gap: int = 0) -> list[tuple[str, int, int]]:
    """(video, start, end) of the stretches of seconds with at most `gap` seconds of nothing inside."""
    stretches: list[tuple[str, int, int]] = []
    for video_id, second in sorted(found):
        if stretches and stretches[-1][0] == video_id and second - stretches[-1][2] <= gap:
            stretches[-1] = (video_id, stretches[-1][1], second + 1)
        else:
            stretches.append((video_id, second, second + 1))
    return stretches


def places(moments: Sequence[Moment]) -> list[tuple[str, float, float]]:
    return sorted((moment.video_id, start(moment), end(moment)) for moment in moments)


# -- relations --------------------------------------------------------------------------------------------------------


@given(MOMENT, MOMENT)
def test_exactly_one_relation_holds_in_one_video_and_none_in_two(one: Moment, other: Moment) -> None:
    holding = [name for name in ALLEN if holds(name, one, other)]
    assert len(holding) == (one.video_id == other.video_id)
    assert call("relation", one, other) == (holding[0] if holding else None)


@given(MOMENTS, MOMENTS, st.sampled_from(sorted(ALLEN)))
def test_related_keeps_what_has_the_relation_to_one_of_them(items: Moments, to: Moments, how: str) -> None:
    assert call("related", items, how, to) == tuple(i for i in items if any(holds(how, i, o) for o in to))


@given(MOMENT, MOMENT, st.sampled_from(sorted(ALLEN)))
def test_a_relation_and_its_converse_are_one_fact(one: Moment, other: Moment, how: str) -> None:
    converse = CONVERSE[how]  # type: ignore[index]  # every name of ALLEN is a Relation
    assert bool(call("related", (one,), how, (other,))) == bool(call("related", (other,), converse, (one,)))
    assert CONVERSE[converse] == how


# -- order ------------------------------------------------------------------------------------------------------------


@given(MOMENTS, MOMENTS, st.none() | SECONDS)
def test_before_and_after_with_and_without_a_distance(items: Moments, than: Moments, most: float | None) -> None:
    reach = float("inf") if most is None else most

    def lies(item: Moment, *, is_before: bool) -> bool:
        near = of(than, item.video_id)
        if not near:
            return False
        apart = min(map(start, near)) - end(item) if is_before else start(item) - max(map(end, near))
        return 0 <= apart <= reach

    assert call("before", items, than, most) == tuple(i for i in items if lies(i, is_before=True))
    assert call("after", items, than, most) == tuple(i for i in items if lies(i, is_before=False))


@given(MOMENTS, MOMENTS)
def test_before_and_after_mirror_each_other(items: Moments, than: Moments) -> None:
    def mirrored(moments: Moments) -> Moments:
        return tuple(Moment(m.video_id, Span(LENGTH - end(m), LENGTH - start(m))) for m in moments)

    assert mirrored(call("before", items, than)) == call("after", mirrored(items), mirrored(than))


@given(MOMENTS, MOMENTS, MOMENTS)
def test_between_is_symmetric_and_lies_in_the_gap(items: Moments, first: Moments, second: Moments) -> None:
    found = call("between", items, first, second)
    assert found == call("between", items, second, first)

    def lies(item: Moment) -> bool:
        one, two = of(first, item.video_id), of(second, item.video_id)
        return any(
            max(map(end, left)) <= start(item) and end(item) <= min(map(start, right))
            for left, right in ((one, two), (two, one))
            if left and right
        )

    assert found == tuple(item for item in items if lies(item))


@given(MOMENTS, MOMENTS, SECONDS)
def test_while_during_and_within(items: Moments, others: Moments, reach: float) -> None:
    shared = tuple(i for i in items if seconds([i]) & seconds(others))
    assert call("overlapping", items, others) == shared
    assert call("overlaps", items, others) == bool(shared) == call("overlaps", others, items)
    assert call("during", items, others) == tuple(i for i in items if seconds([i]) <= seconds(others))

    def is_near(item: Moment) -> bool:
        return any(max(0.0, start(o) - end(item), start(item) - end(o)) <= reach for o in of(others, item.video_id))

    assert call("within", items, others, reach) == tuple(i for i in items if reach >= 0 and is_near(i))


@given(MOMENT, MOMENT)
def test_the_distance_counts_the_seconds_between(one: Moment, other: Moment) -> None:
    apart = call("seconds_between", one, other)
    assert apart == call("seconds_between", other, one)
    if one.video_id != other.video_id:
        assert apart is None
    else:
        spanned = range(int(min(start(one), start(other))), int(max(end(one), end(other))))
        taken = seconds([one, other])
        assert apart == sum((one.video_id, second) not in taken for second in spanned)


# -- first, last, longest ---------------------------------------------------------------------------------------------


@given(MOMENTS, st.integers(-4, 4).map(float) | st.just(1.5))
def test_nth_in_each_video(items: Moments, n: float) -> None:
    found = call("nth_in_each", items, n)
    for video_id in SCOPE:
        ordered = sorted(of(items, video_id), key=lambda m: m.span)
        exists = n.is_integer() and 1 <= abs(n) <= len(ordered)
        expected = [ordered[int(n) - 1 if n > 0 else int(n)].span] if exists else []
        assert [m.span for m in of(found, video_id)] == expected


@given(MOMENTS, MOMENTS)
def test_the_nearest_is_the_first_of_those_with_the_least_between(items: Moments, to: Moments) -> None:
    apart = [
        min((call("seconds_between", item, other) for other in of(to, item.video_id)), default=None) for item in items
    ]
    told = [seconds for seconds in apart if seconds is not None]
    assert call("nearest", items, to) is (items[apart.index(min(told))] if told else None)


@given(MOMENT, st.integers(-1, 9).map(float) | st.just(2.5))
def test_parts_are_equal_and_make_up_the_whole(moment: Moment, n: float) -> None:
    parts = call("split", moment, n)
    assert len(parts) == (n if n >= 1 and n.is_integer() else 0)
    assert not parts or places(call("union", parts)) == places([moment])
    assert all(abs(end(part) - start(part) - (end(moment) - start(moment)) / n) < 1e-9 for part in parts)


@given(MOMENTS)
def test_longest_and_shortest_are_the_first_of_equals(items: Moments) -> None:
    lengths = [len(seconds([item])) for item in items]
    for name, choose in (("longest", max), ("shortest", min)):
        found = call(name, items)
        assert found is (items[lengths.index(choose(lengths))] if items else None)


@given(MOMENTS)
def test_start_and_end_need_one_clock(items: Moments) -> None:
    is_one = len({item.video_id for item in items}) == 1
    assert call("start", items) == (min(map(start, items)) if is_one else None)
    assert call("end", items) == (max(map(end, items)) if is_one else None)
    hull = call("hull", items)
    assert (hull and (start(hull), end(hull))) == ((call("start", items), call("end", items)) if is_one else None)


# -- sets of time -----------------------------------------------------------------------------------------------------


@given(MOMENTS, st.integers(0, 6))
def test_union_merge_and_events(items: Moments, gap: int) -> None:
    assert places(call("union", items)) == runs(seconds(items))
    assert places(call("merge", items, float(gap))) == runs(seconds(items), gap)
    assert call("count_events", items, float(gap)) == len(runs(seconds(items), gap))
    assert call("count_events", items) == len(runs(seconds(items), 2))
    assert call("merge", items, -1.0) == call("union", items)


@given(MOMENTS, st.randoms(use_true_random=False))
def test_duplicates_and_order_do_not_change_a_count(items: Moments, random: Any) -> None:
    shuffled = [*items, *items]
    random.shuffle(shuffled)
    assert call("count_events", tuple(shuffled)) == call("count_events", items)
    assert call("duration", tuple(shuffled)) == call("duration", items)


@given(MOMENTS, MOMENTS)
def test_intersection_gaps_and_durations(one: Moments, two: Moments) -> None:
    assert places(call("intersect", one, two)) == runs(seconds(one) & seconds(two))
    assert places(call("intersect", one, two)) == places(call("intersect", two, one))
    assert places(call("gaps", one, two)) == runs(seconds(two) - seconds(one))
    assert call("duration", one) == len(seconds(one))
    assert call("total_duration", one) == sum(len(seconds([moment])) for moment in one)


@given(MOMENTS)
def test_videos_are_what_a_set_of_time_is_taken_from(items: Moments) -> None:
    whole = call("whole_videos", SCOPE)
    free = call("gaps", items, whole)
    assert call("duration", free) + call("duration", items) == LENGTH * len(SCOPE)
    assert places(call("gaps", free, whole)) == places(call("intersect", items, whole))
    silent = {moment.video_id for moment in whole} - {moment.video_id for moment in items}
    assert {m.video_id for m in whole if m not in call("overlapping", whole, items)} == silent


@given(MOMENTS, SECONDS)
def test_shift_and_pad_are_cut_to_the_video(items: Moments, by: float) -> None:
    shifted = [(m.video_id, max(0.0, start(m) + by), min(float(LENGTH), end(m) + by)) for m in items]
    padded = [(m.video_id, max(0.0, start(m) - by), min(float(LENGTH), end(m) + by)) for m in items]
    assert places(call("shift", SCOPE, items, by)) == sorted(p for p in shifted if p[1] < p[2])
    assert places(call("pad", SCOPE, items, by)) == sorted(p for p in padded if p[1] < p[2])


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("before", ((), ()), ()),
        ("related", ((), "meets", ()), ()),
        ("nth_in_each", ((), 1.0), ()),
        ("longest", ((),), None),
        ("shortest", ((),), None),
        ("count_events", ((),), 0.0),
        ("duration", ((),), 0),
        ("total_duration", ((),), 0),
        ("start", ((),), None),
        ("end", ((),), None),
        ("hull", ((),), None),
        ("nearest", ((), ()), None),
        ("union", ((),), ()),
        ("intersect", ((), ()), ()),
        ("gaps", ((), ()), ()),
        ("whole_videos", ({},), ()),
    ],
)
def test_of_nothing_comes_nothing(name: str, arguments: tuple[Any, ...], expected: Any) -> None:
    assert call(name, *arguments) == expected
