"""One question on the screen: its steps while they happen, the words of a model, then the checked answer.

The run has a thread of its own, so that the screen lives and Ctrl-C is heard whatever the run waits for.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from agentvid.budget import Cancel
from agentvid.chat.render import event_line, print_event
from agentvid.chat.session import Session
from agentvid.chat.terminal import Terminal
from agentvid.types import Answer

if TYPE_CHECKING:
    from agentvid.events import Event

_TICK_SECONDS = 0.1


class LeftRunning(Exception):
    """The user did not want to wait until a cancelled run ended."""


class Asking:
    """Asks one question after the other; a run that was left is waited for before the next one."""

    def __init__(self, session: Session, terminal: Terminal) -> None:
        self._session = session
        self._terminal = terminal
        self._thread: threading.Thread | None = None

    def ask(self, question: str) -> Answer:
        """The answer, after its steps were shown. The first Ctrl-C ends the run with what it has, the second leaves it.

        Raises what `Library.stream` raises, and LeftRunning.
        """
        cancel = Cancel()
        with _interrupts(cancel):
            self._wait_for_last(cancel)
            self._thread, events = _start(self._session, question, cancel)
            answer = self._show(events, cancel)
        self._terminal.status("")
        return answer

    def _show(self, events: SimpleQueue[Any], cancel: Cancel) -> Answer:
        began, signs, doing = time.monotonic(), cycle("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏" if self._terminal.is_unicode else "|/-\\"), ""
        with self._terminal.draft() as draft:
            while True:
                try:
                    item = events.get(timeout=_TICK_SECONDS)
                except Empty:
                    item = None
                if isinstance(item, Answer):
                    return item
                if isinstance(item, BaseException):
                    raise item
                if item is not None and item.get("event") == "token":
                    draft.add(item["text"])
                    continue
                if item is not None:
                    draft.erase()
                    doing = f"{item['node']}: {event_line(item)}"
                    print_event(self._terminal, item)
                if draft.is_empty:
                    told = "stopping" if cancel.is_set else doing
                    self._terminal.status(f"{next(signs)} {time.monotonic() - began:.0f} s  {told}")

    def _wait_for_last(self, cancel: Cancel) -> None:
        while self._thread is not None and self._thread.is_alive():
            if cancel.is_set:
                raise LeftRunning
            self._terminal.status("waiting for the end of the question before")
            self._thread.join(_TICK_SECONDS)


def _start(session: Session, question: str, cancel: Cancel) -> tuple[threading.Thread, SimpleQueue[Any]]:
    """The thread of a run, and the queue of its events; the last is the Answer, or an exception."""
    events: SimpleQueue[Event | Answer | BaseException] = SimpleQueue()

    def work() -> None:
        try:
            for item in session.stream(question, cancel):
                events.put(item)
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that shows it
            events.put(error)

    thread = threading.Thread(target=work, name="agentvid-ask", daemon=True)
    thread.start()
    return thread, events


@contextmanager
def _interrupts(cancel: Cancel) -> Iterator[None]:
    """Ctrl-C sets `cancel`; a second one raises LeftRunning."""

    def interrupt(*_: object) -> None:
        if cancel.is_set:
            raise LeftRunning
        cancel.set()

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
