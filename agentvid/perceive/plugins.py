"""Finds and checks tracks: ours by the same door as those of other packages.

What is wrong with a plug-in must not keep a video from being indexed: a track that cannot be used is replaced by one
that says so when it is opened, so that the reason is kept with every video that lacks it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from importlib.metadata import EntryPoint, entry_points
from typing import get_args

from agentvid.config import Settings, plugins_allowed
from agentvid.errors import ModelError
from agentvid.perceive.base import PASSAGES, SHOTS, Frames, Reader, Source, Track, reason_of
from agentvid.types import LOOK, Json

#: Rows of the track `look` live in the trace of a run; the others are stages that are no tracks.
_RESERVED = {LOOK, SHOTS, PASSAGES}
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_HINT = "repair or uninstall it, or set AGENTVID_PLUGINS=off"


class BrokenTrack(Track):
    """Stands in for a plug-in that cannot be used."""

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.reason = reason

    def parameters(self, settings: Settings) -> Json:
        return {"unusable": self.reason}

    def open(self, source: Source) -> Reader:
        """Raises ModelError with the reason."""
        raise ModelError(self.reason, hint=_HINT)


def load(ours: Mapping[str, str], group: str) -> tuple[Track, ...]:
    """One object of each of `ours` and, unless they are switched off, of each plug-in, in the order of `after`."""
    tracks = {name: EntryPoint(name, value, group).load()() for name, value in ours.items()}
    for plugin in entry_points(group=group) if plugins_allowed() else ():
        track = _load_plugin(plugin, taken=set(tracks))
        tracks[track.name] = track
    return _ordered(tracks)


def switched_on(tracks: Sequence[Track], settings: Settings) -> tuple[Track, ...]:
    """Those that the settings do not switch off; a plug-in that cannot even say so is unusable."""
    asked = (_asked(track, settings) for track in tracks)
    return tuple(track for track in asked if track is not None)


def _asked(track: Track, settings: Settings) -> Track | None:
    try:
        return None if track.parameters(settings) is None else track
    except Exception as error:
        if not is_plugin(track):
            raise
        return BrokenTrack(track.name, f"the track {track.name!r} cannot be used: {reason_of(error)}")


def is_plugin(track: Track) -> bool:
    """Whether its failures may not keep others from being read, not even one that says what to install."""
    return not type(track).__module__.startswith("agentvid.") or isinstance(track, BrokenTrack)


def _load_plugin(plugin: EntryPoint, taken: set[str]) -> Track:
    try:
        loaded = plugin.load()
        track: Track = loaded() if callable(loaded) else loaded
        problem = _problem(track, taken)
        if not problem:
            return track
    except Exception as error:  # noqa: BLE001 - whatever a stranger's import raises is kept as the reason
        problem = reason_of(error)
    is_free = _NAME.fullmatch(plugin.name) and plugin.name not in taken | _RESERVED
    name = plugin.name if is_free else f"plugin-{len(taken)}"
    owner = plugin.dist.name if plugin.dist else plugin.value
    return BrokenTrack(name, f"the track plug-in {plugin.name!r} of {owner} cannot be used: {problem}")


def _problem(track: Track, taken: set[str]) -> str:
    """Why this object is no track, or ""."""
    members = ["name", *(name for name in dir(Track) if not name.startswith("_"))]
    lacking = [name for name in members if not hasattr(track, name)]
    if lacking:
        return f"it lacks {', '.join(lacking)}; subclass agentvid.perceive.base.Track"
    if not isinstance(track.name, str) or not _NAME.fullmatch(track.name):
        return f"its name is {track.name!r}; allowed: a-z, then up to 31 of a-z 0-9 _ -"
    if track.name in taken | _RESERVED:
        return f"the name {track.name!r} is taken"
    if not isinstance(track.revision, int):
        return f"its revision is {track.revision!r}; allowed: a whole number"
    if not isinstance(track.after, tuple) or not all(isinstance(name, str) for name in track.after):
        return f"its after is {track.after!r}; allowed: a tuple of names"
    if not isinstance(track.frames, tuple) or not set(track.frames) <= set(get_args(Frames)):
        return f"its frames are {track.frames!r}; allowed: a tuple of {', '.join(get_args(Frames))}"
    json.dumps(track.parameters(Settings()))
    return ""


def _ordered(tracks: dict[str, Track]) -> tuple[Track, ...]:
    """Every track behind those that it names in `after`; plug-ins that wait for each other are unusable."""
    while True:
        needs = {name: [other for other in track.after if other in tracks] for name, track in tracks.items()}
        try:
            return tuple(tracks[name] for name in TopologicalSorter(needs).static_order())
        except CycleError as error:
            circle = error.args[1]
            for name in circle:
                if is_plugin(tracks[name]):
                    tracks[name] = BrokenTrack(name, f"the track {name!r} waits for itself: {' -> '.join(circle)}")
