"""Text that came from a video, made safe to store, print and put into prompts.

Subtitles, on-screen text, file names and container tags are written by strangers. `clean_text` is applied once,
when such text enters the catalogue; `terminal_text` again where a terminal would obey it.
"""

from __future__ import annotations

import math
import re
import unicodedata
from pathlib import PurePath

from agentvid.errors import UsageError

MAX_QUERY_CHARACTERS = 10_000
# Cc: control bytes and escape sequences; Cf: bidi overrides, zero-width and tag characters; Co/Cs: private, surrogates.
_UNSAFE_CATEGORIES = {"Cc", "Cf", "Cs", "Co"}
# Zero-width joiners build emoji and several scripts; alone they are harmless.
_JOINERS = "\u200c\u200d"
_CLOCK = re.compile(r"\d+(?::[0-5]?\d){0,2}(?:\.\d+)?")


def clean_text(text: str, *, limit: int = 4096) -> str:
    """One line of NFC text without control, bidi or invisible characters, at most `limit` characters.

    Cleaning clean text changes nothing. Text that shows nothing becomes "".
    """
    if not text.isprintable():
        text = "".join(" " if c.isspace() else c for c in text if c.isspace() or _is_safe(c))
    one_line = " ".join(unicodedata.normalize("NFC", text).split())[:limit].rstrip()
    return one_line if one_line.strip(_JOINERS + " ") else ""


def check_query(text: str, what: str, *, hint: str) -> None:
    """Raise UsageError unless `text`, the user's `what`, says something and is of bearable length."""
    if len(text) > MAX_QUERY_CHARACTERS:
        allowed = f"allowed: up to {MAX_QUERY_CHARACTERS}"
        raise UsageError(f"the {what} has {len(text)} characters; {allowed}", hint="ask a shorter one")
    # Control and invisible characters alone say nothing either.
    if not clean_text(text, limit=MAX_QUERY_CHARACTERS):
        raise UsageError(f"the {what} is empty", hint=hint)


def check_question(text: str) -> None:
    """Raise UsageError for what is no question, as `check_query`."""
    check_query(text, "question", hint='ask something, as in: agentvid ask "When is the door opened?"')


def terminal_text(text: str) -> str:
    """`text` with every character that a terminal would act on replaced by U+FFFD; newlines and tabs stay."""
    return "".join(c if c in "\n\t" or _is_safe(c) else "\ufffd" for c in text)


def printable_line(text: str) -> str:
    """`terminal_text` in which line feeds, tabs and what else breaks a line are U+FFFD too: paths may hold them."""
    return "".join("\ufffd" if c in "\n\t\u2028\u2029" else c for c in terminal_text(text))


def shown_name(name: str) -> str:
    """What a video is called on one line, by its path or by the name given at import: the last part of it."""
    return printable_line(PurePath(name).name or name)


def _is_safe(character: str) -> bool:
    return character in _JOINERS or unicodedata.category(character) not in _UNSAFE_CATEGORIES


def timestamp(seconds: float) -> str:
    """Seconds for people: 75.25 -> "1:15", 3675.0 -> "1:01:15"; the fraction is cut, never rounded up."""
    whole = int(seconds)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def instant(seconds: float) -> str:
    """A point in time for people, to the tenth of a second, cut: 75.25 -> "1:15.2"."""
    tenths = int(seconds * 10 + 1e-6)
    return f"{timestamp(tenths // 10)}.{tenths % 10}"


def time_range(start_seconds: float, end_seconds: float) -> str:
    """A span for people: "1:15-1:20"; with tenths of a second where both ends would look the same: "0:00.0-0:00.1"."""
    start, end = timestamp(start_seconds), timestamp(end_seconds)
    if start != end:
        return f"{start}-{end}"
    # Outwards, so that a span is never shown as nothing.
    first = math.floor(start_seconds * 10 + 1e-6)
    last = max(first + 1, math.ceil(end_seconds * 10 - 1e-6))
    return "-".join(instant(tenths / 10) for tenths in (first, last))


def parse_timestamp(text: str) -> float:
    """Seconds from "75.25", "1:15" or "1:01:15.5"; raises ValueError on anything else."""
    clock = text.strip()
    seconds = math.inf
    if _CLOCK.fullmatch(clock):
        seconds = 0.0
        for part in clock.split(":"):
            seconds = seconds * 60 + float(part)
    if not math.isfinite(seconds):
        raise ValueError(f"{text!r} is not a time; allowed: seconds, M:SS or H:MM:SS")
    return seconds


def frame_text(seconds: float) -> str:
    """What is known in words of a frame that nothing has described."""
    return f"frame at {timestamp(seconds)}"
