"""Answers, tracks and chapters in the formats of the registry of exports."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from agentvid.serve.context import Context
from agentvid.serve.documents import ExportFormats
from agentvid.serve.errors import Refused


def routes(context: Context) -> APIRouter:
    router = APIRouter(prefix="/api", tags=["exports"])

    @router.get("/exports")
    def formats() -> ExportFormats:
        """The formats, and what each can hold."""
        return ExportFormats(exports=[])

    @router.get("/answers/{trace_id}/export/{format_name}")
    def answer(trace_id: str, format_name: str) -> Response:
        """The answer of a run, as a file to save."""
        raise Refused(404, f"no format {format_name!r}", "GET /api/exports lists them")

    @router.get("/videos/{video_id}/export/{format_name}")
    def video(video_id: str, format_name: str, track: str = "") -> Response:
        """A track or the chapters of a video, as a file to save."""
        context.video(video_id)
        raise Refused(404, f"no format {format_name!r}", "GET /api/exports lists them")

    return router
