"""Each span as an mp4: in a zip, or in a folder."""

from __future__ import annotations

import io
import tempfile
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from agentvid.errors import MediaError
from agentvid.exports import vtt
from agentvid.exports.base import MOMENTS, Format, Item, LeftOut, Material
from agentvid.exports.telling import short_id
from agentvid.media.cut import clip
from agentvid.saving import safe_name
from agentvid.types import Span


def clip_name(item: Item, material: Material) -> str:
    """ "talk 12.300-15.000.mp4": tells the video and the span, and is a file name everywhere."""
    stem = Path(material.source(item).title).stem
    times = f"{item.span.start_seconds:.3f}-{item.span.end_seconds:.3f}"
    number = "" if material.subject == "span" else f"{short_id(item, material)} "
    return safe_name(f"{number}{stem}"[:80], f" {times}.mp4")


def subtitles_of(rows: Material, span: Span) -> bytes:
    """WebVTT of what a track's rows show in the span, on the clock of its clip."""
    inside = ((item, item.span.intersection(span)) for item in rows.items)
    moved = [
        replace(item, span=Span(part.start_seconds - span.start_seconds, part.end_seconds - span.start_seconds))
        for item, part in inside
        if part is not None
    ]
    file = io.BytesIO()
    vtt.FORMAT.write(replace(rows, items=tuple(moved)), file)
    return file.getvalue()


def write_folder(material: Material, folder: Path, *, overwrite: bool = False) -> list[LeftOut]:
    """Every span as a file of the folder, which is there. Raises UsageError for a file that exists, NotSaved."""
    left_out: list[LeftOut] = []
    for item in material.items:
        source = material.source(item)
        try:
            if source.file is None:
                raise MediaError(source.problem)
            target = folder / clip_name(item, material)
            clip(source.file, item.span, target, overwrite=overwrite, limits=source.limits)
        except MediaError as error:
            left_out.append(LeftOut(item.id, str(error)))
    return left_out


def _write(material: Material, file: BinaryIO) -> list[LeftOut]:
    """Raises MediaError if not one can be made."""
    left_out: list[LeftOut] = []
    # Video does not compress; one clip at a time lies on the disk.
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive, tempfile.TemporaryDirectory() as folder:
        for item in material.items:
            left_out += write_folder(replace(material, items=(item,)), Path(folder))
            for made in Path(folder).iterdir():
                archive.write(made, clip_name(item, material))
                made.unlink()
    if len(left_out) == len(material.items):
        raise MediaError("no clip can be made: " + (left_out[0].reason if left_out else "there is no span"))
    return left_out


FORMAT = Format(
    name="clips",
    suffix=".zip",
    media_type="application/zip",
    about="each span as an mp4, exact to the frame: a zip, or with -o FOLDER/ files in it",
    subjects=MOMENTS | {"chapters"},
    write=_write,
    is_text=False,
    needs_files=True,
)
