"""Work on a thread of its own that begins before the decode pass and is waited for behind it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import copy_context

from agentvid.budget import Cancel
from agentvid.perceive.base import Reading

#: Who waits for another thread looks so often whether it is still wanted.
LOOK_SECONDS = 0.2


class Background:
    """`work` on a thread of its own from now on; `result` waits for it and raises what it raised.

    `work` is given a function that tells whether it should stop. `result` raises Stopped once `cancel` is set.
    """

    def __init__(self, work: Callable[[Callable[[], bool]], Reading], cancel: Cancel) -> None:
        self._cancel = cancel
        self._stopped = threading.Event()
        self._found: list[Reading] = []
        self._error: BaseException | None = None
        # A daemon, so that a model that hangs cannot keep the interpreter from ending.
        self._thread = threading.Thread(
            target=copy_context().run, args=(self._run, work), name="agentvid-hearing", daemon=True
        )
        self._thread.start()

    def result(self) -> Reading:
        while self._thread.is_alive():
            self._cancel.check()
            self._thread.join(LOOK_SECONDS)
        if self._error is not None:
            raise self._error
        return self._found[0]

    def stop(self) -> None:
        self._stopped.set()

    def _run(self, work: Callable[[Callable[[], bool]], Reading]) -> None:
        try:
            self._found.append(work(self._stopped.is_set))
        except BaseException as error:  # noqa: BLE001 - raised again by `result`
            self._error = error
