"""SubRip, for players that do not read WebVTT.

Not by pysubs2: its writer takes the backslashes of a text for line breaks, "C:\\new" for one.
"""

from __future__ import annotations

import re
from typing import BinaryIO

from agentvid.exports.base import EVERYTHING, Format, LeftOut, Material, one_line, utf8
from agentvid.exports.cues import cues_of
from agentvid.exports.vtt import clock

#: What players obey: `<i>` and the like, and `{\an8}`. SubRip has no escapes.
_TAG, _OVERRIDE = re.compile(r"<(?=/?[A-Za-z])"), "{\\"


def cue_text(text: str) -> str:
    """One line. Where words look like a tag, the bracket becomes one that players show and do not obey."""
    shown = _TAG.sub("\u2039", one_line(text)).replace(_OVERRIDE, "{\u29f5")
    return shown.replace("-->", "\u2192")


def _write(material: Material, file: BinaryIO) -> list[LeftOut]:
    cues, left_out = cues_of(material)
    for number, cue in enumerate(cues, 1):
        start, end = round(cue.span.start_seconds, 3), round(cue.span.end_seconds, 3)
        times = f"{clock(start)} --> {clock(max(end, start + 0.001))}".replace(".", ",")
        file.write(utf8(f"{number}\n{times}\n{cue_text(cue.text)}\n\n"))
    return left_out


FORMAT = Format(
    name="srt",
    suffix=".srt",
    media_type="application/x-subrip",
    about="SubRip subtitles of one video",
    subjects=EVERYTHING,
    write=_write,
)
