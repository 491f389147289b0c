"""Child side: what can be read from the video stream in order - its description, and every frame once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from agentvid.errors import DamagedMedia
from agentvid.media import groups
from agentvid.media.ahead import ahead
from agentvid.media.container import Source, Upright, fraction
from agentvid.media.limits import (
    BATCH_FRAMES,
    KEY_FRAME_SIDE,
    MAX_PIXEL_RATIO,
    SCAN_SIDE,
    SUBTITLE_CODECS,
    TEXT_FRAME_SIDE,
)
from agentvid.media.quality import measure
from agentvid.media.types import NO_QUALITY, QUALITY_NUMBERS, Region
from agentvid.media.wire import Outbox

#: The text gate looks at most this often, in seconds of video.
_GATE_SECONDS = 0.25
#: Answers round times to milliseconds; a frame that starts within half of one is the frame meant.
TIME_TOLERANCE_SECONDS = 0.0005
#: Key frames come this often, and sooner where the small picture changed so much (mean of 0..255), after a pause.
_KEY_SECONDS, _KEY_CHANGE, _KEY_PAUSE_SECONDS = 1.0, 25.0, 0.5
_QUALITY_SECONDS = 2.0
_PLANAR_LUMA = ("yuv", "nv", "gray")
#: Luma of 0..255, by the format's name or by the frame's colour range.
_FULL_RANGE, _FULL = ("yuvj", "gray"), 2
_GREY_LEVELS = np.clip(np.rint((np.arange(256) - 16) * (255 / 219)), 0, 255).astype(np.uint8)


class Shaper:
    """Turns decoded frames into upright arrays with square pixels, the longest side at most `side` pixels.

    With a `region`, that part of the upright picture only, and `side` bounds the part.

    All results of one Shaper have one size, taken from the first frame, even when the stream changes its own.
    """

    def __init__(
        self, source: Source, first: VideoFrame, side: int | None, pixel_format: str, region: Region | None = None
    ) -> None:
        self.upright = Upright.of(first)
        self._format, self._region = pixel_format, region
        self._reformatter = VideoReformatter()
        width, height = _square_size(source, first)
        part = region.size(*self.upright.size(width, height)) if region else (width, height)
        scale = min(1.0, side / max(part)) if side else 1.0
        self._stored = max(1, round(width * scale)), max(1, round(height * scale))
        self.width, self.height = self.upright.size(*self._stored)

    def shape(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """(height, width, 3) uint8: a view that lives as long as it is held."""
        width, height = self._stored
        # AREA averages what it shrinks: no aliasing for detectors to trip over. Next to decoding, the faster flags
        # saved nothing: reading the frame from memory is what costs.
        scaled = self._reformatter.reformat(
            frame, width, height, self._format, interpolation=Interpolation.AREA, threads=1
        )
        plane = scaled.planes[0]
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:height, : width * 3]  # type: ignore[call-overload]
        upright = self.upright.apply(rows.reshape(height, width, 3))
        return self._region.cut(upright) if self._region else upright


def _square_size(source: Source, frame: VideoFrame) -> tuple[int, int]:
    """Stored width and height with pixels made square; a nonsensical pixel ratio is ignored."""
    ratio = fraction(source.video.sample_aspect_ratio)
    if ratio is None or not 1 / MAX_PIXEL_RATIO <= ratio <= MAX_PIXEL_RATIO:
        return frame.width, frame.height
    return max(1, round(frame.width * ratio)), frame.height


def probe(source: Source, request: dict[str, Any], outbox: Outbox) -> None:
    """One "end" message that describes the file; the first frame is decoded, so a described file can be read."""
    source.use(source.video)
    first = next(source.frames(), None)
    if first is None:
        raise nothing_decoded(source)
    outbox.put("end", **_description(source, *first))


def _description(source: Source, seconds: float, first: VideoFrame) -> dict[str, Any]:
    """The fields of a MediaInfo. `seconds` is the time of the first frame."""
    shaper = Shaper(source, first, None, "rgb24")
    container = source.container
    return {
        "container": container.format.name.split(",")[0],
        "codec": source.video.codec_context.codec.canonical_name,
        "width": shaper.width,
        "height": shaper.height,
        "rotation_degrees": shaper.upright.clockwise_degrees,
        "duration_seconds": source.header_duration_seconds() or seconds + source.frame_seconds(),
        "frame_rate": 1 / source.frame_seconds(),
        "has_audio": int(bool(container.streams.audio)),
        "subtitles": [describe_subtitle(stream) for stream in text_streams(source)],
        "title": container.metadata.get("title", "")[:500],
    }


def text_streams(source: Source) -> list[Any]:
    """The subtitle streams that hold text rather than pictures."""
    return [
        stream
        for stream in source.container.streams.subtitles
        if stream.codec_context is not None and stream.codec_context.name in SUBTITLE_CODECS
    ]


def describe_subtitle(stream: Any) -> dict[str, Any]:
    return {
        "stream_index": stream.index,
        "codec": stream.codec_context.codec.canonical_name,
        "language": (stream.metadata.get("language") or "")[:32],
        "title": (stream.metadata.get("title") or "")[:200],
    }


def scan(source: Source, request: dict[str, Any], outbox: Outbox) -> None:
    """Every frame once, or every key frame: "info" as of `probe`, "batch" messages of small BGR frames, and "end".

    "text" and "key" messages come before the batch that they belong to.
    """
    source.use(source.video)
    shaper: Shaper | None = None
    gate: _Gate | None = None
    keys: _KeyFrames | None = None
    meter: _QualityMeter | None = None
    seconds, images = np.empty(0), np.empty(0, np.uint8)
    filled = frames = 0
    last_seconds = previous_seconds = last_duration = 0.0
    for time, frame in _decoded(source, request):
        if shaper is None:
            outbox.put("info", **_description(source, time, frame))
            shaper = Shaper(source, frame, SCAN_SIDE, "bgr24")
            gate = _Gate(source, frame, outbox) if request["text_frames"] else None
            keys = _KeyFrames(source, frame, outbox) if request["key_frames"] else None
            meter = _QualityMeter() if request["quality"] else None
        if filled == 0:
            # New arrays for each batch: the outbox still sends the old ones.
            seconds = np.empty(BATCH_FRAMES, np.float64)
            images = np.empty((BATCH_FRAMES, shaper.height, shaper.width, 3), np.uint8)
        seconds[filled], images[filled] = time, shaper.shape(frame)
        if keys is not None:
            keys.look(time, frame, images[filled])
        filled, frames = filled + 1, frames + 1
        previous_seconds, last_seconds, last_duration = last_seconds, time, frame.duration or 0
        if gate is not None:
            gate.look(time, frame)
        if meter is not None:
            meter.look(time, frame)
        if filled == BATCH_FRAMES:
            _put_batch(outbox, seconds, images, meter)
            filled = 0
    if frames == 0:
        raise nothing_decoded(source)
    if filled:
        _put_batch(outbox, seconds[:filled], images[:filled], meter)
    tail = float(last_duration * source.clock(source.video).time_base)
    if not tail and request["every_frame"]:
        tail = last_seconds - previous_seconds
    end = max(source.end_seconds, last_seconds + (tail or source.frame_seconds()))
    warning = _damage(source, frames, end)
    outbox.put("end", frames=frames, duration_seconds=end, damaged=int(bool(warning)), warning=warning)


def _decoded(source: Source, request: dict[str, Any]) -> Iterator[tuple[float, VideoFrame]]:
    """What a scan looks at, decoded by other threads meanwhile."""
    if not request["every_frame"]:
        return ahead(source.key_frames(), group=_group(source))
    by_several = groups.split(source, request["decoders"])
    return ahead(source.frames(), group=_group(source)) if by_several is None else by_several


def _group(source: Source) -> int:
    """Frames handed over at once between decoding and looking: few when they are large, because several groups wait."""
    return max(1, min(4, 2_000_000 // max(1, source.video.width * source.video.height)))


def _put_batch(
    outbox: Outbox, seconds: NDArray[np.float64], images: NDArray[np.uint8], meter: _QualityMeter | None
) -> None:
    measured = meter.take() if meter is not None else NO_QUALITY
    size = {"height": images.shape[1], "width": images.shape[2]}
    payload = (seconds.data, np.ascontiguousarray(measured).data, images.data)
    outbox.put("batch", *payload, count=len(seconds), measured=len(measured), **size)


def _damage(source: Source, frames: int, end_seconds: float) -> str:
    """What was lost, in words; "" when nothing of weight was."""
    promised = source.header_duration_seconds()
    if promised - end_seconds > max(2.0, 0.1 * promised):
        return (
            f"frames end at {end_seconds:.1f} s of the {promised:.1f} s that the header promises; "
            "the file may be truncated"
        )
    if source.damaged_packets:
        return f"{source.damaged_packets} packets could not be decoded; {frames} frames were"
    if source.stray_frames > 0.01 * frames:
        return f"{source.stray_frames} frames were left out because their time runs backwards"
    return ""


def nothing_decoded(source: Source) -> DamagedMedia:
    return DamagedMedia(
        f"no frame of its {source.video.codec_context.name} video can be decoded",
        hint="the file is truncated, corrupt or encrypted; play it in another player to see which",
    )


class _Gate:
    """Shows upright luma to the text gate a few times a second and sends the frames it asks for."""

    def __init__(self, source: Source, first: VideoFrame, outbox: Outbox) -> None:
        from agentvid.media.text_gate import TextGate

        self._outbox, self._gate = outbox, TextGate()
        self._next_seconds = 0.0
        self._luma = _LumaPlane()
        self._shaper = Shaper(source, first, TEXT_FRAME_SIDE, "rgb24")

    def look(self, seconds: float, frame: VideoFrame) -> None:
        if seconds < self._next_seconds:
            return
        self._next_seconds = seconds + _GATE_SECONDS - TIME_TOLERANCE_SECONDS
        changes = self._gate.update(seconds, self._shaper.upright.apply(self._luma.of(frame)))
        if changes is None:
            return
        image = np.ascontiguousarray(self._shaper.shape(frame))
        size = {"height": image.shape[0], "width": image.shape[1]}
        rows, columns = changes.came.shape
        cells = {"rows": rows, "columns": columns, "cell_width": changes.cell[0], "cell_height": changes.cell[1]}
        self._outbox.put("text", image.data, changes.came.data, changes.gone.data, seconds=seconds, **size, **cells)


class _LumaPlane:
    """The luma of frames, as the decoder has it."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def of(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """(height, width) uint8: the decoder's own luma plane where it has one of 8 bits, else a conversion."""
        return self._plane(self._planar(frame))

    def grey_levels(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """The same, black 0 and white 255: most videos count from 16 to 235."""
        import cv2

        planar = self._planar(frame)
        plane, counts_all = self._plane(planar), planar.format.name.startswith(_FULL_RANGE)
        return plane if counts_all or planar.color_range == _FULL else np.asarray(cv2.LUT(plane, _GREY_LEVELS))

    def _planar(self, frame: VideoFrame) -> VideoFrame:
        layout = frame.format
        if layout.name.startswith(_PLANAR_LUMA) and layout.components[0].bits == 8 and layout.name != "yuyv422":
            return frame
        return self._reformatter.reformat(frame, format="gray", threads=1)

    @staticmethod
    def _plane(frame: VideoFrame) -> NDArray[np.uint8]:
        plane = frame.planes[0]
        rows: NDArray[np.uint8] = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)  # type: ignore[call-overload]
        return rows[: frame.height, : frame.width]


class _QualityMeter:
    """Measures how good the picture is, once in two seconds and in full size."""

    def __init__(self) -> None:
        self._luma, self._next_seconds = _LumaPlane(), 0.0
        self._rows: list[tuple[float, ...]] = []

    def look(self, seconds: float, frame: VideoFrame) -> None:
        if seconds < self._next_seconds:
            return
        self._next_seconds = seconds + _QUALITY_SECONDS - TIME_TOLERANCE_SECONDS
        self._rows.append((seconds, *measure(self._luma.grey_levels(frame))))

    def take(self) -> NDArray[np.float64]:
        """(m, QUALITY_NUMBERS): the time and the numbers of each look since it was asked last."""
        rows, self._rows = self._rows, []
        return np.array(rows, np.float64).reshape(-1, QUALITY_NUMBERS)


class _KeyFrames:
    """Sends about one frame a second, of the size that models look at, and the first after a strong change."""

    def __init__(self, source: Source, first: VideoFrame, outbox: Outbox) -> None:
        self._outbox = outbox
        self._shaper = Shaper(source, first, KEY_FRAME_SIDE, "rgb24")
        self._sent_seconds = -math.inf
        self._sent: NDArray[np.uint8] | None = None

    def look(self, seconds: float, frame: VideoFrame, small: NDArray[np.uint8]) -> None:
        """`small`: (height, width, 3) uint8, the same frame as the batch has it."""
        since = seconds - self._sent_seconds + TIME_TOLERANCE_SECONDS
        if since < _KEY_SECONDS and (since < _KEY_PAUSE_SECONDS or self._change(small) < _KEY_CHANGE):
            return
        self._sent_seconds, self._sent = seconds, small.copy()
        put_image(self._outbox, "key", seconds, self._shaper.shape(frame))

    def _change(self, small: NDArray[np.uint8]) -> float:
        import cv2  # most requests do without it, and each would wait for it

        return 0.0 if self._sent is None else float(cv2.absdiff(small, self._sent).mean())


def put_image(outbox: Outbox, kind: str, seconds: float, image: NDArray[np.uint8], **fields: Any) -> None:
    packed = np.ascontiguousarray(image)
    outbox.put(kind, packed.data, seconds=seconds, height=image.shape[0], width=image.shape[1], **fields)
