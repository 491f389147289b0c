"""The page in headless Chromium, against real servers of rendered videos."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from agentvid.media.render import Scene, render_video

# Tests share a machine with others.
expect.set_options(timeout=20_000)
#: Read before the tests start: they run without the user's AGENTVID_ variables.
_IS_REQUIRED = os.environ.get("AGENTVID_REQUIRE_BROWSER") == "1"
_HOW = "no Chromium; on Debian and Ubuntu: apt-get install -y chromium"
#: What Chromium itself prints of a response that is an error; the page says it in its own words.
REFUSED = "Failed to load resource"
QUICK = {"AGENTVID_OCR": "false", "AGENTVID_EMBED": "false", "AGENTVID_CONFIG": "/nonexistent/agentvid.toml"}

HARBOUR = (
    Scene(8.0, (28, 52, 84), title="Harbour report", lines=("Spring season",)),
    Scene(10.0, (96, 140, 176), motion="right"),
    Scene(6.0, (244, 240, 228), title="Ticket prices", lines=("Adults 14", "Children 6")),
)
HARBOUR_SUBTITLES = (
    (0.4, 3.8, "Good morning from the harbour office."),
    (8.5, 13.0, "The blue ferry carries the mail to the island."),
    (13.2, 17.5, "Two cranes unload the timber at noon."),
    (18.4, 23.0, "These are the ticket prices for the season."),
)
BREAD = (Scene(6.0, (60, 40, 80), title="Bread class"), Scene(6.0, (150, 120, 80), motion="pan"))
BREAD_SUBTITLES = ((1.0, 5.0, "We weigh the flour and the water first."), (7.0, 11.0, "The dough rests under a cloth."))


@dataclass
class Served:
    """A running `agentvid serve`: its base URL, its library and the folder that it offers to index."""

    url: str
    library: Path
    folder: Path
    process: subprocess.Popen[str]

    def agentvid(self, *arguments: str) -> str:
        return agentvid(self.library, *arguments)

    def end(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=20)


def agentvid(library: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "agentvid", "--library", str(library), *arguments]
    finished = subprocess.run(command, capture_output=True, text=True, env=os.environ | QUICK, timeout=120, check=False)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


@contextmanager
def serving(library: Path, folder: Path) -> Iterator[Served]:
    command = [sys.executable, "-m", "agentvid", "--library", str(library), "serve", "--port", "0"]
    with subprocess.Popen(
        [*command, "--media", str(folder)], stderr=subprocess.PIPE, text=True, env=os.environ | QUICK
    ) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        # What it says later must not fill the pipe.
        threading.Thread(target=process.stderr.read, daemon=True).start()
        try:
            found = re.search(r"http://\S+", said)
            assert found, said
            yield Served(found[0], library, folder, process)
        finally:
            process.kill()


def import_rows(library: Path, rows: Sequence[dict[str, Any]], file: Path) -> None:
    file.write_text("\n".join(json.dumps(row) for row in rows), "utf-8")
    agentvid(library, "import", str(file))


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with harbour.mp4 and bread.mp4; every frame carries its own time."""
    folder = tmp_path_factory.mktemp("rendered")
    render_video(folder / "harbour.mp4", HARBOUR, size=(320, 180), subtitles=HARBOUR_SUBTITLES, audio="tone")
    render_video(folder / "bread.mp4", BREAD, size=(320, 180), subtitles=BREAD_SUBTITLES)
    return folder


@pytest.fixture(scope="session")
def served(rendered: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server of a library with both videos, and ten hours of imported text."""
    directory = tmp_path_factory.mktemp("served")
    library = directory / "library"
    agentvid(library, "index", str(rendered))
    long = [
        {"video": "ten hours", "duration": 36_000, "track": "speech", "start": n * 1.8, "end": n * 1.8 + 1.5}
        | {"text": f"Sentence {n} about {'a lighthouse' if n == 12_345 else 'the sea'}."}
        for n in range(20_000)
    ]
    import_rows(library, long, directory / "long.jsonl")
    with serving(library, directory) as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for each module: a thread that drives a browser can run no other event loop, nor a second browser."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        if _IS_REQUIRED:
            pytest.fail(_HOW)
        pytest.skip(_HOW)
    with sync_playwright() as playwright:
        # CI runs as root in containers, where Chromium's sandbox cannot start; the only pages are our own.
        launched = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield launched
        launched.close()


@dataclass
class Troubles:
    """What a page must not do: errors on its console, breaches of its policy, requests to others."""

    errors: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)

    def watch(self, page: Page, home: str, *, refusals: bool = False) -> None:
        """`refusals`: the test provokes errors of the server, which Chromium prints."""

        def on_console(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning") and not (refusals and message.text.startswith(REFUSED)):
                self.errors.append(message.text)

        def on_request(request: Request) -> None:
            if not request.url.startswith((home, "data:", "blob:", "about:")):
                self.elsewhere.append(request.url)

        page.on("console", on_console)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", on_request)


@contextmanager
def opened(browser: Browser, home: str, *, refusals: bool = False, **options: Any) -> Iterator[Page]:
    """A page of a new browser profile, with `home` as its base; it has to end without troubles."""
    context = browser.new_context(base_url=home, **options)
    context.set_default_timeout(20_000)
    troubles = Troubles()
    page = context.new_page()
    troubles.watch(page, home, refusals=refusals)
    try:
        yield page
        assert troubles == Troubles()
    finally:
        context.close()


@pytest.fixture
def page(browser: Browser, served: Served) -> Iterator[Page]:
    """A desktop window on the shared library."""
    with opened(browser, served.url, viewport={"width": 1440, "height": 900}) as page:
        yield page
