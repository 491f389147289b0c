"""Text that came from a video, made safe to store, print and put into prompts.

Subtitles, on-screen text, file names and container tags are written by strangers. `clean_text` is applied once,
when such text enters the catalogue; `terminal_text` again where a terminal would obey it.
"""

from __future__ import annotations

import re
import unicodedata

# Cc: control bytes and escape sequences; Cf: bidi overrides, zero-width and tag characters; Co/Cs: private, surrogates.
_UNSAFE_CATEGORIES = {"Cc", "Cf", "Cs", "Co"}
# Zero-width joiners build emoji and several scripts; alone they are harmless.
_KEPT = {"\u200c", "\u200d"}
_WHITESPACE = re.compile(r"\s+")


def clean_text(text: str, *, limit: int = 4096) -> str:
    """One line of NFC text without control, bidi or invisible characters, at most `limit` characters."""
    spaced = _WHITESPACE.sub(" ", text)
    normalised = unicodedata.normalize("NFC", spaced)
    kept = "".join(c for c in normalised if c in _KEPT or unicodedata.category(c) not in _UNSAFE_CATEGORIES)
    return kept.strip()[:limit]


def terminal_text(text: str) -> str:
    """`text` with every character that a terminal would act on replaced by U+FFFD; newlines and tabs stay."""
    return "".join(
        c if c in "\n\t" or c in _KEPT or unicodedata.category(c) not in _UNSAFE_CATEGORIES else "\ufffd" for c in text
    )


def timestamp(seconds: float) -> str:
    """Seconds for people: 75.25 -> "1:15", 3675.0 -> "1:01:15"; the fraction is cut, never rounded up."""
    whole = int(seconds)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def parse_timestamp(text: str) -> float:
    """Seconds from "75.25", "1:15" or "1:01:15.5"; raises ValueError on anything else."""
    parts = text.strip().split(":")
    if not 1 <= len(parts) <= 3 or not all(re.fullmatch(r"\d+(\.\d+)?", part) for part in parts):
        raise ValueError(f"{text!r} is not a time; allowed: seconds, M:SS or H:MM:SS")
    seconds = 0.0
    for part in parts:
        seconds = seconds * 60 + float(part)
    return seconds
