"""Pictures of exported spans, decoded once per video."""

from __future__ import annotations

from collections import defaultdict

from agentvid.errors import MediaError
from agentvid.exports.base import Item, LeftOut, Material
from agentvid.media.read import frames_at
from agentvid.media.types import Frame

#: A still is not taken at the very end: there the next shot may show already.
_MARGIN = 0.05


def stills_of(material: Material, *, each: int, max_side: int) -> tuple[dict[str, list[Frame]], list[LeftOut]]:
    """`each` frames of every item, evenly over its span, by the item's id; and the items that have none, with why."""
    frames: dict[str, list[Frame]] = {}
    left_out: list[LeftOut] = []
    by_video: dict[str, list[Item]] = defaultdict(list)
    for item in material.items:
        by_video[item.video_id].append(item)
    for video_id, items in by_video.items():
        source = material.videos[video_id]
        if source.file is None:
            left_out += [LeftOut(item.id, source.problem) for item in items]
            continue
        times = [seconds for item in items for seconds in times_of(item, each)]
        try:
            found = frames_at(source.file, times, max_side=max_side, limits=source.limits)
        except MediaError as error:
            left_out += [LeftOut(item.id, str(error)) for item in items]
            continue
        for number, item in enumerate(items):
            frames[item.id] = found[number * each : (number + 1) * each]
    return frames, left_out


def times_of(item: Item, count: int) -> list[float]:
    """`count` seconds evenly over the span: its start, and on to shortly before its end."""
    length = item.span.duration_seconds * (1 - _MARGIN)
    return [item.span.start_seconds + length * number / max(1, count - 1) for number in range(count)]
