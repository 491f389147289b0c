"""Files for the user: written aside and renamed, so that there is the whole file or none, and no file is replaced
unless that was asked for.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from agentvid.errors import NotSaved, UsageError
from agentvid.text import terminal_text

_LONGEST_NAME_BYTES = 200


@contextmanager
def saving(path: Path, *, overwrite: bool = False) -> Iterator[BinaryIO]:
    """A file open for writing that becomes `path` at the end of the block; an error in the block leaves nothing.

    Raises UsageError if `path` exists (and `overwrite` is False) or is a folder, NotSaved if it cannot be written.
    """
    shown = terminal_text(str(path)).replace("\n", "\ufffd")
    if path.is_dir():
        raise UsageError(f"{shown} is a folder; allowed: the name of a file")
    if not overwrite and os.path.lexists(path):
        raise UsageError(f"{shown} exists already", hint="choose another name, or add --force")
    # A name of its own: two that write the same file do not meet.
    aside = path.with_name(f".{path.name[:40]}.{secrets.token_hex(6)}.part")
    try:
        file = aside.open("xb")
    except (OSError, ValueError) as error:
        raise _not_saved(shown, error) from None
    try:
        try:
            # Closing writes what is left in the buffer, and on a full disk fails once more.
            with file:
                yield file
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise _not_saved(shown, error) from None
        try:
            _place(aside, path, shown, overwrite=overwrite)
        except OSError as error:
            raise _not_saved(shown, error) from None
    finally:
        aside.unlink(missing_ok=True)


def save(path: Path, data: bytes, *, overwrite: bool = False) -> None:
    """Write `data` to `path` whole or not at all; raises as `saving` does."""
    with saving(path, overwrite=overwrite) as file:
        file.write(data)


def _place(aside: Path, path: Path, shown: str, *, overwrite: bool) -> None:
    if overwrite:
        aside.replace(path)
        return
    try:
        # A link fails where the name is taken by now; a rename would replace that file.
        os.link(aside, path)
    except FileExistsError:
        raise UsageError(f"{shown} exists already", hint="choose another name, or add --force") from None
    except OSError:  # a file system without links
        aside.replace(path)


def _not_saved(shown: str, error: Exception) -> NotSaved:
    reason = getattr(error, "strerror", None) or str(error)
    return NotSaved(f"{shown} cannot be written: {reason}", hint="choose another folder with -o, or free space")


def safe_name(text: str, suffix: str = "") -> str:
    """A file name made of `text`: no separators, control characters, leading dots or dashes; at most 200 bytes."""
    kept = "".join(c if c.isalnum() or c in " ._-()" else "_" for c in text).strip(" ._-") or "video"
    room = _LONGEST_NAME_BYTES - len(suffix.encode())
    return kept.encode()[:room].decode("utf-8", "ignore").rstrip(" .") + suffix
