"""Tracks of other packages: a real distribution, built and installed by pip; broken ones; switched off."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from agentvid.media.render import Scene, render_video

ROOT = Path(__file__).parents[2]
SCENES = (Scene(4.0, (28, 52, 84)), Scene(4.0, (244, 240, 228)), Scene(4.0, (96, 140, 176)))
SUBTITLES = ((0.4, 3.0, "Good morning from the greenhouse."),)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package that docs/plugins.md shows, built and installed from its two files."""
    folder = tmp_path_factory.mktemp("package")
    page = (ROOT / "docs" / "plugins.md").read_text("utf-8")
    files = dict(re.findall(r"`([\w.]+)`:\n\n```\w+\n(.*?)```", page, re.DOTALL))
    assert set(files) == {"pyproject.toml", "agentvid_temperature.py"}
    assert sum(len(text.splitlines()) for text in files.values()) < 60
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    target = folder / "installed"
    options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(target), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "greenhouse.mp4"
    render_video(path, SCENES, subtitles=SUBTITLES, burn_time=False)
    return path


def environment(library: Path, plugins: Path, **more: str) -> dict[str, str]:
    """OCR and embeddings are left out: neither plays a part."""
    path = os.pathsep.join([str(plugins), os.environ.get("PYTHONPATH", "")])
    fast = {"AGENTVID_OCR": "false", "AGENTVID_EMBED": "false"}
    return {**os.environ, **fast, "AGENTVID_LIBRARY": str(library), "PYTHONPATH": path, **more}


def agentvid(*arguments: str, expect: int = 0, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "agentvid", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(**options), check=False, timeout=120)
    assert done.returncode == expect, done.stderr
    assert "Traceback" not in done.stderr
    return done


def document(*arguments: str, expect: int = 0, **options: Any) -> Any:
    return json.loads(agentvid(*arguments, "--json", expect=expect, **options).stdout)


def test_an_installed_track_is_indexed_cited_and_refreshed(package: Path, video: Path, tmp_path: Path) -> None:
    log = video.with_suffix(".temperature.csv")
    log.write_text("0,24\n4,31\n8,27\n", "utf-8")
    here: dict[str, Any] = {"library": tmp_path / "library", "plugins": package}
    (item,) = document("index", str(video), **here)["indexed"]
    assert item["observations"]["temperature"] == 3

    answer = document("ask", "When is the temperature 31 degrees?", **here)
    cited = {one["id"]: one for one in answer["evidence"]}[answer["claims"][0]["evidence"][0]]
    assert cited["track"] == "temperature"
    assert cited["quote"] == "The temperature is 31 degrees."
    assert (cited["start"], cited["end"]) == (4.0, 8.0)
    assert "temperature" in answer["coverage"]["tracks"]

    log.write_text("0,24\n6,31\n", "utf-8")
    (stale,) = document("show", "greenhouse", **here)["stale"]
    assert stale["stage"] == "temperature"
    assert stale["hint"] == f"agentvid index {video}"
    (item,) = document("index", str(video), **here)["indexed"]
    assert item["read"] == ["temperature"]
    assert item["observations"]["temperature"] == 2
    assert document("show", "greenhouse", **here)["stale"] == []


def test_switched_off_or_uninstalled_its_rows_stay(package: Path, video: Path, tmp_path: Path) -> None:
    video.with_suffix(".temperature.csv").write_text("0,24\n", "utf-8")
    library = tmp_path / "library"
    agentvid("index", str(video), library=library, plugins=package)
    off: dict[str, Any] = {"library": library, "plugins": package, "AGENTVID_PLUGINS": "off"}
    assert document("index", str(video), **off)["skipped"][0]["reason"] == "unchanged"
    gone: dict[str, Any] = {"library": library, "plugins": tmp_path}
    again = document("index", str(video), AGENTVID_CLIP_MAX_SECONDS="30", **gone)["indexed"][0]
    assert again["read"] == ["fact"]
    assert again["observations"]["temperature"] == 1


BROKEN = '''
import time
from agentvid.perceive.base import Reader, Reading, Track
from agentvid.types import Observation, Provenance, Span


class Wrong(Track):
    """Returns no Reading."""

    name = "wrong"

    def parameters(self, settings):
        return {}

    def open(self, source):
        return WrongReader()


class WrongReader(Reader):
    def finish(self, watched):
        return [1, 2, 3]


class Crash(Wrong):
    """Fails while the file is decoded, on a thread of its own."""

    name, frames, is_slow = "crash", ("images",), True

    def open(self, source):
        return CrashReader()


class CrashReader(WrongReader):
    def read(self, batch):
        raise ZeroDivisionError("no frames per second")


class Stuck(Crash):
    """Takes longer than anybody waits."""

    name = "stuck"

    def parameters(self, settings):
        return {} if settings.index == "numpy" else None

    def open(self, source):
        return StuckReader()


class StuckReader(WrongReader):
    def read(self, batch):
        time.sleep(600)


class Unsure(Wrong):
    """Cannot even say what it is made from."""

    name = "unsure"

    def parameters(self, settings):
        return {"made": object()}


class Copy(Wrong):
    name = "speech"


class First(Wrong):
    name, after = "first", ("second",)


class Second(Wrong):
    name, after = "second", ("first",)


no_track = 3
'''
NAMES = ("Wrong", "Crash", "Stuck", "Unsure", "Copy", "First", "Second", "no_track", "absent")
REASONS = {
    "wrong": "finish returned a list; allowed: a Reading",
    "crash": "ZeroDivisionError: no frames per second",
    "unsure-entry": "the track plug-in 'unsure-entry' of broken cannot be used: TypeError: Object of type object",
    "copy-entry": "the name 'speech' is taken",
    "first": "the track 'first' waits for itself: ",
    "second": "the track 'second' waits for itself: ",
    "no_track-entry": "it lacks name, after, frames, inputs, is_slow, open, parameters, revision; subclass",
    "absent-entry": "AttributeError: module 'broken' has no attribute 'absent'",
}


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What pip leaves behind of a package with many tracks, none of which works."""
    folder = tmp_path_factory.mktemp("broken")
    info = folder / "broken-1.0.dist-info"
    info.mkdir()
    (folder / "broken.py").write_text(BROKEN, "utf-8")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n", "utf-8")
    lines = "".join(f"{name.lower()}-entry = broken:{name}\n" for name in NAMES)
    (info / "entry_points.txt").write_text(f"[agentvid.tracks]\n{lines}", "utf-8")
    return folder


def test_broken_tracks_are_gaps_with_reasons_and_the_video_is_indexed(
    broken: Path, video: Path, tmp_path: Path
) -> None:
    here: dict[str, Any] = {"library": tmp_path / "library", "plugins": broken}
    report = document("index", str(video), expect=4, **here)
    assert report["failed"] == []
    assert set(report["indexed"][0]["observations"]) == {"fact", "speech"}
    told = {item["track"]: item for item in report["partial"]}
    assert set(told) == set(REASONS)
    for track, reason in REASONS.items():
        assert reason in told[track]["reason"], track
        assert (told[track]["gaps"], told[track]["seconds"]) == (1, pytest.approx(12.0, abs=0.05))

    shown = document("show", "greenhouse", **here)
    assert shown["state"] == "partial"
    assert {gap["track"] for gap in shown["gaps"]} == set(REASONS)
    assert {stage["stage"] for stage in shown["stale"]} == set(REASONS)
    answer = document("ask", "What is said in the greenhouse?", **here)
    assert {gap["track"] for gap in answer["coverage"]["gaps"]} == set(REASONS)
    assert not answer["abstained"]

    printed = agentvid("ask", "What is said in the greenhouse?", **here).stdout
    assert f"gap: crash was not read at 0:00-0:12 of {video.name}: " in printed
    assert "gap: and 3 more" in printed

    again = agentvid("index", str(video), expect=4, **here)
    lines = [line for line in again.stderr.splitlines() if line.startswith("partial: ")]
    assert len(lines) == len(REASONS)
    clean = document("index", str(video), AGENTVID_PLUGINS="off", **here)
    assert clean["skipped"][0]["reason"] == "unchanged"


def test_ctrl_c_does_not_wait_for_a_reader_that_is_stuck(broken: Path, video: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "agentvid", "index", str(video)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(tmp_path / "library", broken, AGENTVID_INDEX="numpy"),
    )
    assert process.stderr is not None
    assert process.stderr.readline().startswith("indexing ")
    time.sleep(4.0)
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert time.monotonic() - started < 15
    assert process.returncode == 130
    assert "Traceback" not in error
