"""Binding the port, and running the server until it is told to end."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import uvicorn

from agentvid.library import Library
from agentvid.listening import base_url, bind, check_access
from agentvid.serve.app import make_app
from agentvid.serve.connections import Connection
from agentvid.serve.context import Context, Options
from agentvid.serve.logs import told
from agentvid.serve.presence import present

#: Open streams get so long to end after Ctrl-C.
_GRACE_SECONDS = 1


class Running(uvicorn.Server):
    """A server for one library on a listening socket, at `url`. `run` serves until a signal, or `stop`."""

    def __init__(self, library: Library, options: Options, listening: socket.socket) -> None:
        options = replace(options, port=listening.getsockname()[1])
        self.url = base_url(options.host, options.port)
        self.context = Context(library, options)
        self._listening = listening
        config = uvicorn.Config(
            make_app(self.context),
            http=Connection,
            ws="none",
            loop="asyncio",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
            lifespan="on",
        )
        super().__init__(config)

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        super().run(sockets=sockets or [self._listening])

    def stop(self) -> None:
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.context.stopping.set()
        await super().shutdown(sockets)


def serve(library: Library, options: Options, *, started: Callable[[str], None], tell: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; `started` is told the base URL, `tell` gets a line for every error inside.

    Raises UsageError for options that are not safe, AgentvidError for a port that is in use.
    """
    check_access(options.host, options.token)
    with closing(bind(options.host, options.port)) as listening:
        server = Running(library, options, listening)
        with present(library.catalogue.directory, server.url), told(tell, options.token, options.ticket):
            started(server.url)
            server.run()
