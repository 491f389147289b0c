"""The library as JSON: videos, their rows, search, threads, traces."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query

from agentvid import __version__
from agentvid.indexes.catalogue import Summary
from agentvid.indexes.spelling import spelling_json
from agentvid.library import MAX_HITS
from agentvid.serve import documents as d
from agentvid.serve.content import is_there
from agentvid.serve.context import Context
from agentvid.serve.errors import Refused
from agentvid.serve.names import name_of, plain_line
from agentvid.serve.tags import UNCHANGED, TaggedRoute, by_generation
from agentvid.text import MAX_QUERY_CHARACTERS
from agentvid.trace import read_trace
from agentvid.types import Hit, Json, Observation, Span, Video

Seconds = Annotated[float, Query(ge=0, le=d.LAST_SECOND, allow_inf_nan=False)]
TrackNames = Annotated[list[str] | None, Query(alias="track", max_length=64)]


def routes(context: Context) -> APIRouter:
    router = APIRouter(prefix="/api", tags=["library"], route_class=TaggedRoute, responses=UNCHANGED)
    of_catalogue = [Depends(by_generation(context))]
    library, catalogue = context.library, context.library.catalogue

    @router.get("/library")
    def about() -> d.LibraryDocument:
        """How much the library holds, and what this server may do."""
        total = catalogue.total()
        return d.LibraryDocument(
            videos=total.videos,
            seconds=round(total.seconds, 3),
            clips=total.clips,
            observations=total.observations,
            tracks=library.tracks(),
            notes=[plain_line(note) for note in library.notes()],
            version=__version__,
            may=d.Abilities(index=bool(context.options.folders), model=library.settings.model),
        )

    @router.get("/videos")
    def videos() -> d.Videos:
        """Every video, in the order in which they were added, and the files that failed."""
        failed = [
            d.FailedFile(
                name=plain_line(failure.path), error=plain_line(failure.message), hint=plain_line(failure.hint)
            )
            for failure in catalogue.failures()
        ]
        return d.Videos(videos=[_video_row(summary) for summary in catalogue.summaries()], failed=failed)

    @router.get("/videos/{video_id}")
    def video(video_id: str) -> d.VideoDocument:
        """One video with its shots, clips, chapters and gaps."""
        found = context.video(video_id)
        (summary,) = catalogue.summaries(found.id)
        sections = catalogue.sections(found.id)
        row = _video_row(summary).model_dump(exclude={"clips"})
        return d.VideoDocument(
            **row,
            media=d.MediaFacts(
                **{key: value for key, value in found.media.items() if key in d.MediaFacts.model_fields}
            ),
            summary=next((section.text for section in sections if section.level == "video"), ""),
            shots=[_span(shot) for shot in catalogue.shots(found.id)],
            clips=[_span(clip.span) for clip in catalogue.clips(found.id)],
            chapters=[
                d.Chapter(**section.span.to_json(), title=section.title, text=section.text)
                for section in sections
                if section.level == "chapter"
            ],
            gaps=[
                d.GapSpan(**gap.span.to_json(), track=gap.track, reason=plain_line(gap.reason))
                for gap in catalogue.gaps([found.id])
            ],
        )

    @router.get("/videos/{video_id}/observations", dependencies=of_catalogue)
    def observations(
        video_id: str,
        tracks: TrackNames = None,
        start: Annotated[Seconds, Query(alias="from")] = 0.0,
        end: Annotated[Seconds | None, Query(alias="to")] = None,
        limit: Annotated[int, Query(ge=1, le=5_000)] = 500,
        cursor: Annotated[str, Query(max_length=64)] = "",
    ) -> d.Rows:
        """Rows of tracks by their start; `next` is the cursor of the following page."""
        found = context.video(video_id)
        after = _cursor(cursor)
        end = found.duration_seconds if end is None else end
        if start >= end:
            raise Refused(422, f"from = {start:g} is not before to = {end:g}", "give a `to` that is later")
        # Rows before the cursor need not be read again; it may also be none of ours.
        first = after[0] if start < after[0] < end else start
        rows = catalogue.observations(found.id, within=Span(first, end), tracks=tracks or ())
        rows = [row for row in rows if (row.span.start_seconds, row.id) > after]
        page = rows[:limit]
        last = page[-1] if len(rows) > limit else None
        return d.Rows(rows=[_row(row) for row in page], next=f"{last.span.start_seconds!r}:{last.id}" if last else None)

    @router.get("/search", dependencies=of_catalogue)
    def search(
        q: Annotated[str, Query(min_length=1, max_length=MAX_QUERY_CHARACTERS)],
        k: Annotated[int, Query(ge=1, le=MAX_HITS)] = 10,
        videos: Annotated[list[str] | None, Query(alias="video", max_length=1_000)] = None,
        tracks: TrackNames = None,
        start: Annotated[Seconds | None, Query(alias="from")] = None,
        end: Annotated[Seconds | None, Query(alias="to")] = None,
        level: Literal["chapter", "video"] | None = None,
    ) -> d.Hits:
        """The best moments, best first; with `level` the chapters, or videos, that hold them."""
        chosen = [context.video(video).id for video in videos or ()]
        hits = library.search(q, k=k, videos=chosen, tracks=tracks or (), start=start, end=end, level=level)
        names = {hit.moment.video_id: "" for hit in hits}
        names = {video_id: name_of(catalogue.video(video_id)) for video_id in names}
        spelling = spelling_json(library.spelling(q))
        return d.Hits(query=q, spelling=spelling, hits=[_hit(hit, names[hit.moment.video_id]) for hit in hits])

    @router.get("/threads")
    def threads() -> d.Threads:
        """Conversations, the one asked last first."""
        return d.Threads(threads=[d.ThreadRow(**thread) for thread in context.names().clean(library.threads())])

    @router.get("/threads/{thread}")
    def thread(thread: str) -> d.Turns:
        """The questions and answers of a conversation."""
        return d.Turns(thread=thread, turns=context.names().clean(library.thread(thread)))

    @router.get("/traces/{trace_id}")
    def trace(trace_id: str) -> dict[str, Any]:
        """Everything that a run did."""
        found: Json = context.names().clean(read_trace(catalogue.directory, trace_id))
        return found

    return router


def _video_row(summary: Summary) -> d.VideoRow:
    video = summary.video
    return d.VideoRow(
        video_id=video.id,
        name=name_of(video),
        title=video.title,
        duration=round(video.duration_seconds, 3),
        clips=summary.clips,
        tracks=summary.tracks,
        state=summary.state,
        playable=_is_playable(video),
    )


def _is_playable(video: Video) -> bool:
    return is_there(video)


def _span(span: Span) -> d.TimeSpan:
    return d.TimeSpan(**span.to_json())


def _row(row: Observation) -> d.Row:
    return d.Row(
        **row.span.to_json(),
        id=row.id,
        track=row.track,
        text=row.text,
        confidence=round(row.confidence, 4),
        language=row.language,
    )


def _hit(hit: Hit, name: str) -> d.HitRow:
    document = hit.to_json()
    del document["video"]
    return d.HitRow(**document, name=name)


def _cursor(text: str) -> tuple[float, int]:
    """(start in seconds, id) of the last row of the page before."""
    if not text:
        return -1.0, 0
    seconds, _, row = text.partition(":")
    try:
        return float(seconds), int(row)
    except ValueError:
        raise Refused(422, f"cursor = {text!r} is not one", "give what `next` said") from None
