"""An edit list in the form of CMX 3600: the spans one after the other, for editors that read nothing newer."""

from __future__ import annotations

from typing import BinaryIO

from agentvid.exports.base import EVERYTHING, Format, LeftOut, Material, one_line, utf8
from agentvid.exports.timecode import edit_rate, frames_of, is_drop_frame, timecode

_MOST_EVENTS, _LONGEST_COMMENT = 999, 200


def _write(material: Material, file: BinaryIO) -> list[LeftOut]:
    """Source times count frames at each video's own rate, record times at the first one's."""
    lines = [f"TITLE: {one_line(material.title)[:70]}"]
    record = 0
    record_rate = edit_rate(material.source(material.items[0])) if material.items else None
    mode = ""
    for number, item in enumerate(material.items[:_MOST_EVENTS], 1):
        assert record_rate is not None
        source = material.source(item)
        rate = edit_rate(source)
        first, end = frames_of(item.span, rate)
        length = max(1, round((end - first) / rate * record_rate))
        wanted = "DROP FRAME" if is_drop_frame(rate) else "NON-DROP FRAME"
        if wanted != mode:
            mode = wanted
            lines.append(f"FCM: {mode}")
        source_times = f"{timecode(first, rate)} {timecode(end, rate)}"
        record_times = f"{timecode(record, record_rate)} {timecode(record + length, record_rate)}"
        lines += [
            "",
            # AX: a file, not a reel; V: its picture; C: a cut.
            f"{number:03d}  AX       V     C        {source_times} {record_times}",
            f"* FROM CLIP NAME: {one_line(source.title)}",
        ]
        if words := one_line(item.text):
            lines.append(f"* COMMENT: {words[:_LONGEST_COMMENT]}")
        record += length
    file.write(utf8("\n".join(lines) + "\n"))
    return [LeftOut(item.id, "an edit list has 999 events at most") for item in material.items[_MOST_EVENTS:]]


FORMAT = Format(
    name="edl",
    suffix=".edl",
    media_type="text/plain",
    about="CMX 3600 edit list: the spans one after the other, drop-frame where the rate asks for it",
    subjects=EVERYTHING,
    write=_write,
)
