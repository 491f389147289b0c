"""Rows of a video and its clips -> the record that goes into the catalogue: passages, their vectors, chapters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from agentvid.indexes.base import VideoRecord
from agentvid.indexes.known import embedded_text
from agentvid.models.base import ChatModel, Embedder, FrameVectors, Vectors
from agentvid.passages import make_passages
from agentvid.sections import make_sections
from agentvid.types import Clip, Gap, Observation, Passage, Span, Video

#: Raise a number when the same rows give others: videos indexed before are then made again, without reading them.
REVISIONS = {"passages": 2, "sections": 1}

#: (stage, seconds of video done, seconds of video in all)
Progress = Callable[[str, float, float], None]


def assemble(
    video: Video,
    fingerprint: str,
    shots: Sequence[Span],
    clips: Sequence[Clip],
    observations: Sequence[Observation],
    embedder: Embedder | None,
    writer: ChatModel | None,
    *,
    gaps: Sequence[Gap] = (),
    stages: Mapping[str, str] | None = None,
    known_vectors: Mapping[str, NDArray[np.float32]] | None = None,
    frames: FrameVectors | None = None,
    progress: Progress = lambda stage, done, total: None,
) -> tuple[VideoRecord, tuple[str, ...]]:
    """The record, and what the user should know of it.

    `known_vectors`: embedded text -> (dimension,) float32, of the same embedder; those texts are not embedded.
    """
    duration_seconds = video.duration_seconds
    progress("embed", duration_seconds, duration_seconds)
    passages = make_passages(clips, observations)
    vectors = _embed(embedder, passages, known_vectors or {}) if embedder else None
    told: tuple[str, ...] = ()
    sections = make_sections(clips, passages, observations, vectors)
    if writer and sections:
        from agentvid.abstracts import written

        progress("digests", duration_seconds, duration_seconds)
        sections, told = written(sections, passages, writer)
    record = VideoRecord(
        video=video,
        # Told in rows where the model failed: the next run tries again.
        fingerprint="" if told else fingerprint,
        shots=tuple(shots),
        clips=tuple(clips),
        observations=tuple(observations),
        passages=passages,
        space=embedder.space if embedder else None,
        vectors=vectors,
        gaps=tuple(gaps),
        stages=dict(stages or {}),
        sections=sections,
        frames=frames,
    )
    return record, told


def _embed(embedder: Embedder, passages: Sequence[Passage], known: Mapping[str, NDArray[np.float32]]) -> Vectors:
    """(len(passages), dimension); each text that is not known is embedded once."""
    texts = [embedded_text(passage.context, passage.text) for passage in passages]
    new = list(dict.fromkeys(text for text in texts if text not in known))
    found = {**known, **(dict(zip(new, embedder.encode_document(new), strict=True)) if new else {})}
    if not texts:
        return np.zeros((0, embedder.space.dimension), np.float32)
    return np.stack([found[text] for text in texts])
