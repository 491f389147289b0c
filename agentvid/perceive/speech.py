"""The track `speech`: subtitles, embedded or beside the video; without any, what a speech recogniser hears."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from agentvid import media
from agentvid.config import Settings
from agentvid.errors import SubtitleError
from agentvid.identity import hash_file
from agentvid.media.types import Cue, SubtitleTrack
from agentvid.models.recognizers import check_recognizer, decisive_name
from agentvid.perceive.background import Background
from agentvid.perceive.base import Reader, Reading, Source, Track, Watched, reason_of
from agentvid.perceive.hearing import Recognizers, hear_file
from agentvid.perceive.languages import is_wanted, language_tag
from agentvid.perceive.partial import inside
from agentvid.perceive.sidecar import Sidecar, read_sidecar, sidecars
from agentvid.perceive.subtitles import Subtitles, plain_text, substation_text
from agentvid.text import clean_text, timestamp
from agentvid.types import SPEECH, Json, Observation, Provenance, Span

_REVISION = 1
#: Cues this close count as one running text when captions repeat themselves.
_ROLLING_GAP_SECONDS = 0.5
#: A cue that shows the words of the one before again, this soon, is that one shown longer.
_SAME_TEXT_GAP_SECONDS = 0.25
#: From this share of cues that begin with the end of the cue before, captions roll; below it, people repeat themselves.
_ROLLING_SHARE = 0.25


class SpeechTrack(Track):
    """Subtitle streams and the files beside the video; without any, the sound, if the setting `asr` names a model."""

    name = SPEECH
    revision = _REVISION

    def __init__(self) -> None:
        self._recognizers = Recognizers()

    def parameters(self, settings: Settings) -> Json:
        """Raises UsageError if no kind of recogniser has the name in `asr`."""
        languages: Json = {"languages": list(settings.subtitle_languages)}
        return languages | {"asr": decisive_name(settings.asr)} if settings.asr else languages

    def inputs(self, path: Path) -> Json:
        return {sidecar.path.name: [sidecar.language, _hash(sidecar.path)] for sidecar in sidecars(path)}

    def open(self, source: Source) -> Reader:
        """Raises MissingDependency if the package of the recogniser is not there."""
        if source.settings.asr:
            check_recognizer(source.settings.asr)
        return SpeechReader(source, self._recognizers)


class SpeechReader(Reader):
    """Reads no frames. A sidecar that cannot be read costs its lines and a warning, not the track.

    The sound of a file without subtitles is heard on a thread of its own while the frames are decoded.
    """

    def __init__(self, source: Source, recognizers: Recognizers) -> None:
        self._source = source
        path, limits = source.path, source.limits
        self._streams = media.read_subtitles(path, limits=limits) if source.info.subtitles else []
        self._beside: list[tuple[Sidecar, Subtitles]] = []
        self._unread: list[str] = []
        for sidecar in sidecars(path):
            try:
                self._beside.append((sidecar, read_sidecar(sidecar)))
            except SubtitleError as error:
                self._unread.append(reason_of(error))
        self._hearing: Background | None = None
        if source.settings.asr and source.info.has_audio and not self._read(limits.max_seconds).observations:
            self._hearing = Background(lambda stopped: hear_file(source, recognizers, stopped), source.cancel)

    def finish(self, watched: Watched) -> Reading:
        read = self._read(watched.duration_seconds)
        if self._hearing is None:
            return replace(read, warnings=[*self._unread, *read.warnings])
        heard = inside(self._hearing.result(), watched.duration_seconds)
        return replace(heard, warnings=[*self._unread, *read.warnings, *heard.warnings])

    def close(self) -> None:
        if self._hearing is not None:
            self._hearing.stop()

    def _read(self, duration_seconds: float) -> Reading:
        languages = self._source.settings.subtitle_languages
        return speech_observations(self._streams, self._beside, duration_seconds, languages=languages)


def _hash(sidecar: Path) -> str:
    try:
        return hash_file(sidecar)
    except OSError as error:
        return f"unreadable: {error.strerror}"  # becomes a warning when it is read


@dataclass(frozen=True, slots=True)
class _CueSource:
    """One embedded stream or sidecar."""

    name: str
    language: str
    cues: Sequence[Cue]
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class _Line:
    """What one speaker says in one cue."""

    span: Span
    text: str
    speaker: str


def speech_observations(
    streams: Sequence[tuple[SubtitleTrack, Sequence[Cue]]],
    beside: Sequence[tuple[Sidecar, Subtitles]],
    duration_seconds: float,
    languages: tuple[str, ...] = (),
) -> Reading:
    """Rows of the track `speech` from embedded streams and sidecars, each language as its own rows.

    `languages` keeps the languages named, and sources that do not tell theirs; empty keeps all. A line that an earlier
    source has at the same time in the same language is left out. Cues end at `duration_seconds` at the latest; those
    that begin later are left out.
    """
    sources = [_stream_source(track, cues) for track, cues in streams]
    sources += [_sidecar_source(sidecar, read) for sidecar, read in beside]
    warnings = [
        f"{sidecar.path.name}: malformed cues left out: {read.skipped}" for sidecar, read in beside if read.skipped
    ]
    wanted = [source for source in sources if is_wanted(source.language, languages)]
    if sources and not wanted:
        there = ", ".join(sorted({source.language for source in sources}))
        warnings.append(f"no subtitles in {', '.join(languages)}; there are: {there}")
    observations: list[Observation] = []
    heard = _Heard()
    for source in wanted:
        inside = [cue for cue in source.cues if cue.span.start_seconds < duration_seconds]
        if len(inside) * 2 < len(source.cues):
            outside = len(source.cues) - len(inside)
            warnings.append(
                f"{source.name}: {outside} of {len(source.cues)} cues begin after the video's end at "
                f"{timestamp(duration_seconds)}; it may belong to another cut"
            )
        lines = _merged([line for cue in inside for line in _lines(cue)])
        fresh = [line for line in lines if not heard.before(source.language, line)]
        heard.add(source.language, lines)
        observations += [_observation(line, source, duration_seconds) for line in fresh]
    return Reading(tuple(observations), warnings=tuple(warnings))


def _stream_source(track: SubtitleTrack, cues: Sequence[Cue]) -> _CueSource:
    # FFmpeg hands every text subtitle over as ASS, so a stream's markup is ASS whatever its codec.
    readable = [replace(cue, text=substation_text(cue.text)) for cue in cues]
    content = "\n".join(f"{cue.span.start_seconds!r} {cue.span.end_seconds!r} {cue.text!r}" for cue in cues)
    parameters: dict[str, Any] = {"source": "stream", "stream_index": track.stream_index, "codec": track.codec}
    if title := clean_text(track.title, limit=200):
        parameters["name"] = title
    return _CueSource(
        f"subtitle stream {track.stream_index}",
        language_tag(track.language) or "",
        readable,
        _provenance(parameters, hashlib.sha256(content.encode("utf-8", "replace")).hexdigest()),
    )


def _sidecar_source(sidecar: Sidecar, read: Subtitles) -> _CueSource:
    parameters = {"source": "sidecar", "name": sidecar.path.name, "codec": read.codec}
    return _CueSource(sidecar.path.name, sidecar.language, read.cues, _provenance(parameters, read.input_hash))


def _provenance(parameters: Mapping[str, Any], input_hash: str) -> Provenance:
    return Provenance(SPEECH, "subtitles", str(_REVISION), parameters, input_hash)


def _observation(line: _Line, source: _CueSource, duration_seconds: float) -> Observation:
    return Observation(
        Span(line.span.start_seconds, min(line.span.end_seconds, duration_seconds)),
        SPEECH,
        line.text,
        source.provenance,
        language=source.language,
        attributes={"speaker": line.speaker} if line.speaker else {},
    )


class _Heard:
    """Lines of the sources read so far, to find them again in another source, within a second."""

    def __init__(self) -> None:
        self._languages: dict[tuple[str, int], set[str]] = {}

    def before(self, language: str, line: _Line) -> bool:
        second = int(line.span.start_seconds)
        for near in (second - 1, second, second + 1):
            known = self._languages.get((line.text, near), set())
            if language in known or (known and (not language or "" in known)):
                return True
        return False

    def add(self, language: str, lines: Sequence[_Line]) -> None:
        for line in lines:
            self._languages.setdefault((line.text, int(line.span.start_seconds)), set()).add(language)


# -- speakers ----------------------------------------------------------------------------------------------------

_VOICE = re.compile(r"<(/?)v(?:\.[^\s<>]*)?(?:\s+([^<>]*))?>", re.IGNORECASE)
_TURN = re.compile(r"\s*(?:[-–—]|>>)")
_LABEL = re.compile(r"\s*(?:[-–—]|>>)?\s*([^\W\d_a-z][^:\n]{0,30}):(?=\s|$)")


def _lines(cue: Cue) -> Iterator[_Line]:
    """The cue's text as plain text, divided where the speaker changes: at a new line with another voice or label."""
    current = ""
    spoken: list[tuple[str, str]] = []
    for raw in filter(str.strip, cue.text.split("\n")):
        text = plain_text(raw)
        tags = list(_VOICE.finditer(raw))
        named = [clean_text(tag[2] or "", limit=100) for tag in tags if not tag[1]]
        label = _label(text)
        if _TURN.match(text):
            current = ""
        spoken.append((named[0] if named else label or current, text))
        # A voice holds until it is closed, a label until the next one.
        if tags:
            current = named[-1] if named and not tags[-1][1] else ""
        elif label:
            current = label
    for speaker, group in itertools.groupby(spoken, key=lambda part: part[0]):
        if text := clean_text(" ".join(part[1] for part in group)):
            yield _Line(cue.span, text, speaker)


def _label(text: str) -> str:
    """The speaker of "NAR: text" or ">> MAN 2: text"; the label stays in the text, since quotes are verbatim."""
    match = _LABEL.match(text)
    label = match[1].strip() if match else ""
    return label if label.isupper() and len(label.split()) <= 4 else ""


# -- captions that repeat themselves -----------------------------------------------------------------------------


def _merged(lines: Sequence[_Line]) -> list[_Line]:
    """Lines that say everything once: rolling captions lose what they repeat, a line shown again is shown longer."""
    return _joined(_unrolled(sorted(lines, key=lambda line: line.span.start_seconds)))


def _unrolled(lines: list[_Line]) -> list[_Line]:
    """Cut from each line the words that the line before already showed, if the captions roll."""
    words = [line.text.split() for line in lines]
    repeats = [0] * len(lines)
    for index in range(1, len(lines)):
        gap_seconds = lines[index].span.start_seconds - lines[index - 1].span.end_seconds
        if gap_seconds <= _ROLLING_GAP_SECONDS:
            repeats[index] = _overlap(words[index - 1], words[index])
    if sum(map(bool, repeats)) < _ROLLING_SHARE * (len(lines) - 1):
        return lines
    kept: list[_Line] = []
    for line, shown, repeated in zip(lines, words, repeats, strict=True):
        if repeated < len(shown):
            kept.append(replace(line, text=" ".join(shown[repeated:])))
        else:
            kept[-1] = replace(kept[-1], span=kept[-1].span.hull(line.span))
    return kept


def _overlap(before: list[str], after: list[str]) -> int:
    """Words at the end of `before` that begin `after`: two at least, or the whole of `before` if it is no interjection.

    Knuth, Morris, Pratt: the longest border of after + before, in linear time.
    """
    joined: list[str | None] = [*after, None, *before]
    border = [0] * len(joined)
    for index in range(1, len(joined)):
        length = border[index - 1]
        while length and joined[index] != joined[length]:
            length = border[length - 1]
        border[index] = length + (joined[index] == joined[length])
    length = border[-1]
    is_whole = length == len(before) and len(" ".join(before)) > 4
    return length if length >= 2 or is_whole else 0


def _joined(lines: list[_Line]) -> list[_Line]:
    """Lines of the same words and speaker that touch or overlap, as one."""
    kept: list[_Line] = []
    latest: dict[tuple[str, str], int] = {}
    for line in lines:
        key = (line.speaker, line.text)
        index = latest.get(key)
        if index is not None and line.span.start_seconds - kept[index].span.end_seconds <= _SAME_TEXT_GAP_SECONDS:
            kept[index] = replace(kept[index], span=kept[index].span.hull(line.span))
        else:
            latest[key] = len(kept)
            kept.append(line)
    return kept
