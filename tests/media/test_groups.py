"""Several decoders, each of every n-th group of pictures, give what one gives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.video.frame import PictureType

from agentvid import media
from agentvid.media.groups import splitter

FRAMES, GROUP = 90, 15
#: File -> encoder, its options, and how many groups can be told apart.
FILES: dict[str, tuple[str, dict[str, str], int]] = {
    "closed.mp4": ("libx264", {"x264-params": f"keyint={GROUP}:bframes=3:open-gop=0"}, 6),
    "closed.mkv": ("libx264", {"x264-params": f"keyint={GROUP}:bframes=3:open-gop=0"}, 6),
    "headers-repeated.mkv": ("libx264", {"x264-params": f"keyint={GROUP}:repeat-headers=1"}, 6),
    "one-group.mp4": ("libx264", {"x264-params": "keyint=infinite:scenecut=0"}, 1),
    # Frames before the second key frame refer to it and to what is before: only the first is a fresh start.
    "open.mp4": ("libx264", {"x264-params": f"keyint={GROUP}:min-keyint={GROUP}:bframes=3:open-gop=1:scenecut=0"}, 1),
    "refreshed.mp4": ("libx264", {"x264-params": f"keyint={GROUP}:intra-refresh=1:scenecut=0"}, 1),
    "closed-hevc.mp4": ("libx265", {"x265-params": f"keyint={GROUP}:bframes=3:open-gop=0:log-level=none"}, 6),
    "open-hevc.mkv": ("libx265", {"x265-params": f"keyint={GROUP}:bframes=3:open-gop=1:scenecut=0:log-level=none"}, 1),
    "vp9.webm": ("libvpx-vp9", {"g": str(GROUP), "deadline": "realtime", "cpu-used": "8", "auto-alt-ref": "1"}, 6),
    "vp8.webm": ("libvpx", {"g": str(GROUP), "deadline": "realtime", "auto-alt-ref": "1"}, 6),
    "broadcast.ts": ("libx264", {"x264-params": f"keyint={GROUP}"}, 0),
    "moving-jpegs.mov": ("mjpeg", {}, 0),
}


def write(path: Path, encoder: str, options: dict[str, str], frames: int = FRAMES, fresh: Sequence[int] = ()) -> None:
    """A grainy texture that moves, and another one for the second half; key frames are forced at `fresh`."""
    random = np.random.default_rng(7)
    wide = random.integers(0, 255, (2, 120, 160 + frames, 3), np.uint8)
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream(encoder, rate=30, options=options)
        stream.width, stream.height = 160, 120
        stream.pix_fmt = "yuvj420p" if encoder == "mjpeg" else "yuv420p"
        for at in range(frames):
            shown = wide[2 * at // frames, :, at : at + 160]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(shown), "rgb24")
            frame.pict_type = PictureType.I if at in fresh else PictureType.NONE
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("groups")
    for name, (encoder, options, _) in FILES.items():
        write(folder / name, encoder, options)
    return {name: folder / name for name in FILES}


def read(path: Path, decoders: int) -> dict[str, Any]:
    """All that a scan says, with the pixels as bytes."""
    scan = media.scan(path, key_frames=True, quality=True, decoders=decoders)
    batches = list(scan)
    return {
        "seconds": [second for batch in batches for second in batch.seconds.tolist()],
        "images": b"".join(batch.images.tobytes() for batch in batches),
        "keys": [(frame.seconds, frame.image.tobytes()) for batch in batches for frame in batch.key_frames],
        "texts": [(frame.seconds, frame.image.tobytes()) for batch in batches for frame in batch.text_frames],
        "quality": np.concatenate([batch.quality for batch in batches]).tolist(),
        "end": (scan.frames, scan.duration_seconds, scan.damaged, scan.warning),
    }


@pytest.mark.parametrize("name", FILES)
def test_what_is_read_does_not_depend_on_the_decoders(files: dict[str, Path], name: str) -> None:
    alone = read(files[name], 1)
    assert len(alone["seconds"]) == FRAMES
    together = read(files[name], 3)
    assert together["seconds"] == alone["seconds"]
    assert together == alone


@pytest.mark.parametrize("decoders", [2, 3, 4])
@pytest.mark.parametrize("lengths", [(15, 600, 15), (600, 3, 600, 8), (1, 900), (8, 8, 700)])
def test_a_group_may_be_longer_than_all_that_waits(tmp_path: Path, lengths: tuple[int, ...], decoders: int) -> None:
    path = tmp_path / "long.mp4"
    options = {"forced-idr": "1", "preset": "ultrafast", "x264-params": "keyint=infinite:scenecut=0"}
    starts = [sum(lengths[:number]) for number in range(len(lengths))]
    write(path, "libx264", options, sum(lengths), starts)
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        assert [at for at, packet in enumerate(packets) if packet.is_keyframe] == starts
    assert read(path, decoders) == read(path, 1)


@pytest.mark.parametrize("name", FILES)
def test_a_group_begins_where_nothing_from_before_is_needed(files: dict[str, Path], name: str) -> None:
    with av.open(str(files[name])) as container:
        video = container.streams.video[0]
        tells = splitter(container, video)
        keys = [packet for packet in container.demux(video) if packet.is_keyframe]
        found = sum(map(tells.begins, keys)) if tells is not None else 0
    assert found == FILES[name][2]


def test_a_damaged_group_costs_itself(files: dict[str, Path], tmp_path: Path) -> None:
    whole = files["closed.mp4"].read_bytes()
    path = tmp_path / "damaged.mp4"
    middle = len(whole) // 2
    path.write_bytes(whole[:middle] + bytes(64) + whole[middle + 64 :])
    alone, together = read(path, 1), read(path, 2)
    assert together["seconds"] == alone["seconds"]
    assert together["end"] == alone["end"]


def test_half_a_file_is_read_to_where_it_ends(files: dict[str, Path], tmp_path: Path) -> None:
    whole = files["closed.mkv"].read_bytes()
    path = tmp_path / "half.mkv"
    path.write_bytes(whole[: len(whole) // 2])
    alone, together = read(path, 1), read(path, 2)
    assert 0 < len(alone["seconds"]) < FRAMES
    assert together["seconds"] == alone["seconds"]
    assert together["end"] == alone["end"]
