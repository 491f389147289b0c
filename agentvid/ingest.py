"""Path 1: from a video file to one catalogue transaction. This file alone knows the order of the stages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from agentvid import media
from agentvid.config import Settings
from agentvid.identity import video_id_from_hash
from agentvid.indexes.base import VideoRecord
from agentvid.indexes.results import ModelResults
from agentvid.media.limits import Limits, limits_of
from agentvid.media.types import MediaInfo
from agentvid.models.base import ChatModel, Embedder, Vectors
from agentvid.passages import make_passages
from agentvid.perceive import load_tracks
from agentvid.perceive.base import Reading, Source, Track, Watched
from agentvid.perceive.guarded import GuardedReader
from agentvid.perceive.speech import sentences
from agentvid.perceive.stages import digest, needed_by, stage_keys
from agentvid.sections import make_sections
from agentvid.segment import ShotReader, make_clips
from agentvid.types import SPEECH, Clip, Gap, Observation, Passage, Section, Span, Video

if TYPE_CHECKING:
    from agentvid.importer import ImportedVideo

#: Raise a number when the output of what is no track changes: videos indexed before are then made again.
STAGE_REVISIONS = {"shots": 1, "passages": 2, "sections": 1}

#: A header may promise this much more than the file holds before the rest counts as lost.
_DAMAGE_SECONDS = 1.0

#: (stage, seconds of video done, seconds of video in all)
Progress = Callable[[str, float, float], None]


@dataclass(frozen=True)
class Pipeline:
    """What the stages need besides the file. `writer` tells chapters in its own words; without it rows do.

    `results` keeps what models said, so that it is not paid for twice.
    """

    settings: Settings
    embedder: Embedder | None
    writer: ChatModel | None = None
    results: ModelResults | None = None

    @cached_property
    def tracks(self) -> tuple[Track, ...]:
        """Those that are switched on, each behind those that it needs."""
        return tuple(track for track in load_tracks() if track.parameters(self.settings) is not None)

    @property
    def limits(self) -> Limits:
        return limits_of(self.settings)


@dataclass(frozen=True, slots=True)
class Ingested:
    """A record ready to commit, what the user should know about it, and one gap for each track that was not whole."""

    record: VideoRecord
    warnings: tuple[str, ...]
    partial: tuple[Gap, ...] = ()


def content_fingerprint(path: Path, content_hash: str, pipeline: Pipeline) -> str:
    """sha256 of everything that decides the result: content, sidecars, stages, settings."""
    shots = {"revision": STAGE_REVISIONS["shots"]}
    return digest(stage_keys(pipeline.tracks, path, content_hash, pipeline.settings, shots), *_assembly(pipeline))


def ingest_file(path: Path, content_hash: str, fingerprint: str, pipeline: Pipeline, progress: Progress) -> Ingested:
    """Read one video file through every stage; `fingerprint` is `content_fingerprint` of what is about to be read.

    A track that fails becomes a gap of the whole video. Raises MediaError if the file cannot be decoded,
    MissingDependency if the package of one of our own tracks is absent.
    """
    settings, tracks = pipeline.settings, pipeline.tracks
    progress("probe", 0.0, 1.0)
    info = media.probe(path, limits=pipeline.limits)
    video_id = video_id_from_hash(content_hash)
    source = Source(path, info, content_hash, video_id, settings, pipeline.limits, pipeline.results)

    with ExitStack() as opened:
        readers = [opened.enter_context(closing(GuardedReader(track, source))) for track in tracks]
        shot_reader = ShotReader()
        scan = media.scan(
            path,
            text_frames=_any_reads("text_frames", tracks),
            key_frames=_any_reads("key_frames", tracks),
            limits=pipeline.limits,
        )
        for batch in scan:
            shot_reader.read(batch)
            for reader in readers:
                if reader.track.frames:
                    reader.read(batch)
            progress("decode", float(batch.seconds[-1]), info.duration_seconds)

        duration_seconds = scan.duration_seconds
        shots = shot_reader.shots(duration_seconds)
        clips: tuple[Clip, ...] = ()
        readings: dict[str, Reading] = {}
        first = needed_by(SPEECH, tracks)
        for reader in sorted(readers, key=lambda reader: reader.track.name not in first):
            if not clips and reader.track.name not in first:
                clips = _clips(duration_seconds, shots, readings.values(), settings)
            progress(reader.track.name, duration_seconds, duration_seconds)
            watched = Watched(duration_seconds, shots, clips, _rows(readings.values()))
            readings[reader.track.name] = reader.finish(watched)
        clips = clips or _clips(duration_seconds, shots, readings.values(), settings)
    observations = _rows(readings.values())
    passages = make_passages(clips, observations)
    progress("embed", duration_seconds, duration_seconds)
    gaps = [gap for reading in readings.values() for gap in reading.gaps]
    vectors = _embed(pipeline.embedder, passages)
    sections, told = _sections(clips, passages, observations, vectors, pipeline, progress)
    record = VideoRecord(
        video=Video(
            id=source.video_id,
            content_hash=content_hash,
            title=info.title or path.stem,
            duration_seconds=duration_seconds,
            paths=(str(path),),
            media=_media_json(info),
        ),
        # Where a model or a track failed, the next run tries again.
        fingerprint="" if told or gaps else fingerprint,
        shots=tuple(shots),
        clips=clips,
        observations=tuple(observations),
        passages=passages,
        space=pipeline.embedder.space if pipeline.embedder else None,
        vectors=vectors,
        gaps=(*gaps, *_lost(source, duration_seconds, tracks)),
        sections=sections,
    )
    warnings = [warning for reading in readings.values() for warning in reading.warnings]
    warnings += [scan.warning] if scan.warning else []
    return Ingested(record, (*warnings, *told), tuple(gaps))


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
    sections, told = _sections(clips, passages, imported.observations, vectors, pipeline)
    record = VideoRecord(
        video=Video(
            id=video_id_from_hash(imported.content_hash),
            content_hash=imported.content_hash,
            title=imported.name,
            duration_seconds=imported.duration_seconds,
            kind="import",
        ),
        fingerprint="" if told else fingerprint,
        shots=(whole,),
        clips=clips,
        observations=tuple(imported.observations),
        passages=passages,
        space=pipeline.embedder.space if pipeline.embedder else None,
        vectors=vectors,
        sections=sections,
    )
    return Ingested(record, told)


def import_fingerprint(imported: ImportedVideo, pipeline: Pipeline) -> str:
    return digest(imported.content_hash, *_assembly(pipeline))


def _assembly(pipeline: Pipeline) -> tuple[object, ...]:
    """What decides how rows become clips, passages and vectors."""
    settings, embedder = pipeline.settings, pipeline.embedder
    return (
        STAGE_REVISIONS["passages"],
        STAGE_REVISIONS["sections"],
        pipeline.writer.name if pipeline.writer else None,
        settings.clip_min_seconds,
        settings.clip_max_seconds,
        embedder.space.key if embedder else None,
    )


def _any_reads(frames: str, tracks: Sequence[Track]) -> bool:
    return any(frames in track.frames for track in tracks)


def _rows(readings: Iterable[Reading]) -> list[Observation]:
    return [row for reading in readings for row in reading.observations]


def _clips(
    duration_seconds: float, shots: Sequence[Span], readings: Iterable[Reading], settings: Settings
) -> tuple[Clip, ...]:
    spoken = sentences(_rows(readings))
    return make_clips(
        duration_seconds, shots, spoken, minimum=settings.clip_min_seconds, maximum=settings.clip_max_seconds
    )


def _embed(embedder: Embedder | None, passages: Sequence[Passage]) -> Vectors | None:
    if embedder is None:
        return None
    return embedder.encode_document([f"{passage.context} {passage.text}".strip() for passage in passages])


def _sections(
    clips: Sequence[Clip],
    passages: Sequence[Passage],
    observations: Sequence[Observation],
    vectors: Vectors | None,
    pipeline: Pipeline,
    progress: Progress | None = None,
) -> tuple[tuple[Section, ...], tuple[str, ...]]:
    """Chapters and whole with their digests, and what the user should know of them."""
    sections = make_sections(clips, passages, observations, vectors)
    if pipeline.writer is None or not sections:
        return sections, ()
    from agentvid.abstracts import written

    if progress:
        progress("digests", sections[-1].span.end_seconds, sections[-1].span.end_seconds)
    return written(sections, passages, pipeline.writer)


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


def _lost(source: Source, duration_seconds: float, tracks: Sequence[Track]) -> tuple[Gap, ...]:
    """What the header promised and the file did not hold: a truncated download, say."""
    if source.info.duration_seconds - duration_seconds <= _DAMAGE_SECONDS:
        return ()
    lost = Span(duration_seconds, source.info.duration_seconds)
    return tuple(
        source.gap(lost, track.name, "the file ends before its header says") for track in tracks if track.frames
    )
