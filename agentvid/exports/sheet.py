"""A contact sheet: a row of stills for each span, with its times, as one JPEG."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np

from agentvid.errors import MediaError
from agentvid.exports.base import Format, LeftOut, Material
from agentvid.exports.stills import stills_of
from agentvid.exports.telling import place_of, short_id
from agentvid.exports.vtt import clock
from agentvid.media.cut import encoded
from agentvid.media.types import Frame, Image
from agentvid.watch.drawing import burn_label, resized

_COLUMNS, _CELL, _GAP, _HEADER = 4, (320, 180), 4, 26
#: JPEG ends at 65,535 pixels; people long before.
_MOST_ROWS = 100


def _write(material: Material, file: BinaryIO) -> list[LeftOut]:
    """Raises MediaError if no span has a picture."""
    stills, left_out = stills_of(material, each=_COLUMNS, max_side=max(_CELL))
    shown = [item for item in material.items if item.id in stills]
    left_out += [LeftOut(item.id, f"a contact sheet has {_MOST_ROWS} rows at most") for item in shown[_MOST_ROWS:]]
    rows = [
        _row(f"{short_id(item, material)}  {place_of(item, material)}", stills[item.id]) for item in shown[:_MOST_ROWS]
    ]
    if not rows:
        raise MediaError("no picture can be shown: " + (left_out[0].reason if left_out else "there is no span"))
    file.write(encoded(np.concatenate(rows)))
    return left_out


def _row(label: str, frames: list[Frame]) -> Image:
    width, height = _CELL
    row: Image = np.full((_HEADER + height + _GAP, _COLUMNS * (width + _GAP) - _GAP, 3), 255, np.uint8)
    # The font knows ASCII only.
    row[:_HEADER] = burn_label(row[:_HEADER], label.encode("ascii", "replace").decode())
    for column, frame in enumerate(frames):
        left = column * (width + _GAP)
        cell = _fitted(burn_label(frame.image, clock(frame.seconds)))
        row[_HEADER : _HEADER + height, left : left + width] = cell
    return row


def _fitted(image: Image) -> Image:
    """In the middle of a black cell, as large as it fits, never larger than it is."""
    width, height = _CELL
    scale = min(width / image.shape[1], height / image.shape[0], 1.0)
    small = resized(image, (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))))
    cell: Image = np.zeros((height, width, 3), np.uint8)
    top, left = (height - small.shape[0]) // 2, (width - small.shape[1]) // 2
    cell[top : top + small.shape[0], left : left + small.shape[1]] = small
    return cell


FORMAT = Format(
    name="sheet",
    suffix=".jpg",
    media_type="image/jpeg",
    about="contact sheet: a row of stills with times for each span",
    subjects=frozenset({"answer", "hits", "chapters", "span"}),
    write=_write,
    is_text=False,
    needs_files=True,
)
