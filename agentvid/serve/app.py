"""The application: routes of the API and of the media, the page, and the guards around them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from importlib.resources.abc import Traversable

from fastapi import Depends, FastAPI, Request
from fastapi.responses import Response
from starlette.types import ASGIApp

from agentvid import __version__
from agentvid.serve import asking, exporting, jobs, media, reading
from agentvid.serve.context import Context
from agentvid.serve.errors import RESPONSES, Refused, add_handlers
from agentvid.serve.guards import Guards
from agentvid.serve.tags import unless_known

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
    ".json": "application/json",
}


def make_app(context: Context) -> ASGIApp:
    """Everything that answers requests for one library."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        context.end()

    app = FastAPI(
        title="agentvid",
        version=__version__,
        openapi_url="/api/openapi.json",
        # The pages that FastAPI would serve load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        responses=RESPONSES,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    add_handlers(app)
    for router in (
        reading.routes(context),
        asking.routes(context),
        exporting.routes(context),
        jobs.routes(context),
        media.routes(context),
    ):
        app.include_router(router, dependencies=[Depends(context.check_library)])
    _add_page(app)
    return Guards(app, context.options)


def _add_page(app: FastAPI) -> None:
    """One page for `/` and `/v/VIDEO_ID`, and the files beside it, which are looked up by name in a list."""
    folder = files("agentvid.serve") / "static"

    @app.get("/", include_in_schema=False)
    @app.get("/v/{video_id}", include_in_schema=False)
    def page(request: Request) -> Response:
        return _static(request, folder, "index.html")

    @app.get("/static/{name:path}", include_in_schema=False)
    def static(request: Request, name: str) -> Response:
        return _static(request, folder, name)


def _static(request: Request, folder: Traversable, name: str) -> Response:
    known = _files(folder)
    if name not in known:
        raise Refused(404, "there is nothing here", "")
    suffix = name[name.rfind(".") :]
    headers = {"Content-Type": _TYPES.get(suffix, "application/octet-stream"), "Cache-Control": "no-cache"}
    return unless_known(request, Response(known[name].read_bytes(), headers=headers))


def _files(folder: Traversable, prefix: str = "") -> dict[str, Traversable]:
    """Every file of the page by its name with slashes."""
    if not folder.is_dir():
        return {}
    found: dict[str, Traversable] = {}
    for item in folder.iterdir():
        if item.is_dir():
            found |= _files(item, f"{prefix}{item.name}/")
        else:
            found[f"{prefix}{item.name}"] = item
    return found
