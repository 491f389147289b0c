"""A track that fails, or brings what is no reading, costs its own rows and nothing else."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agentvid.config import Settings
from agentvid.errors import MissingDependency, ModelError
from agentvid.media.limits import DEFAULT
from agentvid.media.types import FrameBatch, MediaInfo
from agentvid.perceive.base import Effort, Reader, Reading, Source, Track, Watched, read_spans
from agentvid.perceive.guarded import GuardedReader
from agentvid.types import Clip, Gap, Observation, Provenance, Span

INFO = MediaInfo("mp4", "h264", 16, 9, 0, 10.0, 25.0, False, ())
SOURCE = Source(Path("talk.mp4"), INFO, "f" * 64, "f" * 16, Settings(), DEFAULT)
WATCHED = Watched(10.0, [Span(0.0, 10.0)], [Clip(Span(0.0, 5.0), 0), Clip(Span(5.0, 10.0), 1)], [])
BATCH = FrameBatch(np.array([0.0]), np.zeros((1, 9, 16, 3), np.uint8))
MADE = Provenance("weather", "barometer", "1")


def row(start: float, end: float, text: str = "Rain sets in", track: str = "weather") -> Observation:
    return Observation(Span(start, end), track, text, MADE)


class Weather(Track):
    """Does what the test says when it is opened, read and finished."""

    name = "weather"
    frames = ("images",)

    def __init__(
        self,
        finish: Callable[[], Any],
        *,
        opens: Callable[[], Any] = lambda: None,
        reads: Callable[[], Any] = lambda: None,
        is_slow: bool = False,
    ) -> None:
        self.finishes, self.opens, self.reads, self.is_slow = finish, opens, reads, is_slow
        self.closed = 0

    def parameters(self, settings: Settings) -> dict[str, Any]:
        return {}

    def open(self, source: Source) -> Reader:
        self.opens()
        return WeatherReader(self)


class WeatherReader(Reader):
    def __init__(self, track: Weather) -> None:
        self.track = track

    def read(self, batch: FrameBatch) -> None:
        self.track.reads()

    def finish(self, watched: Watched) -> Reading:
        reading: Reading = self.track.finishes()
        return reading

    def close(self) -> None:
        self.track.closed += 1


def run(track: Track) -> Reading:
    with closing(GuardedReader(track, SOURCE)) as reader:
        for _ in range(3):
            reader.read(BATCH)
        return reader.finish(WATCHED)


def fail() -> None:
    raise RuntimeError("the barometer\x1b[31m fell down")


@pytest.mark.parametrize("is_slow", [False, True])
def test_good_rows_come_through(is_slow: bool) -> None:
    track = Weather(lambda: Reading([row(1.0, 2.0)], (), ["It was wet"]), is_slow=is_slow)
    assert run(track) == Reading([row(1.0, 2.0)], [], ["It was wet"])
    assert track.closed == 1


@pytest.mark.parametrize("is_slow", [False, True])
@pytest.mark.parametrize("where", ["opens", "reads", "finish"])
def test_whatever_is_raised_is_one_gap_with_the_reason(where: str, is_slow: bool) -> None:
    finish = fail if where == "finish" else lambda: Reading([row(1.0, 2.0)])
    track = Weather(finish, is_slow=is_slow, **({where: fail} if where != "finish" else {}))
    reading = run(track)
    assert reading.observations == ()
    (gap,) = reading.gaps
    assert (gap.span, gap.track, gap.video_id) == (Span(0.0, 10.0), "weather", SOURCE.video_id)
    assert gap.reason == "RuntimeError: the barometer[31m fell down"
    assert track.closed == (0 if where == "opens" else 1)


@pytest.mark.parametrize(
    ("returned", "reason"),
    [
        (None, "finish returned a NoneType; allowed: a Reading"),
        ([row(1.0, 2.0)], "finish returned a list; allowed: a Reading"),
        (Reading("rain"), "observations are a str"),  # type: ignore[arg-type]
        (Reading(["rain"]), "observations hold a str; allowed: a sequence of Observation"),  # type: ignore[list-item]
        (Reading([], [row(1.0, 2.0)]), "gaps hold a Observation"),  # type: ignore[list-item]
        (Reading([], (), [3]), "warnings hold a int"),  # type: ignore[list-item]
        (Reading([row(1.0, 2.0, track="speech")]), "a row is of the track 'speech'; allowed: 'weather'"),
        (Reading([row(8.0, 30.0)]), "8-30 s is outside of the video, which ends at 10 s"),
        (Reading([row(10.0, 10.5)]), "outside of the video"),
        (Reading([row(1.0, 2.0, "\u200b\x07")]), "the row at 1 s shows no text"),
        (Reading([], effort=Effort(pictures=2, held=3)), "whose `held` is 0 to its `pictures`"),
        (Reading([], effort=3), "effort is 3; allowed: an Effort"),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_reading_is_refused(returned: object, reason: str) -> None:
    reading = run(Weather(lambda: returned))
    assert reading.observations == ()
    assert reason in reading.gaps[0].reason


def test_text_of_strangers_is_cleaned_and_a_rounded_end_is_cut() -> None:
    reading = run(Weather(lambda: Reading([row(9.0, 10.4, "Rain\u202e\n sets\x1b in " + "x" * 100_000)])))
    (kept,) = reading.observations
    assert kept.span == Span(9.0, 10.0)
    assert kept.text.startswith("Rain sets in xxx")
    assert len(kept.text) <= 4096


@pytest.mark.parametrize("is_slow", [False, True])
def test_the_time_that_it_worked_is_told_also_of_one_that_fails(is_slow: bool) -> None:
    def slowly() -> Reading:
        time.sleep(0.03)
        return Reading([], effort=Effort(99.0, pictures=5, held=2))

    effort = run(Weather(slowly, reads=lambda: time.sleep(0.01), is_slow=is_slow)).effort
    assert (effort.pictures, effort.held) == (5, 2)
    assert 0.06 <= effort.seconds < 99.0, "its own word is not taken for it"
    assert run(Weather(fail, reads=lambda: time.sleep(0.01), is_slow=is_slow)).effort.seconds >= 0.03


def test_gaps_are_of_this_track_and_this_video() -> None:
    reading = run(Weather(lambda: Reading([], [Gap("another", Span(1.0, 2.0), "speech", "too loud")])))
    assert list(reading.gaps) == [Gap(SOURCE.video_id, Span(1.0, 2.0), "weather", "too loud")]


def test_a_package_that_lacks_something_does_not_stop_the_others() -> None:
    def lack() -> None:
        raise MissingDependency("no barometer", hint="pip install barometer")

    assert run(Weather(lambda: None, opens=lack)).gaps[0].reason == "no barometer - pip install barometer"


def test_ctrl_c_is_not_a_failure_of_the_track() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(Weather(lambda: Reading([]), reads=interrupt))


def test_spans_that_fail_are_gaps_and_the_others_rows() -> None:
    def caption(span: Span) -> list[Observation]:
        if span.start_seconds % 3 == 0:
            raise ModelError("no reply", hint="try again")
        return [row(span.start_seconds, span.end_seconds)]

    reading = read_spans(SOURCE, "weather", [Span(float(at), at + 1.0) for at in range(9)], caption)
    assert [gap.span.start_seconds for gap in reading.gaps] == [0.0, 3.0, 6.0]
    assert {gap.reason for gap in reading.gaps} == {"no reply - try again"}
    assert len(reading.observations) == 6


def test_a_slow_track_reads_on_a_thread_of_its_own() -> None:
    threads = set()
    track = Weather(lambda: Reading([]), reads=lambda: threads.add(threading.get_ident()), is_slow=True)
    run(track)
    assert len(threads) == 1
    assert threading.get_ident() not in threads


@pytest.mark.parametrize("is_slow", [False, True])
def test_a_closed_reader_holds_nothing(is_slow: bool) -> None:
    class Keeping(Weather):
        def open(self, source: Source) -> Reader:
            reader = super().open(source)
            self.opened = weakref.ref(reader)
            return reader

    track = Keeping(lambda: Reading([row(0.0, 5.0)]), is_slow=is_slow)
    reader = GuardedReader(track, SOURCE)
    with closing(reader):
        reader.read(BATCH)
        assert reader.finish(WATCHED).observations
    assert track.opened() is None
