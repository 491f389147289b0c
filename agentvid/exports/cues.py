"""What subtitle formats share: cues of one video in the order of time."""

from __future__ import annotations

from agentvid.errors import UsageError
from agentvid.exports.base import Item, LeftOut, Material


def cues_of(material: Material) -> tuple[list[Item], list[LeftOut]]:
    """The items as cues by start, and those without words, which show nothing. Rows may overlap.

    Raises UsageError if the items are of several videos: a file of subtitles belongs to one.
    """
    videos = {item.video_id for item in material.items}
    if len(videos) > 1:
        names = ", ".join(material.videos[video_id].title for video_id in sorted(videos))
        raise UsageError(
            f"subtitles belong to one video, these spans to {len(videos)}: {names}",
            hint="choose one evidence, as in TRACE:e1, or a format for several: jsonl, otio, edl",
        )
    ordered = sorted(material.items, key=lambda item: (item.span.start_seconds, item.span.end_seconds))
    shown = [item for item in ordered if item.text.split()]
    return shown, [LeftOut(item.id, "it has no words") for item in ordered if not item.text.split()]
