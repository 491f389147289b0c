"""Binding the port, and running the server until it is told to end."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import uvicorn

from agentvid.errors import AgentvidError, UsageError
from agentvid.library import Library
from agentvid.serve.app import make_app
from agentvid.serve.connections import Connection
from agentvid.serve.context import Context, Options
from agentvid.serve.guards import check_options
from agentvid.serve.logs import told
from agentvid.serve.presence import present

#: Open streams get so long to end after Ctrl-C.
_GRACE_SECONDS = 1


class Running(uvicorn.Server):
    """A server for one library on a listening socket, at `url`. `run` serves until a signal, or `stop`."""

    def __init__(self, library: Library, options: Options, listening: socket.socket) -> None:
        options = replace(options, port=listening.getsockname()[1])
        self.url = base_url(options)
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
    check_options(options)
    with closing(bind(options.host, options.port)) as listening:
        server = Running(library, options, listening)
        with present(library.catalogue.directory, server.url), told(tell, options.token, options.ticket):
            started(server.url)
            server.run()


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises UsageError, or AgentvidError if the port is taken."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        raise UsageError(f"--host {host}: {error}", hint="allowed: an address of this machine") from None
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(64)
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise AgentvidError(
                f"port {port} of {host} is in use", hint=f"end what uses it, or choose another, as in --port {port + 1}"
            ) from None
        raise UsageError(f"cannot listen on {host} port {port}: {error.strerror}", hint="choose another") from None
    return listening


def base_url(options: Options) -> str:
    """Where a browser of this machine finds the page."""
    host = options.host if options.host not in ("0.0.0.0", "::", "") else "127.0.0.1"
    return f"http://[{host}]:{options.port}" if ":" in host else f"http://{host}:{options.port}"
