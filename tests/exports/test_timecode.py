"""Timecodes against OpenTimelineIO's, and against the clock on the wall."""

from __future__ import annotations

from fractions import Fraction

import opentimelineio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentvid.exports.base import Source
from agentvid.exports.timecode import edit_rate, frame_of, frames_of, is_drop_frame, timecode
from agentvid.types import Span

RATES = [Fraction(24000, 1001), *map(Fraction, (24, 25, 30, 50, 60)), Fraction(30000, 1001), Fraction(60000, 1001)]
DROP = [rate for rate in RATES if is_drop_frame(rate)]
#: 23 hours at the highest rate: beyond 24 hours a timecode begins again.
FRAMES = st.integers(0, 23 * 3600 * 60)


@given(FRAMES, st.sampled_from(RATES))
def test_a_timecode_names_its_frame_and_no_other(frame: int, rate: Fraction) -> None:
    assert frame_of(timecode(frame, rate), rate) == frame
    assert timecode(frame, rate) != timecode(frame + 1, rate)


@given(FRAMES.filter(lambda frame: frame < 23 * 3600 * 23), st.sampled_from(RATES))
def test_opentimelineio_reads_and_writes_the_same(frame: int, rate: Fraction) -> None:
    code = timecode(frame, rate)
    assert opentimelineio.opentime.from_timecode(code, float(rate)).value == frame
    time = opentimelineio.opentime.RationalTime(frame, float(rate))
    assert opentimelineio.opentime.to_timecode(time, float(rate), drop_frame=is_drop_frame(rate)) == code


@given(FRAMES, st.sampled_from(DROP))
def test_drop_frame_stays_with_the_clock_on_the_wall(frame: int, rate: Fraction) -> None:
    hours, minutes, rest = timecode(frame, rate).split(":")
    seconds, frames = rest.split(";")
    shown = int(hours) * 3600 + int(minutes) * 60 + int(seconds) + Fraction(int(frames), round(rate))
    assert abs(shown - frame / rate) < Fraction(1, 5)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (1799, "00:00:59;29"),
        (1800, "00:01:00;02"),
        (17981, "00:09:59;29"),
        (17982, "00:10:00;00"),
        (107892, "01:00:00;00"),
    ],
)
def test_ntsc_leaves_out_two_numbers_a_minute_but_each_tenth(frame: int, code: str) -> None:
    assert timecode(frame, Fraction(30000, 1001)) == code


@pytest.mark.parametrize("code", ["00:01:00;00", "00:01:00;01", "00:61:00;00", "00:00:00;30"])
def test_numbers_that_are_left_out_name_no_frame(code: str) -> None:
    with pytest.raises(ValueError, match="names no frame"):
        frame_of(code, Fraction(30000, 1001))


@given(st.integers(0, 10**6), st.integers(1, 1000), st.sampled_from(RATES))
def test_frames_of_a_span_made_of_frames_are_those(first: int, count: int, rate: Fraction) -> None:
    """Also after rounding to milliseconds, as answers do."""
    start, end = round(float(first / rate), 3), round(float((first + count) / rate), 3)
    assert frames_of(Span(start, end), rate) == (first, first + count)


@pytest.mark.parametrize(
    ("measured", "rate"),
    [
        (29.97002997, Fraction(30000, 1001)),
        (29.97, Fraction(30000, 1001)),
        (25.0, 25),
        (0.0, 25),
        (14.985, Fraction(2997, 200)),
    ],
)
def test_the_rate_of_a_video_without_its_file(measured: float, rate: Fraction) -> None:
    assert edit_rate(Source("v", "v", "v", 10.0, measured)) == rate
