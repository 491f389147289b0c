"""Child side: the audio stream as mono samples and the embedded subtitles as cues, both on the video's clock."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice
from typing import Any

import av
import av.error
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from agentvid.media.container import Clock, Source
from agentvid.media.limits import AUDIO_CODECS
from agentvid.media.pictures import describe_subtitle, text_streams
from agentvid.media.wire import Outbox

_CHUNK_SECONDS = 10.0
#: A break in the timestamps longer than this starts a new chunk at its true time; shorter ones are rounding.
_BREAK_SECONDS = 0.05
#: How far before the wanted span to start reading: codecs need a run-up, and demuxers seek by video keyframe.
_RUN_UP_SECONDS = (1.0, 30.0)
_CUES_PER_MESSAGE = 200
#: How long a cue without an end stays, unless the next one comes first.
_OPEN_CUE_SECONDS = 5.0


def audio(source: Source, request: dict[str, Any], outbox: Outbox) -> None:
    """ "audio" messages with float32 mono chunks between `start` and `end` seconds, then "end"."""
    stream = source.container.streams.best("audio")
    if stream is None or stream.codec_context is None or stream.codec_context.name not in AUDIO_CODECS:
        outbox.put("end")
        return
    source.use(stream)
    rate, start, end = request["sample_rate"], request["start"], request["end"]
    _seek_audio(source, stream, start)
    for seconds, samples in _runs(source, stream, rate):
        if seconds >= end:
            break
        first = max(0, math.ceil((start - seconds) * rate - 1e-6))
        last = min(len(samples), math.ceil((end - seconds) * rate - 1e-6))
        if first < last:
            outbox.put("audio", samples[first:last].data, seconds=seconds + first / rate, count=last - first)
    outbox.put("end")


def _seek_audio(source: Source, stream: Any, start_seconds: float) -> None:
    """Move to before `start_seconds`; a demuxer that lands behind it is sent further back."""
    clock = source.clock(stream)
    for run_up in _RUN_UP_SECONDS:
        if start_seconds <= run_up:
            break
        try:
            source.container.seek(clock.pts(start_seconds - run_up), stream=stream, backward=True)
        except av.error.FFmpegError:
            break
        frame = next(source.decode(stream), None)
        if frame is not None and frame.pts is not None and clock.seconds(frame.pts) <= start_seconds:
            source.container.seek(clock.pts(start_seconds - run_up), stream=stream, backward=True)
            return
    if start_seconds > 0:
        source.container.seek(source.container.start_time or 0)


def _runs(source: Source, stream: Any, rate: int) -> Iterator[tuple[float, NDArray[np.float32]]]:
    """(seconds, samples): chunks of about 10 s; within one, the stream's timestamps have no break."""
    clock: Clock = source.clock(stream)
    resampler = _Mono(rate)
    anchor_seconds = read_seconds = sent_seconds = 0.0
    pending: list[NDArray[np.float32]] = []
    for frame in source.decode(stream):
        pts = frame.pts if frame.pts is not None else frame.dts
        seconds = clock.seconds(pts) if pts is not None else anchor_seconds + read_seconds
        broken = abs(seconds - anchor_seconds - read_seconds) > _BREAK_SECONDS
        if broken or not resampler.accepts(frame):
            pending += resampler.flush()
            if pending:
                yield anchor_seconds + sent_seconds, np.concatenate(pending)
            resampler, pending = _Mono(rate), []
            anchor_seconds, read_seconds, sent_seconds = seconds, 0.0, 0.0
        read_seconds += frame.samples / frame.sample_rate
        pending += resampler.resample(frame)
        count = sum(map(len, pending))
        if count >= _CHUNK_SECONDS * rate:
            yield anchor_seconds + sent_seconds, np.concatenate(pending)
            pending, sent_seconds = [], sent_seconds + count / rate
    pending += resampler.flush()
    if pending:
        yield anchor_seconds + sent_seconds, np.concatenate(pending)


class _Mono:
    """FFmpeg's resampler to mono float32; it takes frames of one layout only."""

    def __init__(self, rate: int) -> None:
        self._resampler = AudioResampler("flt", "mono", rate)
        self._layout: tuple[str, str, int] | None = None

    def accepts(self, frame: AudioFrame) -> bool:
        return self._layout in (None, self._describe(frame))

    def resample(self, frame: AudioFrame) -> list[NDArray[np.float32]]:
        self._layout = self._describe(frame)
        frame.pts = None  # time is kept by the caller; here it would only insert or drop samples
        return [_samples(out) for out in self._resampler.resample(frame)]

    def flush(self) -> list[NDArray[np.float32]]:
        return [_samples(out) for out in self._resampler.resample(None)] if self._layout else []

    @staticmethod
    def _describe(frame: AudioFrame) -> tuple[str, str, int]:
        return frame.format.name, frame.layout.name, frame.sample_rate


def _samples(frame: AudioFrame) -> NDArray[np.float32]:
    """(n,) float32 in [-1, 1]; float codecs may overshoot, and damaged ones may give NaN."""
    samples = np.nan_to_num(frame.to_ndarray().reshape(-1).astype(np.float32, copy=False))
    return np.clip(samples, -1.0, 1.0)


def subtitles(source: Source, request: dict[str, Any], outbox: Outbox) -> None:
    """For each text stream a "track" message, then "cues" messages in time order, then "end"."""
    streams = text_streams(source)
    source.use(*streams)
    cues: dict[int, list[dict[str, Any]]] = {stream.index: [] for stream in streams}
    for stream, cue in islice(_cues(source, streams), source.limits.max_cues):
        cues[stream.index].append(cue)
    for stream in streams:
        outbox.put("track", **describe_subtitle(stream))
        ordered = _closed(sorted(cues[stream.index], key=lambda cue: cue["start"]))
        for first in range(0, len(ordered), _CUES_PER_MESSAGE):
            outbox.put("cues", cues=ordered[first : first + _CUES_PER_MESSAGE])
    outbox.put("end")


def _cues(source: Source, streams: list[Any]) -> Iterator[tuple[Any, dict[str, Any]]]:
    """(stream, cue) in file order; `end` is None for a cue without a duration."""
    clocks = {stream.index: source.clock(stream) for stream in streams}
    for packet in source.packets(*streams) if streams else ():
        try:
            shown = packet.stream.codec_context.decode2(packet) if packet.size else None
        except av.error.MemoryError:
            raise
        except av.error.FFmpegError:
            continue  # one damaged cue
        if shown is None or packet.pts is None:
            continue
        begin = clocks[packet.stream.index].seconds(packet.pts)
        start = begin + shown.start_display_time / 1000
        end = _end_seconds(packet, shown, begin)
        text = "\n".join(rect.dialogue.decode("utf-8", "replace") for rect in shown if rect.type == b"ass").strip()
        if text and (end is None or end > max(start, 0.0)):
            limit = source.limits.max_cue_characters
            yield packet.stream, {"start": max(start, 0.0), "end": end, "text": text[:limit]}


def _end_seconds(packet: Any, shown: Any, begin_seconds: float) -> float | None:
    if packet.duration:
        return begin_seconds + float(packet.duration * packet.time_base)
    # 2**32 - 1 means "until further notice".
    return begin_seconds + shown.end_display_time / 1000 if 0 < shown.end_display_time < 2**32 - 1 else None


def _closed(cues: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Cues without an end stay for a while, or until the next one starts."""
    for number, cue in enumerate(cues):
        if cue["end"] is None:
            latest = cue["start"] + _OPEN_CUE_SECONDS
            following = [later["start"] for later in cues[number + 1 : number + 2] if later["start"] > cue["start"]]
            cue["end"] = min([latest, *following])
    return cues
