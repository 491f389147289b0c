"""Shots, where the camera cuts, and clips, the pieces of video that retrieval returns."""

from __future__ import annotations

from agentvid.segment.clips import make_clips
from agentvid.segment.shots import SHOTS_REVISION, ShotReader

__all__ = ["SHOTS_REVISION", "ShotReader", "make_clips"]
