"""Shots come out where drawn cuts are; clips tile the video within their bounds."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentvid.errors import UsageError
from agentvid.media.types import FrameBatch
from agentvid.segment import ShotReader, make_clips
from agentvid.types import Clip, Span


def scene(seed: int, width: int = 160, height: int = 90) -> np.ndarray:
    """A colourful blurred picture that no other seed resembles."""
    noise = np.random.default_rng(seed).integers(0, 256, (6, 10, 3), dtype=np.uint8)
    picture: np.ndarray = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return picture


def feed(draw: Callable[[float], np.ndarray], times: np.ndarray, batch_length: int = 50) -> ShotReader:
    reader = ShotReader()
    for first in range(0, len(times), batch_length):
        part = times[first : first + batch_length]
        reader.read(FrameBatch(part, np.stack([draw(seconds) for seconds in part])))
    return reader


def starts(reader: ShotReader, duration_seconds: float) -> list[float]:
    shots = reader.shots(duration_seconds)
    assert shots[0].start_seconds == 0.0
    assert shots[-1].end_seconds == duration_seconds
    assert all(one.end_seconds == other.start_seconds for one, other in itertools.pairwise(shots))
    return [shot.start_seconds for shot in shots]


def test_cuts_are_found_on_the_frame() -> None:
    reader = feed(lambda seconds: scene(int(seconds // 2)), np.arange(200) / 25)
    assert starts(reader, 8.0) == [0.0, 2.0, 4.0, 6.0]


def test_cuts_keep_their_time_when_the_frame_rate_varies() -> None:
    times = np.concatenate([np.arange(0, 3, 0.02), np.arange(3, 6, 0.1), np.arange(6, 9, 1 / 30)])
    reader = feed(lambda seconds: scene(1 if seconds < 3.0 else 2 if seconds < 6.0 else 3), times, batch_length=17)
    assert starts(reader, 9.0) == pytest.approx([0.0, 3.0, 6.0], abs=1e-5)


def test_a_slow_fade_through_black_is_a_cut() -> None:
    def fade(seconds: float) -> np.ndarray:
        level = min(1.0, abs(seconds - 4.0) / 2.0)
        return (scene(1 if seconds < 4.0 else 2) * level).astype(np.uint8)

    found = starts(feed(fade, np.arange(200) / 25), 8.0)
    assert len(found) == 2
    assert found[1] == pytest.approx(4.0, abs=0.15)


def test_a_dark_scene_without_fade_is_one_shot() -> None:
    rng = np.random.default_rng(0)
    reader = feed(lambda seconds: rng.integers(0, 14, (90, 160, 3), dtype=np.uint8), np.arange(150) / 25)
    assert starts(reader, 6.0) == [0.0]


def test_a_pan_is_not_a_cut() -> None:
    wide = scene(3, width=800)
    reader = feed(lambda seconds: wide[:, int(seconds * 80) : int(seconds * 80) + 160], np.arange(150) / 25)
    assert starts(reader, 6.0) == [0.0]


def test_no_frame_is_one_shot_and_no_time_is_refused() -> None:
    assert ShotReader().shots(3.5) == [Span(0.0, 3.5)]
    for duration in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(UsageError, match="more than 0"):
            ShotReader().shots(duration)


@pytest.mark.parametrize(("width", "height"), [(90, 160), (160, 68), (16, 16), (320, 180)])
def test_any_frame_size_will_do(width: int, height: int) -> None:
    reader = feed(lambda seconds: scene(int(seconds // 2), width, height), np.arange(100) / 25)
    assert starts(reader, 4.0) == [0.0, 2.0]


def spans_of(clips: tuple[Clip, ...]) -> list[Span]:
    return [clip.span for clip in clips]


def tile(duration: float, cuts: list[float]) -> list[Span]:
    return [Span(*pair) for pair in itertools.pairwise([0.0, *cuts, duration])]


@st.composite
def videos(draw: st.DrawFn) -> tuple[float, list[Span], list[Span]]:
    duration = draw(st.floats(0.1, 1500.0))
    cuts = sorted({cut * duration for cut in draw(st.lists(st.floats(0.0001, 0.9999), max_size=40))})
    sentences = []
    for start in draw(st.lists(st.floats(0.0, 0.999), max_size=60)):
        length = draw(st.floats(0.01, 40.0))
        sentences.append(Span(start * duration, start * duration + length))
    return duration, tile(duration, [cut for cut in cuts if 0 < cut < duration]), sentences


@settings(max_examples=150, deadline=None)
@given(videos(), st.floats(0.5, 20.0), st.floats(2.01, 30.0), st.randoms(use_true_random=False))
def test_clips_tile_within_bounds_whatever_the_order(
    video: tuple[float, list[Span], list[Span]], minimum: float, ratio: float, random_order: random.Random
) -> None:
    duration, shots, sentences = video
    maximum = minimum * ratio
    clips = make_clips(duration, shots, sentences, minimum=minimum, maximum=maximum)
    assert [clip.index for clip in clips] == list(range(len(clips)))
    spans = spans_of(clips)
    assert spans[0].start_seconds == 0.0
    assert spans[-1].end_seconds == duration
    assert all(one.end_seconds == other.start_seconds for one, other in itertools.pairwise(spans))
    assert all(span.duration_seconds <= maximum + 1e-5 for span in spans)
    if duration < minimum:
        assert len(spans) == 1
    elif maximum >= 2 * (minimum + 0.001):
        assert all(span.duration_seconds >= minimum for span in spans)

    shuffled_shots, shuffled_sentences = list(shots), list(sentences)
    random_order.shuffle(shuffled_shots)
    random_order.shuffle(shuffled_sentences)
    assert make_clips(duration, shuffled_shots, shuffled_sentences, minimum=minimum, maximum=maximum) == clips


def test_short_videos_are_one_clip() -> None:
    assert spans_of(make_clips(3.0, tile(3.0, [1.0, 2.0]), [])) == [Span(0.0, 3.0)]
    assert spans_of(make_clips(0.04, [Span(0.0, 0.04)], [])) == [Span(0.0, 0.04)]


def test_two_hours_without_a_cut_get_bounded_clips() -> None:
    clips = make_clips(7200.0, [Span(0.0, 7200.0)], [])
    lengths = {round(clip.span.duration_seconds, 6) for clip in clips}
    assert len(lengths) == 1
    assert 10 <= lengths.pop() <= 30


def test_clips_of_a_cut_film_are_whole_shots_of_typical_length() -> None:
    cuts = [3.0 * number for number in range(1, 200)]
    spans = spans_of(make_clips(600.0, tile(600.0, cuts), []))
    assert {span.end_seconds for span in spans} <= {*cuts, 600.0}
    assert all(10 <= span.duration_seconds <= 30 for span in spans)


def test_a_shot_within_the_maximum_is_never_divided() -> None:
    spans = spans_of(make_clips(160.0, tile(160.0, [80.0]), [Span(start, start + 4.9) for start in range(0, 160, 5)]))
    assert spans == [Span(0.0, 80.0), Span(80.0, 160.0)]


def test_long_shots_are_divided_between_sentences() -> None:
    sentences = [Span(start, start + 6.5) for start in np.arange(0.0, 600.0, 7.0)]
    spans = spans_of(make_clips(600.0, [Span(0.0, 600.0)], sentences))
    ends = {sentence.end_seconds for sentence in sentences}
    assert len(spans) > 15
    assert all(span.end_seconds in ends for span in spans[:-1])


def test_cuts_inside_a_sentence_give_way_to_cuts_between() -> None:
    cuts = [19.0, 21.0, 40.0]
    spans = spans_of(make_clips(60.0, tile(60.0, cuts), [Span(15.0, 20.9), Span(21.2, 30.0)]))
    assert spans[0] == Span(0.0, 21.0)


def test_silence_before_one_late_sentence_does_not_cut_it() -> None:
    sentence = Span(200.0, 260.0)
    spans = spans_of(make_clips(400.0, [Span(0.0, 400.0)], [sentence]))
    assert not any(200.0 < span.start_seconds < 260.0 for span in spans)


def test_bounds_that_make_no_sense_are_refused() -> None:
    for minimum, maximum in ((0.0, 10.0), (-1.0, 10.0), (20.0, 10.0)):
        with pytest.raises(UsageError, match="minimum"):
            make_clips(60.0, [], [], minimum=minimum, maximum=maximum)


def test_equal_bounds_still_keep_the_maximum() -> None:
    spans = spans_of(make_clips(100.0, [Span(0.0, 100.0)], [], minimum=30.0, maximum=30.0))
    assert all(span.duration_seconds <= 30.0 + 1e-5 for span in spans)
