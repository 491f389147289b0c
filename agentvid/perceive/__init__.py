"""The tracks: one file each, and one line here. agentvid/perceive/base.py tells what a track must offer.

A package adds tracks of its own under the entry-point group "agentvid.tracks"; docs/plugins.md shows one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentvid.perceive.base import Track

ENTRY_POINT_GROUP = "agentvid.tracks"

#: Name -> where its class is; loaded when a video is to be read, since some import what takes long.
TRACKS = {
    "speech": "agentvid.perceive.speech:SpeechTrack",
    "ocr": "agentvid.perceive.ocr:OcrTrack",
    "fact": "agentvid.perceive.fact:FactTrack",
    "frame": "agentvid.perceive.frames:FrameTrack",
    "sound": "agentvid.perceive.sound:SoundTrack",
    "object": "agentvid.perceive.objects:ObjectTrack",
    "caption": "agentvid.perceive.caption:CaptionTrack",
}


def load_tracks() -> tuple[Track, ...]:
    """One object of each of TRACKS and of each plug-in, every one behind those in its `after`.

    A plug-in that cannot be used stays in the list and fails when it is opened. AGENTVID_PLUGINS=off leaves them out.
    """
    from agentvid.perceive.plugins import load

    return load(TRACKS, ENTRY_POINT_GROUP)
