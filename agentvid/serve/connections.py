"""HTTP/1.1 connections with limits: how many there are, and how long one may take to say what it wants."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_CONNECTIONS = 32
HEADER_SECONDS = 10.0


class Connection(H11Protocol):
    """One connection. The oldest that asks for nothing makes room for a new one; if all are busy, the new one goes."""

    _header_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        others = sorted(
            (other for other in self.connections if isinstance(other, Connection)), key=lambda other: other.since
        )
        self.since = self.loop.time()
        super().connection_made(transport)
        if len(others) >= MAX_CONNECTIONS:
            idle = next((other for other in others if other.is_idle), None)
            (idle or self).transport.abort()
        self._wait_for_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    @property
    def is_idle(self) -> bool:
        """Whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def handle_events(self) -> None:
        super().handle_events()
        if not self.is_idle:
            self._stop_waiting()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.is_idle and not self.transport.is_closing():
            self._wait_for_headers()

    def _wait_for_headers(self) -> None:
        self._stop_waiting()
        self._header_timer = self.loop.call_later(HEADER_SECONDS, self._expire)

    def _stop_waiting(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _expire(self) -> None:
        if self.is_idle:
            self.transport.abort()
