"""Things that take long to make, made once however many ask for them, by a few threads that never hold up the end."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future

from agentvid.errors import AgentvidError
from agentvid.serve.errors import Refused, refusal_of

log = logging.getLogger("agentvid.serve")
_LONGEST_QUEUE = 32


class Workshop:
    """Makes files by key; safe between threads. Its threads are daemons: the process may end while they work."""

    def __init__(self, name: str, threads: int) -> None:
        self._changed = threading.Condition()
        self._waiting: OrderedDict[str, Callable[[], None]] = OrderedDict()
        self._futures: dict[str, Future[None]] = {}
        for number in range(threads):
            threading.Thread(target=self._work, name=f"agentvid-{name}-{number}", daemon=True).start()

    def ask(self, key: str, make: Callable[[], None]) -> Future[None]:
        """Done when `make` is, which runs once for all that ask while it is not done.

        Raises Refused with 503 if too much waits. The future raises Refused.
        """
        with self._changed:
            if key in self._futures:
                return self._futures[key]
            if len(self._waiting) >= _LONGEST_QUEUE:
                raise Refused(503, "too much is being made at the moment", "ask again later")
            self._waiting[key] = make
            future = self._futures[key] = Future()
            self._changed.notify()
            return future

    def is_making(self, key: str) -> bool:
        """Whether it is being made, or waits for that."""
        with self._changed:
            return key in self._futures

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    self._changed.wait()
                key, make = self._waiting.popitem(last=False)
                future = self._futures[key]
            error: Refused | None = None
            try:
                make()
            except Refused as refused:
                error = refused
            except AgentvidError as told:
                error = refusal_of(told)
            except Exception:
                log.exception("something could not be made")
                error = Refused(409, "this could not be made", "the server's terminal tells more")
            with self._changed:
                del self._futures[key]
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)
