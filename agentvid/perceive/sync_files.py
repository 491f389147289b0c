"""The subtitles of video files against their sound, source by source, and how to mend what is shifted."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from agentvid import media
from agentvid.errors import AgentvidError
from agentvid.media.limits import Limits
from agentvid.perceive.base import reason_of
from agentvid.perceive.sidecar import read_sidecar, sidecars
from agentvid.perceive.sync import RATE, Sync, compare, voice_activity
from agentvid.types import Json, Span, Video


@dataclass(frozen=True, slots=True)
class _Cues:
    """The cues of one source; `file` is the sidecar, None for a stream."""

    name: str
    spans: Sequence[Span]
    file: Path | None


def check_files(videos: Sequence[Video], limits: Limits) -> Json:
    """For each source of subtitles of each video that can be compared, what `Sync` says and how to mend it.

    Videos without a file, without sound or without subtitles are left out; those that cannot be read are `failed`.
    """
    sources: list[Json] = []
    failed: list[Json] = []
    for video in videos:
        path = next((path for path in video.paths if os.path.exists(path)), None)
        if path is None:
            continue
        try:
            sources += _check(Path(path), limits)
        except AgentvidError as error:
            failed.append({"video": path, "error": reason_of(error)})
    return {"sources": sources, "failed": failed}


def _check(path: Path, limits: Limits) -> Iterator[Json]:
    info = media.probe(path, limits=limits)
    sources = list(_sources(path, bool(info.subtitles), limits)) if info.has_audio else []
    if not sources:
        return
    activity = voice_activity(media.read_audio(path, sample_rate=RATE, limits=limits))
    for source in sources:
        sync = compare(source.spans, activity)
        if sync is not None:
            row = {"video": str(path), "subtitles": source.name, **sync.to_json()}
            yield {**row, "hint": _hint(path, source, sync) if sync.is_shifted else ""}


def _sources(path: Path, has_streams: bool, limits: Limits) -> Iterator[_Cues]:
    for track, cues in media.read_subtitles(path, limits=limits) if has_streams else ():
        yield _Cues(f"stream {track.stream_index}", [cue.span for cue in cues], None)
    for sidecar in sidecars(path):
        yield _Cues(sidecar.path.name, [cue.span for cue in read_sidecar(sidecar).cues], sidecar.path)


def _hint(path: Path, source: _Cues, sync: Sync) -> str:
    """The command that mends the file; `index` then reads it again."""
    if sync.rate != 1.0:
        return f"multiply its times by {sync.rate:.5f} and add {sync.shift_seconds:.2f} s in a subtitle editor"
    if source.file is None:
        return (
            f"ffmpeg -i {shlex.quote(str(path))} -itsoffset {sync.shift_seconds:.2f} -i {shlex.quote(str(path))} "
            f"-map 0 -map -0:s -map 1:s -c copy {shlex.quote(f'synced-{path.name}')}"
        )
    option = "--shift" if sync.shift_seconds > 0 else "--shift-back"
    return (
        f"pysubs2 {option} {abs(sync.shift_seconds):.2f}s {shlex.quote(str(source.file))}, "
        f"then agentvid index {shlex.quote(str(path))}"
    )
