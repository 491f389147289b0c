"""OpenTimelineIO: the spans, of any videos and at their own rates, one after the other with their quotes as markers."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, BinaryIO
from urllib.parse import quote

from agentvid.errors import MissingDependency
from agentvid.exports.base import EVERYTHING, Format, Item, LeftOut, Material, Source, one_line, utf8
from agentvid.exports.timecode import edit_rate, frames_of


def _write(material: Material, file: BinaryIO) -> list[LeftOut]:
    try:
        import opentimelineio
    except ModuleNotFoundError:
        raise MissingDependency("OpenTimelineIO is not installed", hint="pip install 'agentvid[otio]'") from None
    timeline = opentimelineio.schema.Timeline(name=_words(material.title))
    track = opentimelineio.schema.Track(name="evidence", kind=opentimelineio.schema.TrackKind.Video)
    timeline.tracks.append(track)
    for item in material.items:
        track.append(_clip(opentimelineio, item, material.source(item)))
    file.write(utf8(opentimelineio.adapters.write_to_string(timeline, "otio_json")) + b"\n")
    return []


def _clip(otio: Any, item: Item, source: Source) -> Any:
    rate = edit_rate(source)
    first, end = frames_of(item.span, rate)

    def frames(start: int, length: int) -> Any:
        at = (otio.opentime.RationalTime(value, float(rate)) for value in (start, length))
        return otio.opentime.TimeRange(*at)

    available = frames(0, max(end, round(Fraction(source.duration_seconds) * rate)))
    if source.file is None:
        reference = otio.schema.MissingReference(name=_words(source.title), available_range=available)
    else:
        url = source.path.absolute().as_uri() if source.path is not None else quote(source.title)
        reference = otio.schema.ExternalReference(target_url=url, available_range=available)
    exact = {
        "id": item.id,
        "video_id": item.video_id,
        "track": item.track,
        "start_seconds": item.span.start_seconds,
        "end_seconds": item.span.end_seconds,
        "problem": source.problem,
    }
    clip = otio.schema.Clip(_words(source.title), reference, frames(first, end - first), metadata={"agentvid": exact})
    if words := _words(item.text):
        clip.markers.append(otio.schema.Marker(name=words, marked_range=frames(first, end - first)))
    return clip


def _words(text: str) -> str:
    """One line; its strings are UTF-8 and know no lone surrogates."""
    return one_line(text).encode("utf-8", "replace").decode()


FORMAT = Format(
    name="otio",
    suffix=".otio",
    media_type="application/json",
    about="OpenTimelineIO: the spans of several videos at their own rates",
    subjects=EVERYTHING,
    write=_write,
    extra="otio",
)
