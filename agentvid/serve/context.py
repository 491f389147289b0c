"""What every route works with."""

from __future__ import annotations

import os
import secrets
import threading
from dataclasses import dataclass
from pathlib import Path

from agentvid.jobs import IndexJobs
from agentvid.library import Library
from agentvid.media.limits import limits_of
from agentvid.serve.cache import Cache
from agentvid.serve.content import Contents
from agentvid.serve.copies import Copies
from agentvid.serve.errors import Refused
from agentvid.serve.names import Names
from agentvid.serve.stills import Stills
from agentvid.types import Video

#: How large what was made once may grow on the disk.
_FACTS_BYTES, _STILLS_BYTES, _MEDIA_BYTES = 4 << 20, 256 << 20, 8 << 30


@dataclass(frozen=True)
class Waits:
    """How long others are waited for.

    `header_seconds`: from a connection, or the last response, to the end of a request's headers. `body_seconds`: for
    the whole body. `stall_seconds`: a reader that took nothing for so long makes room if somebody else wants to
    connect; a paused player is one. `grace_seconds`: so long a new connection that said nothing need not make room.
    """

    header_seconds: float = 10.0
    body_seconds: float = 20.0
    stall_seconds: float = 5.0
    grace_seconds: float = 1.0


@dataclass(frozen=True)
class Options:
    """How the server was started.

    `token` "" means that none is asked for, which loopback alone allows; `ticket` opens the page once, so that the
    token itself need not be given to the program that opens the browser. `hosts` are more names of this server,
    `folders` those whose files may be indexed, `asks` is how many questions are answered at a time.
    """

    host: str = "127.0.0.1"
    port: int = 0
    token: str = ""
    ticket: str = ""
    hosts: tuple[str, ...] = ()
    folders: tuple[Path, ...] = ()
    asks: int = 2
    waits: Waits = Waits()


class Context:
    """One library, served. `stopping` is set when the server ends: long work looks at it.

    The rule of threads: handlers run in several of them at once. What they share is `library`, whose catalogue and
    retriever are safe to share and whose parts `Library.open_parts` opened before, and what is made here, which holds
    locks of its own. A handler keeps everything else to itself.
    """

    def __init__(self, library: Library, options: Options) -> None:
        library.open_parts()
        folder = library.settings.cache / "serve"
        self.library, self.options = library, options
        self.stopping = threading.Event()
        #: No other run of a server has it: what one has tagged by numbers, another must not know again.
        self.run = secrets.token_hex(8)
        facts = Cache(folder / "facts", _FACTS_BYTES)
        self.contents = Contents(facts, self.stopping)
        limits = limits_of(library.settings)
        self.stills = Stills(self.contents, Cache(folder / "stills", _STILLS_BYTES), limits)
        self.copies = Copies(self.contents, facts, Cache(folder / "media", _MEDIA_BYTES), limits)
        self.jobs = IndexJobs(library)
        self._identity = self._identify()

    def end(self) -> None:
        """The server ends; may be called more than once."""
        self.stopping.set()
        self.jobs.stop_all()

    async def check_library(self) -> None:
        """Raises Refused with 503 if the library that was opened is not where it was: SQLite would go on reading it."""
        if self._identify() != self._identity:
            raise Refused(503, "the library was removed or replaced", "start the server again")

    def video(self, video_id: str) -> Video:
        """Raises UnknownVideo; an id is whole, or it is none."""
        return self.library.catalogue.video(video_id)

    def names(self) -> Names:
        """What replaces paths in documents, as of now."""
        return Names(self.library.catalogue.videos(), self.library.catalogue.directory)

    def _identify(self) -> tuple[int, int]:
        try:
            status = os.stat(self.library.catalogue.store.path)
        except OSError:
            return 0, 0
        return status.st_dev, status.st_ino
