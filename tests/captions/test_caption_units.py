"""Units tile the video, end at cuts, are neither long nor tiny, and are the same whether found online or from shots."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentvid.media import Frame
from agentvid.perceive.caption_units import LONGEST_SECONDS, SHORTEST_SECONDS, Unit, UnitFinder, chosen, unit_spans
from agentvid.types import Span


def frame(seconds: float, level: int) -> Frame:
    return Frame(seconds, np.full((18, 32, 3), level, np.uint8))


def shots_of(lengths: list[float]) -> list[Span]:
    ends = [0.0, *itertools.accumulate(lengths)]
    return [Span(start, end) for start, end in itertools.pairwise(ends)]


LENGTHS = st.lists(st.integers(1, 60).map(lambda tenths: tenths * 0.75), min_size=1, max_size=12)


@settings(max_examples=100, deadline=None)
@given(LENGTHS)
def test_units_tile_the_video_and_have_bounded_lengths(lengths: list[float]) -> None:
    shots = shots_of(lengths)
    duration = shots[-1].end_seconds
    units = unit_spans(shots, duration)
    assert units[0].start_seconds == 0.0
    assert units[-1].end_seconds == duration
    assert all(a.end_seconds == b.start_seconds for a, b in itertools.pairwise(units))
    longest = LONGEST_SECONDS + 2 * SHORTEST_SECONDS
    assert all(unit.duration_seconds <= longest for unit in units)
    assert all(unit.duration_seconds >= SHORTEST_SECONDS - 1e-9 for unit in units) or len(units) == 1


@settings(max_examples=40, deadline=None)
@given(LENGTHS)
def test_found_online_they_are_those_of_the_shots(lengths: list[float]) -> None:
    shots = shots_of(lengths)
    duration = shots[-1].end_seconds
    levels = [40 + 160 * (number % 2) for number in range(len(shots))]
    frames = []
    for shot, level in zip(shots, levels, strict=True):
        count = int(np.ceil(shot.duration_seconds))  # one a second, and the first of every shot
        frames += [frame(shot.start_seconds + second, level) for second in range(count)]
    finder, found = UnitFinder(4), list[Unit]()
    for first in range(0, len(frames), 7):
        found += finder.read(frames[first : first + 7])
    found += finder.finish(duration)
    assert [unit.span for unit in found] == unit_spans(shots, duration)
    for unit in found:
        assert 1 <= len(unit.frames) <= 4
        assert all(unit.span.contains(shown.seconds) for shown in unit.frames)


def test_a_long_shot_is_divided_and_a_short_end_joins_what_is_before() -> None:
    assert unit_spans(shots_of([16.5]), 16.5) == [Span(0, 16.5)]
    assert unit_spans(shots_of([40.0]), 40.0) == [Span(0, 15), Span(15, 30), Span(30, 40)]
    assert unit_spans(shots_of([5.0, 1.0, 6.0]), 12.0) == [Span(0, 5), Span(5, 12)]
    assert unit_spans(shots_of([5.0, 1.0]), 6.0) == [Span(0, 6)]
    assert unit_spans(shots_of([0.5]), 0.5) == [Span(0, 0.5)]


def test_seconds_without_frames_are_units_without_frames() -> None:
    finder = UnitFinder(4)
    units = [*finder.read([frame(0, 90), frame(1, 90), frame(40, 90)]), *finder.finish(41.0)]
    assert [unit.span for unit in units] == [Span(0, 15), Span(15, 30), Span(30, 41)]
    assert [len(unit.frames) for unit in units] == [1, 0, 1]


@pytest.mark.parametrize("most", [1, 2, 5])
def test_frames_that_look_alike_are_shown_once(most: int) -> None:
    still = [frame(second, 90) for second in range(10)]
    changing = [frame(second, 20 * second) for second in range(10)]
    assert chosen(still, most) == (still[0],)
    kept = chosen(changing, most)
    assert len(kept) == most
    assert kept[0] is changing[0]
    assert most == 1 or kept[-1] is changing[-1]
