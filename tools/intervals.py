"""Interval algebra: order, distance and set operations on half-open spans, computed and never guessed.

Functions on spans know one clock; functions on moments keep every video's clock apart. All are pure, and none but
`related`, which looks at every pair, is slower than sorting. The thirteen relations are those of Allen, "Maintaining
knowledge about temporal intervals" (CACM 1983).
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from agentvid.types import Moment, Span

#: Longest text of a joined moment; joining long lists over and over must not fill the memory.
MAX_TEXT_CHARACTERS = 4_096

Relation = Literal[
    "before",
    "meets",
    "overlaps",
    "starts",
    "during",
    "finishes",
    "equals",
    "finished_by",
    "contains",
    "started_by",
    "overlapped_by",
    "met_by",
    "after",
]
CONVERSE: Mapping[Relation, Relation] = {
    "before": "after",
    "meets": "met_by",
    "overlaps": "overlapped_by",
    "starts": "started_by",
    "during": "contains",
    "finishes": "finished_by",
    "equals": "equals",
    "finished_by": "finishes",
    "contains": "during",
    "started_by": "starts",
    "overlapped_by": "overlaps",
    "met_by": "meets",
    "after": "before",
}


def relation(first: Span, second: Span) -> Relation:
    """Allen's relation of `first` to `second`; exactly one of the thirteen holds."""
    if (second.start_seconds, second.end_seconds) < (first.start_seconds, first.end_seconds):
        return CONVERSE[relation(second, first)]
    if first == second:
        return "equals"
    if first.start_seconds == second.start_seconds:
        return "starts"
    if first.end_seconds < second.start_seconds:
        return "before"
    if first.end_seconds == second.start_seconds:
        return "meets"
    if first.end_seconds < second.end_seconds:
        return "overlaps"
    return "finished_by" if first.end_seconds == second.end_seconds else "contains"


def union(spans: Iterable[Span], *, gap_seconds: float = 0.0) -> list[Span]:
    """Disjoint spans in time order that cover the same seconds; spans at most `gap_seconds` apart become one."""
    merged: list[Span] = []
    for span in sorted(spans):
        if merged and span.start_seconds - merged[-1].end_seconds <= gap_seconds:
            merged[-1] = merged[-1].hull(span)
        else:
            merged.append(span)
    return merged


def intersection(first: Iterable[Span], second: Iterable[Span]) -> list[Span]:
    """Disjoint spans in time order that hold the seconds in both."""
    left, right = union(first), union(second)
    shared: list[Span] = []
    i = j = 0
    while i < len(left) and j < len(right):
        both = left[i].intersection(right[j])
        if both:
            shared.append(both)
        if left[i].end_seconds <= right[j].end_seconds:
            i += 1
        else:
            j += 1
    return shared


def gaps(spans: Iterable[Span], within: Span) -> list[Span]:
    """What `spans` leave free of `within`, disjoint and in time order."""
    free: list[Span] = []
    cursor = within.start_seconds
    for span in intersection(spans, [within]):
        if span.start_seconds > cursor:
            free.append(Span(cursor, span.start_seconds))
        cursor = span.end_seconds
    if cursor < within.end_seconds:
        free.append(Span(cursor, within.end_seconds))
    return free


def total_seconds(spans: Iterable[Span]) -> float:
    """Seconds covered by `spans`; where they overlap, once."""
    return sum(span.duration_seconds for span in union(spans))


def hull(spans: Sequence[Span]) -> Span:
    """The smallest span that covers all of `spans`, which must not be empty."""
    return Span(min(span.start_seconds for span in spans), max(span.end_seconds for span in spans))


def distance_seconds(first: Span, second: Span) -> float:
    """Seconds between the nearer ends; 0 where they overlap or touch."""
    return max(0.0, second.start_seconds - first.end_seconds, first.start_seconds - second.end_seconds)


def by_video(moments: Iterable[Moment]) -> dict[str, list[Moment]]:
    """Moments of each video, in the order they came."""
    groups: dict[str, list[Moment]] = {}
    for moment in moments:
        groups.setdefault(moment.video_id, []).append(moment)
    return groups


def hulls(moments: Iterable[Moment]) -> dict[str, Span]:
    """Per video, from the first start to the last end."""
    return {video_id: hull([moment.span for moment in group]) for video_id, group in by_video(moments).items()}


def before(items: Iterable[Moment], others: Iterable[Moment], *, at_most_seconds: float = math.inf) -> list[Moment]:
    """The items that end when `others` of their video start or earlier, in the order they came."""
    limits = hulls(others)
    return [
        item
        for item in items
        if (limit := limits.get(item.video_id)) and 0 <= limit.start_seconds - item.span.end_seconds <= at_most_seconds
    ]


def after(items: Iterable[Moment], others: Iterable[Moment], *, at_most_seconds: float = math.inf) -> list[Moment]:
    """The items that start when `others` of their video end or later, in the order they came."""
    limits = hulls(others)
    return [
        item
        for item in items
        if (limit := limits.get(item.video_id)) and 0 <= item.span.start_seconds - limit.end_seconds <= at_most_seconds
    ]


def between(items: Iterable[Moment], first: Iterable[Moment], second: Iterable[Moment]) -> list[Moment]:
    """The items after the one and before the other, whichever comes first, in the order they came."""
    items, first, second = list(items), list(first), list(second)
    found = [*before(after(items, first), second), *before(after(items, second), first)]
    there = {(item.video_id, item.span) for item in found}
    return [item for item in items if (item.video_id, item.span) in there]


def overlapping(items: Iterable[Moment], others: Iterable[Moment]) -> list[Moment]:
    """The items that share time with at least one of `others` in the same video, in the order they came."""
    covered = _covered(others)
    found = []
    for item in items:
        # Among disjoint sorted spans, the last that starts before the item's end reaches furthest.
        spans = covered.get(item.video_id, [])
        position = bisect_left(spans, item.span.end_seconds, key=_start) - 1
        if position >= 0 and spans[position].end_seconds > item.span.start_seconds:
            found.append(item)
    return found


def inside(items: Iterable[Moment], containers: Iterable[Moment]) -> list[Moment]:
    """The items that lie wholly in the time that `containers` cover in the same video, in the order they came."""
    covered = _covered(containers)
    found = []
    for item in items:
        spans = covered.get(item.video_id, [])
        position = bisect_right(spans, item.span.start_seconds, key=_start) - 1
        if position >= 0 and spans[position].end_seconds >= item.span.end_seconds:
            found.append(item)
    return found


def near(items: Iterable[Moment], others: Iterable[Moment], seconds: float) -> list[Moment]:
    """The items at most `seconds` away from one of `others` in the same video, in the order they came."""
    if seconds < 0:
        return []
    # What lies in a gap of at most twice the distance is near one of its two sides: such a gap may be closed.
    covered = _covered(others, gap_seconds=2 * seconds)
    found = []
    for item in items:
        spans = covered.get(item.video_id, [])
        position = bisect_right(spans, item.span.end_seconds + seconds, key=_start) - 1
        if position >= 0 and item.span.start_seconds - spans[position].end_seconds <= seconds:
            found.append(item)
    return found


def nth_in_each(items: Iterable[Moment], n: int) -> list[Moment]:
    """The n-th moment in time, from 1, of every video that has so many; from the end if n is negative; none for 0."""
    groups = (sorted(group, key=time_key) for group in by_video(items).values())
    return [group[n - 1 if n > 0 else n] for group in groups if 1 <= abs(n) <= len(group)]


def related(items: Iterable[Moment], name: Relation, others: Iterable[Moment]) -> list[Moment]:
    """The items that stand in Allen's relation `name` to one of `others` in the same video, in the order they came."""
    spans = {video_id: {other.span for other in group} for video_id, group in by_video(others).items()}
    return [item for item in items if any(relation(item.span, span) == name for span in spans.get(item.video_id, ()))]


def _covered(moments: Iterable[Moment], *, gap_seconds: float = 0.0) -> dict[str, list[Span]]:
    groups = by_video(moments).items()
    return {video_id: union((m.span for m in group), gap_seconds=gap_seconds) for video_id, group in groups}


def _start(span: Span) -> float:
    return span.start_seconds


def merge(moments: Iterable[Moment], *, gap_seconds: float = 0.0) -> list[Moment]:
    """Moments of one video at most `gap_seconds` apart become one; in order of video, then time."""
    merged: list[Moment] = []
    for _, group in sorted(by_video(moments).items()):
        run: list[Moment] = []
        end_seconds = 0.0
        for moment in sorted(group, key=time_key):
            if run and moment.span.start_seconds - end_seconds > gap_seconds:
                merged.append(join(run))
                run = []
            run.append(moment)
            end_seconds = max(end_seconds, moment.span.end_seconds)
        merged.append(join(run))
    return merged


def join(moments: Sequence[Moment]) -> Moment:
    """One moment over all of `moments` of one video (at least one), with their words, each once.

    Score and similarity are the best among them; the track stays where all share it. Words, and the rows they come
    from, are taken in the order given as long as they fit MAX_TEXT_CHARACTERS.
    """
    if len(moments) == 1:
        return moments[0]
    similarities = [moment.similarity for moment in moments if moment.similarity is not None]
    best = max(moments, key=lambda moment: moment.score)
    return replace(
        best,
        span=hull([moment.span for moment in moments]),
        track=best.track if all(moment.track == best.track for moment in moments) else "",
        similarity=max(similarities, default=None),
        **_joined_words(moments),
    )


def _joined_words(moments: Iterable[Moment]) -> dict[str, Any]:
    texts: dict[str, None] = {}
    rows: dict[int, None] = {}
    room = MAX_TEXT_CHARACTERS
    for moment in moments:
        if moment.text and moment.text not in texts:
            room -= len(moment.text) + 1
            if room < 0 and texts:
                break
            texts[moment.text] = None
        rows.update(dict.fromkeys(moment.observation_ids))
    return {"text": " ".join(texts), "observation_ids": tuple(rows)}


def time_key(moment: Moment) -> tuple[float, float]:
    """Sorts moments of one video in time."""
    return moment.span.start_seconds, moment.span.end_seconds
