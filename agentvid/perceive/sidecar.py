"""Subtitle files beside a video: `talk.srt`, `talk.en.srt`, `talk.pt-BR.forced.vtt` for `talk.mp4`."""

from __future__ import annotations

import os
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from agentvid.errors import SubtitleError
from agentvid.perceive.languages import language_tag
from agentvid.perceive.subtitles import MAX_BYTES, SUFFIXES, Subtitles, decode, is_ttml, parse_subtitles

#: What players put between the stem and the suffix besides a language.
_FLAGS = {"forced", "default", "sdh", "cc", "hi", "full", "auto", "orig", "foreign", "commentary", "subs", "subtitles"}


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A subtitle file beside a video. `language` is a BCP 47 tag, or "" if the file name does not tell."""

    path: Path
    language: str = ""


def sidecars(path: Path) -> list[Sidecar]:
    """The subtitle files beside the video `path`, by name.

    Between stem and suffix only languages and flags may stand: `talk.part2.srt` belongs to `talk.part2.mp4`. An .xml
    file counts if it is TTML.
    """
    stem = _folded(path.stem)
    try:
        names = sorted(os.listdir(path.parent))
    except OSError:
        return []  # A directory may let its files be read and not be listed; then nothing lies beside the video.
    found = []
    for name in names:
        beside = path.parent / name
        language = _language(_folded(beside.stem), stem) if beside.suffix.lower() in SUFFIXES else None
        if language is not None and beside != path and beside.is_file() and _is_subtitle(beside):
            found.append(Sidecar(beside, language))
    return found


def read_sidecar(sidecar: Sidecar) -> Subtitles:
    """Read a sidecar in whatever encoding and format it has; malformed cues are left out and counted.

    Raises SubtitleError if it cannot be read, is no subtitle file, holds no cue, or breaks a limit
    (16 MB, 200,000 cues, 4 KB a cue).
    """
    try:
        with sidecar.path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SubtitleError(
            f"{sidecar.path.name}: {error.strerror or error}", hint="make it readable, or move it away from the video"
        ) from None
    return parse_subtitles(data, name=sidecar.path.name, language=sidecar.language)


def _folded(name: str) -> str:
    """File systems disagree on composed accents; names are compared composed."""
    return unicodedata.normalize("NFC", name)


def _language(name: str, stem: str) -> str | None:
    """The language in `name` = stem[.language][.flag]...; "" if it names none, None if it is another video's."""
    if name == stem:
        return ""
    if not name.startswith(f"{stem}."):
        return None
    language = ""
    for part in name[len(stem) + 1 :].split("."):
        if part.lower() in _FLAGS and (part.lower() != "hi" or language):
            continue
        tag = language_tag(part)
        if tag is None or language:
            return None
        language = tag
    return language


def _is_subtitle(path: Path) -> bool:
    if path.suffix.lower() != ".xml":
        return True
    try:
        with path.open("rb") as file:
            return is_ttml(decode(file.read(8192)))
    except OSError:
        return False
