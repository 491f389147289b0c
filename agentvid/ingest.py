"""Path 1: from a video file to one catalogue transaction. This file alone knows the order of the stages."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agentvid import media
from agentvid.config import Settings
from agentvid.errors import SubtitleError
from agentvid.identity import hash_file, video_id_from_hash
from agentvid.indexes.base import VideoRecord
from agentvid.media.limits import Limits, limits_of
from agentvid.media.types import MediaInfo
from agentvid.models.base import Embedder, Vectors
from agentvid.passages import make_passages
from agentvid.perceive.fact import FactReader
from agentvid.perceive.sidecar import read_sidecar, sidecars
from agentvid.perceive.speech import Speech, sentences, speech_observations
from agentvid.sections import make_sections
from agentvid.segment import ShotReader, make_clips
from agentvid.types import FACT, OCR, Gap, Observation, Passage, Span, Video

if TYPE_CHECKING:
    from agentvid.importer import ImportedVideo
    from agentvid.perceive.ocr import OcrReader

#: Raise a number when a stage's output changes: videos indexed before are then read again.
STAGE_REVISIONS = {"segment": 1, "fact": 1, "speech": 1, "ocr": 1, "passages": 2, "sections": 1}

#: A header may promise this much more than the file holds before the rest counts as lost.
_DAMAGE_SECONDS = 1.0

#: (stage, seconds of video done, seconds of video in all)
Progress = Callable[[str, float, float], None]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What the stages need besides the file."""

    settings: Settings
    embedder: Embedder | None

    @property
    def limits(self) -> Limits:
        return limits_of(self.settings)


@dataclass(frozen=True, slots=True)
class Ingested:
    """A record ready to commit, and what the user should know about it."""

    record: VideoRecord
    warnings: tuple[str, ...]


def content_fingerprint(path: Path, content_hash: str, pipeline: Pipeline) -> str:
    """sha256 of everything that decides the result: content, sidecars, stage revisions, settings."""
    settings = pipeline.settings
    beside = [(sidecar.path.name, sidecar.language, _sidecar_hash(sidecar.path)) for sidecar in sidecars(path)]
    return _digest(
        content_hash,
        beside,
        STAGE_REVISIONS,
        [settings.ocr, settings.clip_min_seconds, settings.clip_max_seconds, settings.subtitle_languages],
        pipeline.embedder.space.key if pipeline.embedder else None,
    )


def _sidecar_hash(path: Path) -> str:
    try:
        return hash_file(path)
    except OSError as error:
        return f"unreadable: {error.strerror}"  # becomes a warning when the stage reads it


def ingest_file(path: Path, content_hash: str, fingerprint: str, pipeline: Pipeline, progress: Progress) -> Ingested:
    """Read one video file through every stage; `fingerprint` is `content_fingerprint` of what is about to be read.

    Raises MediaError if the file cannot be decoded, MissingDependency if a stage's package is absent.
    """
    settings = pipeline.settings
    progress("probe", 0.0, 1.0)
    info = media.probe(path, limits=pipeline.limits)

    shot_reader, fact_reader = ShotReader(), FactReader()
    ocr_reader = _ocr_reader() if settings.ocr else None
    scan = media.scan(path, text_frames=settings.ocr, limits=pipeline.limits)
    for batch in scan:
        for reader in (shot_reader, fact_reader, ocr_reader):
            if reader is not None:
                reader.read(batch)
        progress("decode", float(batch.seconds[-1]), info.duration_seconds)

    duration_seconds = scan.duration_seconds
    shots = shot_reader.shots(duration_seconds)
    speech = _speech(path, info, duration_seconds, pipeline)
    clips = make_clips(
        duration_seconds,
        shots,
        sentences(speech.observations),
        minimum=settings.clip_min_seconds,
        maximum=settings.clip_max_seconds,
    )
    observations: list[Observation] = [*speech.observations, *fact_reader.facts(clips, shots)]
    if ocr_reader is not None:
        observations += ocr_reader.observations(duration_seconds)

    title = info.title or path.stem
    passages = make_passages(clips, observations)
    progress("embed", duration_seconds, duration_seconds)
    vectors = _embed(pipeline.embedder, passages)
    record = VideoRecord(
        video=Video(
            id=video_id_from_hash(content_hash),
            content_hash=content_hash,
            title=title,
            duration_seconds=duration_seconds,
            paths=(str(path),),
            media=_media_json(info),
        ),
        fingerprint=fingerprint,
        shots=tuple(shots),
        clips=clips,
        observations=tuple(observations),
        passages=passages,
        space=pipeline.embedder.space if pipeline.embedder else None,
        vectors=vectors,
        gaps=_gaps(video_id_from_hash(content_hash), info, duration_seconds),
        sections=make_sections(clips, passages, observations, vectors),
    )
    warnings = [*speech.warnings, *([scan.warning] if scan.warning else [])]
    return Ingested(record, tuple(warnings))


def ingest_import(imported: ImportedVideo, fingerprint: str, pipeline: Pipeline) -> Ingested:
    """A text-only video: the rows of an import file as observations, clips at their ends."""
    settings = pipeline.settings
    whole = Span(0.0, imported.duration_seconds)
    ends = [observation.span for observation in imported.observations]
    clips = make_clips(
        imported.duration_seconds, [whole], ends, minimum=settings.clip_min_seconds, maximum=settings.clip_max_seconds
    )
    passages = make_passages(clips, imported.observations)
    vectors = _embed(pipeline.embedder, passages)
    record = VideoRecord(
        video=Video(
            id=video_id_from_hash(imported.content_hash),
            content_hash=imported.content_hash,
            title=imported.name,
            duration_seconds=imported.duration_seconds,
            kind="import",
        ),
        fingerprint=fingerprint,
        shots=(whole,),
        clips=clips,
        observations=tuple(imported.observations),
        passages=passages,
        space=pipeline.embedder.space if pipeline.embedder else None,
        vectors=vectors,
        sections=make_sections(clips, passages, imported.observations, vectors),
    )
    return Ingested(record, ())


def import_fingerprint(imported: ImportedVideo, pipeline: Pipeline) -> str:
    settings = pipeline.settings
    return _digest(
        imported.content_hash,
        STAGE_REVISIONS,
        [settings.clip_min_seconds, settings.clip_max_seconds],
        pipeline.embedder.space.key if pipeline.embedder else None,
    )


def _ocr_reader() -> OcrReader:
    from agentvid.perceive.ocr import OcrReader

    return OcrReader()


def _speech(path: Path, info: MediaInfo, duration_seconds: float, pipeline: Pipeline) -> Speech:
    """Subtitle streams and sidecars. A sidecar that cannot be read costs its lines and a warning, not the video."""
    streams = media.read_subtitles(path, limits=pipeline.limits) if info.subtitles else []
    beside, unread = [], []
    for sidecar in sidecars(path):
        try:
            beside.append((sidecar, read_sidecar(sidecar)))
        except SubtitleError as error:
            unread.append(f"{error} - {error.hint}" if error.hint else str(error))
    heard = speech_observations(streams, beside, duration_seconds, languages=pipeline.settings.subtitle_languages)
    return Speech(heard.observations, (*unread, *heard.warnings))


def _embed(embedder: Embedder | None, passages: Sequence[Passage]) -> Vectors | None:
    if embedder is None:
        return None
    return embedder.encode_document([f"{passage.context} {passage.text}".strip() for passage in passages])


def _media_json(info: MediaInfo) -> dict[str, object]:
    return {
        "container": info.container,
        "codec": info.codec,
        "width": info.width,
        "height": info.height,
        "rotation_degrees": info.rotation_degrees,
        "frame_rate": info.frame_rate,
        "has_audio": info.has_audio,
    }


def _gaps(video_id: str, info: MediaInfo, duration_seconds: float) -> tuple[Gap, ...]:
    """What the header promised and the file did not hold: a truncated download, say."""
    if info.duration_seconds - duration_seconds <= _DAMAGE_SECONDS:
        return ()
    lost = Span(duration_seconds, info.duration_seconds)
    return tuple(Gap(video_id, lost, track, "the file ends before its header says") for track in (FACT, OCR))


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
