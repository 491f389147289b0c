"""Ctrl-C while a question runs: the first ends it with the best answer so far, the second ends the process."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentvid.budget import Cancel

_TOLD = b"\nending with the best answer so far; Ctrl-C again ends at once\n"


@contextmanager
def cancel_on_interrupt() -> Iterator[Cancel]:
    """What Ctrl-C sets while the context is open; for the main thread.

    Files are written whole or not at all, so that the second Ctrl-C, which the system itself obeys, leaves none half.
    """
    from agentvid.budget import Cancel

    cancel = Cancel()

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        cancel.set()
        os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, _TOLD)

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield cancel
    finally:
        signal.signal(signal.SIGINT, before)
