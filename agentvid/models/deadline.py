"""A call that ends in time, whatever it waits for."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def within(seconds: float, call: Callable[[], T]) -> T:
    """`call()`, or TimeoutError after `seconds`: a client's own timeout starts anew with each byte that arrives.

    The abandoned thread is a daemon and ends with its connection.
    """
    outcome: Future[T] = Future()

    def work() -> None:
        try:
            outcome.set_result(call())
        except BaseException as error:  # noqa: BLE001 - raised again in the waiting thread
            outcome.set_exception(error)

    context = contextvars.copy_context()  # LangGraph's tracing travels in it
    threading.Thread(target=context.run, args=(work,), name="agentvid-chat", daemon=True).start()
    return outcome.result(timeout=max(seconds, 0.0))
