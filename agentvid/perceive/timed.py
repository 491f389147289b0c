"""Tells how long a reader works, on whichever thread it does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from agentvid.media.types import FrameBatch
from agentvid.perceive.base import Reader, Reading, Watched


class Stopwatch:
    """Adds up the seconds that it ran."""

    def __init__(self) -> None:
        self.seconds = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds += time.monotonic() - started


class TimedReader(Reader):
    """Any reader; `watch` runs while it reads and finishes."""

    def __init__(self, reader: Reader, watch: Stopwatch) -> None:
        self._reader, self._watch = reader, watch

    def read(self, batch: FrameBatch) -> None:
        with self._watch.running():
            self._reader.read(batch)

    def finish(self, watched: Watched) -> Reading:
        with self._watch.running():
            return self._reader.finish(watched)

    def close(self) -> None:
        self._reader.close()
