"""ETags of the page and of what is read of the library: who has it already is told so (304) and spared the rest.

What is made of the catalogue alone is tagged by its generation, and then not even made again. What also tells of files
on the disk, which change without the catalogue, is tagged by its bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from agentvid.serve.context import Context
from agentvid.serve.ranges import is_known

UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "It is what the caller has"}}
_CACHED = "private, no-cache"  # kept, and asked for each time


class _Known(Exception):
    """The caller has what it asks for."""

    def __init__(self, etag: str) -> None:
        super().__init__(etag)
        self.etag = etag


class TaggedRoute(APIRoute):
    """Its documents have an ETag: the one that `by_generation` gave them, else that of their bytes."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()

        async def tagged(request: Request) -> Response:
            try:
                return unless_known(request, await answer(request))
            except _Known as known:
                return _not_modified(known.etag)

        return tagged


def by_generation(context: Context) -> Callable[[Request, Response], None]:
    """A dependency of routes whose documents are made of the catalogue and the request alone."""

    def check(request: Request, response: Response) -> None:
        etag = f'"{context.run}-{context.library.catalogue.generation}"'
        asked = request.headers.get("if-none-match", "")
        if asked.strip() != "*" and is_known(asked, etag):  # whether there is anything at all is not known yet
            raise _Known(etag)
        response.headers["ETag"] = etag

    return check


def unless_known(request: Request, response: Response) -> Response:
    """The whole response with its ETag, or 304 for a caller that names it."""
    if response.status_code != 200:
        return response
    etag = response.headers.setdefault("ETag", f'"{hashlib.sha256(bytes(response.body)).hexdigest()[:32]}"')
    response.headers.setdefault("Cache-Control", _CACHED)
    return _not_modified(etag) if is_known(request.headers.get("if-none-match", ""), etag) else response


def _not_modified(etag: str) -> Response:
    return Response(status_code=304, headers={"ETag": etag, "Cache-Control": _CACHED})
