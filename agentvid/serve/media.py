"""The files of videos: whole or in ranges, as stills, as clips, and their tracks as subtitles."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from email.utils import formatdate
from typing import Annotated
from urllib.parse import quote

import anyio.to_thread
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response, StreamingResponse

from agentvid.media.limits import limits_of
from agentvid.media.read import frames_at
from agentvid.serve.content import Content, Contents
from agentvid.serve.context import Context
from agentvid.serve.errors import Refused
from agentvid.serve.ranges import Unsatisfiable, is_unchanged, parse_range

_BLOCK_BYTES = 256 * 1024
_TYPES = {
    "mov": "video/mp4",
    "mp4": "video/mp4",
    "matroska": "video/x-matroska",
    "webm": "video/webm",
    "ogg": "video/ogg",
}


def routes(context: Context) -> APIRouter:
    router = APIRouter(prefix="/media", tags=["media"])
    contents = Contents()

    @router.api_route("/{video_id}", methods=["GET", "HEAD"])
    def media(video_id: str, request: Request) -> Response:
        """The file, or one range of it."""
        video = context.video(video_id)
        return _file(request, contents.open(video), f'"{video.content_hash[:32]}"', "video/mp4")

    @router.get("/{video_id}/still/{milliseconds}.jpg")
    def still(
        video_id: str,
        milliseconds: Annotated[int, Path(ge=0, le=10**12)],
        width: Annotated[int, Query(ge=16, le=1920)] = 320,
    ) -> Response:
        """The frame that is shown at a time."""
        video = context.video(video_id)
        contents.open(video).close()
        from pathlib import Path as File

        (frame,) = frames_at(
            File(video.paths[0]), [milliseconds / 1000], max_side=width, limits=limits_of(context.library.settings)
        )
        import cv2

        _, data = cv2.imencode(".jpg", frame.image[:, :, ::-1])
        return Response(data.tobytes(), media_type="image/jpeg", headers={"Cache-Control": "private, max-age=86400"})

    @router.get("/{video_id}/clip.mp4")
    def clip(video_id: str, start: float, end: float) -> Response:
        """The exact seconds, as a file of their own."""
        context.video(video_id)
        raise Refused(503, "clips are not made by this version", "")

    @router.get("/{video_id}/{track}.vtt")
    def subtitles(video_id: str, track: str) -> Response:
        """A track as WebVTT; `chapters` are the chapters."""
        video = context.video(video_id)
        catalogue = context.library.catalogue
        if track == "chapters":
            cues = [(s.span, s.title or s.text) for s in catalogue.sections(video.id) if s.level == "chapter"]
        else:
            cues = [(row.span, row.text) for row in catalogue.observations(video.id, tracks=[track])]
        lines = ["WEBVTT", ""]
        for span, text in cues:
            lines += [f"{_clock(span.start_seconds)} --> {_clock(span.end_seconds)}", _cue_text(text), ""]
        return Response("\n".join(lines), media_type="text/vtt")

    return router


def _clock(seconds: float) -> str:
    whole = round(seconds * 1000)
    return f"{whole // 3_600_000:02d}:{whole // 60_000 % 60:02d}:{whole // 1000 % 60:02d}.{whole % 1000:03d}"


def _cue_text(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _file(request: Request, content: Content, etag: str, media_type: str) -> Response:
    headers = {
        "Accept-Ranges": "bytes",
        "ETag": etag,
        "Last-Modified": formatdate(int(content.modified_seconds), usegmt=True),
        "Cache-Control": "private, no-cache",
        "Content-Type": media_type,
    }
    asked = request.headers.get("range", "")
    unless = request.headers.get("if-range")
    part = None
    try:
        if asked and (unless is None or is_unchanged(unless, etag, content.modified_seconds)):
            part = parse_range(asked, content.size)
    except Unsatisfiable:
        content.close()
        error = Refused(416, f"the range {asked!r} is outside of {content.size} bytes", "ask for less")
        raise error from None
    if part is None:
        first, count, status = 0, content.size, 200
    else:
        first, count, status = part.first, part.size, 206
        headers["Content-Range"] = f"bytes {part.first}-{part.last}/{content.size}"
    headers["Content-Length"] = str(count)
    if request.method == "HEAD":
        content.close()
        return Response(status_code=status, headers=headers)
    return StreamingResponse(_blocks(content, first, count), status, headers)


async def _blocks(content: Content, first: int, count: int) -> AsyncIterator[bytes]:
    try:
        while count > 0:
            block = await anyio.to_thread.run_sync(content.read, first, min(count, _BLOCK_BYTES))
            if not block:
                return
            yield block
            first, count = first + len(block), count - len(block)
    finally:
        content.close()


def disposition(name: str) -> str:
    """Content-Disposition of RFC 6266 for a download: an ASCII name for old clients, the whole one beside it."""
    clean = re.sub(r'[\x00-\x1f\x7f"\\/:*?<>|]+', "_", name).strip(". ") or "download"
    plain = clean.encode("ascii", "replace").decode().replace("?", "_")
    return f"attachment; filename=\"{plain[:150]}\"; filename*=UTF-8''{quote(clean[:150], safe='')}"
