"""Final Cut Pro's XML, version 1.9: a project with the spans one after the other; also for DaVinci Resolve.

Written here: the adapter of OpenTimelineIO for it is not in its core, and knows no assets without a file on this disk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import BinaryIO
from urllib.parse import quote
from xml.etree import ElementTree

from agentvid.exports.base import EVERYTHING, Format, Item, LeftOut, Material, Source, one_line, utf8
from agentvid.exports.timecode import edit_rate, frames_of, is_drop_frame


def _write(material: Material, file: BinaryIO) -> list[LeftOut]:
    root = ElementTree.Element("fcpxml", version="1.9")
    resources = ElementTree.SubElement(root, "resources")
    usable = [item for item in material.items if material.source(item).file is not None]
    assets = {
        video_id: _asset(resources, number, material.videos[video_id])
        for number, video_id in enumerate(dict.fromkeys(item.video_id for item in usable), 1)
    }
    if usable:
        event = ElementTree.SubElement(ElementTree.SubElement(root, "library"), "event", name="agentvid")
        project = ElementTree.SubElement(event, "project", name=_words(material.title)[:100])
        _sequence(project, material, usable, assets)
    ElementTree.indent(root)
    document = ElementTree.tostring(root, encoding="unicode")
    file.write(utf8(f'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE fcpxml>\n{document}\n'))
    return [LeftOut(item.id, material.source(item).problem) for item in material.items if item not in usable]


def _sequence(
    project: ElementTree.Element, material: Material, items: Sequence[Item], assets: Mapping[str, tuple[str, str]]
) -> None:
    """The items one after the other; `assets`: the ids of asset and format by video."""
    record_rate = edit_rate(material.source(items[0]))
    code = "DF" if is_drop_frame(record_rate) else "NDF"
    sequence = ElementTree.SubElement(
        project, "sequence", format=assets[items[0].video_id][1], tcStart="0s", tcFormat=code
    )
    spine = ElementTree.SubElement(sequence, "spine")
    record = 0
    for item in items:
        source = material.source(item)
        rate = edit_rate(source)
        first, end = frames_of(item.span, rate)
        length = max(1, round((end - first) / rate * record_rate))
        clip = ElementTree.SubElement(
            spine,
            "asset-clip",
            ref=assets[item.video_id][0],
            name=_words(source.title),
            offset=_time(record, record_rate),
            start=_time(first, rate),
            duration=_time(length, record_rate),
        )
        if words := _words(item.text):
            ElementTree.SubElement(clip, "note").text = words
        record += length
    sequence.set("duration", _time(record, record_rate))


def _asset(resources: ElementTree.Element, number: int, source: Source) -> tuple[str, str]:
    """(id of the asset, id of its format)"""
    rate = edit_rate(source)
    asset_id, format_id = f"a{number}", f"f{number}"
    ElementTree.SubElement(resources, "format", id=format_id, frameDuration=_time(1, rate))
    asset = ElementTree.SubElement(
        resources,
        "asset",
        id=asset_id,
        name=_words(source.title),
        start="0s",
        duration=_time(round(Fraction(source.duration_seconds) * rate), rate),
        hasVideo="1",
        format=format_id,
    )
    if source.has_audio:
        asset.set("hasAudio", "1")
        asset.set("audioSources", "1")
    # Where paths are not told, a name beside the project: editors ask for the file.
    where = source.path.absolute().as_uri() if source.path is not None else "./" + quote(source.title)
    ElementTree.SubElement(asset, "media-rep", kind="original-media", src=where)
    return asset_id, format_id


def _time(frames: int, rate: Fraction) -> str:
    """So many frames in seconds, as a fraction: editors accept whole frames only."""
    seconds = frames / rate
    return f"{seconds.numerator}/{seconds.denominator}s" if seconds.denominator > 1 else f"{seconds.numerator}s"


def _words(text: str) -> str:
    """One line without what XML 1.0 cannot hold, escaped or not."""
    return "".join(c for c in one_line(text) if c >= " " and c not in "\ufffe\uffff" and not "\ud800" <= c <= "\udfff")


FORMAT = Format(
    name="fcpxml",
    suffix=".fcpxml",
    media_type="application/xml",
    about="Final Cut Pro XML 1.9: a project with the spans one after the other",
    subjects=EVERYTHING,
    write=_write,
)
