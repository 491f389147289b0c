"""Tells how long a reader works, on whichever thread it does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from agentvid.media.types import FrameBatch
from agentvid.perceive.base import Reader, Reading, Watched


class TimedReader(Reader):
    """Any reader; `seconds` is the time that its `read` and `finish` took so far."""

    def __init__(self, reader: Reader) -> None:
        self.seconds = 0.0
        self._reader = reader

    def read(self, batch: FrameBatch) -> None:
        with self._timed():
            self._reader.read(batch)

    def finish(self, watched: Watched) -> Reading:
        with self._timed():
            return self._reader.finish(watched)

    def close(self) -> None:
        self._reader.close()

    @contextmanager
    def _timed(self) -> Iterator[None]:
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds += time.monotonic() - started
