"""What the exhaustive scans of a run looked at: what "none", "all" and "how many" rest on, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from agentvid.text import clean_text, time_range, timestamp
from agentvid.tools.base import Scan, ToolContext
from agentvid.tools.intervals import total_seconds
from agentvid.types import FACT, FRAME, Gap, Moment, Span, Video

MAX_NAMED = 3

Places = Mapping[str, Sequence[Span]]


@dataclass(frozen=True, slots=True)
class Examined:
    """`where` names `videos` with something to read: "2 videos (15:00 in all; tracks: ocr in 1 of 2, speech)".

    `unread`: what could not be looked at, or "". `share`: the part of the seconds asked for in which there was
    something to read, 0 to 1. `left`: places that fit and did not enter a list that was full.
    """

    videos: int
    where: str
    unread: str
    share: float
    left: int

    def sentence(self, found: Sequence[Moment]) -> str:
        """For after a positive answer that rests on the moments `found`."""
        places = len({moment.video_id for moment in found})
        held = f"; what was found lies in {places} of them" if self.videos > 1 else ""
        return f"Every passage of {self.where} was compared{held}{self.unread}."

    @property
    def note(self) -> str:
        """Why the list is not whole, "" if it is."""
        return f"list_all: its list was full; {self.left} further places that fit were left out" if self.left else ""


def examined(context: ToolContext) -> Examined | None:
    """All scans of the run taken together; None if nothing was looked at in full.

    Rows of frames hold no text but their time: they are searched by their vectors, and no scan can deny what they show.
    """
    scans = context.ledger.scans
    places = _places(context, scans)
    if not places:
        return None
    wanted = frozenset[str]() if any(not s.where.tracks for s in scans) else {t for s in scans for t in s.where.tracks}
    held = context.catalogue.track_holders(places)
    holders = {t: n for t, n in held.items() if t != FRAME and (not wanted or t in wanted)}
    silent = _silent(context, places, holders, wanted)
    seconds = {video_id: total_seconds(spans) for video_id, spans in places.items()}
    read = sum(length for video_id, length in seconds.items() if video_id not in silent)
    count = len(places) - len(silent)
    tracks = ", ".join(_held(track, number, len(places)) for track, number in holders.items())
    return Examined(
        videos=count,
        where=f"{count} video{'s' if count != 1 else ''} ({timestamp(read)} in all; tracks: {tracks or 'none'})",
        unread=_unread(context, places, silent, wanted),
        share=read / sum(seconds.values()),
        left=max(scan.left for scan in scans),
    )


def _places(context: ToolContext, scans: Iterable[Scan]) -> Places:
    """The spans of each video that were asked for."""
    places: dict[str, list[Span]] = {}
    for scan in scans:
        for video_id in scan.where.video_ids:
            whole = context.scope[video_id].span
            span = whole.intersection(scan.where.within) if scan.where.within else whole
            if span:
                places.setdefault(video_id, []).append(span)
    return places


def _silent(
    context: ToolContext, places: Places, holders: Mapping[str, int], wanted: Iterable[str]
) -> Mapping[str, Video]:
    """Videos in which there was nothing to read; measured facts tell nothing about what is said or shown."""
    reading = [track for track in holders if track != FACT or track in wanted]
    if max((holders[track] for track in reading), default=0) == len(places):
        return {}
    tracks = {summary.video.id: summary.tracks for summary in context.catalogue.summaries()}
    return {
        video_id: context.scope[video_id] for video_id in places if not tracks.get(video_id, {}).keys() & set(reading)
    }


def _held(track: str, number: int, videos: int) -> str:
    name = clean_text(track, limit=40)
    return name if number == videos else f"{name} in {number} of {videos}"


def _unread(context: ToolContext, places: Places, silent: Mapping[str, Video], wanted: Iterable[str]) -> str:
    """Videos without text, and spans that a track should have read and did not."""
    gaps = [
        gap
        for gap in context.catalogue.gaps(list(places))
        if (not wanted or gap.track in wanted) and _concerns(gap, context.scope[gap.video_id], places[gap.video_id])
    ]
    parts = [f"{_name(video)} (nothing to read)" for video in silent.values()]
    parts += [_failed(gap, context.scope[gap.video_id]) for gap in gaps if gap.video_id not in silent]
    named = ", ".join(parts[:MAX_NAMED]) + (f" and {len(parts) - MAX_NAMED} more" if len(parts) > MAX_NAMED else "")
    return f"; not examined: {named}" if parts else ""


def _concerns(gap: Gap, video: Video, spans: Sequence[Span]) -> bool:
    """True if a gap lies in what was asked for; that of a file cut short lies behind its end."""
    return video.span in spans or any(gap.span.overlaps(span) for span in spans)


def _failed(gap: Gap, video: Video) -> str:
    place = time_range(gap.span.start_seconds, gap.span.end_seconds)
    return f"{clean_text(gap.track, limit=40)} of {_name(video)} at {place} ({clean_text(gap.reason, limit=120)})"


def _name(video: Video) -> str:
    return clean_text(PurePath(video.name).name, limit=120)
