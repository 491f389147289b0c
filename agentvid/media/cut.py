"""What can be made of a file: an exact clip, a copy that browsers play, a picture of one frame.

The file is read, and the mp4 composed, in a decoder process that can write nothing; it sends bytes and their places,
and this side puts them into a file that takes its name when it is whole. Times are seconds on the video's clock.
Everything here raises MediaError as agentvid.media.read does, UsageError for a file that exists, NotSaved for one that
cannot be written.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np

from agentvid.errors import DecoderFailed, UsageError
from agentvid.media.limits import DEFAULT, Limits
from agentvid.media.process import Decoder, Message
from agentvid.media.read import frames_at
from agentvid.media.types import Image
from agentvid.saving import saving
from agentvid.types import Json, Span

Sound = Literal["none", "copied", "encoded"]
_SOUNDS: dict[str, Sound] = {"none": "none", "copied": "copied", "encoded": "encoded"}
#: What the child may write at most: so many times the file it reads, and this much in any case.
_MOST_TIMES_LARGER, _MOST_BYTES_ANYWAY = 8, 2 << 30
_MAX_MESSAGE_BYTES = 1 << 20
#: A transcoded copy for browsers is at most so long on its longer side.
PLAYABLE_SIDE = 1920
_JPEG_QUALITY = 90

_MP4_BRANDS = frozenset(
    "isom iso2 iso3 iso4 iso5 iso6 mp41 mp42 avc1 M4V M4VH M4VP MSNV dash f4v 3gp4 3gp5 3gp6".split()
)
_PLAIN_PIXELS = frozenset({"yuv420p", "yuvj420p"})
#: Container -> (media type, what browsers decode of pictures, of sound), as Chromium, Firefox and Safari have it.
_PLAYED = {
    "mp4": ("video/mp4", frozenset({"h264", "av1", "vp9"}), frozenset({"", "aac", "mp3", "opus", "flac"})),
    "webm": ("video/webm", frozenset({"vp8", "vp9", "av1"}), frozenset({"", "opus", "vorbis"})),
}
#: A start this near zero is zero: browsers count time from the first timestamp or from 0, as they like.
_START_TOLERANCE_SECONDS = 0.001


@dataclass(frozen=True, slots=True)
class Cut:
    """What was written: how long it shows pictures, and what was copied packet by packet or encoded again.

    `reason`: why the picture was not copied, "" if it was. `damaged_packets` could not be read.
    """

    duration_seconds: float
    is_picture_copied: bool
    sound: Sound
    reason: str
    damaged_packets: int
    bytes: int

    @property
    def how(self) -> str:
        """In words: "picture encoded again (the start is between ...), sound copied"."""
        picture = "picture copied" if self.is_picture_copied else f"picture encoded again ({self.reason})"
        sound = {"none": "no sound", "copied": "sound copied", "encoded": "sound encoded again"}[self.sound]
        return f"{picture}, {sound}"

    def to_json(self) -> Json:
        return {
            "duration": round(self.duration_seconds, 3),
            "picture": "copied" if self.is_picture_copied else "encoded",
            "sound": self.sound,
            "reason": self.reason,
            "damaged_packets": self.damaged_packets,
            "bytes": self.bytes,
        }


@dataclass(frozen=True, slots=True)
class Playability:
    """Whether browsers play a file as it is; else its packets, or its pictures anew, go into an mp4.

    `media_type` is that of what is played: the file's own, or video/mp4.
    """

    way: Literal["as it is", "remux", "transcode"]
    media_type: str
    reason: str


@dataclass(frozen=True, slots=True)
class Timing:
    """A stream's clock: a tick lasts `time_base` seconds, and second 0 of the video is `origin_seconds` of the stream.

    `rate`: frames a second, on average where they vary.
    """

    time_base: Fraction
    origin_seconds: Fraction
    rate: Fraction

    def pts(self, seconds: float) -> int:
        """The tick nearest to a second of the video's clock."""
        return round((Fraction(seconds) + self.origin_seconds) / self.time_base)


def clip(
    path: Path,
    span: Span,
    target: Path,
    *,
    copy: bool = True,
    max_side: int | None = None,
    overwrite: bool = False,
    limits: Limits = DEFAULT,
) -> Cut:
    """Write `span` of a video as an mp4 whose first frame is the one shown at the start of the span.

    Frames keep their times, turn and sound; a frame that is shown at the start but began earlier is shown from 0. The
    picture is copied if that is exact and `copy` is allowed, else encoded again, with at most `max_side` pixels on its
    longer side. A span that goes beyond the end of the file ends there.
    """
    reason = "asked for" if max_side or not copy else ""
    request = {
        "start": span.start_seconds,
        "end": span.end_seconds,
        "copy": copy,
        "max_side": max_side,
        "reason": reason,
    }
    return _write(path, request, target, limits, overwrite=overwrite)


def playability(path: Path, limits: Limits = DEFAULT) -> Playability:
    """How browsers come to play this file so that second X of theirs is second X of the video's clock."""
    return _decide(_facts(path, limits))


def timing(path: Path, limits: Limits = DEFAULT) -> Timing:
    """The clock of the file's video stream, and its frame rate."""
    facts = _facts(path, limits)
    time_base, rate = _fraction(facts, "time_base"), _fraction(facts, "rate")
    if time_base <= 0 or rate <= 0:
        facts.refuse("time base")
    return Timing(time_base, _fraction(facts, "origin"), rate)


def _facts(path: Path, limits: Limits) -> Message:
    with Decoder(path, {"do": "describe"}, limits) as child:
        for reply in child.messages():
            return reply
    raise DecoderFailed(f"{child.name}: the decoder process said nothing")


def _fraction(facts: Message, field: str) -> Fraction:
    pair = facts.inside(field)
    return Fraction(pair.integer("numerator", -(1 << 62), 1 << 62), pair.integer("denominator", 1, 1 << 62))


def _decide(facts: Message) -> Playability:
    container, brand = facts.text("container", 64), facts.text("brand", 8).strip()
    picture, pixels, sound = facts.text("picture", 64), facts.text("pixels", 64), facts.text("sound", 64)
    family = "mp4" if container == "mov" and brand in _MP4_BRANDS else container
    start = float(_fraction(facts, "origin"))
    media_type, pictures, sounds = _PLAYED.get(family, ("", frozenset[str](), frozenset[str]()))
    if picture not in _PLAYED["mp4"][1] | pictures or pixels not in _PLAIN_PIXELS:
        return Playability("transcode", "video/mp4", f"browsers do not all play {picture} ({pixels})")
    if not media_type:
        why = f"browsers do not all play {'QuickTime' if container == 'mov' else container} files"
    elif picture not in pictures:
        why = f"browsers do not all play {picture} in {family}"
    elif sound not in sounds:
        why = f"browsers do not all play {sound} in {family}"
    elif abs(start) > _START_TOLERANCE_SECONDS:
        why = f"its clock starts at {start:.3f} s"
    elif not facts.flag("is_first"):
        why = "it holds several pictures or sounds, and browsers take the first"
    else:
        return Playability("as it is", media_type, "")
    # VP8 goes into no mp4: its packets cannot be kept in another container.
    return Playability("remux" if picture in _PLAYED["mp4"][1] else "transcode", "video/mp4", why)


def make_playable(
    path: Path,
    target: Path,
    *,
    overwrite: bool = False,
    limits: Limits = DEFAULT,
    progress: Callable[[float], None] = lambda seconds: None,
) -> Cut:
    """Write the whole video as an mp4 that browsers play: second X of it is second X of the video's clock.

    Packets are copied where browsers play their codec, else encoded again, at most 1920 pixels on the longer side.
    `progress` is told now and then how many seconds of it are written.
    """
    found, whole = playability(path, limits), {"start": 0.0, "end": None}
    reason = found.reason
    if found.way != "transcode":
        copied = {**whole, "copy": True, "max_side": None, "reason": ""}
        try:
            return _write(path, copied, target, limits, overwrite=overwrite, progress=progress)
        except DecoderFailed as error:  # an mp4 cannot hold every order of packets
            reason = f"its packets cannot be copied: {error}"
    request = {**whole, "copy": False, "max_side": PLAYABLE_SIDE, "reason": reason}
    return _write(path, request, target, limits, overwrite=overwrite, progress=progress)


def _write(
    path: Path,
    request: dict[str, Any],
    target: Path,
    limits: Limits,
    *,
    overwrite: bool,
    progress: Callable[[float], None] = lambda seconds: None,
) -> Cut:
    longest = limits.max_seconds + 3600
    with saving(target, overwrite=overwrite) as file, Decoder(path, {"do": "cut", **request}, limits) as child:
        most = max(_MOST_BYTES_ANYWAY, _MOST_TIMES_LARGER * path.stat().st_size)
        for reply in child.messages():
            if reply.kind == "bytes":
                _put(reply, file, most)
            elif reply.kind == "at":
                progress(max(0.0, reply.number("seconds", -longest, longest)))
            elif reply.kind == "end":
                size = file.seek(0, os.SEEK_END)
                return Cut(
                    duration_seconds=reply.number("duration_seconds", 0, longest),
                    is_picture_copied=reply.flag("is_picture_copied"),
                    sound=_SOUNDS.get(reply.text("sound", 16), "none"),
                    reason=reply.text("reason", 500),
                    damaged_packets=reply.integer("damaged_packets", 0, 1 << 40),
                    bytes=size,
                )
    raise DecoderFailed(f"{child.name}: the decoder process ended without an mp4")


def _put(reply: Message, file: BinaryIO, most: int) -> None:
    count = reply.integer("count", 1, _MAX_MESSAGE_BYTES)
    file.seek(reply.integer("offset", 0, most - count))
    file.write(reply.array(np.uint8, (count,)).data)


def still(
    path: Path,
    seconds: float,
    *,
    max_side: int | None = None,
    picture_format: Literal["jpeg", "png"] = "jpeg",
    limits: Limits = DEFAULT,
) -> bytes:
    """The frame shown at `seconds` as a JPEG or PNG file, upright, at most `max_side` pixels on its longer side."""
    return encoded(frames_at(path, [seconds], max_side=max_side, limits=limits)[0].image, picture_format)


def encoded(image: Image, picture_format: Literal["jpeg", "png"] = "jpeg") -> bytes:
    """(height, width, 3) uint8 RGB as the bytes of a file."""
    import cv2

    if picture_format not in ("jpeg", "png"):
        raise UsageError(f"{picture_format!r} is no format of pictures; allowed: jpeg, png")
    options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY] if picture_format == "jpeg" else []
    ok, data = cv2.imencode(f".{picture_format}", np.ascontiguousarray(image[:, :, ::-1]), options)
    assert ok
    return data.tobytes()
