"""Frames and timecodes at exact rates: the language of edit lists.

Drop-frame timecode (SMPTE ST 12-1) counts 30000/1001 frames a second as if there were 30 and leaves out the numbers,
not the frames, 00 and 01 of every minute but each tenth, so that it stays within two frames of the clock on the wall;
at 60000/1001 it leaves out four.
"""

from __future__ import annotations

import math
from fractions import Fraction

from agentvid.exports.base import Source
from agentvid.types import Span

#: The rates of film and television: what a file's average is when it is nearly that.
_USUAL = tuple(
    Fraction(rate)
    for rate in ("24000/1001", "24", "25", "30000/1001", "30", "48000/1001", "48", "50", "60000/1001", "60")
)
_NEARLY = Fraction(1, 2000)
_DROPPED = {Fraction(30000, 1001): 2, Fraction(60000, 1001): 4}
_DEFAULT_RATE = Fraction(25)
#: Answers round times to milliseconds, which moves them by half of one; binary fractions by a little more.
_TOLERANCE_SECONDS = Fraction(6, 10_000)


def edit_rate(source: Source) -> Fraction:
    """The rate to count a video's frames at: the file's own, a usual one where it is nearly that; 25 if unknown."""
    rate = source.timing.rate if source.timing is not None else Fraction(source.frame_rate).limit_denominator(1001)
    if not 1 <= rate <= 1000:
        return _DEFAULT_RATE
    nearest = min(_USUAL, key=lambda usual: abs(usual - rate))
    return nearest if abs(nearest / rate - 1) < _NEARLY else rate.limit_denominator(1001)


def frames_of(span: Span, rate: Fraction) -> tuple[int, int]:
    """(first, end): the frames shown in a span, the end not among them; at least one."""
    first = math.floor((Fraction(span.start_seconds) + _TOLERANCE_SECONDS) * rate)
    end = math.ceil((Fraction(span.end_seconds) - _TOLERANCE_SECONDS) * rate)
    return first, max(first + 1, end)


def is_drop_frame(rate: Fraction) -> bool:
    return rate in _DROPPED


def timecode(frame: int, rate: Fraction) -> str:
    """ "HH:MM:SS:FF" of a frame, "HH:MM:SS;FF" where the rate drops numbers. Raises ValueError for frame < 0."""
    if frame < 0:
        raise ValueError(f"frame {frame} is before the first")
    nominal = math.ceil(rate)
    dropped = _DROPPED.get(rate, 0)
    if dropped:
        per_minute = 60 * nominal - dropped
        per_ten = 10 * per_minute + dropped
        tens, rest = divmod(frame, per_ten)
        # The first minute of ten is whole; in the others the count begins with the numbers that are left out.
        minutes = max(0, (rest - dropped) // per_minute)
        frame += dropped * (9 * tens + minutes)
    seconds, frames = divmod(frame, nominal)
    separator = ";" if dropped else ":"
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{separator}{frames:02d}"


def frame_of(code: str, rate: Fraction) -> int:
    """The frame that a timecode of `timecode` names. Raises ValueError for text or a number that names none."""
    hours, minutes, seconds, frames = (int(part) for part in code.replace(";", ":").split(":"))
    nominal, dropped = math.ceil(rate), _DROPPED.get(rate, 0)
    if minutes > 59 or seconds > 59 or frames >= nominal or (minutes % 10 and not seconds and frames < dropped):
        raise ValueError(f"{code} names no frame at {rate} frames a second")
    minute = 60 * hours + minutes
    return (60 * minute + seconds) * nominal + frames - dropped * (minute - minute // 10)
