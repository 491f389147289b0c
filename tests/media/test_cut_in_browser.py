"""Chromium shows at every second of a playable copy, and of a clip, the frame of that second."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from agentvid import media
from agentvid.media.cut import clip, make_playable
from agentvid.media.render import read_burnt_time
from agentvid.types import Span

#: Loads a file, goes to each second, and returns what is shown there as PNG files.
_SHOWN = """async ([url, times]) => {
  const video = document.querySelector('video');
  video.src = url;
  await new Promise((done, failed) => {
    video.onloadeddata = done;
    video.onerror = () => failed(video.error.message);
  });
  const canvas = document.createElement('canvas'), shown = [];
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  for (const time of times) {
    video.currentTime = time;
    await new Promise(done => { video.onseeked = done; });
    await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
    canvas.getContext('2d').drawImage(video, 0, 0);
    shown.push(canvas.toDataURL('image/png').split(',')[1]);
  }
  return shown;
}"""
_H264 = "document.createElement('video').canPlayType('video/mp4; codecs=\"avc1.64001f, mp4a.40.2\"')"

Shown = Callable[[Path, list[float]], list[float]]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """The burnt times that Chromium shows at seconds of a file."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        pytest.skip("no Chromium is installed")
    sync_api = pytest.importorskip("playwright.sync_api")
    page_file = tmp_path_factory.mktemp("browser") / "page.html"
    page_file.write_text("<video muted></video>")
    with sync_api.sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--allow-file-access-from-files"]  # else a canvas is not read
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        page = browser.new_page()
        page.goto(page_file.as_uri())
        if not page.evaluate(_H264):
            pytest.skip("this Chromium has no H.264")

        def burnt(file: Path, times: list[float]) -> list[float]:
            pictures = page.evaluate(_SHOWN, [file.as_uri(), times])
            arrays = (np.frombuffer(base64.b64decode(one), np.uint8) for one in pictures)
            return [read_burnt_time(np.asarray(cv2.imdecode(one, cv2.IMREAD_COLOR), np.uint8)) for one in arrays]

        yield burnt
        browser.close()


@pytest.mark.parametrize("name", ["late-start.mkv", "edit-list.mov", "b-frames.avi", "transport-late.ts"])
def test_second_x_in_the_browser_is_second_x_of_the_video(
    name: str, clocks: dict[str, Path], tmp_path: Path, shown: Shown
) -> None:
    make_playable(clocks[name], tmp_path / "copy.mp4")
    clip(clocks[name], Span(1.003, 3.21), tmp_path / "clip.mp4")
    for file, start, times in (("copy.mp4", 0.0, [0.0, 0.51, 2.61, 4.1]), ("clip.mp4", 1.003, [0.0, 0.51, 1.9])):
        frames = media.frames_at(clocks[name], [start + time for time in times])
        expected = [read_burnt_time(frame.image) for frame in frames]
        assert shown(tmp_path / file, times) == pytest.approx(expected, abs=0.002)
