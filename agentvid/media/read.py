"""What can be read from a media file. Each call runs in a decoder process of its own, or several, killed afterwards.

Nothing here imports PyAV. Times are seconds on the video's clock: PTS minus the start of the video stream.
Every function raises NotAVideo, DamagedMedia or DecoderFailed (all MediaError) with the file's name in the message.
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from agentvid.errors import DecoderFailed, UsageError
from agentvid.media.limits import (
    BATCH_FRAMES,
    DEFAULT,
    KEY_FRAME_SIDE,
    MAX_PIXEL_RATIO,
    SCAN_SIDE,
    TEXT_FRAME_SIDE,
    Limits,
)
from agentvid.media.process import Decoder, Message, display_name
from agentvid.media.types import (
    QUALITY_NUMBERS,
    Cue,
    Frame,
    FrameBatch,
    Image,
    MediaInfo,
    Region,
    SubtitleTrack,
    TextFrame,
)
from agentvid.types import Span

_MAX_SIDE = 32_768
_MAX_AUDIO_BYTES = 64 << 20
#: Rows, or columns, of the maps that come with a text frame.
_MAX_CELLS = 64
#: Times further apart than this need a seek each; so many seeks are worth a decoder process of their own.
_FAR_SECONDS, _SEEKS_PER_PROCESS, _MOST_PROCESSES = 10.0, 8, 8
#: Each holds as many decoded frames as a group of pictures may have.
_MOST_DECODERS = 4


def probe(path: Path, limits: Limits = DEFAULT) -> MediaInfo:
    """Describe a file. Its first frame has been decoded, so that what is described can be read."""
    with Decoder(path, {"do": "probe"}, limits) as child:
        for reply in child.messages():
            return _info(reply, limits)
    raise DecoderFailed(f"{child.name}: the decoder process said nothing")


def _info(reply: Message, limits: Limits) -> MediaInfo:
    return MediaInfo(
        container=reply.text("container", 64),
        codec=reply.text("codec", 64),
        width=reply.integer("width", 1, _MAX_SIDE),
        height=reply.integer("height", 1, _MAX_SIDE),
        rotation_degrees=reply.integer("rotation_degrees", 0, 270),
        duration_seconds=reply.number("duration_seconds", 0, math.inf),
        frame_rate=reply.number("frame_rate", 0, 1000),
        has_audio=reply.flag("has_audio"),
        subtitles=tuple(_track(entry) for entry in reply.each("subtitles", limits.max_streams)),
        title=reply.text("title", 500),
    )


@dataclass
class _Outcome:
    """Filled when the last batch has been read, `info` with the first."""

    info: MediaInfo | None = None
    frames: int = 0
    duration_seconds: float = 0.0
    damaged: bool = False
    warning: str = ""


class Scan:
    """The one decode pass: iterate once over its batches, then read what it found.

    `info` is what `probe` tells, without a process of its own; it may be read at any time. After the last batch,
    `duration_seconds` is the end of the last decoded frame, `frames` their number, and `damaged` with `warning` say
    what is missing. Closing it early, or dropping it, stops the decoder process.
    """

    def __init__(self, path: Path, request: dict[str, Any], limits: Limits) -> None:
        # The generator must not hold this object, or dropping it would leave the process to the garbage collector.
        self._name = display_name(path)
        self._outcome = _Outcome()
        self._batches = _batches(path, request, limits, self._outcome)
        self._first: FrameBatch | None = None

    def __iter__(self) -> Iterator[FrameBatch]:
        return self

    def __next__(self) -> FrameBatch:
        first, self._first = self._first, None
        return next(self._batches) if first is None else first

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._batches.close()

    @property
    def info(self) -> MediaInfo:
        """Before iterating, this starts the pass and waits for its first batch. Raises the media errors."""
        if self._outcome.info is None:
            self._first = next(self._batches, None)
        if self._outcome.info is None:
            raise DecoderFailed(f"{self._name}: the decoder process did not describe the file")
        return self._outcome.info

    @property
    def frames(self) -> int:
        return self._outcome.frames

    @property
    def duration_seconds(self) -> float:
        return self._outcome.duration_seconds

    @property
    def damaged(self) -> bool:
        return self._outcome.damaged

    @property
    def warning(self) -> str:
        return self._outcome.warning


def scan(
    path: Path,
    *,
    every_frame: bool = True,
    text_frames: bool = True,
    key_frames: bool = False,
    quality: bool = False,
    decoders: int | None = None,
    limits: Limits = DEFAULT,
) -> Scan:
    """Decode every frame once, in batches of up to 64 whose longest side is at most 160 pixels.

    Without `every_frame` only those that need no other to be decoded, one every few seconds: the rest of the file is
    read, so that its end is known, but not decoded. Their times are exact too.
    With `text_frames`, a batch also carries the frames, at most 1280 pixels long, whose text seems to have changed;
    with `key_frames` those for models to look at, at most 448 pixels long; with `quality` how good the pictures are.
    `decoders`: how many threads decode small frames, each a group of pictures; as many as there are cores, up to 4.
    What is read does not depend on it.
    The media errors come while iterating.
    """
    request = {
        "do": "scan",
        "every_frame": every_frame,
        "text_frames": text_frames,
        "key_frames": key_frames,
        "quality": quality,
        "decoders": decoders or min(_cores(), _MOST_DECODERS),
    }
    return Scan(path, request, limits)


def _batches(
    path: Path, request: dict[str, Any], limits: Limits, outcome: _Outcome
) -> Generator[FrameBatch, None, None]:
    # A payload is a batch of small frames or one text frame.
    largest = max(
        BATCH_FRAMES * (SCAN_SIDE**2 * 3 + 8 * (1 + QUALITY_NUMBERS)), TEXT_FRAME_SIDE**2 * 3 + 2 * 4 * _MAX_CELLS**2
    )
    text: list[TextFrame] = []
    keys: list[Frame] = []
    latest = -1.0
    with Decoder(path, request, limits, max_payload_bytes=largest) as child:
        for reply in child.messages():
            if reply.kind == "info":
                outcome.info = _info(reply, limits)
            elif reply.kind == "text" and len(text) < BATCH_FRAMES:
                text.append(_text_frame(reply, limits))
            elif reply.kind == "key" and len(keys) < BATCH_FRAMES:
                keys.append(_frame(reply, limits, KEY_FRAME_SIDE))
            elif reply.kind == "batch":
                batch = _batch(reply, latest, tuple(text), tuple(keys))
                text, keys, latest = [], [], float(batch.seconds[-1])
                yield batch
            elif reply.kind == "end":
                outcome.frames = reply.integer("frames", 1, 1 << 40)
                outcome.duration_seconds = reply.number("duration_seconds", latest, math.inf)
                outcome.damaged, outcome.warning = reply.flag("damaged"), reply.text("warning", 500)


def _batch(reply: Message, after_seconds: float, text: tuple[TextFrame, ...], keys: tuple[Frame, ...]) -> FrameBatch:
    count = reply.integer("count", 1, BATCH_FRAMES)
    shape = (count, reply.integer("height", 1, SCAN_SIDE), reply.integer("width", 1, SCAN_SIDE), 3)
    seconds = reply.array(np.float64, (count,))
    if not np.isfinite(seconds).all() or not (np.diff(seconds, prepend=after_seconds) > 0).all():
        reply.refuse("time")
    rows = (reply.integer("measured", 0, count), QUALITY_NUMBERS)
    quality = reply.array(np.float64, rows, offset=seconds.nbytes)
    if not np.isfinite(quality).all() or not np.isin(quality[:, 0], seconds).all():
        reply.refuse("quality")
    images = reply.array(np.uint8, shape, offset=seconds.nbytes + quality.nbytes)
    return FrameBatch(seconds, images, text, keys, quality)


def frames_at(
    path: Path,
    seconds: Sequence[float],
    *,
    max_side: int | None = None,
    region: Region | None = None,
    limits: Limits = DEFAULT,
) -> list[Frame]:
    """The frame shown at each time, in the order asked: the last that starts at or before it, to half a millisecond.

    Times before the first frame give the first, times after the end the last. `Frame.seconds` is the frame's own
    start. Close times share one pass; equal frames share one image. `region` cuts that part out; `max_side` bounds the
    longest side of what is left, in pixels: a small part keeps its detail.
    Raises UsageError for a time that is not finite and >= 0 or a side below 16.
    """
    for value in seconds:
        if not math.isfinite(value) or value < 0:
            raise UsageError(f"{value} is not a time; allowed: seconds >= 0")
    if max_side is not None and max_side < 16:
        raise UsageError(f"max_side {max_side} is too small; allowed: 16 or more")
    if not seconds:
        return []
    ordered = sorted(set(seconds))
    part = [region.x0, region.y0, region.x1, region.y1] if region else None
    shares = _shares(ordered)
    threads = max(1, _cores() // len(shares)) if len(shares) > 1 else 0
    request = {"do": "frames_at", "max_side": max_side, "region": part, "threads": threads}
    with ThreadPoolExecutor(len(shares)) as readers:
        found = list(readers.map(lambda share: _frames(path, {**request, "seconds": share}, limits), shares))
    shown = dict(zip(ordered, itertools.chain.from_iterable(found), strict=True))
    return [shown[value] for value in seconds]


def _shares(ordered: Sequence[float]) -> list[Sequence[float]]:
    """Rising times split among as many decoder processes as pay: a start costs what some seeks cost."""
    apart = 1 + sum(later - earlier > _FAR_SECONDS for earlier, later in itertools.pairwise(ordered))
    count = max(1, min(_cores(), apart // _SEEKS_PER_PROCESS))
    size = math.ceil(len(ordered) / count)
    return [ordered[first : first + size] for first in range(0, len(ordered), size)]


def _cores() -> int:
    """How many decoder processes, or threads of one, may work on one file at once."""
    return min(os.cpu_count() or 1, _MOST_PROCESSES)


def _frames(path: Path, request: dict[str, Any], limits: Limits) -> list[Frame]:
    """The frame for each of the request's rising times."""
    wanted, side = len(request["seconds"]), request["max_side"]
    found: list[Frame] = []
    largest = 3 * (side**2 if side else limits.max_pixels * MAX_PIXEL_RATIO)
    with Decoder(path, request, limits, max_payload_bytes=largest) as child:
        for reply in child.messages():
            if reply.kind == "frame":
                times = reply.integer("times", 1, wanted - len(found))
                found += [_frame(reply, limits, side or _MAX_SIDE)] * times
    if len(found) != wanted:
        raise DecoderFailed(f"{child.name}: {len(found)} frames came for {wanted} times")
    return found


def read_picture(path: Path, limits: Limits = DEFAULT) -> Image:
    """(height, width, 3) uint8 RGB of a JPEG, PNG or WebP file, upright, longest side at most 448 pixels.

    Decoded as a video is: in a process of its own. Raises NotAVideo, DamagedMedia, DecoderFailed, MissingDependency.
    """
    found: list[Frame] = []
    with Decoder(path, {"do": "still"}, limits, max_payload_bytes=3 * KEY_FRAME_SIDE**2) as child:
        for reply in child.messages():
            if reply.kind == "picture":
                found.append(_frame(reply, limits, KEY_FRAME_SIDE))
    if len(found) != 1:
        raise DecoderFailed(f"{child.name}: {len(found)} pictures came for one")
    return found[0].image


def read_audio(
    path: Path, *, sample_rate: int = 16_000, within: Span | None = None, limits: Limits = DEFAULT
) -> Iterator[tuple[float, NDArray[np.float32]]]:
    """(start_seconds, samples): chunks of about 10 s of mono float32 in [-1, 1], in time order.

    The start is that of the chunk's first sample on the video's clock; sound before the first frame is left out, a
    gap in the stream is a gap between chunks. A file without audio gives nothing. The decoder process runs until
    the iterator ends or is closed. Raises UsageError for a rate out of 8000..48000 Hz.
    """
    if not 8_000 <= sample_rate <= 48_000:
        raise UsageError(f"sample rate {sample_rate} is not in 8000..48000 Hz")
    span = within or Span(0.0, limits.max_seconds)
    request = {
        "do": "audio",
        "sample_rate": sample_rate,
        "start": span.start_seconds,
        "end": span.end_seconds,
    }
    return _audio(path, request, limits)


def _audio(path: Path, request: dict[str, Any], limits: Limits) -> Iterator[tuple[float, NDArray[np.float32]]]:
    with Decoder(path, request, limits, max_payload_bytes=_MAX_AUDIO_BYTES) as child:
        for reply in child.messages():
            if reply.kind == "audio":
                count = reply.integer("count", 1, _MAX_AUDIO_BYTES // 4)
                yield reply.number("seconds", 0, limits.max_seconds), reply.array(np.float32, (count,))


def read_subtitles(path: Path, limits: Limits = DEFAULT) -> list[tuple[SubtitleTrack, list[Cue]]]:
    """Every embedded text subtitle stream (mov_text, subrip, ass, webvtt) with its cues in time order.

    Texts are as the stream holds them, at most 4096 characters each, line breaks as newlines.
    """
    tracks: list[tuple[SubtitleTrack, list[Cue]]] = []
    count = 0
    with Decoder(path, {"do": "subtitles"}, limits) as child:
        for reply in child.messages():
            if reply.kind == "track" and len(tracks) < limits.max_streams:
                tracks.append((_track(reply), []))
            elif reply.kind == "cues" and tracks:
                cues = [_cue(entry, limits) for entry in reply.each("cues", limits.max_cues - count)]
                count += len(cues)
                tracks[-1][1].extend(cues)
    return tracks


def _cue(entry: Message, limits: Limits) -> Cue:
    start = entry.number("start", 0, 1e9)
    # Rounding may close a cue of a microsecond; a millisecond keeps it a span.
    end = max(entry.number("end", 0, 1e9), start + 0.001)
    return Cue(Span(start, end), entry.text("text", limits.max_cue_characters))


def _track(entry: Message) -> SubtitleTrack:
    return SubtitleTrack(
        stream_index=entry.integer("stream_index", 0, 1 << 16),
        codec=entry.text("codec", 64),
        language=entry.text("language", 32),
        title=entry.text("title", 200),
    )


def _text_frame(reply: Message, limits: Limits) -> TextFrame:
    frame = _frame(reply, limits, TEXT_FRAME_SIDE)
    shape = (reply.integer("rows", 1, _MAX_CELLS), reply.integer("columns", 1, _MAX_CELLS))
    came = reply.array(np.float32, shape, offset=frame.image.nbytes)
    gone = reply.array(np.float32, shape, offset=frame.image.nbytes + came.nbytes)
    cell = reply.number("cell_width", 1e-3, 1e3), reply.number("cell_height", 1e-3, 1e3)
    return TextFrame(frame.seconds, frame.image, came, gone, cell)


def _frame(reply: Message, limits: Limits, side: int) -> Frame:
    height, width = reply.integer("height", 1, side), reply.integer("width", 1, side)
    image: Image = reply.array(np.uint8, (height, width, 3))
    return Frame(reply.number("seconds", 0, limits.max_seconds), image)
