"""WebVTT (W3C) of a track, of chapters, or of moments in one video, for players and `<track>` elements."""

from __future__ import annotations

from typing import BinaryIO

from agentvid.exports.base import EVERYTHING, Format, LeftOut, Material, one_line, utf8
from agentvid.exports.cues import cues_of


def clock(seconds: float) -> str:
    """Hours, minutes, seconds and milliseconds, "01:02:03.450"."""
    whole = round(seconds * 1000)
    return f"{whole // 3_600_000:02d}:{whole // 60_000 % 60:02d}:{whole // 1000 % 60:02d}.{whole % 1000:03d}"


def cue_text(text: str) -> str:
    """The text as a cue may hold it: one line, so that no empty line ends it, without markup and without an arrow."""
    return one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _write(material: Material, file: BinaryIO) -> list[LeftOut]:
    cues, left_out = cues_of(material)
    blocks = ["WEBVTT"]
    for cue in cues:
        # What is shown for less than a millisecond would end before it starts.
        start, end = round(cue.span.start_seconds, 3), round(cue.span.end_seconds, 3)
        blocks.append(f"{clock(start)} --> {clock(max(end, start + 0.001))}\n{cue_text(cue.text)}")
    file.write(utf8("\n\n".join(blocks) + "\n"))
    return left_out


FORMAT = Format(
    name="vtt",
    suffix=".vtt",
    media_type="text/vtt",
    about="WebVTT subtitles or chapters of one video",
    subjects=EVERYTHING,
    write=_write,
)
