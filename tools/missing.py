"""Tracks that a video lacks because nobody read it for them, and the command that adds each."""

from __future__ import annotations

from collections.abc import Mapping

from agentvid.tools.base import ToolContext
from agentvid.types import CAPTION, FRAME, OBJECT, OCR, SOUND, SPEECH

#: Track -> what is missing without it, `{what}` of it, and the way to it; told of every question that lacks it.
MISSING: Mapping[str, str] = {
    SPEECH: "speech: {what}; put a subtitle file (.srt, .vtt, .ass) beside the video and run `agentvid index`, have it "
    "heard with `agentvid index --asr faster-whisper:small`, or add a transcript with `agentvid import`",
    OCR: "on-screen text: {what}; `agentvid index` reads it unless the setting `ocr` is off",
    CAPTION: "captions: {what}; add them with `agentvid index --captions all --captions-model NAME`, or with "
    "`agentvid import`",
}
#: Of these no row tells nothing: they are there only where somebody asked for them. Said where a question needs them.
_UNREAD: Mapping[str, str] = {
    SPEECH: "no speech was read or heard (subtitles beside the file add it, or "
    "`agentvid index --asr faster-whisper:small PATH`)",
    SOUND: "no music, sound or noise was listened for (`AGENTVID_SOUND=MODEL agentvid index PATH` adds it)",
    CAPTION: "nothing describes the pictures (`agentvid index --captions all --captions-model NAME PATH` adds it)",
    OBJECT: "no objects were looked for (`AGENTVID_OBJECTS=MODEL agentvid index PATH` adds it)",
}


def unread(context: ToolContext, *, by_rows: bool = False) -> Mapping[str, str]:
    """Tracks that tools of this run looked at and no video of the question has: name -> that, and what adds it.

    Vectors of frames are asked wherever captions are, so that nothing is missing where they are there; but they have no
    rows that could be gone through `by_rows`, for a count or a no.
    """
    wanted = [track for track in _UNREAD if track in context.ledger.tracks]
    holders = context.catalogue.track_holders(context.scope) if wanted else {}
    there = {track for track, videos in holders.items() if videos}
    if FRAME in there and not by_rows:
        there.add(CAPTION)
    return {track: _UNREAD[track] for track in wanted if track not in there}
