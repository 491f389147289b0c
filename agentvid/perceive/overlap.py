"""Lets a slow reader work while the file is decoded: on a thread of its own, behind a queue of bounded size."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from typing import TypeVar

from agentvid.budget import NEVER, Cancel
from agentvid.media.types import FrameBatch
from agentvid.perceive.background import LOOK_SECONDS
from agentvid.perceive.base import Reader, Reading, Watched

#: What may wait for one reader; one batch always may, however large.
_QUEUE_BYTES = 64 << 20
#: How long `close` waits for work that was begun. A thread that takes longer ends by itself after that work.
_CLOSE_SECONDS = 2.0

Result = TypeVar("Result")


class OverlappedReader(Reader):
    """Any reader, run by a thread of its own from its first batch to its `close`.

    `read` returns at once while less than 64 MB of batches wait, then when the reader has caught up. What the reader
    raises is raised by the next `read` or `finish`, and both raise Stopped once `cancel` is set. The waiting thread
    stays open to Ctrl-C.
    """

    def __init__(self, reader: Reader, cancel: Cancel = NEVER) -> None:
        self._reader = reader
        self._cancel = cancel
        self._jobs: deque[tuple[Callable[[], None], int]] = deque()
        self._waiting_bytes = 0
        self._changed = threading.Condition()
        self._is_closed = False
        self._error: BaseException | None = None
        # A daemon, so that a model that hangs cannot keep the interpreter from ending.
        self._thread = threading.Thread(
            target=copy_context().run, args=(self._work,), name="agentvid-reader", daemon=True
        )
        self._thread.start()

    def read(self, batch: FrameBatch) -> None:
        size = _bytes_of(batch)
        self._wait_for(lambda: self._error or not self._jobs or self._waiting_bytes + size <= _QUEUE_BYTES)
        self._put(lambda: self._reader.read(batch), size)

    def finish(self, watched: Watched) -> Reading:
        found: list[Reading] = []
        self._put(lambda: found.append(self._reader.finish(watched)), 0)
        self._wait_for(lambda: self._error or found)
        self._raise()
        return found[0]

    def close(self) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._thread.join(_CLOSE_SECONDS)

    def _wait_for(self, is_so: Callable[[], object]) -> None:
        with self._changed:
            while not self._changed.wait_for(is_so, LOOK_SECONDS):
                self._cancel.check()

    def _put(self, job: Callable[[], None], size: int) -> None:
        self._raise()
        with self._changed:
            self._jobs.append((job, size))
            self._waiting_bytes += size
            self._changed.notify_all()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        try:
            while (job := self._next()) is not None:
                job()
                with self._changed:
                    self._changed.notify_all()
        except BaseException as error:  # noqa: BLE001 - raised again in the waiting thread
            with self._changed:
                self._error = error
                self._jobs.clear()
                self._changed.notify_all()
        finally:
            with suppress(Exception):  # what was read is not worth less for it
                self._reader.close()

    def _next(self) -> Callable[[], None] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or self._jobs)
            if self._is_closed:
                return None
            job, size = self._jobs.popleft()
            self._waiting_bytes -= size
            self._changed.notify_all()
            return job


def _bytes_of(batch: FrameBatch) -> int:
    return batch.images.nbytes + sum(frame.image.nbytes for frame in (*batch.text_frames, *batch.key_frames))
