"""Every error as `{"error", "hint"}` with the status that fits; what happened inside is told on the terminal only."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from agentvid.errors import (
    AgentvidError,
    LibraryBusy,
    LibraryError,
    MediaError,
    MissingDependency,
    ModelError,
    NotFound,
)
from agentvid.serve.documents import Problem
from agentvid.serve.names import plain_line

log = logging.getLogger("agentvid.serve")
RETRY_SECONDS = 5
#: The statuses that any route may answer with, for the OpenAPI document.
RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem} for status in (400, 401, 403, 404, 409, 410, 413, 415, 416, 421, 422, 503)
}


class Refused(Exception):
    """A request that ends here: status, what was wrong and what is allowed, the way out."""

    def __init__(self, status: int, error: str, hint: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(error)
        self.status, self.error, self.hint, self.headers = status, error, hint, dict(headers or {})


def problem(status: int, error: str, hint: str = "") -> JSONResponse:
    headers = {"Retry-After": str(RETRY_SECONDS)} if status == 503 else {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    body = {"error": error, "hint": hint}
    return JSONResponse(body, status, headers | {"Cache-Control": "no-store"})


def refusal_of(error: AgentvidError) -> Refused:
    """What a caller is told of an error of ours: paths are cut to names."""
    message, hint = plain_line(str(error)), plain_line(error.hint)
    if isinstance(error, LibraryBusy):
        return Refused(503, "another process writes to the library", "try again when it has finished")
    if isinstance(error, LibraryError):
        log.error("%s - %s", error, error.hint)
        return Refused(503, "the library cannot be read", "`agentvid doctor` on the server tells what is wrong")
    if isinstance(error, NotFound):
        return Refused(404, message, hint)
    if isinstance(error, MissingDependency | ModelError):
        return Refused(503, message, hint)
    if isinstance(error, MediaError):
        return Refused(409, message, hint)
    return Refused(422, message, hint)


def add_handlers(app: FastAPI) -> None:
    @app.exception_handler(Refused)
    def refused(_: Request, error: Refused) -> JSONResponse:
        response = problem(error.status, error.error, error.hint)
        response.headers.update(error.headers)
        return response

    @app.exception_handler(AgentvidError)
    def ours(_: Request, error: AgentvidError) -> JSONResponse:
        told = refusal_of(error)
        return problem(told.status, told.error, told.hint)

    @app.exception_handler(RequestValidationError)
    def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        if first["type"] == "json_invalid":
            return problem(400, "the body is not JSON", "send one JSON object")
        where = ".".join(str(part) for part in first["loc"] if part not in ("query", "path", "body"))
        return problem(422, f"{where or 'body'}: {first['msg']}", "/api/openapi.json describes every route")

    @app.exception_handler(HTTPException)
    def http(_: Request, error: HTTPException) -> JSONResponse:
        told = "there is nothing here" if error.status_code == 404 else plain_line(str(error.detail))
        response = problem(error.status_code, told, "/api/openapi.json lists the routes")
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(Exception)
    def unexpected(_: Request, error: Exception) -> JSONResponse:
        return problem(500, f"unexpected {type(error).__name__}", "the server's terminal tells more; please report it")
