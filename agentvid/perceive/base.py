"""A reader sees every batch of the one decode pass, then tells what it found."""

from __future__ import annotations

from typing import Protocol

from agentvid.media.types import FrameBatch


class FrameReader(Protocol):
    """Reads frames as they are decoded; memory must not grow with the frames themselves."""

    def read(self, batch: FrameBatch) -> None: ...
