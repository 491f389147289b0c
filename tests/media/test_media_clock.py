"""Times are right to one frame: what a frame shows (its burnt-in time) is what is reported, on every route to it."""

from __future__ import annotations

from bisect import bisect_right
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from agentvid import media
from agentvid.errors import UsageError
from agentvid.media.render import read_burnt_time
from agentvid.types import Span

#: As in conftest.CLOCKS: in importlib mode a test cannot import its conftest.
NAMES = (
    "constant-25.mp4 film-23976.mp4 ntsc-2997.mkv variable.mp4 variable.webm empty-edit.mp4 edit-list.mov"
    " late-start.mkv transport.ts transport-late.ts b-frames.avi turned-90.mp4 turned-180.mov turned-270.mp4"
).split()
#: Burnt times are whole milliseconds, and so are Matroska's.
ROUNDING = 0.0011


def scanned(path: Path) -> tuple[media.Scan, list[float], list[float]]:
    """The finished scan, the times it reported and the times its frames show."""
    scan = media.scan(path, text_frames=False)
    reported: list[float] = []
    shown: list[float] = []
    for batch in scan:
        reported += batch.seconds.tolist()
        shown += [read_burnt_time(image) for image in batch.images]
    return scan, reported, shown


@pytest.mark.parametrize("name", NAMES)
def test_scan_and_seek_agree_with_what_is_shown(clocks: dict[str, Path], name: str) -> None:
    path = clocks[name]
    scan, reported, shown = scanned(path)
    info = media.probe(path)

    assert reported == pytest.approx(shown, abs=ROUNDING)
    assert reported[0] == 0.0
    assert (np.diff(reported) > 0).all()
    assert len(reported) == scan.frames
    assert not scan.damaged
    assert scan.duration_seconds == pytest.approx(4.4 if name == "edit-list.mov" else 4.8, abs=0.13)
    assert info.duration_seconds == pytest.approx(scan.duration_seconds, abs=0.13)
    assert scan.info == info
    assert (info.width, info.height) == (320, 180)
    turn = name.partition("-")[2].partition(".")[0] if name.startswith("turned") else "0"
    assert info.rotation_degrees == int(turn)

    # Out of order, equal, before the first key frame, between frames, at the end and far behind it.
    asked = [3.99, 0.0, 1.6, 0.33, 3.99, reported[7], reported[-1], 60.0, 0.8]
    for time, frame in zip(asked, media.frames_at(path, asked), strict=True):
        expected = reported[bisect_right(reported, time + 0.0005) - 1]
        assert frame.seconds == expected
        assert read_burnt_time(frame.image) == pytest.approx(frame.seconds, abs=ROUNDING)
        assert frame.image.shape == (180, 320, 3)


@pytest.mark.parametrize(
    "name", ["constant-25.mp4", "empty-edit.mp4", "edit-list.mov", "late-start.mkv", "transport.ts"]
)
def test_sound_keeps_the_clock_of_the_pictures(clocks: dict[str, Path], name: str) -> None:
    chunks = list(media.read_audio(clocks[name]))
    cut = 0.4 if name == "edit-list.mov" else 0.0

    assert chunks[0][0] == pytest.approx(0, abs=0.03)
    start, samples = chunks[0][0], np.concatenate([samples for _, samples in chunks])
    assert samples.dtype == np.float32
    assert 0.2 < np.abs(samples).max() <= 1.0
    for at, hertz in ((0.3, 440), (1.45 - cut, 440), (1.75 - cut, 880), (3.4 - cut, 880), (3.75 - cut, 660)):
        assert loudest_hertz(samples[round((at - start) * 16000) :][:1600]) == pytest.approx(hertz, abs=10)


def loudest_hertz(samples: NDArray[np.float32]) -> float:
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(power.argmax()) * 16000 / len(samples)


def test_sound_within_a_span_starts_and_ends_at_the_sample(video: Path) -> None:
    whole = np.concatenate([samples for _, samples in media.read_audio(video)])
    chunks = list(media.read_audio(video, within=Span(1.5, 2.25)))

    assert chunks[0][0] == pytest.approx(1.5, abs=1 / 16000)
    part = np.concatenate([samples for _, samples in chunks])
    assert len(part) == 12000
    # The tone changes at 1.6 s, so that only the true place fits; a resampled sample may lie between two.
    fits = [np.corrcoef(part[1000:3000], whole[24000 + shift :][1000:3000])[0, 1] for shift in range(-40, 41)]
    assert abs(int(np.argmax(fits)) - 40) <= 1
    assert max(fits) > 0.98


def test_sound_has_the_asked_rate_and_is_absent_where_there_is_none(video: Path, long_video: Path) -> None:
    samples = np.concatenate([samples for _, samples in media.read_audio(video, sample_rate=8000)])

    assert len(samples) == pytest.approx(4.8 * 8000, rel=0.02)
    assert list(media.read_audio(long_video)) == []
    with pytest.raises(UsageError, match="sample rate 1 "):
        media.read_audio(video, sample_rate=1)


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("constant-25.mp4", "mov_text"),
        ("empty-edit.mp4", "mov_text"),
        ("late-start.mkv", "subrip"),
        ("variable.webm", "webvtt"),
    ],
)
def test_embedded_subtitles_keep_the_clock(clocks: dict[str, Path], name: str, codec: str) -> None:
    ((track, cues),) = media.read_subtitles(clocks[name])

    assert track.codec == codec
    assert (track,) == media.probe(clocks[name]).subtitles
    assert [cue.text for cue in cues] == ["carry heat", "second\nline"]
    times = [(cue.span.start_seconds, cue.span.end_seconds) for cue in cues]
    assert times == [pytest.approx((0.5, 1.5), abs=0.002), pytest.approx((2.0, 3.25), abs=0.002)]


def test_no_subtitles_is_an_empty_list(clocks: dict[str, Path]) -> None:
    assert media.read_subtitles(clocks["transport.ts"]) == []


@settings(max_examples=5, deadline=None)
@given(times=st.lists(st.floats(0, 65), min_size=1, max_size=12))
def test_any_times_in_any_order(long_video: Path, times: list[float]) -> None:
    for time, frame in zip(times, media.frames_at(long_video, times), strict=True):
        assert frame.seconds == pytest.approx(min(int((time + 0.0005) * 25) / 25, 59.96))
        assert read_burnt_time(frame.image) == pytest.approx(frame.seconds, abs=ROUNDING)


def test_frames_shrink_but_never_grow(video: Path) -> None:
    small, large = (media.frames_at(video, [1.0], max_side=side)[0].image for side in (100, 4000))

    assert small.shape == (56, 100, 3)
    assert large.shape == (180, 320, 3)


def test_frames_are_red_green_blue_and_scans_blue_green_red(video: Path) -> None:
    colour = (30, 60, 120)
    batch = next(media.scan(video, text_frames=False))

    assert batch.images.shape == (64, 90, 160, 3)
    assert batch.images[0, 45, 150].tolist() == pytest.approx(colour[::-1], abs=6)
    assert media.frames_at(video, [0.0])[0].image[90, 300].tolist() == pytest.approx(colour, abs=6)


def test_text_frames_come_with_the_batch_they_fall_in(video: Path) -> None:
    seen = 0.0
    texts = []
    for batch in media.scan(video, text_frames=True):
        for frame in batch.text_frames:
            assert seen <= frame.seconds <= batch.seconds[-1]
            assert frame.image.shape == (180, 320, 3)
            assert read_burnt_time(frame.image) == pytest.approx(frame.seconds, abs=ROUNDING)
            texts.append(frame.seconds)
        seen = float(batch.seconds[-1])
    assert texts[0] <= 1.0


@pytest.mark.parametrize("times", [[-1.0], [float("nan")], [float("inf")]])
def test_times_that_are_none_are_refused(video: Path, times: list[float]) -> None:
    with pytest.raises(UsageError, match="is not a time"):
        media.frames_at(video, times)


def test_no_times_need_no_decoder(tmp_path: Path) -> None:
    assert media.frames_at(tmp_path / "absent.mp4", []) == []


@pytest.mark.parametrize("name", NAMES)
def test_key_frames_come_every_second_and_at_cuts_on_the_clock_of_the_batches(
    clocks: dict[str, Path], name: str
) -> None:
    reported: list[float] = []
    keys: list[media.Frame] = []
    for batch in media.scan(clocks[name], text_frames=False, key_frames=True):
        reported += batch.seconds.tolist()
        keys += batch.key_frames
        assert all(frame.seconds <= batch.seconds[-1] for frame in keys)
    times = [frame.seconds for frame in keys]
    gaps = np.diff([*times, reported[-1]])
    assert times[0] == 0.0
    assert set(times) <= set(reported)
    assert gaps.max() <= 1.0 + np.diff(reported).max()
    assert gaps[:-1].min() >= 0.499
    for frame in keys:
        assert read_burnt_time(frame.image) == pytest.approx(frame.seconds, abs=ROUNDING)
        assert max(frame.image.shape[:2]) == 320
    # The scenes differ in colour: each is sent soon, though never sooner than half a second after the last frame.
    cut_early = 0.4 if name == "edit-list.mov" else 0.0
    for cut in (1.6 - cut_early, 3.6 - cut_early):
        assert min(seconds - cut for seconds in times if seconds > cut - 0.02) <= 0.5 + np.diff(reported).max()


@pytest.mark.parametrize("name", NAMES)
def test_key_frames_alone_keep_the_clock_and_the_end(clocks: dict[str, Path], name: str) -> None:
    every, reported, _ = scanned(clocks[name])
    scan = media.scan(clocks[name], every_frame=False, text_frames=False)
    assert scan.info == media.probe(clocks[name])
    sparse = [(seconds, image) for batch in scan for seconds, image in zip(batch.seconds, batch.images, strict=True)]

    assert 1 <= len(sparse) == scan.frames <= len(reported) / 4
    assert {seconds for seconds, _ in sparse} <= set(reported)
    for seconds, image in sparse:
        assert read_burnt_time(image) == pytest.approx(seconds, abs=ROUNDING)
    assert scan.duration_seconds == pytest.approx(every.duration_seconds, abs=0.001)
    assert not scan.damaged
