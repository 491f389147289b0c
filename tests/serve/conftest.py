"""A library of rendered videos, and real servers for it on loopback."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPMessage
from pathlib import Path
from typing import Any

import pytest

from agentvid.config import Settings
from agentvid.library import Library
from agentvid.listening import bind
from agentvid.media.render import Scene, render_video
from agentvid.serve.context import Options
from agentvid.serve.run import Running

HOSTILE = "</script><script>alert(1)</script> /etc/passwd and/or \u202eevil"
SUBTITLES = [(0.5, 2.0, "The tide mill grinds at dawn."), (2.5, 4.5, "A red boat leaves the pier.")]


@dataclass(frozen=True)
class Reply:
    status: int
    headers: HTTPMessage
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Site:
    """A server that runs: where it is, and how to ask it something."""

    port: int
    library: Library
    ids: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, method: str = "GET", body: Any = None, **headers: Any) -> Reply:
        """`Content_Type="text/plain"` is the header Content-Type."""
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            response = connection.getresponse()
            return Reply(response.status, response.headers, response.read())

    def post(self, path: str, document: Any, **headers: Any) -> Reply:
        return self.get(path, "POST", json.dumps(document).encode(), Content_Type="application/json", **headers)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def raw(self, data: bytes) -> bytes:
        """What comes back until the server closes the connection, which it may do before it has read everything."""
        with self.connect() as line:
            with suppress(OSError):
                line.sendall(data)
                line.shutdown(socket.SHUT_WR)
            got = b""
            with suppress(ConnectionError):
                while block := line.recv(65536):
                    got += block
            return got


def events_of(body: bytes) -> list[tuple[str, Any]]:
    """The server-sent events of a response: (name, document)."""
    found = []
    for block in body.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            found.append((fields["event"], json.loads(fields["data"])))
    return found


@contextmanager
def running(library: Library, **options: Any) -> Iterator[Site]:
    """A server in a thread of this process, until the context ends."""
    chosen = Options(**options)
    with closing(bind(chosen.host, chosen.port)) as listening:
        # What a reader does not take waits in the server, where the limits are, and not in the kernel.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32_768)
        server = Running(library, chosen, listening)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        ids = {Path(video.paths[0]).parent.name: video.id for video in library.catalogue.videos() if video.paths}
        try:
            yield Site(listening.getsockname()[1], library, ids)
        finally:
            server.stop()
            thread.join(10)
            assert not thread.is_alive()


def settings_for(folder: Path) -> Settings:
    return Settings(library=folder / "library", cache=folder / "cache", embed=False, ocr=False)


def make_videos(folder: Path) -> list[Path]:
    """Two videos of the same file name, in different folders."""
    paths = []
    for name, colour in (("north", (200, 40, 40)), ("south", (40, 40, 200))):
        path = folder / name / "talk at the mill.mp4"
        path.parent.mkdir(parents=True)
        scenes = [Scene(2.5, colour, motion="left"), Scene(2.5, (30, 120, 60), motion="right")]
        render_video(path, scenes, size=(320, 180), rate=10, subtitles=SUBTITLES, audio="tone")
        paths.append(path)
    return paths


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """Two files of one name, and an import whose texts are hostile. Tests leave it as it is."""
    folder = tmp_path_factory.mktemp("shelf")
    rows = [
        {"video": "lecture " + HOSTILE, "duration": 90, "track": "speech", "start": s, "end": s + 1, "text": text}
        for s, text in enumerate(["Stream ciphers use a key.", HOSTILE, "Never use a key twice."] * 8)
    ]
    with Library.open(settings=settings_for(folder)) as library:
        library.add(make_videos(folder / "films"))
        library.import_file([json.dumps(row).encode() for row in rows])
        yield library


@pytest.fixture(scope="session")
def site(shelf: Library) -> Iterator[Site]:
    with running(shelf) as found:
        yield found


@pytest.fixture
def serve(shelf: Library) -> Callable[..., AbstractContextManager[Site]]:
    """Servers of their own for the shelf, with other options."""
    return lambda **options: running(shelf, **options)
