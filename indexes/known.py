"""What the catalogue holds of a video that is indexed again: rows of stages that did not change are taken from here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from agentvid.indexes import records, schema
from agentvid.indexes.catalogue import Catalogue
from agentvid.models.base import EmbeddingSpace, FrameVectors
from agentvid.types import FRAME, Gap, Observation, Span, Video


@dataclass(frozen=True, slots=True)
class Known:
    """`stages` and `frames` as in a VideoRecord; `vectors`: embedded text -> (dimension,) float32."""

    duration_seconds: float = 0.0
    stages: Mapping[str, str] = field(default_factory=dict)
    shots: tuple[Span, ...] = ()
    observations: tuple[Observation, ...] = ()
    gaps: tuple[Gap, ...] = ()
    vectors: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    frames: FrameVectors | None = None

    def by_track(self) -> dict[str, list[Observation]]:
        rows: dict[str, list[Observation]] = {}
        for row in self.observations:
            rows.setdefault(row.track, []).append(row)
        return rows


#: Of a video that is new.
NOTHING = Known()


def read_known(catalogue: Catalogue, video: Video, space: EmbeddingSpace | None) -> Known:
    """Everything about a video but what is made of its rows; of vectors, those of one space.

    NOTHING if no stage has a key: the video is from before there were any, or doctor found that its rows changed on the
    disk. Then none of it is taken over.
    """
    stages = catalogue.stages(video.id)
    if not stages:
        return NOTHING
    observations = tuple(catalogue.observations(video.id))
    shown = [row.id for row in observations if row.track == FRAME]
    frames = _frames(catalogue, video.id, shown)
    if shown and frames is None:
        stages = {name: key for name, key in stages.items() if name != FRAME}
    return Known(
        video.duration_seconds,
        stages,
        tuple(catalogue.shots(video.id)),
        observations,
        tuple(catalogue.gaps([video.id])),
        _vectors(catalogue, video.id, space) if space else {},
        frames,
    )


def embedded_text(context: str, text: str) -> str:
    """What of a passage is embedded."""
    return f"{context} {text}".strip()


def _vectors(catalogue: Catalogue, video_id: str, space: EmbeddingSpace) -> dict[str, NDArray[np.float32]]:
    passages, vectors, spaces = schema.passages, schema.vectors, schema.spaces
    query = (
        sa.select(passages.c.context, passages.c.text, vectors.c.vector)
        .join(vectors, vectors.c.passage_id == passages.c.id)
        .join(spaces, spaces.c.id == vectors.c.space_id)
        .join(schema.videos, schema.videos.c.key == passages.c.video_key)
        .where(schema.videos.c.id == video_id, spaces.c.key == space.key)
    )
    with catalogue.store.reading() as connection:
        rows = connection.execute(query).all()
    size = 2 * space.dimension
    return {
        embedded_text(row.context, row.text): np.frombuffer(row.vector, "<f2").astype(np.float32)
        for row in rows
        if isinstance(row.vector, bytes) and len(row.vector) == size
    }


def _frames(catalogue: Catalogue, video_id: str, ids: list[int]) -> FrameVectors | None:
    """The vectors of these rows, in their order; None if any is missing: then the frames are read again."""
    table, embedded, spaces, videos = schema.frame_vectors, schema.embedded, schema.spaces, schema.videos
    of_video = (
        sa.select(spaces.c.id, spaces.c.model, spaces.c.revision, spaces.c.dimension, spaces.c.kind)
        .join(embedded, embedded.c.space_id == spaces.c.id)
        .join(videos, videos.c.key == embedded.c.video_key)
        .where(videos.c.id == video_id, spaces.c.kind == "frames")
    )
    with catalogue.store.reading() as connection:
        row = connection.execute(of_video).first()
        if row is None:
            return None
        wanted = sa.select(table.c.observation_id, table.c.vector).where(
            table.c.space_id == row.id, table.c.observation_id.in_(records.json_list(ids))
        )
        found = {row[0]: row[1] for row in connection.execute(wanted)}
    space = EmbeddingSpace(row.model, row.revision, row.dimension, row.kind)
    if len(found) != len(ids) or any(len(vector) != 2 * space.dimension for vector in found.values()):
        return None
    blobs = b"".join(found[at] for at in ids)
    return FrameVectors(space, np.frombuffer(blobs, "<f2").astype(np.float32).reshape(len(ids), space.dimension))
