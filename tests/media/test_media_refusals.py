"""Whatever the file holds, the answer is frames or a MediaError that says what it is."""

from __future__ import annotations

import contextlib
import os
import random
import wave
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from agentvid import media
from agentvid.errors import DamagedMedia, DecoderFailed, MediaError, NotAVideo
from agentvid.media import Limits
from agentvid.media.render import Scene, render_video


def read_everything(path: Path, limits: Limits = media.DEFAULT) -> media.Scan:
    media.probe(path, limits)
    scan = media.scan(path, text_frames=False, limits=limits)
    for batch in scan:
        assert np.isfinite(batch.seconds).all()
    media.frames_at(path, [0.0, 1.0], limits=limits)
    for _ in media.read_audio(path, limits=limits):
        pass
    media.read_subtitles(path, limits)
    return scan


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("notes.mp4", b"Dear diary,\nnothing happened.\n", "notes.mp4: not a video (text)"),
        ("list.m3u8", b"#EXTM3U\n#EXTINF:2,\nfile:///etc/passwd\n", "list.m3u8: not a video (text)"),
        ("list.mp4", b"ffconcat version 1.0\nfile other.mp4\n", "list.mp4: not a video (text)"),
        ("empty.mp4", b"", "empty.mp4: is empty (0 bytes)"),
        ("noise.mkv", random.Random(1).randbytes(20_000), "noise.mkv: not a video"),
        ("zeros.mp4", bytes(5000), "zeros.mp4: not a video"),
        ("photo.mp4", b"\x89PNG\r\n\x1a\n" + bytes(400), "photo.mp4: not a video (PNG image)"),
        ("page.avi", b"%PDF-1.7\n" + bytes(400), "page.avi: not a video (PDF document)"),
    ],
)
def test_what_is_not_a_video_is_called_by_its_name(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(NotAVideo) as caught:
        media.probe(path)
    assert str(caught.value).startswith(message)
    with pytest.raises(NotAVideo) as again:
        media.scan(path).info  # noqa: B018 - asking is what opens the file
    assert str(again.value) == str(caught.value)


def test_missing_directory_pipe_and_unreadable(tmp_path: Path, video: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    locked = tmp_path / "locked.mp4"
    locked.write_bytes(video.read_bytes())
    locked.chmod(0)

    with pytest.raises(MediaError, match=r"gone\.mp4: no such file"):
        media.probe(tmp_path / "gone.mp4")
    with pytest.raises(NotAVideo, match="is a directory"):
        media.probe(tmp_path)
    with pytest.raises(NotAVideo, match=r"pipe\.mp4: is not a regular file"):
        media.probe(tmp_path / "pipe.mp4")
    if not os.access(locked, os.R_OK):  # root reads it all the same
        with pytest.raises(MediaError, match=r"locked\.mp4: permission denied"):
            media.probe(locked)


def test_audio_alone_and_a_cover_picture_are_no_video(tmp_path: Path) -> None:
    song, covered = tmp_path / "talk.wav", tmp_path / "song.mp4"
    with wave.open(str(song), "wb") as out:
        out.setparams((1, 2, 8000, 0, "NONE", ""))
        out.writeframes(bytes(16_000))
    with av.open(str(covered), "w") as container:
        sound = container.add_stream("aac", rate=48_000, layout="mono")
        cover = container.add_stream("png", rate=1)
        cover.width = cover.height = 64
        cover.pix_fmt = "rgb24"
        cover.disposition = Disposition.attached_pic
        container.mux(cover.encode(av.VideoFrame(64, 64, "rgb24")))
        container.mux(cover.encode(None))
        tone = av.AudioFrame.from_ndarray(np.zeros((1, 48_000), np.float32), "flt", "mono")
        tone.sample_rate = 48_000
        container.mux([*sound.encode(tone), *sound.encode(None)])

    with pytest.raises(NotAVideo, match=r"talk\.wav: no video stream \(audio only: pcm_s16le\)"):
        media.probe(song)
    with pytest.raises(NotAVideo, match=r"song\.mp4: no video stream \(a cover picture and audio: aac\)"):
        media.probe(covered)


def count_frames(path: Path) -> int:
    """Frames that a scan gives, 0 for a file that is refused."""
    try:
        return sum(len(batch.seconds) for batch in media.scan(path, text_frames=False))
    except MediaError:
        return 0


@pytest.mark.parametrize("name", ["constant-25.mp4", "ntsc-2997.mkv", "transport.ts", "variable.webm", "b-frames.avi"])
def test_truncated_files_give_what_is_there(clocks: dict[str, Path], tmp_path: Path, name: str) -> None:
    whole = clocks[name].read_bytes()
    frames = []
    for share in (0.01, 0.4, 0.8):
        path = tmp_path / f"cut{share}{Path(name).suffix}"
        path.write_bytes(whole[: int(len(whole) * share)])
        frames.append(count_frames(path))
    assert frames == sorted(frames)
    # mp4 keeps its index at the end: nothing can be read without it.
    assert (frames[-1] == 0) == (name == "constant-25.mp4")


def test_a_file_cut_behind_its_header_is_reported_as_damaged(clocks: dict[str, Path], tmp_path: Path) -> None:
    whole = clocks["ntsc-2997.mkv"].read_bytes()
    path = tmp_path / "cut.mkv"
    path.write_bytes(whole[: len(whole) // 3])

    scan = read_everything(path)
    assert scan.damaged
    assert "of the 4.8 s that the header promises" in scan.warning
    assert 0 < scan.duration_seconds < 3

    path.write_bytes(clocks["constant-25.mp4"].read_bytes()[:300])
    with pytest.raises(DamagedMedia, match="truncated or corrupt") as caught:
        media.probe(path)
    assert "copy or download it again" in caught.value.hint


@pytest.mark.parametrize("name", ["constant-25.mp4", "ntsc-2997.mkv", "transport.ts"])
def test_flipped_bytes_never_hurt_the_parent(clocks: dict[str, Path], tmp_path: Path, name: str) -> None:
    for seed in range(3):
        rng = random.Random(seed)
        content = bytearray(clocks[name].read_bytes())
        for _ in range(40):
            content[rng.randrange(len(content))] = rng.randrange(256)
        path = tmp_path / f"{seed}{Path(name).suffix}"
        path.write_bytes(content)
        assert 0 <= count_frames(path) <= 160


def test_metadata_in_another_encoding_is_no_obstacle(tmp_path: Path) -> None:
    path = tmp_path / "latin.mkv"
    render_video(path, [Scene(0.4)], size=(64, 64), title="Caf-QQ du nord")
    path.write_bytes(path.read_bytes().replace(b"Caf-QQ", b"Caf-\xe9\xff"))

    title = media.probe(path).title
    assert title.startswith("Caf-")
    assert title.encode("utf-8")


def test_a_subtitle_stream_without_cues_is_an_empty_track(tmp_path: Path) -> None:
    path = tmp_path / "silent.mkv"
    render_video(path, [Scene(0.4)], size=(64, 64), subtitles=[(5.0, 6.0, "behind the end")])
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"behind the end") - 20])

    ((track, cues),) = media.read_subtitles(path)
    assert (track.codec, cues) == ("subrip", [])


@pytest.mark.parametrize(
    "name",
    [
        b"concat:a|b.mp4",
        b"http:example.mp4",
        b"-i.mp4",
        b"%03d.png",
        b"new\nline.mp4",
        b"$(touch x).mp4",
        b"subfile,,start,0,end,7,,:x",
        "\u202egnp.\u0442.mp4".encode(),
        b"not-utf8-\xff\xfe.mp4",
    ],
)
def test_a_hostile_name_is_just_a_file(video: Path, tmp_path: Path, name: bytes) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    path.write_bytes(video.read_bytes())

    assert media.probe(path).codec == "h264"

    path.write_bytes(b"text")
    with pytest.raises(NotAVideo) as caught:
        media.probe(path)
    assert str(caught.value).isprintable()
    assert str(caught.value).isascii() or "\ufffd" in str(caught.value)


def test_limits_refuse_before_decoding(video: Path) -> None:
    with pytest.raises(DecoderFailed, match="frames of 320x180 have more than 1000 pixels"):
        media.probe(video, Limits(max_pixels=1000))
    with pytest.raises(DecoderFailed, match=r"lasts 0\.0 h; allowed: 0\.001 h"):
        media.probe(video, Limits(max_hours=0.001))


def test_too_little_memory_is_a_failed_file(tmp_path: Path) -> None:
    path = tmp_path / "large.mp4"
    render_video(path, [Scene(0.2)], size=(3840, 2160), rate=10)

    with pytest.raises(DecoderFailed) as caught:
        read_everything(path, Limits(max_memory_bytes=330 << 20))
    assert "large.mp4" in str(caught.value)


def test_codecs_off_the_list_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "magic.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("huffyuv", rate=5)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv422p"
        container.mux([*stream.encode(av.VideoFrame(64, 64, "yuv422p")), *stream.encode(None)])

    with pytest.raises(NotAVideo, match="its video codec, huffyuv, is not on the list"):
        media.probe(path)


def test_streams_behind_the_limit_do_not_exist(tmp_path: Path) -> None:
    path = tmp_path / "streams.mkv"
    header = b"[Script Info]\n\n[V4+ Styles]\nFormat: Name\nStyle: Default\n\n[Events]\nFormat: Text\n"
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("mpeg4", rate=5)
        pictures.width = pictures.height = 64
        pictures.pix_fmt = "yuv420p"
        for _ in range(80):
            container.add_stream("subrip").codec_context.subtitle_header = header
        container.mux([*pictures.encode(av.VideoFrame(64, 64, "yuv420p")), *pictures.encode(None)])

    # FFmpeg 8.0 gives the whole file up, 8.1 the streams behind the limit.
    with contextlib.suppress(DecoderFailed):
        assert len(media.probe(path).subtitles) == 63
