"""Child side: a part of a file, or the whole of it, written again as mp4; the parent gets the bytes and where they go.

The picture is copied where that is exact: the span starts at a frame that needs no other, and no frame shown in it
needs one that is not. Everything else is decoded and encoded again. Times of what is written count from the start of
the span: the frame shown at the start is shown at 0, and sound keeps its place beside it.
"""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import av.error
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from agentvid.errors import DecoderFailed
from agentvid.media.container import Clock, Source, fraction, open_source
from agentvid.media.limits import AUDIO_CODECS
from agentvid.media.pictures import TIME_TOLERANCE_SECONDS, nothing_decoded
from agentvid.media.wire import Outbox

#: What mp4 holds and browsers play, so that its packets may be copied.
_COPIED_VIDEO = frozenset({"h264", "vp9", "libvpx-vp9", "av1", "libdav1d"})
_COPIED_AUDIO = frozenset({"aac", "mp3", "mp3float", "flac"})
_COPIED_PIXELS = frozenset({"yuv420p", "yuvj420p"})
#: The first of them that this FFmpeg has.
_VIDEO_ENCODERS, _AUDIO_ENCODERS = ("libx264", "libopenh264", "mpeg4"), ("aac", "libmp3lame")
_ENCODER_OPTIONS = {"libx264": {"preset": "veryfast", "crf": "20"}, "mpeg4": {"qscale": "3"}}
#: Frames between those that need no other: two seconds or less of what is usual, so that players jump quickly.
_GROUP_FRAMES = 48
_MOST_ENCODER_THREADS = 8
#: A packet is at most so many packets away from its place in time: H.264 and HEVC reorder up to 16 frames.
_NEIGHBOURS = 32
_CHUNK_BYTES = 1 << 20
#: How far before the span to begin reading: sound may lie somewhat before the pictures of the same time.
_RUN_UP_SECONDS = 1.0
#: After the span, one stream is read on for so long before the other is taken to have ended.
_SLACK_SECONDS = 10.0
#: Copied sound begins so much earlier, unheard: decoders need the packet before the first.
_SOUND_RUN_UP_SECONDS = 0.03
_AUDIO_RATE, _AUDIO_FRAME, _AUDIO_BREAK_SECONDS = 48_000, 1024, 0.05
#: Ticks a second of what is encoded: those of the file, if they are so fine and not finer.
_LEAST_TICKS, _MOST_TICKS = 10_000, 1_000_000


def cut(source: Source, request: dict[str, Any], outbox: Outbox) -> None:
    """ "bytes" messages of an mp4 file with [start, end) of the video, "at" between them, "end" with what was done.

    The request holds `start` and `end` in seconds, `end` None for the end of the file; `copy`, whether packets may be
    copied; `max_side` of the picture in pixels, or None; and `reason`, why the picture is to be encoded, or "".
    """
    start = Fraction(request["start"])
    end = Fraction(request["end"]) if request["end"] is not None else None
    reason = request["reason"]
    if not reason:
        reason, start = _why_not_copied(source, start, end)
    source = _seek_before(source, start)
    span = _SpanReader(source, start, end)
    target = _Target(outbox)
    # The encoders' headers are written with the first packet, the index of the file when it is closed.
    with av.open(target, "w", format="mp4") as out:
        pictures = _encoded_pictures(span, out, request["max_side"]) if reason else _copied(span, out, span.video)
        how, sound = _sound(span, out, may_copy=request["copy"])
        _mux(out, [pictures, sound] if sound is not None else [pictures], outbox)
    target.flush()
    outbox.put(
        "end",
        duration_seconds=float(span.shown_until - start),
        is_picture_copied=int(not reason),
        sound=how,
        reason=reason,
        damaged_packets=source.damaged_packets,
    )


def describe(source: Source, request: dict[str, Any], outbox: Outbox) -> None:
    """An "end" message with what decides whether a browser plays the file as it is, and with its clock and rate."""
    sound = _best_sound(source)
    head, clock = os.pread(0, 64, 0), source.clock(source.video)
    streams = source.container.streams
    outbox.put(
        "end",
        container="webm" if b"\x42\x82\x84webm" in head else source.container.format.name.split(",")[0],
        brand=source.container.metadata.get("major_brand", "")[:8],
        picture=source.video.codec_context.codec.canonical_name,
        pixels=source.video.codec_context.pix_fmt or "",
        sound=sound.codec_context.codec.canonical_name if sound is not None else "",
        is_first=int(streams.video[0] is source.video and (not streams.audio or streams.audio[0] is sound)),
        time_base=_pair(clock.time_base),
        origin=_pair(clock.origin_seconds),
        rate=_pair(fraction(source.video.average_rate) or fraction(source.video.guessed_rate) or Fraction(25)),
    )


def _pair(value: Fraction) -> dict[str, int]:
    return {"numerator": value.numerator, "denominator": value.denominator}


# -- where to begin ----------------------------------------------------------------------------------------------


def _reopened(source: Source) -> Source:
    source.container.close()
    return open_source(source.limits, source.tick)


def _stamp(packet: Packet[Any]) -> int | None:
    return packet.pts if packet.pts is not None else packet.dts


def _seek_before(source: Source, start: Fraction) -> Source:
    """At a packet that needs no other, some time before `start`; else at the beginning, in the file opened again."""
    clock, back = source.clock(source.video), _RUN_UP_SECONDS
    source.use(source.video)
    while back < start:
        target = clock.pts(float(start) - back)
        try:
            source.container.seek(target, stream=source.video, backward=True)
            found = (_stamp(packet) for packet in source.packets(source.video) if packet.is_keyframe)
            first = next((stamp for stamp in found if stamp is not None), None)
            if first is not None and clock.seconds(first) <= start:
                source.container.seek(target, stream=source.video, backward=True)
                return source
        except av.error.MemoryError:
            raise
        except av.error.FFmpegError:
            break
        back *= 4
    return _reopened(source)


def _why_not_copied(source: Source, start: Fraction, end: Fraction | None) -> tuple[str, Fraction]:
    """("", exact start) if copying the packets of the span is exact; else why not, and `start` as it was."""
    context = source.video.codec_context
    if context.name not in _COPIED_VIDEO or context.pix_fmt not in _COPIED_PIXELS:
        return f"browsers do not all play {context.codec.canonical_name} ({context.pix_fmt})", start
    if source.container.format.name == "avi":
        return "AVI has no presentation times", start
    if start == 0 and end is None:
        return "", start
    source = _seek_before(source, start)
    clock, tolerance = source.clock(source.video), TIME_TOLERANCE_SECONDS
    first: int | None = None
    packets_after = 0
    for packet in source.packets(source.video):
        if packet.pts is None:
            if packet.size:
                return "its packets have no times", start
            continue
        seconds = clock.seconds(packet.pts)
        if first is None:
            if seconds < start - tolerance or packet.is_discard:
                continue
            if seconds > start + tolerance or not packet.is_keyframe:
                return "the start is between two frames that need no other", start
            first = packet.pts
        elif packet.pts < first:
            return "frames around the start need frames before it", start
        if end is not None and seconds >= end - tolerance:
            packets_after += 1
            if packets_after > _NEIGHBOURS:
                break
        elif packets_after:
            return "frames before the end need one after it", start
    if first is None:
        return "no frame starts there", start
    return "", first * clock.time_base - clock.origin_seconds


class _SpanReader:
    """The packets of the picture and of the sound, each as if it were read alone; the file is read once."""

    def __init__(self, source: Source, start: Fraction, end: Fraction | None) -> None:
        self.source, self.start, self.end = source, start, end
        self.video, self.audio = source.video, _best_sound(source)
        #: Where the last picture written ends, on the video's clock.
        self.shown_until = start
        streams = [self.video] if self.audio is None else [self.video, self.audio]
        source.use(*streams)
        self._packets = source.packets(*streams)
        self._waiting: dict[int, deque[Packet[Any]]] = {stream.index: deque() for stream in streams}

    def packets(self, stream: Any) -> Iterator[Packet[Any]]:
        waiting = self._waiting[stream.index]
        while waiting or self._read():
            if waiting:
                yield waiting.popleft()

    def _read(self) -> bool:
        packet = next(self._packets, None)
        if packet is None or packet.stream.index not in self._waiting:
            return packet is not None
        stamp = packet.dts if packet.dts is not None else packet.pts
        if stamp is not None and self.is_after(self.source.clock(packet.stream).seconds(stamp) - _SLACK_SECONDS):
            return False
        self._waiting[packet.stream.index].append(packet)
        return True

    def is_after(self, seconds: float) -> bool:
        """True for what starts at or after the end of the span."""
        return self.end is not None and seconds >= self.end - Fraction(TIME_TOLERANCE_SECONDS)


def _best_sound(source: Source) -> Any:
    stream = source.container.streams.best("audio")
    has_decoder = stream is not None and stream.codec_context is not None and stream.codec_context.name in AUDIO_CODECS
    return stream if has_decoder else None


# -- packets as they are -----------------------------------------------------------------------------------------


def _copied(span: _SpanReader, out: OutputContainer, stream: Any) -> Iterator[Packet[Any]]:
    """The stream's packets of the span, their times counted from its start."""
    # Opaque: by the codec's id. Otherwise an encoder is looked for that has the decoder's name, as libdav1d has none.
    copy = out.add_stream_from_template(stream, opaque=True)
    return _with_decoding_times(_moved_packets(span, stream, copy))


def _with_decoding_times(packets: Iterator[Packet[Any]]) -> Iterator[Packet[Any]]:
    """Where a file has no decoding times (Matroska), FFmpeg finds them after some packets: fills in those before."""
    waiting: list[Packet[Any]] = []
    for packet in packets:
        waiting.append(packet)
        if packet.dts is None and len(waiting) <= _NEIGHBOURS:
            continue
        for number, earlier in enumerate(reversed(waiting)):
            if earlier.dts is None:
                if packet.dts is None or earlier.pts is None:
                    raise DecoderFailed("its packets have no decoding times")
                earlier.dts = min(packet.dts - number * max(1, packet.duration or 0), earlier.pts)
        yield from waiting
        waiting.clear()
    for packet in waiting:
        packet.dts = packet.pts  # so few that none is out of its place
        yield packet


def _moved_packets(span: _SpanReader, stream: Any, copy: Any) -> Iterator[Packet[Any]]:
    clock = span.source.clock(stream)
    zero = round((span.start + clock.origin_seconds) / clock.time_base)
    is_picture = stream is span.video
    earliest = span.start - Fraction(TIME_TOLERANCE_SECONDS if is_picture else _SOUND_RUN_UP_SECONDS)
    end_ticks = math.inf if span.end is None else round((span.end + clock.origin_seconds) / clock.time_base)
    has_begun, packets_after = False, 0
    for packet in span.packets(stream):
        stamp = _stamp(packet)
        if stamp is None or not packet.size:
            continue
        seconds, lasts = clock.seconds(stamp), float((packet.duration or 0) * clock.time_base)
        # Only at the very beginning of a file may a packet belong to the span that is decoded but not shown.
        if not has_begun and span.start > 0 and (seconds if is_picture else seconds + lasts) < earliest:
            continue
        if span.is_after(seconds):
            packets_after += 1
            if packets_after > _NEIGHBOURS:
                return
            continue
        has_begun = True
        if is_picture:
            if stamp + (packet.duration or 0) > end_ticks:
                packet.duration = max(1, int(end_ticks) - stamp)
                lasts = float(packet.duration * clock.time_base)
            span.shown_until = max(span.shown_until, Fraction(seconds + (lasts or span.source.frame_seconds())))
        packet.pts = stamp - zero
        if packet.dts is not None:
            packet.dts -= zero
        packet.stream = copy
        yield packet


# -- pictures ----------------------------------------------------------------------------------------------------


def _encoded_pictures(span: _SpanReader, out: OutputContainer, max_side: int | None) -> Iterator[Packet[Any]]:
    """The frames of the span, encoded again with the times, the turn and the shape of pixels that they had."""
    frames = _shown_frames(span)
    first = next(frames, None)
    if first is None:
        raise nothing_decoded(span.source)
    encoder = _Pictures(span, out, first[2], max_side)
    return encoder.packets(first, frames)


def _shown_frames(span: _SpanReader) -> Iterator[tuple[Fraction, Fraction, VideoFrame]]:
    """(start, end, frame) on the video's clock, cut to the span; the first is the frame shown at its start."""
    source, tolerance = span.source, Fraction(TIME_TOLERANCE_SECONDS)
    clock = source.clock(source.video)
    shown: tuple[Fraction, VideoFrame] | None = None
    for seconds, frame in source.frames(span.packets(source.video)):
        if span.is_after(seconds):
            if shown is not None and span.end is not None:
                yield shown[0], span.end, shown[1]
            return
        has_begun = seconds > span.start + tolerance
        if shown is not None and has_begun:
            yield shown[0], Fraction(seconds), shown[1]
        # Where the frames before it are lost, the first one fills their time: a player's clock starts with a frame.
        shown = (Fraction(seconds) if has_begun and shown is not None else span.start), frame
    if shown is None:
        return
    frame = shown[1]
    began = frame.pts * clock.time_base - clock.origin_seconds if frame.pts is not None else shown[0]
    lasts = (frame.duration or 0) * clock.time_base or Fraction(source.frame_seconds())
    end = began + lasts if span.end is None else min(began + lasts, span.end)
    if end > shown[0]:  # else the span begins after the last frame
        yield shown[0], end, frame


class _Pictures:
    """An encoder with the shape of the first frame; later frames of other sizes are brought to it."""

    def __init__(self, span: _SpanReader, out: OutputContainer, first: VideoFrame, max_side: int | None) -> None:
        name = _available(_VIDEO_ENCODERS)
        source = span.source.video
        ticks = (fraction(source.time_base) or Fraction(1, 1000)).denominator
        ticks *= math.ceil(_LEAST_TICKS / ticks)
        self._tick = Fraction(1, ticks if ticks <= _MOST_TICKS else 90_000)
        rate = Fraction(1 / span.source.frame_seconds()).limit_denominator(1001)
        stream: Any = out.add_stream(name, rate=rate, options=dict(_ENCODER_OPTIONS.get(name, {})))
        scale = min(1.0, max_side / max(first.width, first.height)) if max_side else 1.0
        # 4:2:0 has one colour for two pixels each way.
        stream.width, stream.height = (max(2, round(side * scale) // 2 * 2) for side in (first.width, first.height))
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.time_base, context.gop_size = self._tick, _GROUP_FRAMES
        context.thread_count = min(os.cpu_count() or 1, _MOST_ENCODER_THREADS)
        if ratio := fraction(source.sample_aspect_ratio):
            context.sample_aspect_ratio = ratio
        for name in ("color_range", "color_primaries", "color_trc", "colorspace"):
            setattr(context, name, getattr(source.codec_context, name))
        matrix: Any = first.side_data.get("DISPLAYMATRIX")
        if matrix is not None:
            stream.set_display_matrix(np.frombuffer(bytes(matrix), np.int32)[:9].tolist())
        self._span, self._stream, self._reformatter = span, stream, VideoReformatter()

    def packets(
        self, first: tuple[Fraction, Fraction, VideoFrame], others: Iterator[tuple[Fraction, Fraction, VideoFrame]]
    ) -> Iterator[Packet[Any]]:
        lasts: dict[int, int] = {}
        pending: tuple[Fraction, Fraction, VideoFrame] | None = first
        while pending is not None:
            begin, end, frame = pending
            self._span.shown_until = end
            shaped = self._shaped(frame)
            at = self._ticks(begin)
            shaped.pts, shaped.time_base = at, self._tick
            lasts[at] = max(1, self._ticks(end) - at)
            yield from self._timed(self._stream.encode(shaped), lasts)
            pending = next(others, None)
        yield from self._timed(self._stream.encode(None), lasts)

    def _ticks(self, seconds: Fraction) -> int:
        return round((seconds - self._span.start) / self._tick)

    def _timed(self, packets: list[Packet[Any]], lasts: dict[int, int]) -> Iterator[Packet[Any]]:
        for packet in packets:
            if packet.pts in lasts:
                packet.duration = lasts.pop(packet.pts)
            yield packet

    def _shaped(self, frame: VideoFrame) -> VideoFrame:
        shaped = self._reformatter.reformat(
            frame, self._stream.width, self._stream.height, "yuv420p", interpolation=Interpolation.AREA, threads=1
        )
        shaped.pict_type = PictureType.NONE  # else the encoder would repeat the decoder's choice of key frames
        return shaped


def _available(names: tuple[str, ...]) -> str:
    for name in names:
        try:
            av.Codec(name, "w")
        except ValueError:
            continue
        return name
    raise DecoderFailed(f"this FFmpeg has none of the encoders {', '.join(names)}", hint="pip install --force av")


# -- sound -------------------------------------------------------------------------------------------------------


def _sound(span: _SpanReader, out: OutputContainer, *, may_copy: bool) -> tuple[str, Iterator[Packet[Any]] | None]:
    """("none", "copied" or "encoded", its packets)."""
    stream = span.audio
    if stream is None:
        return "none", None
    if may_copy and stream.codec_context.name in _COPIED_AUDIO:
        return "copied", _copied(span, out, stream)
    name = _available(_AUDIO_ENCODERS)
    layout = "mono" if stream.codec_context.channels == 1 else "stereo"
    encoder: Any = out.add_stream(name, rate=_AUDIO_RATE, layout=layout)
    return "encoded", _encoded_sound(span, encoder, layout)


def _encoded_sound(span: _SpanReader, encoder: Any, layout: str) -> Iterator[Packet[Any]]:
    """Encoded frames without gap or overlap from the start of the span; where there is no sound, silence."""
    held = np.empty((2 if layout == "stereo" else 1, 0), np.float32)
    position = 0
    for samples in _samples(span, layout):
        held = np.concatenate([held, samples], axis=1)
        while held.shape[1] >= _AUDIO_FRAME:
            yield from encoder.encode(_audio_frame(held[:, :_AUDIO_FRAME], layout, position))
            held, position = held[:, _AUDIO_FRAME:], position + _AUDIO_FRAME
    if held.shape[1]:
        yield from encoder.encode(_audio_frame(held, layout, position))
    yield from encoder.encode(None)


def _audio_frame(samples: NDArray[np.float32], layout: str, position: int) -> AudioFrame:
    frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples), "fltp", layout)
    frame.sample_rate, frame.pts, frame.time_base = _AUDIO_RATE, position, Fraction(1, _AUDIO_RATE)
    return frame


def _samples(span: _SpanReader, layout: str) -> Iterator[NDArray[np.float32]]:
    """(channels, n) float32 in [-1, 1]: what is heard in the span, one piece after the other from its start."""
    source, stream = span.source, span.audio
    clock: Clock = source.clock(stream)
    start, channels = float(span.start), 2 if layout == "stereo" else 1
    length = math.inf if span.end is None else round(float(span.end - span.start) * _AUDIO_RATE)
    sent = 0
    resampler: AudioResampler | None = None
    shape: tuple[str, str, int] | None = None
    expected = 0.0  # where the next sample lies, by counting
    for frame in source.decode(stream, span.packets(stream)):
        stamp = frame.pts if frame.pts is not None else frame.dts
        at = (clock.seconds(stamp) - start) * _AUDIO_RATE if stamp is not None else expected
        if at >= length:
            break
        if resampler is None or shape != (frame.format.name, frame.layout.name, frame.sample_rate):
            shape = frame.format.name, frame.layout.name, frame.sample_rate
            resampler, expected = AudioResampler("fltp", layout, _AUDIO_RATE), at
        if abs(at - expected) > _AUDIO_BREAK_SECONDS * _AUDIO_RATE:
            expected = at
        frame.pts = None  # its time is kept here; there it would only insert or drop samples
        for piece in resampler.resample(frame):
            samples = np.clip(np.nan_to_num(piece.to_ndarray()), -1.0, 1.0).astype(np.float32, copy=False)
            first = round(expected)
            expected += samples.shape[1]
            if first > sent:
                for silent in _silence(channels, int(min(first, length)) - sent):
                    sent += silent.shape[1]
                    yield silent
            samples = samples[:, max(0, sent - first) : int(min(samples.shape[1], length - first))]
            if samples.shape[1]:
                sent += samples.shape[1]
                yield samples


def _silence(channels: int, count: int) -> Iterator[NDArray[np.float32]]:
    """In pieces: a gap of hours takes no memory."""
    while count > 0:
        piece = min(count, _AUDIO_RATE)
        yield np.zeros((channels, piece), np.float32)
        count -= piece


# -- out ---------------------------------------------------------------------------------------------------------


def _mux(out: OutputContainer, sources: list[Iterator[Packet[Any]]], outbox: Outbox) -> None:
    """Write the packets of all streams in the order of their decoding times, and tell how far that is."""
    waiting = {number: packet for number, source in enumerate(sources) if (packet := next(source, None)) is not None}
    if 0 not in waiting:
        raise DecoderFailed("no frame of it is shown in that span", hint="`agentvid show VIDEO` tells how long it is")
    while waiting:
        number = min(waiting, key=lambda n: _decoding_seconds(waiting[n]))
        outbox.tell(float(_decoding_seconds(waiting[number])))
        try:
            out.mux(waiting.pop(number))
        except av.error.MemoryError:
            raise
        except (av.error.FFmpegError, ValueError) as error:
            raise DecoderFailed(f"it cannot be written as mp4: {error}") from None
        if (following := next(sources[number], None)) is not None:
            waiting[number] = following


def _decoding_seconds(packet: Packet[Any]) -> Fraction:
    stamp = packet.dts if packet.dts is not None else packet.pts
    return (stamp or 0) * (fraction(packet.time_base) or Fraction(1))


class _Target:
    """What PyAV takes for a file open for writing: it collects bytes and sends them with their place."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox, self._position, self._end = outbox, 0, 0
        self._held = bytearray()

    def write(self, data: Any) -> int:
        size = len(data)
        self._held += data
        self._position += size
        self._end = max(self._end, self._position)
        if len(self._held) >= _CHUNK_BYTES:
            self.flush()
        return size

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self.flush()
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._end}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def flush(self) -> None:
        for first in range(0, len(self._held), _CHUNK_BYTES):
            chunk = bytes(self._held[first : first + _CHUNK_BYTES])
            at = self._position - len(self._held) + first
            self._outbox.put("bytes", memoryview(chunk), offset=at, count=len(chunk))
        self._held = bytearray()
