"""The decoder process may crash, hang or be left alone: one failed file, and nothing stays behind."""

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from agentvid import media
from agentvid.errors import DecoderFailed
from agentvid.media import Limits, wire


def children() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


@pytest.fixture(autouse=True)
def nothing_stays_behind() -> Iterator[None]:
    descriptors = psutil.Process().num_fds()
    yield
    gc.collect()
    assert children() == []
    assert psutil.Process().num_fds() == descriptors


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGTERM])
def test_a_crash_is_one_failed_file(long_video: Path, number: signal.Signals) -> None:
    scan = media.scan(long_video, text_frames=False)
    next(scan)
    (child,) = children()
    child.send_signal(number)

    with pytest.raises(DecoderFailed, match=rf"long\.mp4: the decoder process was killed by {number.name}") as caught:
        for _ in scan:
            pass
    assert "re-encode" in caught.value.hint


def test_a_stall_ends_after_the_set_time(long_video: Path) -> None:
    scan = media.scan(long_video, text_frames=False, limits=Limits(stall_seconds=2.5))
    next(scan)
    (child,) = children()
    child.suspend()

    begin = time.monotonic()
    with pytest.raises(DecoderFailed, match=r"silent for 2\.5 s and was stopped"):
        for _ in scan:
            pass
    assert time.monotonic() - begin < 8


def test_slow_readers_are_not_stalls(long_video: Path) -> None:
    scan = media.scan(long_video, text_frames=False, limits=Limits(stall_seconds=2.0))
    next(scan)
    time.sleep(2.3)
    assert sum(len(batch.seconds) for batch in scan) == 1500 - 64


def test_the_pass_tells_what_is_in_the_file_in_its_own_process_and_loses_no_frame(long_video: Path) -> None:
    with media.scan(long_video, text_frames=False) as scan:
        assert scan.info.duration_seconds == pytest.approx(60, abs=0.05)
        assert len(children()) == 1
        batches = list(scan)
    assert sum(len(batch.seconds) for batch in batches) == scan.frames == 1500
    assert batches[0].seconds[0] == 0.0
    assert scan.info.codec == "h264"


def test_closing_early_stops_the_decoder(long_video: Path) -> None:
    with media.scan(long_video, text_frames=False) as scan:
        next(scan)
        assert len(children()) == 1
    assert children() == []

    sound = media.read_audio(long_video)
    assert next(sound, None) is None


def test_dropping_it_stops_the_decoder(long_video: Path) -> None:
    for _ in media.scan(long_video, text_frames=False):
        break
    assert children() == []


def test_an_exception_in_the_reader_stops_the_decoder(long_video: Path) -> None:
    def read() -> None:
        for _ in media.scan(long_video, text_frames=False):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read()
    assert children() == []


def test_two_scans_at_once_do_not_mix(long_video: Path, video: Path) -> None:
    first, second = media.scan(long_video, text_frames=False), media.scan(video, text_frames=False)
    both = [next(first), next(second)]
    assert len(children()) == 2
    counts = [sum(len(batch.seconds) for batch in scan) for scan in (first, second)]
    assert counts == [1500 - 64, 120 - 64]
    assert len(both[0].seconds) == len(both[1].seconds) == 64


def test_the_child_is_confined(long_video: Path) -> None:
    os.environ["SECRET_TOKEN"] = "hidden"
    try:
        scan = media.scan(long_video, text_frames=False)
        next(scan)
    finally:
        del os.environ["SECRET_TOKEN"]
    (child,) = children()

    assert "SECRET_TOKEN" not in child.environ()
    assert child.cmdline()[1:4] == ["-P", "-m", "agentvid.media.worker"]
    if sys.platform == "linux":
        assert child.rlimit(psutil.RLIMIT_FSIZE) == (0, 0)
        assert child.rlimit(psutil.RLIMIT_CORE) == (0, 0)
        assert child.rlimit(psutil.RLIMIT_NOFILE) == (64, 64)
        assert child.rlimit(psutil.RLIMIT_AS)[0] == Limits().max_memory_bytes
        assert child.rlimit(psutil.RLIMIT_CPU)[0] <= 60 + 30 * 61
    assert os.getsid(child.pid) != os.getsid(0)
    scan.close()


def test_a_dead_parent_leaves_no_decoder(long_video: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from agentvid import media\n"
        "scan = media.scan(Path(sys.argv[1]), text_frames=False); next(scan); print('ready', flush=True)\n"
        "time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(long_video)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        (decoder,) = psutil.Process(parent.pid).children()
        parent.kill()
    # Whether anybody buries an orphan is up to the machine: what is dead and unburied is gone too.
    _, alive = psutil.wait_procs([decoder], timeout=5)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


def test_the_parent_imports_no_decoder() -> None:
    code = (
        "import sys; from agentvid import media; media.probe, media.scan, media.Limits\n"
        "heavy = {'av', 'cv2', 'torch', 'scenedetect'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "sent",
    [
        b"agv1" + (1 << 31).to_bytes(4, "big") + bytes(8),
        b"agv1" + (2).to_bytes(4, "big") + (1 << 60).to_bytes(8, "big") + b"{}",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"agv1" + (4).to_bytes(4, "big") + bytes(8) + b"nope",
        b"agv1" + (2).to_bytes(4, "big") + bytes(8) + b"[]",
        b"agv1" + (100_000).to_bytes(4, "big") + bytes(8) + b"[" * 100_000,
        b"agv1" + (9).to_bytes(4, "big") + bytes(8) + b"{",
    ],
)
def test_a_lying_child_is_not_believed(sent: bytes) -> None:
    near, far = socket.socketpair()
    with near, far:
        far.sendall(sent)
        far.shutdown(socket.SHUT_WR)
        with pytest.raises(wire.BrokenMessage):
            wire.receive(near, 1000)


def test_messages_survive_the_line() -> None:
    near, far = socket.socketpair()
    with near, far:
        wire.send(far, {"kind": "x", "n": 1.5, "name": "\u00e9"}, memoryview(b"abc"), memoryview(b"de"))
        far.close()
        received = wire.receive(near, 5)
        assert received is not None
        assert received[0] == {"kind": "x", "n": 1.5, "name": "\u00e9"}
        assert received[1].tobytes() == b"abcde"
        assert wire.receive(near, 5) is None
