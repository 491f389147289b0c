"""`agentvid mcp`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from agentvid.cli.output import log_plainly, note
from agentvid.cli.state import Model
from agentvid.errors import MissingDependency, UsageError
from agentvid.listening import read_token

DEFAULT_PORT = 8643
_TRANSPORTS = ("stdio", "http")


def mcp(
    context: typer.Context,
    transport: Annotated[str, typer.Option(metavar="HOW", help="stdio, or http.")] = "stdio",
    host: Annotated[str, typer.Option(metavar="HOST", help="http: address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="PORT", help="http: port; 0 takes a free one.", min=0, max=65535)
    ] = DEFAULT_PORT,
    token: Annotated[
        str | None,
        typer.Option(metavar="FILE|new", help="http: ask for this token: in a file, or a new one.", show_default=False),
    ] = None,
    hosts: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host", metavar="NAME", help="http: another name of this server; may repeat.", show_default=False
        ),
    ] = None,
    folders: Annotated[
        list[Path] | None,
        typer.Option(
            "--allow-index", metavar="DIR", help="Let clients index files below; may repeat.", show_default=False
        ),
    ] = None,
    model: Model = None,
) -> None:
    """Serve the library to agents over the Model Context Protocol, until the client closes it or Ctrl-C.

    On stdio a client starts this command itself; docs/mcp.md shows how to tell it.

    Example: agentvid mcp --transport http --allow-index ~/films
    """
    if transport not in _TRANSPORTS:
        raise UsageError(f"--transport {transport!r} is not allowed; allowed: {', '.join(_TRANSPORTS)}")
    try:
        from agentvid.adapters.mcp import serve_stdio
        from agentvid.adapters.mcp_http import Access, serve_http
    except ModuleNotFoundError as error:
        package = (error.name or "mcp").partition(".")[0]
        raise MissingDependency(f"{package} is not installed", hint="pip install 'agentvid[mcp]'") from None
    log_plainly()
    if transport == "stdio":
        if token or hosts:
            raise UsageError(
                "--token and --allow-host need --transport http", hint="on stdio only the client can speak"
            )
        if sys.stdin.isatty():
            note("waiting for an MCP client on stdin; docs/mcp.md shows how clients start this; Ctrl-C ends it")
        with context.obj.open(create=True, flags={"model": model}) as library:
            serve_stdio(library, allow_index=folders or ())
        return
    secret = read_token(token) if token else ""

    def started(url: str) -> None:
        note(f"serving {context.obj.load().settings.library} to MCP clients: {url} (Ctrl-C ends it)")
        if token == "new":
            note(f"token: {secret}")

    access = Access(host, port, secret, tuple(hosts or ()))
    with context.obj.open(create=True, flags={"model": model}) as library:
        serve_http(library, access, allow_index=folders or (), started=started)
