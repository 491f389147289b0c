"""`agentvid serve` as a process: how it starts, what it refuses, and how it ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from agentvid.library import Library
from agentvid.media.render import Scene, render_video
from agentvid.serve.presence import present, running_page

from .conftest import running, settings_for

TOKEN = "Zq3vX0b7Kd92mWcRtY5uLhEaPfSgNjQi"
QUICK = {"AGENTVID_EMBED": "false", "AGENTVID_OCR": "false"}


@contextmanager
def started(library: Path, *flags: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process, and what it said when it was ready."""
    process = subprocess.Popen(
        command(library, *flags),
        env=os.environ | QUICK,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        yield process, process.stderr.readline()
    finally:
        process.kill()
        process.wait()


def command(library: Path, *flags: str) -> list[str]:
    return [sys.executable, "-m", "agentvid", "--library", str(library), "serve", *flags]


def refused(library: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(library, *flags), env=os.environ | QUICK, capture_output=True, text=True, timeout=60)


def port_of(said: str) -> int:
    return int(said.partition("http://127.0.0.1:")[2].split("/")[0].split()[0])


def get(port: int, path: str, **headers: Any) -> tuple[int, bytes]:
    with closing(HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, shelf: Library) -> Path:
    """A library with one video, for processes."""
    place = tmp_path_factory.mktemp("served")
    with Library.open(settings=settings_for(place)) as library:
        library.add([shelf.catalogue.videos()[0].paths[0]])
        return library.catalogue.directory


def test_it_starts_tells_where_and_ends_at_ctrl_c_with_open_streams(folder: Path) -> None:
    with started(folder, "--port", "0") as (process, said):
        port = port_of(said)
        assert "Ctrl-C" in said
        assert running_page(folder) == f"http://127.0.0.1:{port}"
        status, body = get(port, "/api/videos")
        assert status == 200
        (video,) = json.loads(body)["videos"]
        lines = [socket.create_connection(("127.0.0.1", port)) for _ in range(3)]
        question = b'{"question": "Which boat leaves the pier?"}'
        lines[0].sendall(
            b"POST /api/ask HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(question), question)
        )
        lines[1].sendall(f"GET /media/{video['video_id']} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() * 200)
        lines[2].sendall(b"GET / HTTP/1.1\r\n")
        assert lines[0].recv(100)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=20)
        seconds = time.monotonic() - began
        for line in lines:
            line.close()
    assert process.returncode == 130
    assert stderr == ""
    assert seconds < 3.5  # 2 on a machine that does nothing else
    assert running_page(folder) is None
    assert not list(folder.glob("page-*"))


def test_sigterm_tidies_up_too(folder: Path) -> None:
    with started(folder, "--port", "0") as (process, _):
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 128 + signal.SIGTERM
    assert not list(folder.glob("page-*"))


def test_a_job_that_runs_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """What was finished is kept, the rest waits in the inbox."""
    films = tmp_path / "films"
    films.mkdir()
    scenes = [Scene(20.0, (10, 90, 160), motion="pan"), Scene(20.0, (160, 90, 10), motion="left")]
    render_video(films / "long.mp4", scenes, size=(640, 360), rate=25)
    library = tmp_path / "library"
    with started(library, "--port", "0", "--media", str(films)) as (process, said):
        port = port_of(said)
        (file,) = json.loads(get(port, "/api/inbox")[1])["files"]
        with closing(HTTPConnection("127.0.0.1", port)) as connection:
            body = json.dumps({"files": [file["file_id"]]})
            connection.request("POST", "/api/jobs", body, {"Content-Type": "application/json"})
            job_id = json.loads(connection.getresponse().read())["job_id"]
        deadline = time.monotonic() + 30
        while not json.loads(get(port, f"/api/jobs/{job_id}")[1])["seconds_done"] and time.monotonic() < deadline:
            time.sleep(0.02)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=20)
        assert time.monotonic() - began < 3.5
    assert process.returncode == 130
    assert stderr == ""
    with Library.open(settings=settings_for(tmp_path)) as opened:
        opened.add([films / "long.mp4"])
        assert len(opened.catalogue.videos()) == 1


def test_the_browser_gets_a_ticket_and_not_the_token(folder: Path, tmp_path: Path) -> None:
    browser, told, token = tmp_path / "browser.sh", tmp_path / "told", tmp_path / "token"
    browser.write_text(f'#!/bin/sh\necho "$1" > {told}.new && mv {told}.new {told}\n')
    browser.chmod(0o755)
    token.write_text(TOKEN)
    os.environ["BROWSER"] = f"{browser} %s"
    try:
        with started(folder, "--port", "0", "--open", "--token", str(token)) as (_, said):
            deadline = time.monotonic() + 20
            while not told.exists() and time.monotonic() < deadline:
                time.sleep(0.05)
            address = told.read_text().strip()
            assert TOKEN not in address
            path = address.partition(f":{port_of(said)}")[2]
            assert get(port_of(said), path)[0] == 303
            assert get(port_of(said), path)[0] == 401
    finally:
        del os.environ["BROWSER"]


def test_a_port_that_is_in_use_is_one_line(folder: Path) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        finished = refused(folder, "--port", str(port))
    assert finished.returncode == 1
    assert finished.stdout == ""
    assert len(finished.stderr.splitlines()) == 1
    assert f"port {port} of 127.0.0.1 is in use" in finished.stderr
    assert f"--port {port + 1}" in finished.stderr


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--host", "0.0.0.0"), "there is no token"),
        (("--host", "256.1.1.1", "--token", "new"), "allowed: an address of this machine"),
        (("--host", "203.0.113.9", "--token", "new"), "cannot listen"),
        (("--token", TOKEN), "names no file"),
        (("--media", "/no/such/folder"), "no directory"),
    ],
)
def test_what_is_not_safe_or_not_there_is_refused_in_one_line(folder: Path, flags: Sequence[str], told: str) -> None:
    finished = refused(folder, *flags, "--port", "0")
    assert finished.returncode == 2
    assert told in finished.stderr
    assert len(finished.stderr.splitlines()) == 1
    assert TOKEN not in finished.stderr


def test_weak_and_empty_token_files_are_refused(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "token"
    for text in ("", "secret", "\n \n"):
        file.write_text(text)
        finished = refused(folder, "--token", str(file), "--port", "0")
        assert finished.returncode == 2
        assert "secret" not in finished.stderr


def test_the_token_is_told_once_and_never_again(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    with started(folder, "--token", str(file), "--port", "0") as (process, said):
        port = port_of(said)
        assert said.count(TOKEN) == 1
        status = Path(f"/proc/{process.pid}/cmdline")
        if status.exists():
            assert TOKEN.encode() not in status.read_bytes()
            assert TOKEN.encode() not in Path(f"/proc/{process.pid}/environ").read_bytes()
        for place in (
            "/",
            f"/login?token={TOKEN}x",
            f"/api/library?token={TOKEN}",
            f"/{TOKEN}",
            f"/api/videos/{TOKEN}",
        ):
            assert TOKEN.encode() not in get(port, place)[1]
        assert get(port, f"/api/videos/{'x' * 16}", Authorization=f"Bearer {TOKEN}")[0] == 404
        with suppress(OSError), closing(socket.create_connection(("127.0.0.1", port))) as line:
            line.sendall(f"GET /?{TOKEN} HTTP/9\r\n\r\n".encode())
            line.recv(1000)
        process.send_signal(signal.SIGTERM)
        stdout, stderr = process.communicate(timeout=20)
    assert TOKEN not in stdout + stderr
    for file in folder.rglob("*"):
        if file.is_file():
            assert TOKEN.encode() not in file.read_bytes(), file


def test_two_servers_for_one_library_both_serve(folder: Path) -> None:
    with started(folder, "--port", "0") as (_, first), started(folder, "--port", "0") as (second_process, second):
        for said in (first, second):
            assert get(port_of(said), "/api/library")[0] == 200
        assert running_page(folder) == f"http://127.0.0.1:{port_of(second)}"
        second_process.kill()
        second_process.wait()
        assert running_page(folder) == f"http://127.0.0.1:{port_of(first)}"


def test_files_that_a_killed_server_left_are_not_believed(tmp_path: Path) -> None:
    assert running_page(tmp_path) is None
    assert running_page(tmp_path / "nothing") is None
    (tmp_path / "page-1.json").write_text('{"url": "http://127.0.0.1:1"}')
    assert running_page(tmp_path) is None
    assert not (tmp_path / "page-1.json").exists()
    for text in ("", "{", "[]", '{"url": 5}', '{"address": ""}'):
        with present(tmp_path, "http://127.0.0.1:2") as is_told:
            assert is_told
            (tmp_path / "page-2.json").write_text(text)
            assert running_page(tmp_path) == "http://127.0.0.1:2"
    assert running_page(tmp_path) is None


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_a_library_that_is_gone_is_one_line(tmp_path: Path, shelf: Library, how: str) -> None:
    with Library.open(settings=settings_for(tmp_path)) as library:
        library.add([shelf.catalogue.videos()[0].paths[0]])
        directory = library.catalogue.directory
        with running(library) as site:
            video_id = next(iter(site.ids.values()))
            assert site.get("/api/videos").status == 200
            shutil.move(directory, tmp_path / "elsewhere")
            if how == "replaced":
                shutil.copytree(tmp_path / "elsewhere", directory)
            for path in (
                "/api/library",
                "/api/videos",
                "/api/search?q=boat",
                f"/media/{video_id}",
                "/api/threads",
                "/api/inbox",
            ):
                reply = site.get(path)
                assert reply.status == 503, path
                assert "removed or replaced" in reply.json()["error"]
                assert str(tmp_path) not in reply.body.decode()
            assert site.post("/api/ask", {"question": "Which boat?"}).status == 503
            assert site.get("/api/openapi.json").status == 200
