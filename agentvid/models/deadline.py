"""A call that ends in time, or when somebody ends it, whatever it waits for."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")
#: How often who waits looks whether it is still wanted.
_LOOK_SECONDS = 0.05


def within(seconds: float, call: Callable[[], T], *, is_over: Callable[[], bool] | None = None) -> T:
    """`call()`, or TimeoutError after `seconds`: a client's own timeout starts anew with each byte that arrives.

    TimeoutError too as soon as `is_over()` is true.

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
    if is_over is None:
        return outcome.result(timeout=max(seconds, 0.0))
    deadline = time.monotonic() + seconds
    while not is_over():
        left = deadline - time.monotonic()
        try:
            return outcome.result(timeout=max(min(left, _LOOK_SECONDS), 0.0))
        except TimeoutError:
            # The call itself may have raised one.
            if outcome.done() or left <= 0:
                raise
    raise TimeoutError
