"""Frames as vectors: one row per frame that shows something new, with its vector in the space of a frame embedder.

The row's text says when the frame is shown, which is all that is known of it in words. What it shows is in the vector.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import cv2
import numpy as np

from agentvid.config import Settings
from agentvid.egress import outlet_of
from agentvid.media.types import Frame, FrameBatch
from agentvid.models import load_frame_embedder
from agentvid.models.base import FrameEmbedder, FrameVectors, Image, Vectors
from agentvid.perceive.base import Frames, Reader, Reading, Source, Track, Watched
from agentvid.text import frame_text
from agentvid.types import FRAME, Clip, Json, Observation, Provenance, Span

#: A frame is new if a cell of this grid differs from the last kept frame by more than this (0..255, worst channel):
#: a small thing that moves or appears changes one cell, noise and compression change all of them a little.
_GRID, _NEW_CHANGE = 16, 12
#: No clip keeps more, evenly chosen: a clip lasts at most 90 s by default, its key frames are about one a second.
_FRAMES_PER_CLIP = 48
#: Frames that wait until there are enough for a batch.
_BATCH_FRAMES = 32
_REVISION = 1


class FrameTrack(Track):
    """Needs a frame embedder, and is off without the setting that names one."""

    name = FRAME
    revision = _REVISION
    frames: tuple[Frames, ...] = ("key_frames",)
    is_slow = True

    def __init__(self) -> None:
        self._loaded: dict[str, FrameEmbedder] = {}

    def parameters(self, settings: Settings) -> Json | None:
        if not settings.frame_embedder:
            return None
        embedder = self._embedder(settings)
        clip_seconds = [settings.clip_min_seconds, settings.clip_max_seconds]
        return {"model": embedder.name, "revision": embedder.revision, "clip_seconds": clip_seconds}

    def open(self, source: Source) -> Reader:
        embedder = self._embedder(source.settings)
        # Now, so that a model that cannot be loaded is told before a film was decoded for it.
        return FrameReader(embedder, Provenance(FRAME, embedder.space.model, embedder.space.revision))

    def _embedder(self, settings: Settings) -> FrameEmbedder:
        name = settings.frame_embedder
        if name not in self._loaded:
            self._loaded[name] = load_frame_embedder(name, settings.cache, outlet_of(settings, "downloads"))
        return self._loaded[name]


class FrameReader(Reader):
    """Embeds the key frames that differ from the one before; keeps vectors, and of pictures less than a batch."""

    def __init__(self, embedder: FrameEmbedder, provenance: Provenance) -> None:
        self._embedder = embedder
        self._provenance = provenance
        self._last: Image | None = None
        self._waiting: list[Frame] = []
        self._seconds: list[float] = []
        self._vectors: list[Vectors] = []

    def read(self, batch: FrameBatch) -> None:
        for frame in batch.key_frames:
            if self._is_new(frame.image):
                self._waiting.append(frame)
        if len(self._waiting) >= _BATCH_FRAMES:
            self._embed()

    def finish(self, watched: Watched) -> Reading:
        self._embed()
        if not self._seconds:
            return Reading(())
        kept = _spread(self._seconds, watched.clips)
        ends = [*(self._seconds[at] for at in kept[1:]), watched.duration_seconds]
        rows = [
            Observation(Span(begin, end), FRAME, frame_text(begin), self._provenance)
            for begin, end in zip((self._seconds[at] for at in kept), ends, strict=True)
            if begin < end
        ]
        vectors = np.concatenate(self._vectors)[kept][: len(rows)]
        return Reading(rows, frames=FrameVectors(self._embedder.space, vectors))

    def _is_new(self, image: Image) -> bool:
        grid = np.asarray(cv2.resize(image, (_GRID, _GRID), interpolation=cv2.INTER_AREA), np.uint8)
        if self._last is not None and int(cv2.absdiff(grid, self._last).max()) <= _NEW_CHANGE:
            return False
        self._last = grid
        return True

    def _embed(self) -> None:
        if self._waiting:
            self._vectors.append(self._embedder.encode([frame.image for frame in self._waiting]))
            self._seconds += [frame.seconds for frame in self._waiting]
            self._waiting = []


def _spread(seconds: Sequence[float], clips: Sequence[Clip]) -> list[int]:
    """Positions of the frames to keep: all of a clip, or that many of them evenly, always the first."""
    starts = [clip.span.start_seconds for clip in clips]
    by_clip: dict[int, list[int]] = {}
    for position, begin in enumerate(seconds):
        by_clip.setdefault(bisect_right(starts, begin), []).append(position)
    kept: list[int] = []
    for positions in by_clip.values():
        count = min(len(positions), _FRAMES_PER_CLIP)
        kept += [positions[round(at)] for at in np.linspace(0, len(positions) - 1, count)]
    return kept
