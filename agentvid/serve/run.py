"""Binding the port, and running the server until it is told to end."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import uvicorn

from agentvid.library import Library
from agentvid.listening import base_url, bind, check_access
from agentvid.serve.app import make_app
from agentvid.serve.connections import Connection
from agentvid.serve.context import Context, Options
from agentvid.serve.presence import present

#: Open streams get so long to end after Ctrl-C.
_GRACE_SECONDS = 1


def serve(library: Library, options: Options, *, started: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; `started` is told the base URL.

    Raises UsageError for options that are not safe and for a port that cannot be bound.
    """
    check_access(options.host, options.token)
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
        url = base_url(options.host, options.port)
        with present(library.catalogue.directory, url):
            started(url)
            uvicorn.Server(config).run(sockets=[listening])
