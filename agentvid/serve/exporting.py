"""Answers, tracks and chapters as files to save, in the formats of the registry of exports."""

from __future__ import annotations

import threading
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from agentvid.exports.base import Material
from agentvid.exports.material import CHAPTERS, Gatherer
from agentvid.exports.registry import EXPORTS, export, formats_json
from agentvid.listening import base_url
from agentvid.serve.context import Context
from agentvid.serve.documents import ExportFormats
from agentvid.serve.downloads import disposition
from agentvid.serve.errors import Refused
from agentvid.serve.names import name_of

#: Some formats decode a picture for every item.
_AT_A_TIME = 2
_FILE: dict[int | str, dict[str, Any]] = {
    200: {"content": {one.media_type: {"schema": {"type": "string", "format": "binary"}} for one in EXPORTS.values()}}
}


def routes(context: Context) -> APIRouter:
    router = APIRouter(prefix="/api", tags=["exports"])
    page = base_url(context.options.host, context.options.port)
    gatherer = Gatherer(context.library, page=page, tells_paths=False)
    slots = threading.BoundedSemaphore(_AT_A_TIME)

    @router.get("/exports")
    def formats() -> ExportFormats:
        """The formats, and what each can hold."""
        return ExportFormats.model_validate({"exports": formats_json()})

    @router.get("/answers/{trace_id}/export/{format_name}", response_class=Response, responses=_FILE)
    def answer(trace_id: str, format_name: str) -> Response:
        """The answer of a run."""
        return written(format_name, gatherer.answer(trace_id), f"answer {trace_id}")

    @router.get("/videos/{video_id}/export/{format_name}", response_class=Response, responses=_FILE)
    def video(
        video_id: str, format_name: str, track: Annotated[str, Query(min_length=1, max_length=200)] = CHAPTERS
    ) -> Response:
        """A track of a video, or its chapters."""
        found = context.video(video_id)
        material = gatherer.chapters(found.id) if track == CHAPTERS else gatherer.track(found.id, track)
        return written(format_name, material, f"{name_of(found)} {track}")

    def written(format_name: str, material: Material, name: str) -> Response:
        chosen = EXPORTS.get(format_name)
        if chosen is None:
            raise Refused(404, f"no format {format_name[:60]!r}; there are {', '.join(EXPORTS)}")
        if not slots.acquire(blocking=False):
            raise Refused(503, f"{_AT_A_TIME} files are being written", "ask again in a moment")
        try:
            data, left_out = export(format_name, material)
        finally:
            slots.release()
        headers = {
            "Content-Disposition": disposition(name + chosen.suffix),
            "Cache-Control": "no-store",
            # How many things could not be in the file; what shows no pictures goes on without a video's file.
            "Agentvid-Left-Out": str(len(left_out)),
        }
        return Response(data, media_type=chosen.media_type, headers=headers)

    return router
