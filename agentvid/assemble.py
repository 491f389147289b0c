"""Rows of a video and its clips -> the record that goes into the catalogue: passages and their vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from agentvid.indexes.base import VideoRecord
from agentvid.indexes.known import embedded_text
from agentvid.models.base import Embedder, Vectors
from agentvid.passages import make_passages
from agentvid.types import Clip, Gap, Observation, Passage, Span, Video

#: Raise it when passages of the same rows change: videos indexed before are then made again, without reading them.
REVISION = 2


def assemble(
    video: Video,
    fingerprint: str,
    shots: Sequence[Span],
    clips: Sequence[Clip],
    observations: Sequence[Observation],
    embedder: Embedder | None,
    *,
    gaps: Sequence[Gap] = (),
    stages: Mapping[str, str] | None = None,
    known_vectors: Mapping[str, NDArray[np.float32]] | None = None,
) -> VideoRecord:
    """`known_vectors`: embedded text -> (dimension,) float32, of the same embedder; those texts are not embedded."""
    passages = make_passages(clips, observations)
    return VideoRecord(
        video=video,
        fingerprint=fingerprint,
        shots=tuple(shots),
        clips=tuple(clips),
        observations=tuple(observations),
        passages=passages,
        space=embedder.space if embedder else None,
        vectors=_embed(embedder, passages, known_vectors or {}) if embedder else None,
        gaps=tuple(gaps),
        stages=dict(stages or {}),
    )


def _embed(embedder: Embedder, passages: Sequence[Passage], known: Mapping[str, NDArray[np.float32]]) -> Vectors:
    """(len(passages), dimension); each text that is not known is embedded once."""
    texts = [embedded_text(passage.context, passage.text) for passage in passages]
    new = list(dict.fromkeys(text for text in texts if text not in known))
    found = {**known, **(dict(zip(new, embedder.encode_document(new), strict=True)) if new else {})}
    if not texts:
        return np.zeros((0, embedder.space.dimension), np.float32)
    return np.stack([found[text] for text in texts])
