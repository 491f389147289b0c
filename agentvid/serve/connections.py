"""HTTP/1.1 connections with limits: how many there are, and how long one may take to say what it wants."""

from __future__ import annotations

import asyncio

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from agentvid.serve.context import Waits
from agentvid.serve.errors import problem

MAX_CONNECTIONS = 32
#: More than this are not even told that there are too many.
_MOST_TOLD = 2 * MAX_CONNECTIONS


class Connection(H11Protocol):
    """One connection. Of too many the one that is idle the longest goes; if none is, the new one is told so."""

    waits = Waits()
    _timer: asyncio.TimerHandle | None = None
    #: Since when it does nothing: no request is being answered, or its reader takes nothing. None while it is busy.
    _idle_since: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        others = [other for other in self.connections if isinstance(other, Connection)]
        super().connection_made(transport)
        self._wait()
        if len(others) < MAX_CONNECTIONS:
            return
        waiting = [other for other in others if other._can_go()]
        if waiting:
            min(waiting, key=lambda other: other._idle_since or 0.0).transport.abort()
        elif len(others) < _MOST_TOLD:
            self.app = _too_many
        else:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        super().handle_events()
        if self._is_answering():
            self._stop_timer()
            if not self.flow.write_paused:  # a pipelined request waits for a reader that takes nothing
                self._idle_since = None

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self._is_answering() and not self.transport.is_closing():
            self._wait()

    def pause_writing(self) -> None:
        self._idle_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        self._idle_since = None if self._is_answering() else self._idle_since
        super().resume_writing()

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _can_go(self) -> bool:
        if self._idle_since is None or self.transport.is_closing():
            return False
        idle_seconds = self.loop.time() - self._idle_since
        if self._is_answering():
            return idle_seconds > self.waits.stall_seconds
        return self.cycle is not None or idle_seconds > self.waits.grace_seconds

    def _wait(self) -> None:
        self._stop_timer()
        self._idle_since = self.loop.time()
        self._timer = self.loop.call_later(self.waits.header_seconds, self._expire)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        if not self._is_answering():
            self.transport.abort()


def connections_with(waits: Waits) -> type[Connection]:
    """The protocol of a server that waits so long."""
    return type("Connection", (Connection,), {"waits": waits})


async def _too_many(scope: Scope, receive: Receive, send: Send) -> None:
    response = problem(503, "there are too many connections", "close some, or try later")
    response.headers["Connection"] = "close"
    await response(scope, receive, send)
