"""Which stages of which videos would now be made from something else, and the command that makes them again."""

from __future__ import annotations

import os
import shlex
from collections import defaultdict
from dataclasses import dataclass

from agentvid.indexes.catalogue import Catalogue
from agentvid.ingest import Pipeline
from agentvid.perceive.plugins import BrokenTrack
from agentvid.perceive.stages import stale_stages
from agentvid.types import Json, Video

_CHANGED = "its model, its settings, what lies beside the file, or agentvid changed since it was made"
_NOT_MADE = "it was not made yet, or has gaps"
_SHOWN_PATHS = 3


@dataclass(frozen=True, slots=True)
class Stale:
    """A stage that is not as it would be made now, in one video or several."""

    stage: str
    reason: str
    paths: tuple[str, ...]

    @property
    def hint(self) -> str:
        shown = " ".join(shlex.quote(path) for path in self.paths[:_SHOWN_PATHS])
        return f"agentvid index {shown}{' ...' if len(self.paths) > _SHOWN_PATHS else ''}"

    def to_json(self) -> Json:
        return {"stage": self.stage, "reason": self.reason, "videos": len(self.paths), "hint": self.hint}


def stale_of(catalogue: Catalogue, videos: list[Video], pipeline: Pipeline) -> list[Stale]:
    """Stages by name. Tracks that are switched off are not stale, nor are videos whose file is gone, nor imports."""
    unusable = {track.name: track.reason for track in pipeline.tracks if isinstance(track, BrokenTrack)}
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for video in videos:
        path = next((path for path in video.paths if os.path.exists(path)), None)
        if path is None:
            continue
        stored = catalogue.stages(video.id)
        for stage in stale_stages(pipeline.stage_keys(path, video.content_hash), stored):
            reason = unusable.get(stage) or (_CHANGED if stage in stored else _NOT_MADE)
            found[stage, reason].append(path)
    return [Stale(stage, reason, tuple(paths)) for (stage, reason), paths in sorted(found.items())]
