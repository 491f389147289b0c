"""What decides the rows of a stage, as one hash: a stage whose key is the one stored need not be made again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from agentvid.config import Settings
from agentvid.perceive.base import SHOTS, Track, reason_of
from agentvid.perceive.plugins import is_plugin
from agentvid.types import Json


def digest(*parts: object) -> str:
    """sha256 of parts as JSON."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def stage_keys(
    tracks: Sequence[Track], path: Path, content_hash: str, settings: Settings, shots: Mapping[str, object]
) -> dict[str, str]:
    """The key of SHOTS and of each of `tracks`, which are on and each behind those in its `after`.

    `shots` is what decides the shots besides the content. A track of `after` that is off or unknown counts as absent.
    """
    keys = {SHOTS: digest(content_hash, dict(shots))}
    for track in tracks:
        before = [[name, keys.get(name)] for name in track.after]
        frames = ["key frames only"] if settings.fast and track.frames else []
        keys[track.name] = digest(content_hash, track.revision, before, _parts(track, path, settings), *frames)
    return keys


def _parts(track: Track, path: Path, settings: Settings) -> list[Json | None]:
    try:
        parts = [track.parameters(settings), track.inputs(path)]
        json.dumps(parts)
    except Exception as error:
        if not is_plugin(track):
            raise
        return [{"unusable": reason_of(error)}, {}]  # `open` will tell
    return parts


def stale_stages(keys: Mapping[str, str], stored: Mapping[str, str]) -> set[str]:
    """Stages that were made from something else, or not at all."""
    return {name for name, key in keys.items() if stored.get(name) != key}


def whole_stages(keys: Mapping[str, str], tracks: Sequence[Track], failed: set[str]) -> dict[str, str]:
    """The keys that may be stored: not those of tracks that failed, nor of tracks that needed the rows of these."""
    whole = dict(keys)
    for track in tracks:
        if track.name in failed or any(name in keys and name not in whole for name in track.after):
            del whole[track.name]
    return whole


def needed_by(name: str, tracks: Sequence[Track]) -> set[str]:
    """The track of that name and those that it waits for, directly or not; `tracks` are in the order of `after`."""
    needed = {name}
    for track in reversed(tracks):
        if track.name in needed:
            needed.update(track.after)
    return needed
