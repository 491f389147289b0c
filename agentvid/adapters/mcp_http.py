"""MCP over streamable HTTP: loopback unless there is a token; Host and Origin must be this server's own."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from mcp.server.transport_security import TransportSecuritySettings
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from agentvid.adapters.mcp import make_server
from agentvid.library import Library
from agentvid.listening import (
    LOOPBACK_NAMES,
    MAX_BODY_BYTES,
    base_url,
    bind,
    check_access,
    is_loopback,
    same_secret,
    server_config,
)

PATH = "/mcp"


@dataclass(frozen=True, slots=True)
class Access:
    """Where to listen and who may come. `token` "": none is asked for; `hosts` are more names of this server."""

    host: str = "127.0.0.1"
    port: int = 0
    token: str = ""
    hosts: tuple[str, ...] = ()


def serve_http(
    library: Library,
    access: Access,
    *,
    allow_index: Sequence[str | Path] = (),
    started: Callable[[str], None],
) -> None:
    """Serve until SIGINT or SIGTERM; `started` is told the URL for clients.

    Raises UsageError for access that is not safe and a port that cannot be bound.
    """
    check_access(access.host, access.token)
    with closing(bind(access.host, access.port)) as listening:
        port = listening.getsockname()[1]
        app: ASGIApp = make_server(library, allow_index=allow_index).streamable_http_app(
            streamable_http_path=PATH,
            host=access.host,
            max_request_body_size=MAX_BODY_BYTES,
            transport_security=_own_names(access, port),
        )
        if access.token:
            app = Bearer(app, access.token)
        started(base_url(access.host, port) + PATH)
        uvicorn.Server(server_config(app)).run(sockets=[listening])


def _own_names(access: Access, port: int) -> TransportSecuritySettings:
    """The values of Host and Origin that are this server: a page whose name is made to point here has another one."""
    names = {*LOOPBACK_NAMES, access.host, *access.hosts}
    if not is_loopback(access.host):
        names |= {socket.gethostname(), *_addresses()}
    hosts = [f"[{name}]:{port}" if ":" in name else f"{name}:{port}" for name in sorted(names)]
    return TransportSecuritySettings(allowed_hosts=hosts, allowed_origins=[f"http://{host}" for host in hosts])


def _addresses() -> set[str]:
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(socket.gethostname(), None)}
    except OSError:
        return set()


class Bearer:
    """Lets nobody in without the token, before anything of the request is read."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._is_known(Headers(scope=scope)):
            body = json.dumps({"error": "a token is needed", "hint": "send Authorization: Bearer TOKEN"}).encode()
            headers = [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
                (b"www-authenticate", b"Bearer"),
            ]
            await send({"type": "http.response.start", "status": 401, "headers": headers})
            await send({"type": "http.response.body", "body": body})
            return
        await self._app(scope, receive, send)

    def _is_known(self, headers: Headers) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and same_secret(given.strip(), self._token)
