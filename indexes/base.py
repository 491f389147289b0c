"""What the stores offer to the rest: the shape of a stored video, filters, and the vector index Protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from agentvid.models.base import EmbeddingSpace, FrameVectors, Vectors
from agentvid.types import Clip, Gap, Observation, Passage, Section, Span, Video

Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class VideoRecord:
    """Everything about one video that goes into the catalogue in one transaction.

    The `observation_ids` of passages and sections are positions in `observations` here; the catalogue replaces them by
    row ids.
    `vectors`: (len(passages), dimension) float32, L2-normalised, or None when embedding is off.
    `frames`: the vectors of the observations of the track FRAME, in their order.
    `stages`: stage -> key, of those that are whole: the sha256 of all that decides their rows. `fingerprint` is that of
    what is made of the rows: passages and vectors. Where all are equal, there is nothing to do.
    """

    video: Video
    fingerprint: str
    shots: tuple[Span, ...]
    clips: tuple[Clip, ...]
    observations: tuple[Observation, ...]
    passages: tuple[Passage, ...]
    space: EmbeddingSpace | None
    vectors: Vectors | None
    gaps: tuple[Gap, ...] = ()
    stages: Mapping[str, str] = field(default_factory=dict)
    sections: tuple[Section, ...] = ()
    frames: FrameVectors | None = None


@dataclass(frozen=True, slots=True)
class Filter:
    """Applied before top-k. Empty tuples mean "all"; `within` keeps passages that overlap it."""

    video_ids: tuple[str, ...] = ()
    tracks: tuple[str, ...] = ()
    within: Span | None = None

    @property
    def is_empty(self) -> bool:
        return not self.video_ids and not self.tracks and self.within is None


class VectorIndex(Protocol):
    """Vectors under ids of passages or frames: a cache of the catalogue, never the truth."""

    @property
    def count(self) -> int: ...

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """`ids` (n,) unique and new; `vectors` (n, dimension) float32, L2-normalised."""
        ...

    def remove(self, ids: Ids) -> None:
        """Unknown ids are ignored."""
        ...

    def search(self, query: Vectors, k: int, allowed: Ids | None = None) -> tuple[Ids, NDArray[np.float32]]:
        """Ids (<=k,) and cosines (<=k,), best first, for one query (dimension,), among `allowed` if given."""
        ...

    def cosines_of(self, query: Vectors, ids: Ids) -> NDArray[np.float32]:
        """(n,) exact cosines of one query with the rows of `ids`, in their order. Raises KeyError for an unknown id."""
        ...

    def save(self, path: Path) -> None: ...


@dataclass(frozen=True, slots=True)
class Ranked:
    """One passage as a channel ranked it."""

    passage_id: int
    score: float
