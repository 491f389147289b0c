"""The formats by name, and the one function that writes them."""

from __future__ import annotations

import io
from typing import BinaryIO

from agentvid.errors import UsageError
from agentvid.exports import clips, edl, fcpxml, html, jsonl, markdown, otio, sheet, srt, vtt, webannotation, youtube
from agentvid.exports.base import Format, LeftOut, Material
from agentvid.types import Json

EXPORTS: dict[str, Format] = {
    one.name: one
    for one in (
        jsonl.FORMAT,
        markdown.FORMAT,
        html.FORMAT,
        webannotation.FORMAT,
        edl.FORMAT,
        otio.FORMAT,
        fcpxml.FORMAT,
        sheet.FORMAT,
        clips.FORMAT,
        vtt.FORMAT,
        srt.FORMAT,
        youtube.FORMAT,
    )
}


def find_format(name: str) -> Format:
    """The format of that name. Raises UsageError."""
    found = EXPORTS.get(name)
    if found is None:
        raise UsageError(f"{name[:60]!r} is no format; allowed: {', '.join(EXPORTS)}", hint="agentvid export --list")
    return found


def write(name: str, material: Material, file: BinaryIO) -> list[LeftOut]:
    """Write the material in a format; what could not be in it is told.

    Raises UsageError if the format does not hold such material, MissingDependency, MediaError.
    """
    chosen = find_format(name)
    chosen.check(material)
    return chosen.write(material, file)


def export(name: str, material: Material) -> tuple[bytes, list[LeftOut]]:
    """The same, in memory."""
    file = io.BytesIO()
    left_out = write(name, material, file)
    return file.getvalue(), left_out


def formats_json() -> list[Json]:
    """`[{"name", "suffix", "media_type", "about", "subjects", "text", "needs_files", "extra"}]`."""
    return [
        {
            "name": one.name,
            "suffix": one.suffix,
            "media_type": one.media_type,
            "about": one.about,
            "subjects": sorted(one.subjects),
            "text": one.is_text,
            "needs_files": one.needs_files,
            "extra": one.extra,
        }
        for one in EXPORTS.values()
    ]
