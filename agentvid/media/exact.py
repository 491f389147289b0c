"""Child side: the frames shown at given times, with as little decoding as being exact allows.

Times are sorted and share what they can: one pass where they lie close together, a seek where that saves decoding. On
the way to a wanted frame the decoder leaves out the frames that no other frame refers to (about half of what x264
writes); what is shown when is read off the packets' times beforehand, and a frame that does not come out as they
promise is fetched again with everything decoded.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import av.error
from av.packet import Packet
from av.video.frame import VideoFrame

from agentvid.media.container import Source
from agentvid.media.pictures import TIME_TOLERANCE_SECONDS, Shaper, nothing_decoded, put_image
from agentvid.media.types import Region
from agentvid.media.wire import Outbox

#: Decoding forward costs less than a seek below the first; above the second, a seek always pays.
_NEAR_SECONDS, _FAR_SECONDS = 1.0, 10.0
#: Codecs whose decoders can leave out single frames at any time; others take that setting when they are opened.
_CODECS_THAT_SKIP = {"h264", "hevc"}
#: A frame's neighbours in time are among so many packets before and after its own: H.264 and HEVC reorder up to 16.
_NEIGHBOURS = 32


def frames_at(source: Source, request: dict[str, Any], outbox: Outbox) -> None:
    """A "frame" message for each distinct frame shown at one of the sorted times; `times` counts how many it serves."""
    source.use(source.video)
    source.video.thread_count = request["threads"]
    player = _Player(source, request["seconds"])
    region = Region(*request["region"]) if request["region"] else None
    shaper: Shaper | None = None
    shown = (player.shown_at(target) for target in request["seconds"])
    for seconds, group in itertools.groupby(shown, key=lambda found: found[0]):
        frames = (frame for _, frame in group)
        first = next(frames)
        shaper = shaper or Shaper(source, first, request["max_side"], "rgb24", region)
        put_image(outbox, "frame", seconds, shaper.shape(first), times=1 + sum(1 for _ in frames))
    outbox.put("end")


class _Player:
    """Finds the frame shown at each of a rising series of times, seeking only where that saves decoding."""

    def __init__(self, source: Source, targets: Sequence[float]) -> None:
        self._source = source
        self._clock = source.clock(source.video)
        self._skipper = _Skipper(source, targets) if source.video.codec_context.name in _CODECS_THAT_SKIP else None
        self._frames = self._read_on()
        self._shown: tuple[float, VideoFrame] | None = None
        self._ahead: tuple[float, VideoFrame] | None = None

    def shown_at(self, seconds: float) -> tuple[float, VideoFrame]:
        """The last frame that starts at or before `seconds`; before the first frame, the first.

        Raises DamagedMedia if there is no frame.
        """
        if self._seek_pays(seconds):
            self._seek(seconds)
        found = self._play_to(seconds)
        if self._skipper is not None and (found is None or found[0] != self._skipper.promised(seconds)):
            self._skipper.stop()
            self._skipper = None
            self._seek(seconds)
            found = self._play_to(seconds)
        if found is None:
            raise nothing_decoded(self._source)
        return found

    def _play_to(self, seconds: float) -> tuple[float, VideoFrame] | None:
        """Go on to the frame shown at `seconds`, and one further where no packet has told that it is the one."""
        limit = seconds + TIME_TOLERANCE_SECONDS
        while self._shown is None or self._skipper is None or self._shown[0] != self._skipper.promised(seconds):
            self._ahead = self._ahead or next(self._frames, None)
            if self._ahead is None or self._ahead[0] > limit:
                break
            self._shown, self._ahead = self._ahead, None
        return self._shown or self._ahead

    def _read_on(self) -> Iterator[tuple[float, VideoFrame]]:
        """The frames from the current position; with a skipper, without those that nobody needs."""
        return self._source.frames(self._skipper.packets() if self._skipper else None)

    def _seek_pays(self, seconds: float) -> bool:
        here = self._shown[0] if self._shown else 0.0
        if seconds - here > _FAR_SECONDS:
            return True
        index = self._source.video.index_entries
        entry = index.search_timestamp(self._clock.pts(seconds), backward=True) if len(index) else -1
        return entry >= 0 and self._clock.seconds(index[entry].timestamp) - here > _NEAR_SECONDS

    def _seek(self, seconds: float) -> None:
        """Go to a keyframe whose picture is shown at or before `seconds`.

        Demuxers seek by decoding time or by byte, and may land on a keyframe that is shown later; then look further
        back, by twice as much each time.
        """
        back = 0.0
        target = min(seconds, self._source.header_duration_seconds() or seconds)
        while True:
            start = max(0.0, target - back)
            try:
                self._source.container.seek(self._clock.pts(start), stream=self._source.video, backward=True)
            except av.error.FFmpegError:
                if start == 0.0:
                    return  # no way back: go on forward, which is slow but right
            else:
                self._frames = self._read_on()
                self._shown, self._ahead = None, next(self._frames, None)
                if start == 0.0 or (self._ahead is not None and self._ahead[0] <= seconds + TIME_TOLERANCE_SECONDS):
                    return
            back = max(1.0, back * 2)


class _Skipper:
    """Tells the decoder, packet by packet, whether a frame that no other refers to may be left out.

    Packets come in decoding order; a frame is shown until the next later one among its neighbours. `promised` is the
    start of the frame that the packets read so far show at a target.
    """

    def __init__(self, source: Source, targets: Sequence[float]) -> None:
        self._source, self._targets = source, targets
        self._clock = source.clock(source.video)
        self._promised: dict[float, float] = {}

    def promised(self, seconds: float) -> float | None:
        return self._promised.get(seconds)

    def stop(self) -> None:
        self._source.video.codec_context.skip_frame = "DEFAULT"

    def packets(self) -> Iterator[Packet[Any]]:
        """The video's packets from the current position, with the decoder told before each what it may leave out."""
        neighbours: deque[float] = deque()
        in_time: list[float] = []
        waiting: deque[Packet[Any]] = deque()
        for packet in itertools.chain(self._source.packets(self._source.video), [None]):
            if packet is not None:
                waiting.append(packet)
                if (start := self._start(packet)) is not None:
                    neighbours.append(start)
                    insort(in_time, start)
            while waiting and (packet is None or len(waiting) > _NEIGHBOURS):
                if len(neighbours) > 2 * _NEIGHBOURS:
                    in_time.pop(bisect_left(in_time, neighbours.popleft()))
                yield self._told(waiting.popleft(), in_time)

    def _start(self, packet: Packet[Any]) -> float | None:
        """When the packet's frame is shown; None if never, or not known."""
        if packet.pts is None or packet.is_discard:
            return None
        seconds = self._clock.seconds(packet.pts)
        return max(seconds, 0.0) if seconds > -float(self._clock.time_base) / 2 else None

    def _told(self, packet: Packet[Any], in_time: Sequence[float]) -> Packet[Any]:
        start = self._start(packet)
        is_wanted = start is None or self._is_wanted(start, in_time)
        self._source.video.codec_context.skip_frame = "DEFAULT" if is_wanted else "NONREF"
        return packet

    def _is_wanted(self, start: float, in_time: Sequence[float]) -> bool:
        """True if a target lies between this frame's start and the next one's; before the first frame, the first."""
        following = bisect_right(in_time, start)
        end = in_time[following] - TIME_TOLERANCE_SECONDS if following < len(in_time) else math.inf
        begin = start - TIME_TOLERANCE_SECONDS if in_time[0] < start else -math.inf
        wanted = self._between(begin, end)
        self._promised |= dict.fromkeys(wanted, start)
        return bool(wanted)

    def _between(self, begin: float, end: float) -> Sequence[float]:
        return self._targets[bisect_left(self._targets, begin) : bisect_left(self._targets, end)]
