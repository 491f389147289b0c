"""What decides a stage's result, as one hash: equal keys mean that there is nothing to do."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from agentvid.config import Settings
from agentvid.perceive.base import SHOTS, Track


def digest(*parts: object) -> str:
    """sha256 of parts as JSON."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def stage_keys(
    tracks: Sequence[Track], path: Path, content_hash: str, settings: Settings, shots: Mapping[str, object]
) -> dict[str, str]:
    """The key of SHOTS and of every track that is on, each behind those in its `after`.

    `shots` is what decides the shots besides the content. A track of `after` that is off or unknown counts as absent.
    """
    keys = {SHOTS: digest(content_hash, dict(shots))}
    for track in tracks:
        parameters = track.parameters(settings)
        if parameters is not None:
            before = [[name, keys.get(name)] for name in track.after]
            keys[track.name] = digest(content_hash, track.inputs(path), track.revision, parameters, before)
    return keys


def needed_by(name: str, tracks: Sequence[Track]) -> set[str]:
    """The track of that name and those that it waits for, directly or not; `tracks` are in the order of `after`."""
    needed = {name}
    for track in reversed(tracks):
        if track.name in needed:
            needed.update(track.after)
    return needed
