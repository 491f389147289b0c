"""What the decoder process may open and use. Both sides of the process border read this file.

The allow-lists name what cameras, phones, screen recorders, streaming sites and archives produce. FFmpeg knows
hundreds more demuxers and decoders; each is attack surface, and playlists (HLS, DASH, concat) would let one file
read another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentvid.config import Settings

#: FFmpeg demuxer names. The audio-only ones are here so that a song is called a song, not "unknown".
CONTAINERS = frozenset(
    "mov mp4 m4a 3gp 3g2 mj2 matroska webm avi mpegts mpeg flv ogg asf ivf mxf wav mp3 flac aac".split()
)
VIDEO_CODECS = frozenset(
    "h264 hevc vvc libdav1d av1 vp8 vp9 libvpx libvpx-vp9 mpeg4 mpeg1video mpeg2video mpegvideo mjpeg h263 flv"
    " msmpeg4v1 msmpeg4v2 msmpeg4 wmv1 wmv2 wmv3 vc1 theora prores dnxhd dvvideo rawvideo ffv1 png".split()
)
AUDIO_CODECS = frozenset(
    "aac mp3 mp3float mp2 mp2float mp1float opus libopus vorbis flac alac ac3 eac3 dca wmav1 wmav2 amrnb amrwb"
    " libopencore_amrnb libopencore_amrwb adpcm_ms adpcm_ima_wav adpcm_ima_qt pcm_u8 pcm_s8 pcm_s16le pcm_s16be"
    " pcm_s24le pcm_s24be pcm_s32le pcm_s32be pcm_f32le pcm_f32be pcm_f64le pcm_alaw pcm_mulaw pcm_bluray"
    " pcm_dvd".split()
)
SUBTITLE_CODECS = frozenset("mov_text srt subrip ass ssa webvtt text".split())


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one file. A file that breaks one is refused with DecoderFailed; nothing else is affected.

    `max_pixels` is width x height of one frame; `stall_seconds` the longest silence of the decoder process;
    `max_memory_bytes` its address space (on two cores 0.5 GB for 360p H.264, 0.9 GB for 8K HEVC, code included).
    """

    max_pixels: int = 33_177_600
    max_hours: float = 24.0
    stall_seconds: float = 30.0
    max_memory_bytes: int = 4 << 30
    max_streams: int = 64
    max_cues: int = 200_000
    max_cue_characters: int = 4_096

    @property
    def max_seconds(self) -> float:
        return self.max_hours * 3600


DEFAULT = Limits()


def limits_of(settings: Settings) -> Limits:
    """The limits that a user set."""
    return Limits(
        max_pixels=settings.max_pixels, max_hours=settings.max_hours, stall_seconds=settings.decode_stall_seconds
    )


#: The long side of the small frames that a scan sends, in pixels.
SCAN_SIDE = 160
#: Frames of one scan message.
BATCH_FRAMES = 64
#: The long side of a frame sent for reading text.
TEXT_FRAME_SIDE = 1280
#: A text must be seen three times, a quarter of a second apart, before its frame is sent: so much later on average.
TEXT_FRAME_LATENCY_SECONDS = 0.625
#: The long side of a frame sent for a model to look at: what vision encoders take, with some to crop.
KEY_FRAME_SIDE = 448
#: Pixels wider than high, or higher than wide, by more than this are a broken header: taken as square.
MAX_PIXEL_RATIO = 4
#: CPU seconds the decoder may spend: this much at once, and as much per second of video.
CPU_SECONDS_BASE = 60
CPU_SECONDS_PER_SECOND = 30
