"""Names of files that a browser saves."""

from __future__ import annotations

from urllib.parse import quote

from agentvid.saving import safe_name
from agentvid.text import terminal_text


def disposition(name: str) -> str:
    """Content-Disposition of RFC 6266 for a download: an ASCII name for old clients, the whole one beside it.

    What a file system or a terminal would act on is gone from both.
    """
    stem, dot, suffix = name.rpartition(".")
    clean = safe_name(terminal_text(stem if dot else name), f".{safe_name(suffix)}" if dot else "")
    plain = "".join(character if character.isascii() else "_" for character in clean)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(clean, safe='')}"
