"""Child side: an opened file, its clock, and which way is up.

Seconds are `pts * time_base` minus the start of the video stream, for every stream of the file. FFmpeg has applied
edit lists by then: frames before an edit are marked and dropped by the decoder, an empty edit moves `start_time`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from typing import Any, Protocol

import av
import av.error
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard, Disposition, Stream
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from agentvid.errors import DamagedMedia, DecoderFailed, NotAVideo
from agentvid.media.limits import AUDIO_CODECS, CONTAINERS, SUBTITLE_CODECS, VIDEO_CODECS, Limits

#: Standard input is the media file.
_FILE = 0
_GENERATE_PTS = 0x0001  # AVFMT_FLAG_GENPTS
#: PyAV 18 raises on metadata that is not UTF-8 unless told otherwise; 19 escapes it, untold.
_READ_ANY_METADATA: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
_PICTURES = Disposition.attached_pic | Disposition.timed_thumbnails
_TRUNCATED = "copy or download it again, or repair it with `ffmpeg -err_detect ignore_err -i IN -c copy OUT.mkv`"


class Rational(Protocol):
    """What PyAV 18 (Fraction or None) and 19 (AVRational, falsy when unset) have in common."""

    @property
    def numerator(self) -> int: ...
    @property
    def denominator(self) -> int: ...


def fraction(value: Rational | None) -> Fraction | None:
    """`value` as a Fraction, None when it is unset."""
    return Fraction(value.numerator, value.denominator) if value else None


class Clock:
    """Turns a stream's timestamps into seconds since the start of the video stream, and back."""

    def __init__(self, time_base: Fraction, origin_seconds: Fraction) -> None:
        self.time_base, self.origin_seconds = time_base, origin_seconds
        # pts * time_base - origin as one fraction: exact, and rounded once. This runs for every frame.
        self._scale = time_base.numerator * origin_seconds.denominator
        self._shift = origin_seconds.numerator * time_base.denominator
        self._divisor = time_base.denominator * origin_seconds.denominator

    def seconds(self, pts: int) -> float:
        return (pts * self._scale - self._shift) / self._divisor

    def pts(self, seconds: float) -> int:
        """The last tick at or before `seconds`."""
        return int((Fraction(seconds) + self.origin_seconds) // self.time_base)


@dataclass(frozen=True, slots=True)
class Upright:
    """The display matrix reduced to what turns pixels: transpose, then mirror. Angles go to the nearest quarter."""

    transpose: bool = False
    flip_x: bool = False
    flip_y: bool = False
    clockwise_degrees: int = 0

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A view of (height, width, ...) as it is displayed."""
        if self.transpose:
            image = image.swapaxes(0, 1)
        if self.flip_x:
            image = image[:, ::-1]
        return image[::-1] if self.flip_y else image

    def size(self, width: int, height: int) -> tuple[int, int]:
        return (height, width) if self.transpose else (width, height)

    @classmethod
    def of(cls, frame: VideoFrame) -> Upright:
        turn = round(-frame.rotation / 90) % 4
        try:
            # x' = a x + c y, y' = b x + d y in 16.16 fixed point (libavutil/display.h); pixels go right and down.
            matrix: Any = frame.side_data["DISPLAYMATRIX"]  # type: ignore[typeddict-item]
            a, b, _, c, d = np.frombuffer(bytes(matrix), np.int32)[:5]
        except (KeyError, ValueError):
            a, b, c, d = ((1, 0, 0, 1), (0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0))[turn]
        if abs(int(a)) >= abs(int(b)):
            return cls(False, bool(a < 0), bool(d < 0), turn * 90)
        return cls(True, bool(c < 0), bool(b < 0), turn * 90)


@dataclass
class Source:
    """An open file with its video stream. `tick` is called now and then, so that the parent sees progress."""

    container: InputContainer
    video: VideoStream
    origin_seconds: Fraction
    limits: Limits
    tick: Callable[[], None]
    damaged_packets: int = 0
    stray_frames: int = 0
    #: Where the packets read by `key_frames` end.
    end_seconds: float = 0.0

    def clock(self, stream: Stream) -> Clock:
        time_base, origin = fraction(stream.time_base) or Fraction(1, 1000), self.origin_seconds
        if stream is self.video and self.container.format.name == "avi":
            # AVI knows no presentation times: frames get the index of the packet that lets them out of the decoder,
            # which is late by as many frames as it reorders.
            origin += self.video.codec_context.reorder_depth * time_base
        return Clock(time_base, origin)

    def use(self, *streams: Stream) -> None:
        """Let the demuxer skip the packets of all other streams."""
        for stream in self.container.streams:
            stream.discard = Discard.default if stream in streams else Discard.all

    def packets(self, *streams: Stream) -> Iterator[Packet[Any]]:
        """The packets from the current position to the end, or to where the demuxer gives up."""
        demuxer = self.container.demux(*streams)
        while True:
            self.tick()
            try:
                packet = next(demuxer, None)
            except av.error.MemoryError:
                raise
            except IndexError:
                return  # the end: PyAV trips over streams that appeared after opening, as MPEG-TS allows
            except av.error.FFmpegError:
                self.damaged_packets += 1
                return
            if packet is None:
                return
            yield packet

    def decode(self, stream: Stream, packets: Iterable[Packet[Any]] | None = None) -> Iterator[Any]:
        """Every frame that can be decoded, from the current position; damage is counted in `damaged_packets`.

        `packets` are those of the stream from there on, if somebody else reads them.
        """
        return self.decode_by(stream.codec_context, self.packets(stream) if packets is None else packets)

    def decode_by(self, decoder: Any, packets: Iterable[Packet[Any]]) -> Iterator[Any]:
        """The same by a decoder, which may be another one than that of the stream."""
        # None drains the decoder, whose threads still hold the last few frames; demuxers do not always end with it.
        for packet in chain(packets, [None]):
            try:
                yield from decoder.decode(packet)
            except av.error.MemoryError:
                raise
            except av.error.EOFError:
                pass
            except av.error.FFmpegError:
                self.damaged_packets += 1

    def frames(self, packets: Iterable[Packet[Any]] | None = None) -> Iterator[tuple[float, VideoFrame]]:
        """(seconds, frame) of every frame that can be decoded; see `timed` and `decode`."""
        return self.timed(self.decode(self.video, packets))

    def timed(self, frames: Iterable[VideoFrame]) -> Iterator[tuple[float, VideoFrame]]:
        """(seconds, frame), strictly increasing and >= 0, of frames as the decoder gives them.

        A frame without a pts (AVI, MPEG-PS) takes its dts, else the end of the frame before. A frame that starts
        before the origin or not after the frame before it was never meant to be shown there: it is left out and
        counted.
        """
        clock, last, end = self.clock(self.video), -1.0, 0.0
        half_tick = float(clock.time_base) / 2
        for frame in frames:
            pts = frame.pts if frame.pts is not None else frame.dts
            seconds = clock.seconds(pts) if pts is not None else end
            if seconds <= last or seconds < -half_tick:
                self.stray_frames += 1
                continue
            if seconds > self.limits.max_seconds:
                raise too_long(seconds, self.limits)
            last = max(seconds, 0.0)
            end = last + float((frame.duration or 0) * clock.time_base)
            yield last, frame

    def key_frames(self) -> Iterator[tuple[float, VideoFrame]]:
        """As `frames`, but only those that need no other frame; the others are not decoded."""
        if self.container.format.name == "avi":
            # Its frames take their time from the packets that follow them: these must be decoded as well.
            for seconds, frame in self.frames():
                self.end_seconds = seconds + float((frame.duration or 0) * self.clock(self.video).time_base)
                if frame.key_frame:
                    yield seconds, frame
        else:
            yield from self.frames(self._key_packets())

    def _key_packets(self) -> Iterator[Packet[Any]]:
        clock = self.clock(self.video)
        for packet in self.packets(self.video):
            stamp = packet.pts if packet.pts is not None else packet.dts
            if stamp is not None and not packet.is_discard:
                lasts = float(packet.duration * clock.time_base) if packet.duration else self.frame_seconds()
                self.end_seconds = max(self.end_seconds, clock.seconds(stamp) + lasts)
            if packet.is_keyframe:
                yield packet

    def frame_seconds(self) -> float:
        """How long one frame lasts on average, as the header says; 0.04 when it does not."""
        rate = fraction(self.video.average_rate) or fraction(self.video.guessed_rate)
        return float(1 / rate) if rate and 1 / 3600 < rate <= 1000 else 0.04

    def header_duration_seconds(self) -> float:
        """The end of the video as the header promises it, 0.0 when it promises nothing."""
        if self.video.duration and (tick := fraction(self.video.time_base)):
            return max(0.0, float(self.video.duration * tick))
        tagged = _tagged_seconds(self.video.metadata.get("DURATION", ""))
        whole = self.container.duration
        if tagged or not whole:
            return max(0.0, tagged - float(self.origin_seconds)) if tagged else 0.0
        start = Fraction(self.container.start_time or 0, av.time_base)
        if self.container.format.name.startswith("matroska"):
            start = Fraction(0)  # its Duration counts from zero, not from the first timestamp
        return max(0.0, float(start + Fraction(whole, av.time_base) - self.origin_seconds))


def open_source(limits: Limits, tick: Callable[[], None]) -> Source:
    """Open the file on standard input. Raises NotAVideo, DamagedMedia, DecoderFailed without the file's name."""
    source = _open(limits, tick)
    if source.video.start_time is not None:
        return source
    # No header time: the first frame that is presented sets the clock, then everything starts again.
    first = next((frame.pts for frame in source.decode(source.video) if frame.pts is not None), 0)
    source.container.close()
    source = _open(limits, tick)
    source.origin_seconds = first * source.clock(source.video).time_base
    return source


def reopen(source: Source) -> VideoCodecContext:
    """Open the file of `source` again, from its start; the decoder that was set up before is left over.

    So there are two decoders, each with all that the container tells one, and one container: its table of frames
    grows with the length of the file. Raises as `open_source`.
    """
    decoder = source.video.codec_context
    source.container.close()
    again = _open(source.limits, source.tick)
    source.container, source.video = again.container, again.video
    return decoder


def _open(limits: Limits, tick: Callable[[], None]) -> Source:
    os.lseek(_FILE, 0, os.SEEK_SET)
    container = _open_container(limits)
    video = _choose_video(container)
    if video.width * video.height > limits.max_pixels:
        raise DecoderFailed(
            f"frames of {video.width}x{video.height} have more than {limits.max_pixels} pixels",
            hint="raise AGENTVID_MAX_PIXELS if you trust this file",
        )
    for stream in container.streams:
        if stream.codec_context is not None:
            stream.codec_context.options = _codec_options(limits)
    video.thread_type = "AUTO"
    video.thread_count = _decode_threads(video)
    tick_seconds = fraction(video.time_base) or Fraction(1, 1000)
    source = Source(container, video, (video.start_time or 0) * tick_seconds, limits, tick)
    if source.header_duration_seconds() > limits.max_seconds:
        raise too_long(source.header_duration_seconds(), limits)
    return source


def _decode_threads(video: VideoStream) -> int:
    """0 lets FFmpeg take every core. Small frames leave one to the thread that looks at them.

    Below about 640x480, handing frames between decoder threads costs a third of the decoding: on two cores, one
    decoder and one looker are faster than three threads that wait for each other.
    """
    return max(1, (os.cpu_count() or 1) - 1) if video.width * video.height <= 640 * 480 else 0


def _open_container(limits: Limits) -> InputContainer:
    options = {
        "fd": str(_FILE),
        "protocol_whitelist": "fd",
        "format_whitelist": ",".join(sorted(CONTAINERS)),
        "max_streams": str(limits.max_streams),
    }
    try:
        # A descriptor, not a name: no byte of the name can mean a protocol, a list or a pattern to FFmpeg.
        container: InputContainer = av.open("fd:", options=options | _codec_options(limits), **_READ_ANY_METADATA)
    except av.error.MemoryError:
        raise
    except (av.error.FFmpegError, ValueError) as error:
        raise _why_not_opened(os.pread(_FILE, 4096, 0), error) from None
    # PyAV asks FFmpeg to make up missing timestamps; for AVI with B-frames they run backwards.
    container.flags &= ~_GENERATE_PTS
    return container


def _codec_options(limits: Limits) -> dict[str, str]:
    codecs = ",".join(sorted(VIDEO_CODECS | AUDIO_CODECS | SUBTITLE_CODECS))
    return {"codec_whitelist": codecs, "max_pixels": str(limits.max_pixels)}


def _choose_video(container: InputContainer) -> VideoStream:
    """FFmpeg's best moving picture. Raises NotAVideo when there is none or its codec is not on the list."""
    moving = [stream for stream in container.streams.video if not stream.disposition & _PICTURES]
    if not moving:
        raise NotAVideo(f"no video stream ({_contents(container)})", hint="agentvid indexes files with moving pictures")
    best = container.streams.best("video")
    video = best if best in moving else moving[0]
    assert isinstance(video, VideoStream)
    codec = video.codec_context.name if video.codec_context is not None else "unknown"
    if codec not in VIDEO_CODECS:
        raise NotAVideo(
            f"its video codec, {codec}, is not on the list of codecs that agentvid decodes",
            hint="convert it with `ffmpeg -i IN -c:v libx264 OUT.mp4` and index the copy",
        )
    return video


def _contents(container: InputContainer) -> str:
    def codecs(streams: tuple[Any, ...]) -> str:
        return ", ".join(sorted({s.codec_context.name if s.codec_context else "unknown" for s in streams}))

    pictures, audio = container.streams.video, container.streams.audio
    if pictures:
        return f"a cover picture and audio: {codecs(audio)}" if audio else "only a still picture"
    return f"audio only: {codecs(audio)}" if audio else "no audio either"


_KNOWN_STARTS = {
    b"\x89PNG": "PNG image",
    b"\xff\xd8\xff": "JPEG image",
    b"GIF8": "GIF image",
    b"%PDF": "PDF document",
    b"PK\x03\x04": "ZIP archive",
    b"\x7fELF": "program",
    b"\x1f\x8b": "gzip archive",
}


def _why_not_opened(start: bytes, error: Exception) -> NotAVideo | DamagedMedia:
    if start[4:8] in (b"ftyp", b"moov", b"mdat") or start.startswith((b"\x1aE\xdf\xa3", b"OggS", b"FLV\x01")):
        return DamagedMedia(f"it is truncated or corrupt ({_reason(error)})", hint=_TRUNCATED)
    for magic, what in _KNOWN_STARTS.items():
        if start.startswith(magic):
            return NotAVideo(f"not a video ({what})")
    text = start.decode("utf-8", "ignore")
    if (
        b"\0" not in start
        and len(text.encode()) >= len(start) - 3
        and all(c.isprintable() or c.isspace() for c in text)
    ):
        return NotAVideo("not a video (text)", hint="subtitle and transcript files go beside the video or to `import`")
    return NotAVideo("not a video (no container format that agentvid reads)", hint="mp4, mkv, webm, mov, avi, ts work")


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def too_long(seconds: float, limits: Limits) -> DecoderFailed:
    return DecoderFailed(
        f"it lasts {seconds / 3600:.1f} h; allowed: {limits.max_hours:g} h",
        hint="raise AGENTVID_MAX_HOURS if you trust this file",
    )


def _tagged_seconds(tag: str) -> float:
    """Matroska's per-stream DURATION tag, "00:01:02.345000000", in seconds; 0.0 when it is not one."""
    try:
        hours, minutes, seconds = tag.replace("\0", "").split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        return 0.0
