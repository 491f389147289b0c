"""Path 1: from a video file to one catalogue transaction. This file alone knows the order of the stages."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from agentvid import media
from agentvid.assemble import REVISIONS, Progress, assemble
from agentvid.budget import NEVER, Cancel
from agentvid.config import Settings
from agentvid.identity import video_id_from_hash
from agentvid.indexes.base import VideoRecord
from agentvid.indexes.known import NOTHING, Known
from agentvid.indexes.results import ModelResults
from agentvid.media.limits import Limits, limits_of
from agentvid.media.types import MediaInfo
from agentvid.models.base import ChatModel, Embedder
from agentvid.perceive import load_tracks
from agentvid.perceive.base import PASSAGES, SHOTS, Effort, Reading, Source, Track, Watched
from agentvid.perceive.guarded import GuardedReader
from agentvid.perceive.plugins import switched_on
from agentvid.perceive.sentences import sentences
from agentvid.perceive.stages import digest, needed_by, stage_keys, stale_stages, whole_stages
from agentvid.segment import SHOTS_REVISION, ShotReader, make_clips
from agentvid.types import FRAME, SPEECH, Clip, Gap, Observation, Span, Video

if TYPE_CHECKING:
    from agentvid.importer import ImportedVideo

#: A header may promise this much more than the file holds before the rest counts as lost.
_DAMAGE_SECONDS = 1.0


@dataclass(frozen=True)
class Pipeline:
    """What the stages need besides the file.

    `writer` tells chapters in its own words; without it rows do. `all_tracks`: None = those of TRACKS and of plug-ins.
    `results` keeps what models said, so that it is not paid for twice.
    """

    settings: Settings
    embedder: Embedder | None
    writer: ChatModel | None = None
    all_tracks: tuple[Track, ...] | None = None
    results: ModelResults | None = None

    @cached_property
    def tracks(self) -> tuple[Track, ...]:
        """Those that are switched on, each behind those that it needs."""
        return switched_on(load_tracks() if self.all_tracks is None else self.all_tracks, self.settings)

    @property
    def limits(self) -> Limits:
        return limits_of(self.settings)

    @property
    def passages_key(self) -> str:
        """sha256 of what decides how rows become clips, passages and chapters."""
        return digest(REVISIONS, [self.settings.clip_min_seconds, self.settings.clip_max_seconds])

    @property
    def fingerprint(self) -> str:
        """sha256 of what decides what is made of rows, vectors and digests included."""
        space = self.embedder.space.key if self.embedder else None
        return digest(self.passages_key, space, self.writer.name if self.writer else None)

    def stage_keys(self, path: str | Path, content_hash: str) -> dict[str, str]:
        """What each stage would now be made from; loads no model."""
        settings = self.settings
        detector = "key frames" if settings.fast else settings.shot_detector
        shots = {"revision": SHOTS_REVISION, "detector": detector}
        keys = stage_keys(self.tracks, Path(path), content_hash, settings, shots)
        return {**keys, PASSAGES: self.passages_key}


@dataclass(frozen=True, slots=True)
class Ingested:
    """A record ready to commit, what the user should know about it, what each track took that was read, and gaps."""

    record: VideoRecord
    warnings: tuple[str, ...]
    efforts: Mapping[str, Effort] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()


def ingest_file(
    path: Path,
    content_hash: str,
    pipeline: Pipeline,
    progress: Progress,
    known: Known = NOTHING,
    status: os.stat_result | None = None,
    cancel: Cancel = NEVER,
) -> Ingested:
    """Make a record of one video file; of what is `known` of it, only stale stages are read again.

    `status` is the file's from before it was hashed: by it, later doors know the file again without reading it.

    A track that fails becomes a gap of the whole video. Raises MediaError if the file cannot be decoded,
    MissingDependency if the package of one of our own tracks is absent, Stopped once `cancel` is set.
    """
    progress("probe", 0.0, 1.0)
    video_id = video_id_from_hash(content_hash)
    keys = pipeline.stage_keys(path, content_hash)
    stale = stale_stages(keys, known.stages)
    before = {
        track: Reading(rows, frames=known.frames if track == FRAME else None)
        for track, rows in known.by_track().items()
    }
    readings = {track: reading for track, reading in before.items() if track not in stale}
    tracks = [track for track in pipeline.tracks if track.name in stale]

    with ExitStack() as opened:
        scan = _scan(path, tracks, SHOTS in stale, pipeline)
        info = opened.enter_context(scan).info if scan else media.probe(path, limits=pipeline.limits)
        source = Source(
            path, info, content_hash, video_id, pipeline.settings, pipeline.limits, pipeline.results, cancel
        )
        readers = [opened.enter_context(closing(GuardedReader(track, source))) for track in tracks]
        shots, duration_seconds, notes = _pass(source, scan, readers, known, SHOTS in stale, progress)
        clips: tuple[Clip, ...] = ()
        first = needed_by(SPEECH, pipeline.tracks)
        for reader in sorted(readers, key=lambda reader: reader.track.name not in first):
            if not clips and reader.track.name not in first:
                clips = _clips(duration_seconds, shots, readings.values(), pipeline.settings)
            progress(reader.track.name, duration_seconds, duration_seconds)
            needed = (readings[track] for track in reader.track.after if track in readings)
            watched = Watched(duration_seconds, shots, clips, _rows(needed))
            readings[reader.track.name] = _or_before(reader.finish(watched), before.get(reader.track.name))
        clips = clips or _clips(duration_seconds, shots, readings.values(), pipeline.settings)

    partial = [gap for track in tracks for gap in readings[track.name].gaps]
    # Rows of tracks that are switched off, or no longer installed, stay.
    other_stages = {name: key for name, key in known.stages.items() if name not in keys}
    other_gaps = [gap for gap in known.gaps if gap.track not in keys]
    record, told = assemble(
        Video(
            id=source.video_id,
            content_hash=content_hash,
            title=info.title or path.stem,
            duration_seconds=duration_seconds,
            paths=(str(path),),
            media=_media_json(info, status),
        ),
        pipeline.fingerprint,
        shots,
        clips,
        _rows(readings[track] for track in sorted(readings)),
        pipeline.embedder,
        pipeline.writer,
        gaps=[*partial, *_lost(source, duration_seconds, pipeline.tracks), *other_gaps],
        stages=other_stages | whole_stages(keys, pipeline.tracks, {gap.track for gap in partial}),
        known_vectors=known.vectors,
        frames=readings[FRAME].frames if FRAME in readings else None,
        progress=progress,
    )
    warnings = [line for track in tracks for line in readings[track.name].warnings]
    efforts = {track.name: readings[track.name].effort for track in tracks}
    return Ingested(record, (*warnings, *notes, *told), efforts, tuple(partial))


def ingest_import(imported: ImportedVideo, fingerprint: str, pipeline: Pipeline) -> Ingested:
    """A text-only video: the rows of an import file as observations, clips at their ends."""
    settings = pipeline.settings
    whole = Span(0.0, imported.duration_seconds)
    ends = [observation.span for observation in imported.observations]
    clips = make_clips(
        imported.duration_seconds, [whole], ends, minimum=settings.clip_min_seconds, maximum=settings.clip_max_seconds
    )
    video = Video(
        id=video_id_from_hash(imported.content_hash),
        content_hash=imported.content_hash,
        title=imported.name,
        duration_seconds=imported.duration_seconds,
        kind="import",
    )
    record, told = assemble(
        video, fingerprint, [whole], clips, imported.observations, pipeline.embedder, pipeline.writer
    )
    return Ingested(record, told)


def import_fingerprint(imported: ImportedVideo, pipeline: Pipeline) -> str:
    return digest(imported.content_hash, pipeline.fingerprint)


def _scan(path: Path, tracks: Sequence[Track], needs_shots: bool, pipeline: Pipeline) -> media.Scan | None:
    """The one decode pass, with what these tracks need of it. None where no stale stage needs frames."""
    wanted = {frames for track in tracks for frames in track.frames}
    if not wanted and not needs_shots:
        return None
    return media.scan(
        path,
        every_frame=not pipeline.settings.fast,
        text_frames="text_frames" in wanted,
        key_frames="key_frames" in wanted,
        quality="quality" in wanted,
        limits=pipeline.limits,
    )


def _pass(
    source: Source,
    scan: media.Scan | None,
    readers: Sequence[GuardedReader],
    known: Known,
    needs_shots: bool,
    progress: Progress,
) -> tuple[Sequence[Span], float, list[str]]:
    """Let the readers see the decode pass: (shots, seconds of the video, warnings)."""
    if scan is None:
        return known.shots, known.duration_seconds, []
    settings = source.settings
    shot_reader = ShotReader(settings.shot_detector, every_frame=not settings.fast) if needs_shots else None
    watching = [reader for reader in readers if reader.track.frames]
    for batch in scan:
        if shot_reader:
            shot_reader.read(batch)
        for reader in watching:
            reader.read(batch)
        progress("decode", float(batch.seconds[-1]), source.info.duration_seconds)
    shots = shot_reader.shots(scan.duration_seconds) if shot_reader else known.shots
    warnings = [scan.warning] if scan.warning else []
    if settings.fast:
        apart = scan.duration_seconds / scan.frames
        warnings.append(f"fast: only key frames were decoded, {apart:.1f} s apart; shots, facts and text are coarser")
    return shots, scan.duration_seconds, warnings


def _or_before(reading: Reading, before: Reading | None) -> Reading:
    """The reading; if the track brought nothing but gaps, the rows that it had before remain."""
    if before is None or reading.observations or not reading.gaps:
        return reading
    return replace(before, gaps=reading.gaps, warnings=reading.warnings)


def _rows(readings: Iterable[Reading]) -> list[Observation]:
    return [row for reading in readings for row in reading.observations]


def _clips(
    duration_seconds: float, shots: Sequence[Span], readings: Iterable[Reading], settings: Settings
) -> tuple[Clip, ...]:
    spoken = sentences(_rows(readings))
    return make_clips(
        duration_seconds, shots, spoken, minimum=settings.clip_min_seconds, maximum=settings.clip_max_seconds
    )


def _media_json(info: MediaInfo, status: os.stat_result | None) -> dict[str, object]:
    file = {"bytes": status.st_size, "modified_ns": status.st_mtime_ns} if status is not None else {}
    return file | {
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
