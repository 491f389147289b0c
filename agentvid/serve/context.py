"""What every route works with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentvid.library import Library
from agentvid.serve.names import without_paths
from agentvid.types import Video


@dataclass(frozen=True)
class Options:
    """How the server was started. `token` "" means that none is asked for, which loopback alone allows."""

    host: str = "127.0.0.1"
    port: int = 0
    token: str = ""
    hosts: tuple[str, ...] = ()
    folders: tuple[Path, ...] = ()
    asks: int = 2


@dataclass(frozen=True)
class Context:
    """One library, served. Handlers run in several threads: see `Library.open_parts`."""

    library: Library
    options: Options

    def video(self, video_id: str) -> Video:
        """Raises UnknownVideo; an id is whole, or it is none."""
        return self.library.catalogue.video(video_id)

    def clean(self, document: Any) -> Any:
        """A document without paths."""
        catalogue = self.library.catalogue
        return without_paths(document, catalogue.videos(), catalogue.directory)
