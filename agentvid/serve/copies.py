"""What browsers play: the file itself, or a copy that is made when somebody wants to watch it; and clips out of it."""

from __future__ import annotations

import os
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from agentvid.errors import MediaError
from agentvid.media.cut import clip, make_playable, playability
from agentvid.media.limits import Limits
from agentvid.serve.cache import Cache
from agentvid.serve.content import Content, Contents, open_file
from agentvid.serve.errors import Refused
from agentvid.serve.names import name_of, plain_line
from agentvid.serve.work import Workshop
from agentvid.types import Span, Video

#: One copy of a long film takes all cores; clips are short and need not wait for it.
_COPY_THREADS, _CLIP_THREADS = 1, 2
_COPY_TYPE = "video/mp4"


class Copies:
    """Makes and remembers copies and clips; safe between threads."""

    def __init__(self, contents: Contents, facts: Cache, files: Cache, limits: Limits) -> None:
        self._contents, self._facts, self._files, self._limits = contents, facts, files, limits
        #: Copy -> the share of it that is made.
        self._made: dict[str, float] = {}
        self._copying, self._clipping = Workshop("copies", _COPY_THREADS), Workshop("clips", _CLIP_THREADS)

    def media_type(self, video: Video) -> str:
        """That of the file if browsers play it as it is, "" if they need a copy. Raises Refused as Contents.open."""
        name = f"{video.content_hash[:32]}.type"
        with _Opened(self._contents, video) as path:  # also if it is known: what is gone is not watched
            known = self._facts.read(name)
            if known is None:
                told = playability(path, self._limits)
                known = told.media_type.encode("ascii") if told.way == "as it is" else b""
                self._facts.write(name, known)
        return known.decode("ascii", "replace")

    def copy(self, video: Video) -> Content | None:
        """The copy of a video that browsers play, if it is made."""
        return self._known(_copy_name(video))

    def make_copy(self, video: Video) -> Future[None]:
        name = _copy_name(video)
        return self._copying.ask(name, lambda: self._make_copy(video, name))

    def progress(self, video: Video) -> float | None:
        """How much of the copy is made, from 0 to 1, 0 also while it waits for others; None if none is being made."""
        name = _copy_name(video)
        return self._made.get(name, 0.0) if self._copying.is_making(name) else None

    def clip(self, video: Video, span: Span) -> Content | None:
        """A clip, if it is made. Raises Refused as Contents.open."""
        self._contents.open(video).close()
        return self._known(_clip_name(video, span))

    def make_clip(self, video: Video, span: Span) -> Future[None]:
        name = _clip_name(video, span)
        return self._clipping.ask(name, lambda: self._make_clip(video, span, name))

    def _known(self, name: str) -> Content | None:
        path = self._files.find(name)
        content = open_file(path) if path else None
        # Its times and links change while it is read: it is used by others, or has to make room.
        return replace(content, is_ours=True) if content else None

    def _make_copy(self, video: Video, name: str) -> None:
        def progress(seconds: float) -> None:
            self._made[name] = min(seconds / max(video.duration_seconds, 0.001), 1.0)

        try:
            with _Opened(self._contents, video) as path, _Made(self._files, name) as target:
                make_playable(path, target, overwrite=True, limits=self._limits, progress=progress)
        finally:
            self._made.pop(name, None)

    def _make_clip(self, video: Video, span: Span, name: str) -> None:
        with _Opened(self._contents, video) as path, _Made(self._files, name) as target:
            clip(path, span, target, overwrite=True, limits=self._limits)


class _Opened:
    """The path of a video's open file: what its own path leads to may change between looking and decoding."""

    def __init__(self, contents: Contents, video: Video) -> None:
        self._video, self._content = video, contents.open(video)

    def __enter__(self) -> Path:
        return Path(f"/dev/fd/{self._content.descriptor}")

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        try:
            if error is None:
                self._content.check()
        finally:
            self._content.close()
        if isinstance(error, MediaError):
            # The messages begin with the name of the file, which is here the number of a descriptor.
            reason = str(error).partition(": ")[2]
            raise Refused(409, plain_line(f"{name_of(self._video)}: {reason}"), plain_line(error.hint)) from None


class _Made:
    """A new file of a cache, which gets its name if all went well and is gone otherwise."""

    def __init__(self, cache: Cache, name: str) -> None:
        self._cache, self._name = cache, name

    def __enter__(self) -> Path:
        try:
            self._file = self._cache.new_file()
        except OSError as error:
            raise Refused(503, f"the cache cannot be written: {error.strerror}", "free some disk space") from None
        return self._file

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if error is None:
            self._cache.keep(self._file, self._name)
        with suppress(OSError):
            os.unlink(self._file)


def _copy_name(video: Video) -> str:
    return f"{video.content_hash[:32]}.mp4"


def _clip_name(video: Video, span: Span) -> str:
    times = f"{round(span.start_seconds * 1000)}-{round(span.end_seconds * 1000)}"
    return f"{video.content_hash[:32]}-{times}.mp4"
