"""A slow reader on a thread of its own: in order, with bounded memory, and out of the way when it must be."""

from __future__ import annotations

import threading
import time
from contextlib import closing

import numpy as np
import pytest

from agentvid.budget import Cancel, Stopped
from agentvid.media.types import Frame, FrameBatch
from agentvid.perceive.background import Background
from agentvid.perceive.base import Reader, Reading, Watched
from agentvid.perceive.overlap import OverlappedReader
from agentvid.types import Span

WATCHED = Watched(10.0, [Span(0.0, 10.0)], [], [])


def batch(seconds: float, side: int = 9) -> FrameBatch:
    frame = Frame(seconds, np.zeros((side, side, 3), np.uint8))
    return FrameBatch(np.array([seconds]), np.zeros((1, 9, 16, 3), np.uint8), key_frames=(frame,))


class Slow(Reader):
    """Waits for `go` before every batch; notes what it saw."""

    def __init__(self) -> None:
        self.go, self.reads = threading.Event(), threading.Event()
        self.seen: list[float] = []
        self.closed = threading.Event()

    def read(self, batch: FrameBatch) -> None:
        self.reads.set()
        assert self.go.wait(20)
        self.seen.append(float(batch.seconds[0]))
        if batch.seconds[0] == 99.0:
            raise ValueError("unlucky")

    def finish(self, watched: Watched) -> Reading:
        return Reading([], (), [f"{len(self.seen)} batches"])

    def close(self) -> None:
        self.closed.set()


def test_reading_does_not_wait_and_keeps_the_order() -> None:
    slow = Slow()
    with closing(OverlappedReader(slow)) as reader:
        for number in range(10):
            reader.read(batch(number))
        assert slow.seen == []
        slow.go.set()
        assert reader.finish(WATCHED).warnings == ["10 batches"]
    assert slow.seen == [float(number) for number in range(10)]
    assert slow.closed.is_set()


def test_who_waits_for_a_slow_reader_or_thread_can_be_stopped() -> None:
    slow, cancel = Slow(), Cancel()
    threading.Timer(0.3, cancel.set).start()
    with closing(OverlappedReader(slow, cancel)) as reader:
        reader.read(batch(0))
        with pytest.raises(Stopped):
            reader.finish(WATCHED)
        slow.go.set()
    go = threading.Event()
    background = Background(lambda is_stopped: Reading([], (), [str(go.wait(20))]), cancel)
    with pytest.raises(Stopped):
        background.result()
    go.set()


def test_what_waits_is_bounded_in_bytes() -> None:
    slow = Slow()
    with closing(OverlappedReader(slow)) as reader:
        done: list[int] = []

        def feed() -> None:
            for number in range(20):
                reader.read(batch(number, side=2500))  # 19 MB each
                done.append(number)

        feeder = threading.Thread(target=feed, daemon=True)
        feeder.start()
        feeder.join(0.5)
        assert feeder.is_alive()
        assert len(done) <= 4  # one in work, three of 19 MB in 64 MB
        slow.go.set()
        feeder.join(20)
        assert len(done) == 20


def test_a_batch_larger_than_the_bound_passes_alone() -> None:
    slow = Slow()
    slow.go.set()
    with closing(OverlappedReader(slow)) as reader:
        reader.read(batch(1.0, side=5000))  # 75 MB
        assert reader.finish(WATCHED).warnings == ["1 batches"]


def test_an_error_comes_with_the_next_call() -> None:
    slow = Slow()
    slow.go.set()
    with closing(OverlappedReader(slow)) as reader:
        reader.read(batch(99.0))
        with pytest.raises(ValueError, match="unlucky"):
            reader.finish(WATCHED)
        with pytest.raises(ValueError, match="unlucky"):
            reader.read(batch(100.0))
    assert slow.seen == [99.0]
    assert slow.closed.is_set()


def test_closing_drops_what_waits_and_does_not_hang_on_what_is_stuck() -> None:
    slow = Slow()
    reader = OverlappedReader(slow)
    for number in range(5):
        reader.read(batch(number))
    assert slow.reads.wait(20)
    started = time.monotonic()
    reader.close()
    assert time.monotonic() - started < 10
    assert not slow.closed.is_set()  # a reader is not closed under the thread that uses it
    slow.go.set()
    assert slow.closed.wait(20)
    assert slow.seen == [0.0]
