"""`agentvid serve`."""

from __future__ import annotations

import os
import secrets
import sys
import threading
import webbrowser
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from agentvid.cli.output import note
from agentvid.cli.state import Model
from agentvid.errors import MissingDependency, UsageError
from agentvid.listening import read_token

DEFAULT_PORT = 8642


def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(metavar="HOST", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="PORT", help="Port; 0 takes a free one.", min=0, max=65535)
    ] = DEFAULT_PORT,
    token: Annotated[
        str | None,
        typer.Option(metavar="FILE|new", help="Ask for this token: in a file, or a new one.", show_default=False),
    ] = None,
    hosts: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host", metavar="NAME", help="Another name of this server; may repeat.", show_default=False
        ),
    ] = None,
    folders: Annotated[
        list[Path] | None,
        typer.Option("--media", metavar="DIR", help="Offer files below to be indexed; may repeat.", show_default=False),
    ] = None,
    model: Model = None,
    is_opened: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
) -> None:
    """Serve the page and the JSON API of the library until Ctrl-C.

    Example: agentvid serve --open
    """
    try:
        from agentvid.serve.context import Options
        from agentvid.serve.run import serve as run
    except ModuleNotFoundError as error:
        raise MissingDependency(f"{error.name} is not installed", hint="pip install 'agentvid[serve]'") from None
    for folder in folders or ():
        if not folder.is_dir():
            raise UsageError(f"--media {folder} is no directory", hint="name a folder that holds videos")
    secret = read_token(token) if token else ""
    # A browser is started with its address as an argument, which everybody on this machine can read.
    ticket = secrets.token_urlsafe(32) if secret and is_opened else ""
    options = Options(host, port, secret, ticket, tuple(hosts or ()), tuple(folders or ()))

    with context.obj.open(create=True, flags={"model": model}) as library:

        def started(url: str) -> None:
            address = f"{url}/login?token={secret}" if secret else url
            note(f"{library.catalogue.directory} is at {address} - Ctrl-C ends it")
            if is_opened:
                # In a thread: a browser in a terminal is waited for, and waits for us.
                page = f"{url}/login?token={ticket}" if secret else url
                threading.Thread(target=webbrowser.open, args=[page], daemon=True).start()

        ended_by = run(library, options, started=started, tell=note)
    _leave(128 + ended_by)


def _leave(code: int) -> NoReturn:
    """End this process although threads may wait for a model or be in the middle of a library that is not Python.

    Nothing is half written: the catalogue has transactions, files are renamed when they are whole.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
