"""The files of videos: whole or in ranges, as stills, as clips, and their tracks as subtitles."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Future
from email.utils import formatdate
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response, StreamingResponse

from agentvid.exports.material import CHAPTERS
from agentvid.exports.vtt import clock, cue_text
from agentvid.serve import documents as d
from agentvid.serve.content import Content
from agentvid.serve.context import Context
from agentvid.serve.downloads import disposition
from agentvid.serve.errors import Refused
from agentvid.serve.names import name_of
from agentvid.serve.ranges import Unsatisfiable, is_known, is_unchanged, parse_range
from agentvid.text import timestamp
from agentvid.types import Span, Video

_BLOCK_BYTES = 256 * 1024
#: A request waits so long for a file that is being made.
_PATIENCE_SECONDS = 20.0
_LONGEST_CLIP_SECONDS = 3600.0
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_JPEG = {"image/jpeg": _BINARY}
_VTT = {"text/vtt": {"schema": {"type": "string"}}}
_FILE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"video/mp4": _BINARY, "video/webm": _BINARY}},
    206: {"description": "The range that was asked for", "content": {"video/mp4": _BINARY, "video/webm": _BINARY}},
    304: {"description": "It is what the caller has"},
}


def routes(context: Context) -> APIRouter:
    router = APIRouter(prefix="/media", tags=["media"])

    @router.get("/{video_id}", response_class=Response, responses=_FILE)
    @router.head("/{video_id}", include_in_schema=False)
    async def media(video_id: str, request: Request) -> Response:
        """The file, or where browsers do not play it a copy that they play; whole, or one range of it."""
        video = await run_in_threadpool(context.video, video_id)
        tag = video.content_hash[:32]
        if media_type := await run_in_threadpool(context.copies.media_type, video):
            return _file(request, await run_in_threadpool(context.contents.open, video), f'"{tag}"', media_type)
        content = await run_in_threadpool(context.copies.copy, video)
        if content is None:
            await _made(context.copies.make_copy(video), lambda: _copy_told(context.copies.progress(video)))
            content = await run_in_threadpool(context.copies.copy, video)
        if content is None:
            raise Refused(503, "the copy that browsers play is gone again", "there is too little room in the cache")
        return _file(request, content, f'"{tag}-copy"', "video/mp4")

    @router.get("/{video_id}/copy")
    def copy(video_id: str) -> d.CopyState:
        """How far the copy is that browsers play, while it is made because somebody wants to watch it."""
        progress = context.copies.progress(context.video(video_id))
        return d.CopyState(is_being_made=progress is not None, progress=round(progress or 0.0, 3))

    @router.get("/{video_id}/still/{milliseconds}.jpg", response_class=Response, responses={200: {"content": _JPEG}})
    async def still(
        video_id: str,
        milliseconds: Annotated[int, Path(ge=0, le=10**12)],
        width: Annotated[int, Query(ge=16, le=1920)] = 320,
    ) -> Response:
        """The frame that is shown at a time."""
        video = await run_in_threadpool(context.video, video_id)
        data = await run_in_threadpool(context.stills.known, video, milliseconds, width)
        if data is None:
            data = await asyncio.wrap_future(context.stills.ask(video, milliseconds, width))
        return Response(data, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=86400"})

    @router.get("/{video_id}/clip.mp4", response_class=Response, responses=_FILE)
    async def clip(
        video_id: str,
        request: Request,
        start: Annotated[float, Query(ge=0, le=d.LAST_SECOND, allow_inf_nan=False)],
        end: Annotated[float, Query(ge=0, le=d.LAST_SECOND, allow_inf_nan=False)],
    ) -> Response:
        """The exact seconds, as a file of their own to save."""
        video = await run_in_threadpool(context.video, video_id)
        span = _span_in(video, start, end)
        content = await run_in_threadpool(context.copies.clip, video, span)
        if content is None:
            await _made(context.copies.make_clip(video, span), lambda: "the clip is being made")
            content = await run_in_threadpool(context.copies.clip, video, span)
        if content is None:
            raise Refused(503, "the clip is gone again", "there is too little room in the cache")
        name = f"{FilePath(name_of(video)).stem} {timestamp(span.start_seconds)}-{timestamp(span.end_seconds)}.mp4"
        tag = f'"{video.content_hash[:32]}-{span.start_seconds:.3f}-{span.end_seconds:.3f}"'
        return _file(request, content, tag, "video/mp4", {"Content-Disposition": disposition(name)})

    @router.get("/{video_id}/{track}.vtt", response_class=Response, responses={200: {"content": _VTT}})
    def subtitles(video_id: str, track: str) -> Response:
        """A track as WebVTT; `chapters` are the chapters."""
        video = context.video(video_id)
        catalogue = context.library.catalogue
        if track == CHAPTERS:
            chapters = [part for part in catalogue.sections(video.id) if part.level == "chapter"]
            cues = [(part.span, part.title or part.text) for part in chapters]
        else:
            cues = [(row.span, row.text) for row in catalogue.observations(video.id, tracks=[track])]
        blocks = [f"{clock(span.start_seconds)} --> {clock(span.end_seconds)}\n{cue_text(text)}" for span, text in cues]
        return Response("\n\n".join(["WEBVTT", *blocks]) + "\n", media_type="text/vtt")

    return router


def _copy_told(progress: float | None) -> str:
    return f"a copy that browsers play is being made: {int(100 * (progress or 0))} %"


async def _made(future: Future[None], told: Callable[[], str]) -> None:
    """Wait for a file, but not for ever. Raises Refused with 503 if it takes longer, and what making it raised."""
    try:
        await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(future)), _PATIENCE_SECONDS)
    except TimeoutError:
        raise Refused(503, told(), "ask again in a moment") from None


def _span_in(video: Video, start: float, end: float) -> Span:
    """The span, to the millisecond, cut at the video's end. Raises Refused with 422."""
    if start >= end or round(start, 3) >= min(round(end, 3), video.duration_seconds):
        allowed = f"0 <= start < end, start < {video.duration_seconds:g}"
        raise Refused(422, f"{start:g} to {end:g} s is no part of this video; allowed: {allowed}")
    if end - start > _LONGEST_CLIP_SECONDS:
        raise Refused(422, f"{end - start:g} s are too long for a clip; allowed: {_LONGEST_CLIP_SECONDS:g}")
    return Span(round(start, 3), min(round(end, 3), video.duration_seconds))


def _file(
    request: Request, content: Content, etag: str, media_type: str, more: Mapping[str, str] | None = None
) -> Response:
    """An open file, or what the request wants of it. Closes the file."""
    headers = {
        **(more or {}),
        "Accept-Ranges": "bytes",
        "ETag": etag,
        "Last-Modified": formatdate(int(content.modified_seconds), usegmt=True),
        "Cache-Control": "private, no-cache",
        "Content-Type": media_type,
    }
    if is_known(request.headers.get("if-none-match", ""), etag):
        content.close()
        return Response(status_code=304, headers={name: headers[name] for name in ("ETag", "Cache-Control")})
    asked = request.headers.get("range", "")
    unless = request.headers.get("if-range")
    part = None
    try:
        if asked and (unless is None or is_unchanged(unless, etag, content.modified_seconds)):
            part = parse_range(asked, content.size)
    except Unsatisfiable:
        content.close()
        size = {"Content-Range": f"bytes */{content.size}"}
        raise Refused(416, f"the range lies outside of {content.size} bytes", "ask for less", size) from None
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
            block = await run_in_threadpool(content.read, first, min(count, _BLOCK_BYTES))
            if not block:
                return
            yield block
            first, count = first + len(block), count - len(block)
    finally:
        content.close()
