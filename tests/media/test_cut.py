"""Clips and playable copies: the frame at the start is first, every frame and the sound keep their times."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from agentvid import media
from agentvid.errors import MediaError, NotSaved, UsageError
from agentvid.media.cut import clip, make_playable, playability, still
from agentvid.media.render import Scene, read_burnt_time, render_video
from agentvid.types import Span
from tests.media.conftest import CLOCKS

TICK_SECONDS = 0.0011  # times in Matroska are whole milliseconds
#: Each is a decoder process or five; the others show nothing new every day.
EVERY_DAY = {"film-23976.mp4", "edit-list.mov", "transport-late.ts", "turned-90.mp4"}
EACH_CLOCK = [pytest.param(name, marks=() if name in EVERY_DAY else pytest.mark.slow, id=name) for name in CLOCKS]


def frame_times(path: Path) -> list[float]:
    with media.scan(path, text_frames=False) as scan:
        return [float(seconds) for batch in scan for seconds in batch.seconds]


def encode_frames(path: Path, encoder: str, *, mirrored: bool = False) -> None:
    """A second of slanted colours, in a codec that `render_video` does not write."""
    across, down = np.meshgrid(np.linspace(0, 255, 160), np.linspace(0, 255, 96))
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream(encoder, rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        if mirrored:
            stream.set_display_rotation(90, hflip=True)
        for number in range(25):
            picture = np.stack([across, down, np.full_like(across, number * 10)], axis=-1).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def loudest_hertz(path: Path, start: float, end: float) -> float:
    chunks = [samples for _, samples in media.read_audio(path, within=Span(start, end))]
    samples = np.concatenate(chunks)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * 16_000 / len(samples))


def check_clip(source: Path, target: Path, span: Span) -> None:
    """Against what is known of the source: which frames there are, and what is burnt into them."""
    times = frame_times(source)
    first = max(seconds for seconds in times if seconds <= span.start_seconds + 0.0005)
    shown = [first, *(t for t in times if span.start_seconds + 0.0005 < t < span.end_seconds - 0.0005)]
    found = frame_times(target)
    assert found == pytest.approx([max(0.0, seconds - span.start_seconds) for seconds in shown], abs=TICK_SECONDS)
    picked = [0, len(found) // 2, len(found) - 1]
    frames = media.frames_at(target, [found[number] for number in picked])
    burnt = [read_burnt_time(frame.image) for frame in frames]
    assert burnt == pytest.approx([shown[number] for number in picked], abs=TICK_SECONDS)


@pytest.mark.parametrize("name", EACH_CLOCK)
def test_a_clip_starts_with_the_frame_at_its_start_and_keeps_every_time(
    name: str, clocks: dict[str, Path], tmp_path: Path
) -> None:
    span = Span(1.003, 3.21)
    made = clip(clocks[name], span, tmp_path / "clip.mp4")
    check_clip(clocks[name], tmp_path / "clip.mp4", span)
    assert not made.is_picture_copied
    assert made.duration_seconds == pytest.approx(span.duration_seconds, abs=TICK_SECONDS)
    # The tone changes with the scene, at 1.6 s of the source: 0.597 s into the clip.
    offset = -0.4 if name == "edit-list.mov" else 0.0  # there the video starts 0.4 s into its first scene
    change = 1.6 + offset - span.start_seconds
    assert loudest_hertz(tmp_path / "clip.mp4", 0.0, change - 0.03) == pytest.approx(440, abs=8)
    assert loudest_hertz(tmp_path / "clip.mp4", change + 0.03, 2.1) == pytest.approx(880, abs=8)


@pytest.mark.parametrize("name", EACH_CLOCK)
def test_a_playable_copy_shows_every_frame_at_its_own_second(
    name: str, clocks: dict[str, Path], tmp_path: Path
) -> None:
    target = tmp_path / "copy.mp4"
    before = playability(clocks[name])
    made = make_playable(clocks[name], target)
    assert made.is_picture_copied == (before.way != "transcode")
    assert frame_times(target) == pytest.approx(frame_times(clocks[name]), abs=TICK_SECONDS)
    assert playability(target).way == "as it is"
    image, original = (media.frames_at(path, [2.0])[0].image for path in (target, clocks[name]))
    assert image.shape == original.shape
    assert read_burnt_time(image) == pytest.approx(read_burnt_time(original), abs=TICK_SECONDS)
    change = 1.2 if name == "edit-list.mov" else 1.6  # there the video starts 0.4 s into its first scene
    assert loudest_hertz(target, change - 0.5, change - 0.03) == pytest.approx(440, abs=8)
    assert loudest_hertz(target, change + 0.03, change + 1.5) == pytest.approx(880, abs=8)


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("constant-25.mp4", "as it is"),
        ("variable.webm", "as it is"),
        ("turned-90.mp4", "as it is"),
        ("empty-edit.mp4", "remux"),
        ("edit-list.mov", "remux"),
        ("ntsc-2997.mkv", "remux"),
        ("transport-late.ts", "remux"),
        ("b-frames.avi", "transcode"),
    ],
)
def test_what_browsers_play(name: str, way: str, clocks: dict[str, Path]) -> None:
    found = playability(clocks[name])
    assert found.way == way
    assert bool(found.reason) == (way != "as it is")


@pytest.mark.parametrize(("start", "end"), [(0.8, 2.4), (2.4, 9.0), (0.0, 9.0)])
def test_pictures_are_copied_where_that_is_exact(start: float, end: float, video: Path, tmp_path: Path) -> None:
    # Every 20 frames of 0.04 s one needs no other.
    made = clip(video, Span(start, end), tmp_path / "clip.mp4")
    assert made.is_picture_copied
    assert made.sound == "copied"
    assert made.reason == ""
    check_clip(video, tmp_path / "clip.mp4", Span(start, min(end, 4.8)))


def test_copying_can_be_forbidden_and_pictures_made_smaller(video: Path, tmp_path: Path) -> None:
    made = clip(video, Span(0.8, 2.4), tmp_path / "small.mp4", copy=False, max_side=160)
    assert (made.is_picture_copied, made.sound) == (False, "encoded")
    info = media.probe(tmp_path / "small.mp4")
    assert (info.width, info.height, info.codec, info.has_audio) == (160, 90, "h264", True)
    check_clip(video, tmp_path / "small.mp4", Span(0.8, 2.4))


def test_a_span_of_part_of_one_frame_shows_it(video: Path, tmp_path: Path) -> None:
    clip(video, Span(1.01, 1.02), tmp_path / "one.mp4")
    assert frame_times(tmp_path / "one.mp4") == [0.0]
    assert read_burnt_time(media.frames_at(tmp_path / "one.mp4", [0.0])[0].image) == 1.0


@pytest.mark.parametrize("name", ["av1.mkv", "vp9.mkv", "ffv1.mkv"])
def test_codecs_that_browsers_play_are_copied_and_others_encoded(name: str, tmp_path: Path) -> None:
    encoder = {"av1": "libsvtav1", "vp9": "libvpx-vp9", "ffv1": "ffv1"}[name.split(".")[0]]
    # As root, SVT-AV1 makes the thread that calls it a real-time one for good, and whatever this thread starts.
    with ThreadPoolExecutor(1) as apart:
        apart.submit(encode_frames, tmp_path / name, encoder).result()
    made = make_playable(tmp_path / name, tmp_path / "copy.mp4")
    assert made.is_picture_copied == (encoder != "ffv1"), made.reason
    assert bool(made.reason) == (encoder == "ffv1")
    assert frame_times(tmp_path / "copy.mp4") == pytest.approx(frame_times(tmp_path / name), abs=TICK_SECONDS)
    assert playability(tmp_path / "copy.mp4").way == "as it is"


def test_a_mirrored_picture_stays_mirrored(tmp_path: Path) -> None:
    encode_frames(tmp_path / "mirrored.mp4", "libx264", mirrored=True)
    clip(tmp_path / "mirrored.mp4", Span(0.1, 0.6), tmp_path / "clip.mp4")
    before, after = (
        media.frames_at(path, [seconds])[0].image.astype(int)
        for path, seconds in ((tmp_path / "mirrored.mp4", 0.3), (tmp_path / "clip.mp4", 0.2))
    )
    assert before.shape == after.shape
    assert np.abs(before - after).mean() < 4 < np.abs(before - after[:, ::-1]).mean()


def test_a_video_without_sound_gives_a_clip_without_sound(tmp_path: Path) -> None:
    render_video(tmp_path / "silent.mp4", [Scene(2.0)], size=(160, 90))
    assert clip(tmp_path / "silent.mp4", Span(0.3, 1.0), tmp_path / "clip.mp4").sound == "none"
    assert not media.probe(tmp_path / "clip.mp4").has_audio


def test_a_span_after_the_end_leaves_no_file(video: Path, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"constant-25\.mp4"):
        clip(video, Span(50.0, 60.0), tmp_path / "clip.mp4")
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_video_leaves_no_file(tmp_path: Path) -> None:
    (tmp_path / "in.mp4").write_text("not a video at all")
    (tmp_path / "out").mkdir()
    with pytest.raises(MediaError, match=r"in\.mp4: not a video"):
        clip(tmp_path / "in.mp4", Span(0.0, 1.0), tmp_path / "out" / "clip.mp4")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_file_that_exists_is_replaced_only_when_asked(video: Path, tmp_path: Path) -> None:
    target = tmp_path / "clip.mp4"
    target.write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        clip(video, Span(0.8, 1.0), target)
    assert target.read_text() == "mine"
    clip(video, Span(0.8, 1.0), target, overwrite=True)
    assert media.probe(target).codec == "h264"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_one_line(video: Path, tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(NotSaved, match="Permission denied"):
        clip(video, Span(0.8, 1.0), folder / "clip.mp4")


def test_a_full_disk_is_one_line_and_leaves_nothing(video: Path, tmp_path: Path) -> None:
    # A file that may not grow is what a full disk is: the write fails in the middle.
    script = (
        "import resource, sys; from pathlib import Path; from agentvid.media.cut import clip;"
        "from agentvid.errors import NotSaved; from agentvid.types import Span;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "try: clip(Path(sys.argv[1]), Span(0.8, 2.4), Path(sys.argv[2]))\n"
        "except NotSaved as error: print(error)"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, str(video), str(tmp_path / "clip.mp4")], capture_output=True, text=True
    )
    assert run.stdout.strip() == f"{tmp_path / 'clip.mp4'} cannot be written: File too large"
    assert list(tmp_path.iterdir()) == []


def test_a_still_is_a_picture_of_the_frame_shown_then(video: Path, tmp_path: Path) -> None:
    for picture_format, magic in (("jpeg", b"\xff\xd8\xff"), ("png", b"\x89PNG")):
        data = still(video, 2.03, picture_format=picture_format)  # type: ignore[arg-type]
        assert data.startswith(magic)
        (tmp_path / f"still.{picture_format}").write_bytes(data)
        assert read_burnt_time(media.read_picture(tmp_path / f"still.{picture_format}")) == 2.0
