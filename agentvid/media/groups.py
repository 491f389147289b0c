"""Child side: one file decoded by several threads, a group of pictures each.

FFmpeg's own threads decode neighbouring frames and wait for each other; small frames are decoded faster than they are
handed over. A group of pictures that needs nothing from before it waits for nobody. So the packets are dealt out to
several decoders, each gets every n-th group, and the groups are joined in their order: the same frames, to the bit.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from queue import Queue
from threading import Thread
from typing import Any, TypeAlias

from av.container import InputContainer
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from agentvid.media.ahead import ahead
from agentvid.media.container import Source, reopen

#: Larger frames are decoded as fast by FFmpeg's threads, and would fill the memory while they wait.
_MOST_PIXELS = 640 * 480
#: Decoded frames that wait may take so much in all. A decoder works while the groups of the others are looked at: none
#: has to stop if it may hold that share of a long group, and x264's longest has 250 frames.
_WAITING_BYTES, _LONG_GROUP = 256 << 20, 256
#: Frames, and packets, that threads hand over at once.
_HANDED_OVER, _PIECE = 8, 16
#: In these every frame has its own presentation time, whatever was decoded before it.
_CONTAINERS = {"mov", "matroska"}

#: Pieces of groups, with None after each group; at the end there is a group without a piece.
Share: TypeAlias = "Queue[list[Packet[Any]] | None]"


def split(source: Source, decoders: int) -> Iterator[tuple[float, VideoFrame]] | None:
    """As `Source.frames`, by so many decoders; None where several do not help."""
    pixels = source.video.width * source.video.height
    if decoders < 2 or pixels > _MOST_PIXELS or splitter(source.container, source.video) is None:
        return None
    contexts = [*(reopen(source) for _ in range(decoders - 1)), source.video.codec_context]
    source.use(source.video)
    shares: list[Share] = [Queue(_LONG_GROUP // _PIECE) for _ in contexts]
    dealer = Dealer(source, shares)
    waiting = min(_LONG_GROUP * (decoders - 1), _WAITING_BYTES // max(1, 3 * pixels // 2)) // decoders
    threads = [
        ahead(dealer.decoded(context, share), group=1, groups=waiting // _HANDED_OVER)
        for context, share in zip(contexts, shares, strict=True)
    ]
    return source.timed(_joined(threads))


class Dealer:
    """Reads the packets of a file in a thread of its own, and deals the groups out in turn."""

    def __init__(self, source: Source, shares: Sequence[Share]) -> None:
        self._source, self._shares = source, shares
        self._error: BaseException | None = None
        Thread(target=self._deal, daemon=True).start()

    def decoded(self, decoder: VideoCodecContext, share: Share) -> Iterator[list[VideoFrame] | None]:
        """The frames of every group of the share, some at once, and None after each group. Raises what stopped dealing.

        No hand-over goes beyond its group: it would wait for packets of the next one, which are not dealt before a
        longer group of another decoder is looked at, and that not before this one's end is known.
        """
        decoder.thread_count = 1
        while piece := share.get():
            packets = chain(piece, chain.from_iterable(iter(share.get, None)))
            frames = self._source.decode_by(decoder, packets)
            while made := list(islice(frames, _HANDED_OVER)):
                yield made
            decoder.flush_buffers()
            yield None
        if self._error is not None:
            raise self._error

    def _deal(self) -> None:
        try:
            for number, packets in _groups(self._source):
                share = self._shares[number % len(self._shares)]
                while piece := list(islice(packets, _PIECE)):
                    share.put(piece)
                share.put(None)
        except BaseException as error:  # noqa: BLE001 - raised again by `decoded`, in the threads that are waited for
            self._error = error
        for share in self._shares:
            share.put(None)


def _joined(threads: Sequence[Iterator[list[VideoFrame] | None]]) -> Iterator[VideoFrame]:
    for thread in itertools.cycle(threads):
        for frames in thread:
            if frames is None:
                break
            yield from frames
        else:
            return  # there is no group of this number, and so none after it


def _groups(source: Source) -> Iterator[tuple[int, Iterator[Packet[Any]]]]:
    """(number, packets) of each group, in order."""
    tells = splitter(source.container, source.video)
    begun = 0

    def numbered() -> Iterator[tuple[int, Packet[Any]]]:
        nonlocal begun
        for packet in source.packets(source.video):
            if tells is not None and packet.is_keyframe and tells.begins(packet):
                begun += 1
            yield begun, packet

    for number, (_, group) in enumerate(itertools.groupby(numbered(), key=lambda pair: pair[0])):
        yield number, (packet for _, packet in group)


def splitter(container: InputContainer, video: VideoStream) -> Splitter | None:
    """What tells the groups of a file apart; None if nothing can."""
    if container.format.name.split(",")[0] not in _CONTAINERS:
        return None
    name, setup = video.codec_context.codec.canonical_name, video.codec_context.extradata or b""
    if name in _WHOLE_KEY_FRAMES:
        return Splitter()
    units = _UNITS.get(name)
    if units is None or len(setup) <= units.length_at or setup[0] != 1:
        return None
    return Splitter(units, (setup[units.length_at] & 3) + 1)


@dataclass(frozen=True, slots=True)
class _Units:
    """The kinds of NAL units of a codec, and where its set-up says how long their length is."""

    length_at: int
    shift: int
    mask: int
    pictures: range
    fresh: frozenset[int]
    parameters: frozenset[int]


#: Their key frames replace all that later frames may refer to.
_WHOLE_KEY_FRAMES = {"vp8", "vp9"}
#: ITU-T H.264, table 7-1: 5 is an IDR picture, 7 and 8 are parameter sets. H.265, table 7-1: 19 and 20; 32 to 34.
_UNITS = {
    "h264": _Units(4, 0, 31, range(1, 6), frozenset({5}), frozenset({7, 8})),
    "hevc": _Units(21, 1, 63, range(32), frozenset({19, 20}), frozenset({32, 33, 34})),
}


@dataclass
class Splitter:
    """Decides whether a group begins with a key packet: neither pictures nor parameters from before it are needed.

    A key frame alone is not enough: after one that is not an IDR picture, frames may refer to what was before.
    """

    units: _Units | None = None
    length_bytes: int = 0
    _is_over: bool = field(default=False, init=False)
    _has_own_parameters: bool = field(default=False, init=False)

    def begins(self, packet: Packet[Any]) -> bool:
        """Show it all key packets, in order."""
        if packet.has_sidedata("new_extradata"):
            self._is_over = True  # who skips this packet would decode what follows with the old parameters
        if self._is_over:
            return False
        if self.units is None:
            return True
        kinds = list(self._kinds(memoryview(packet), self.units))
        has_parameters = not self.units.parameters.isdisjoint(kinds)
        is_complete = has_parameters or not self._has_own_parameters
        self._has_own_parameters |= has_parameters
        return is_complete and bool(kinds) and kinds[-1] in self.units.fresh

    def _kinds(self, data: memoryview, units: _Units) -> Iterator[int]:
        """Of the units up to the first picture."""
        at = 0
        while at + self.length_bytes < len(data):
            length = int.from_bytes(data[at : at + self.length_bytes])
            kind = data[at + self.length_bytes] >> units.shift & units.mask
            yield kind
            if kind in units.pictures:
                return
            at += self.length_bytes + max(1, length)
