"""Binding the port, and running the server until it is told to end."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from types import FrameType

import uvicorn

from agentvid.library import Library
from agentvid.listening import base_url, bind, check_access, server_config
from agentvid.serve.app import make_app
from agentvid.serve.connections import connections_with
from agentvid.serve.context import Context, Options
from agentvid.serve.logs import told
from agentvid.serve.presence import present


class Running(uvicorn.Server):
    """A server for one library on a listening socket, at `url`. `run` serves until a signal, or `stop`."""

    def __init__(
        self,
        library: Library,
        options: Options,
        listening: socket.socket,
        started: Callable[[str], None] = lambda url: None,
    ) -> None:
        options = replace(options, port=listening.getsockname()[1])
        self.url = base_url(options.host, options.port)
        self.context = Context(library, options)
        self._listening = listening
        self._started = started
        self.ended_by = 0
        super().__init__(server_config(make_app(self.context), http=connections_with(options.waits)))

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        super().run(sockets=sockets or [self._listening])

    def stop(self) -> None:
        self.should_exit = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # The base class would raise the signal again at the end, before others could tidy up.
        self.ended_by = sig
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._started(self.url)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.context.end()
        await super().shutdown(sockets)


def serve(library: Library, options: Options, *, started: Callable[[str], None], tell: Callable[[str], None]) -> int:
    """Serve until SIGINT or SIGTERM, and return which; `started` is told the base URL, `tell` a line of every error.

    Raises UsageError for options that are not safe, AgentvidError for a port that is in use.
    """
    check_access(options.host, options.token)
    with closing(bind(options.host, options.port)) as listening:
        server = Running(library, options, listening, started)
        with present(library.catalogue.directory, server.url), told(tell, options.token, options.ticket):
            server.run()
        return server.ended_by
