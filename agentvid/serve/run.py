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
from agentvid.serve.presence import present

#: Open streams get so long to end after Ctrl-C.
_GRACE_SECONDS = 1


def serve(library: Library, options: Options, *, started: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; `started` is told the base URL.

    Raises UsageError for options that are not safe and for a port that cannot be bound.
    """
    check_options(options)
    with closing(bind(options.host, options.port)) as listening:
        options = replace(options, port=listening.getsockname()[1])
        config = uvicorn.Config(
            make_app(Context(library, options)),
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
        url = base_url(options)
        with present(library.catalogue.directory, url):
            started(url)
            uvicorn.Server(config).run(sockets=[listening])


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
