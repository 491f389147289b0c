"""Reading media files: the only part of agentvid that touches PyAV, and only in a process that may die.

`probe`, `scan`, `frames_at`, `read_picture`, `read_audio` and `read_subtitles` are described in agentvid.media.read.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentvid.media.limits import DEFAULT, Limits
    from agentvid.media.read import Scan, frames_at, probe, read_audio, read_picture, read_subtitles, scan
    from agentvid.media.types import Cue, Frame, FrameBatch, MediaInfo, Region, SubtitleTrack

_HOMES = {
    "limits": ("DEFAULT", "Limits"),
    "read": ("Scan", "frames_at", "probe", "read_audio", "read_picture", "read_subtitles", "scan"),
    "types": ("Cue", "Frame", "FrameBatch", "MediaInfo", "Region", "SubtitleTrack"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "DEFAULT",
    "Cue",
    "Frame",
    "FrameBatch",
    "Limits",
    "MediaInfo",
    "Region",
    "Scan",
    "SubtitleTrack",
    "frames_at",
    "probe",
    "read_audio",
    "read_picture",
    "read_subtitles",
    "scan",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
