"""Single frames as JPEG. Those of one file that are asked for together are decoded together."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from concurrent.futures import Future
from pathlib import Path

from agentvid.errors import AgentvidError
from agentvid.media.limits import Limits
from agentvid.media.read import frames_at
from agentvid.serve.cache import Cache
from agentvid.serve.content import Contents
from agentvid.serve.errors import Refused
from agentvid.serve.names import name_of, plain_line
from agentvid.types import Video
from agentvid.watch.drawing import compressed

log = logging.getLogger("agentvid.serve")
#: So many frames of a file are decoded in one go, by so many threads for all files; the queue is no longer than this.
_TOGETHER, _THREADS, _LONGEST_QUEUE = 24, 2, 512
_Wanted = tuple[str, int]


class Stills:
    """Makes and remembers stills; safe between threads."""

    def __init__(self, contents: Contents, cache: Cache, limits: Limits) -> None:
        self._contents, self._cache, self._limits = contents, cache, limits
        self._changed = threading.Condition()
        # By video and width, in the order in which they were first asked for; then by time.
        self._queue: OrderedDict[_Wanted, tuple[Video, dict[int, Future[bytes]]]] = OrderedDict()
        for number in range(_THREADS):
            threading.Thread(target=self._work, name=f"agentvid-stills-{number}", daemon=True).start()

    def known(self, video: Video, milliseconds: int, width: int) -> bytes | None:
        """A still that was made before."""
        return self._cache.read(_key(video, milliseconds, width))

    def ask(self, video: Video, milliseconds: int, width: int) -> Future[bytes]:
        """The JPEG of the frame shown at that time, `width` pixels wide or less.

        Raises Refused with 503 if too many wait. The future raises Refused: 404, 409, 410 as Contents.open, 409 for a
        file that cannot be decoded.
        """
        with self._changed:
            if sum(len(wanted) for _, wanted in self._queue.values()) >= _LONGEST_QUEUE:
                raise Refused(503, "too many stills are being made", "ask again in a moment")
            _, wanted = self._queue.setdefault((video.id, width), (video, {}))
            future = wanted.setdefault(milliseconds, Future())
            self._changed.notify()
        return future

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._queue:
                    self._changed.wait()
                (video_id, width), (video, wanted) = self._queue.popitem(last=False)
                batch = {time: wanted[time] for time in sorted(wanted)[:_TOGETHER]}
                rest = {time: future for time, future in wanted.items() if time not in batch}
                if rest:
                    self._queue[video_id, width] = (video, rest)
            try:
                for time, data in zip(batch, self._make(video, list(batch), width), strict=True):
                    batch[time].set_result(data)
            except Exception as error:
                if not isinstance(error, Refused):
                    log.exception("a still failed")
                    error = Refused(409, "no still could be made of this file", "")
                for future in batch.values():
                    if not future.done():
                        future.set_exception(error)

    def _make(self, video: Video, times: list[int], width: int) -> list[bytes]:
        content = self._contents.open(video)
        try:
            # By the descriptor: what a path leads to may change between looking and decoding.
            frames = frames_at(
                Path(f"/dev/fd/{content.descriptor}"),
                [time / 1000 for time in times],
                max_side=_longest_side(video, width),
                limits=self._limits,
            )
            content.check()
        except AgentvidError as error:
            reason = str(error).partition(": ")[2]
            raise Refused(409, plain_line(f"{name_of(video)}: {reason}"), "index the file again") from None
        finally:
            content.close()
        made = [compressed(frame.image).data for frame in frames]
        for time, data in zip(times, made, strict=True):
            self._cache.write(_key(video, time, width), data)
        return made


def _key(video: Video, milliseconds: int, width: int) -> str:
    return f"{video.content_hash[:32]}-{milliseconds}-{width}.jpg"


def _longest_side(video: Video, width: int) -> int:
    """Pixels of the longer side of a frame that is `width` wide."""
    shown_width, shown_height = int(video.media.get("width") or 0), int(video.media.get("height") or 0)
    if shown_height <= shown_width or shown_width <= 0:
        return width
    return max(16, min(width * shown_height // shown_width, 4096))
