"""Make videos whose content is known: for `make demo`, for the tests, and for users who want to check their own set-up.

A video is a list of scenes. Every frame can carry its own time, as text for people and as a row of black and white
blocks for programs: `read_burnt_time` reads it back from a decoded frame of any size, without OCR.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from agentvid.errors import UsageError

Motion = Literal["static", "pan", "left", "right", "up", "down"]
Colour = tuple[int, int, int]
Subtitle = tuple[float, float, str]

#: Two white-black marker pairs around 24 bits of milliseconds and a 4-bit checksum.
_TIME_BITS, _CHECK_BITS = 24, 4
_BLOCKS = 2 + _TIME_BITS + _CHECK_BITS + 2
_AUDIO_RATE, _AUDIO_FRAME = 48_000, 1024


@dataclass(frozen=True, slots=True)
class Scene:
    """One shot: a coloured background (RGB), optionally a slide's title and lines (ASCII), and a kind of motion.

    `motion`: "pan" moves a textured background, "left", "right", "up", "down" move a square across it.
    `tone_hertz` sounds while the scene lasts if the video has audio; 0 is silence.
    """

    seconds: float
    colour: Colour = (40, 60, 90)
    title: str = ""
    lines: tuple[str, ...] = ()
    motion: Motion = "static"
    tone_hertz: float = 440.0


@dataclass(frozen=True, slots=True)
class _Container:
    """What a file suffix means: codecs, and options for the muxer."""

    video: str
    audio: str
    subtitle: str
    options: tuple[tuple[str, str], ...] = ()


_CONTAINERS = {
    ".mp4": _Container("libx264", "aac", "mov_text"),
    ".mov": _Container("libx264", "aac", "mov_text"),
    ".mkv": _Container("libx264", "aac", "subrip"),
    ".webm": _Container("libvpx-vp9", "libopus", "webvtt"),
    ".ts": _Container("libx264", "aac", ""),
    ".avi": _Container("mpeg4", "pcm_s16le", ""),
}
_ENCODER_OPTIONS = {
    "libx264": {"preset": "veryfast", "crf": "20"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "crf": "30", "b": "0"},
    "mpeg4": {"qscale": "3"},
}


def render_video(
    path: Path,
    scenes: Sequence[Scene],
    *,
    size: tuple[int, int] = (640, 360),
    rate: Fraction | int = 25,
    subtitles: Sequence[Subtitle] = (),
    audio: Literal["tone"] | None = None,
    variable_rate: bool = False,
    start_offset_seconds: float = 0.0,
    rotation_degrees: int = 0,
    gop: int = 50,
    burn_time: bool = True,
    title: str = "",
) -> float:
    """Write the scenes to `path`; its suffix chooses container and codecs. Returns the duration in seconds.

    `size` is (width, height) as displayed, `subtitles` are (start, end, text) on the video's clock, embedded as
    mov_text, subrip or webvtt. `variable_rate` leaves out frames so that they last 1, 2, 3, 1, 2, 3 ... ticks.
    `start_offset_seconds` moves every timestamp: later (an empty edit in mp4), or, if negative, so that what is
    before zero is cut off by an edit list. `rotation_degrees` (clockwise; 0, 90, 180, 270) stores the pictures
    turned, with the metadata that turns them back. Burnt times are on the video's clock, 0 at the first shown frame.

    Raises UsageError for a suffix, size or rotation that cannot be written.
    """
    import av

    container, rate = _check(path, scenes, subtitles, size, rotation_degrees), Fraction(rate)
    with av.open(str(path), "w", options=dict(container.options)) as out:
        if title:
            out.metadata["title"] = title
        video = _add_video(out, container, size, rate, rotation_degrees, gop)
        sound = out.add_stream(container.audio, rate=_AUDIO_RATE, layout="mono") if audio else None
        texts: Any = out.add_stream(container.subtitle) if subtitles else None
        if texts is not None:
            texts.codec_context.subtitle_header = _ASS_HEADER
            texts.time_base = Fraction(1, 1000)
        shift = max(0.0, start_offset_seconds)
        packets = [
            _video_packets(video, scenes, size, rate, rotation_degrees, variable_rate, start_offset_seconds, burn_time)
        ]
        if sound is not None:
            packets.append(_audio_packets(sound, scenes, start_offset_seconds))
        if texts is not None:
            packets.append(_subtitle_packets(texts, subtitles, shift))
        _interleave(out, packets)
    return sum(scene.seconds for scene in scenes) + min(0.0, start_offset_seconds)


#: The style that FFmpeg itself writes; with less, the subrip encoder invents colours.
_ASS_HEADER = b"""[Script Info]
ScriptType: v4.00+
PlayResX: 384
PlayResY: 288

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, \
StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""


def _check(
    path: Path, scenes: Sequence[Scene], subtitles: Sequence[Subtitle], size: tuple[int, int], rotation_degrees: int
) -> _Container:
    container = _CONTAINERS.get(path.suffix.lower())
    if container is None:
        raise UsageError(f"{path.name}: unknown suffix; allowed: {', '.join(_CONTAINERS)}")
    if subtitles and not container.subtitle:
        raise UsageError(f"{path.name}: this container holds no text subtitles", hint="write .mp4, .mkv or .webm")
    if not scenes or any(side < 64 or side % 2 for side in size):
        raise UsageError(f"{len(scenes)} scenes of {size[0]}x{size[1]}; allowed: 1 or more, even sides of 64 or more")
    if rotation_degrees not in (0, 90, 180, 270):
        raise UsageError(f"rotation {rotation_degrees}; allowed: 0, 90, 180, 270")
    return container


def _add_video(out: Any, container: _Container, size: tuple[int, int], rate: Fraction, rotation: int, gop: int) -> Any:
    video = out.add_stream(container.video, rate=rate, options=dict(_ENCODER_OPTIONS[container.video]))
    video.width, video.height = size if rotation % 180 == 0 else size[::-1]
    video.pix_fmt = "yuv420p"
    video.codec_context.gop_size = gop
    if container.video in ("libx264", "mpeg4"):
        video.codec_context.max_b_frames = 2
    video.codec_context.time_base = _tick(container, rate)
    if rotation:
        video.set_display_rotation(-rotation)  # PyAV counts counter-clockwise
    return video


def _tick(container: _Container, rate: Fraction) -> Fraction:
    """AVI's only clock is the frame count; elsewhere finer ticks hold any start offset."""
    return 1 / rate if container.video == "mpeg4" else 1 / (rate * 100)


def _video_packets(
    video: Any,
    scenes: Sequence[Scene],
    size: tuple[int, int],
    rate: Fraction,
    rotation: int,
    variable_rate: bool,
    offset_seconds: float,
    burn_time: bool,
) -> Iterator[Any]:
    from av import VideoFrame

    tick = video.codec_context.time_base
    ticks_per_frame = round(1 / rate / tick)
    offset = round(Fraction(offset_seconds) / tick)
    for number, image in _pictures(scenes, size, rate):
        # Positions 0, 1, 3 of each six: gaps of 1, 2 and 3 frames.
        if variable_rate and number % 6 not in (0, 1, 3):
            continue
        pts = number * ticks_per_frame + offset
        if burn_time:
            _burn(image, float(max(0, pts - max(0, offset)) * tick))
        stored = np.ascontiguousarray(np.rot90(image, rotation // 90))
        frame = VideoFrame.from_ndarray(stored, "rgb24")
        frame.pts, frame.time_base = pts, tick
        yield from video.encode(frame)
    yield from video.encode(None)


def _pictures(
    scenes: Sequence[Scene], size: tuple[int, int], rate: Fraction
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """(frame number, (height, width, 3) uint8 RGB) of all scenes in order."""
    begin, number = Fraction(0), 0
    for scene in scenes:
        end = begin + Fraction(round(scene.seconds * 1000), 1000)
        slide = _slide(scene, size)
        while (now := number / rate) < end:
            yield number, _moved(slide, scene, float((now - begin) / (end - begin)))
            number += 1
        begin = end


def _slide(scene: Scene, size: tuple[int, int]) -> NDArray[np.uint8]:
    import cv2

    width, height = size
    image = np.empty((height, width, 3), np.uint8)
    image[:] = scene.colour
    if scene.motion == "pan":
        columns, rows = np.meshgrid(np.arange(width), np.arange(height))
        waves = 24 * np.sin(columns * (8 * np.pi / width)) + 16 * np.sin(rows * (6 * np.pi / height))
        image = np.clip(image + waves[..., None], 0, 255).astype(np.uint8)
    ink = (20, 20, 20) if sum(scene.colour) > 380 else (245, 245, 245)
    scale = height / 360
    rows_of_text = ([(scene.title, 1.2 * scale, 3)] if scene.title else []) + [
        (line, 0.8 * scale, 2) for line in scene.lines
    ]
    y = round(60 * scale)
    for text, font_scale, thickness in rows_of_text:
        at = (round(30 * scale), y)
        weight = max(1, round(thickness * scale))
        cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, font_scale, ink, weight, cv2.LINE_AA)
        y += round(45 * scale)
    return image


def _moved(slide: NDArray[np.uint8], scene: Scene, progress: float) -> NDArray[np.uint8]:
    """The slide as it looks after `progress` (0 to 1) of its scene; a new array."""
    height, width = slide.shape[:2]
    if scene.motion == "pan":
        return np.roll(slide, round(progress * width / 2), axis=1)
    image = slide.copy()
    if scene.motion != "static":
        side = height // 6
        along = progress if scene.motion in ("right", "down") else 1 - progress
        if scene.motion in ("left", "right"):
            x, y = round(along * (width - side)), height // 2
        else:
            x, y = width // 2, round(along * (height - side))
        image[y : y + side, x : x + side] = (230, 60, 40)
    return image


def _burn(image: NDArray[np.uint8], seconds: float) -> None:
    """Draw the time on the bottom strip: blocks over the whole width, and above them the text."""
    import cv2

    height, width = image.shape[:2]
    top = height - height // 12
    for block, white in enumerate(_time_bits(round(seconds * 1000))):
        image[top:, block * width // _BLOCKS : (block + 1) * width // _BLOCKS] = 255 if white else 0
    text, scale = f"{int(seconds // 60):02d}:{seconds % 60:06.3f}", height / 720
    size, _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    left = width - size[0] - 4
    image[top - size[1] - 8 : top, left - 4 :] = 0
    cv2.putText(image, text, (left, top - 4), cv2.FONT_HERSHEY_SIMPLEX, scale, (255, 255, 255), 1, cv2.LINE_AA)


def _time_bits(milliseconds: int) -> list[bool]:
    value = milliseconds % (1 << _TIME_BITS)
    bits = [bool(value >> shift & 1) for shift in reversed(range(_TIME_BITS))]
    check = [bool(_checksum(value) >> shift & 1) for shift in reversed(range(_CHECK_BITS))]
    return [True, False, *bits, *check, False, True]


def _checksum(value: int) -> int:
    """Sum of the value's hexadecimal digits and 5, modulo 16: a black strip is no valid time."""
    return (5 + sum(value >> shift & 15 for shift in range(0, _TIME_BITS, 4))) % 16


def read_burnt_time(image: NDArray[np.uint8]) -> float:
    """The seconds burnt into a frame, (height, width) or (height, width, 3), of at least 64 pixels in width.

    Raises ValueError when the strip at the bottom is no valid time.
    """
    height, width = image.shape[:2]
    row = image[round(height - height / 24)].astype(np.float64)
    levels = row.mean(axis=1) if row.ndim == 2 else row
    centres = ((np.arange(_BLOCKS) + 0.5) * width / _BLOCKS).astype(int)
    values = levels[centres]
    white, black = values[[0, -1]].min(), values[[1, -2]].max()
    if white - black < 64:
        raise ValueError("no burnt time: the markers at both ends are missing")
    bits = values > (white + black) / 2
    value = int("".join("1" if bit else "0" for bit in bits[2 : 2 + _TIME_BITS]), 2)
    if list(bits) != _time_bits(value):
        raise ValueError("no burnt time: the checksum is wrong")
    return value / 1000


def _audio_packets(stream: Any, scenes: Sequence[Scene], offset_seconds: float) -> Iterator[Any]:
    """Each scene's tone for as long as the scene lasts, on the same timestamps as the pictures."""
    from av import AudioFrame

    total = sum(scene.seconds for scene in scenes)
    hertz = np.array([scene.tone_hertz for scene in scenes])
    ends = np.cumsum([scene.seconds for scene in scenes])
    offset = round(offset_seconds * _AUDIO_RATE)
    for first in range(0, round(total * _AUDIO_RATE), _AUDIO_FRAME):
        times = np.arange(first, first + _AUDIO_FRAME) / _AUDIO_RATE
        tone = hertz[np.minimum(np.searchsorted(ends, times, side="right"), len(ends) - 1)]
        samples = (0.3 * np.sin(2 * np.pi * tone * times)).astype(np.float32).reshape(1, -1)
        frame = AudioFrame.from_ndarray(samples, "flt", "mono")
        frame.sample_rate, frame.pts, frame.time_base = _AUDIO_RATE, first + offset, Fraction(1, _AUDIO_RATE)
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _subtitle_packets(stream: Any, subtitles: Sequence[Subtitle], shift_seconds: float) -> Iterator[Any]:
    from av.subtitles.subtitle import SubtitleSet

    for number, (start, end, text) in enumerate(sorted(subtitles)):
        line = text.replace("\n", "\\N")
        event = f"{number},0,Default,,0,0,0,,{line}".encode()
        milliseconds = round((end - start) * 1000)
        cue = SubtitleSet.create(text=event, start=0, end=milliseconds, pts=round((start + shift_seconds) * 1000))
        packet = stream.codec_context.encode_subtitle(cue)
        packet.time_base, packet.stream = Fraction(1, 1000), stream
        yield packet


def _interleave(out: Any, sources: list[Iterator[Any]]) -> None:
    """Mux the packets of all streams in the order of their decoding times, as players expect them."""
    waiting = {number: packet for number, source in enumerate(sources) if (packet := next(source, None)) is not None}
    while waiting:
        number = min(waiting, key=lambda n: waiting[n].dts * waiting[n].time_base)
        out.mux(waiting.pop(number))
        if (following := next(sources[number], None)) is not None:
            waiting[number] = following
