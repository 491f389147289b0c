"""What the numbers mean, in a player, as a file, on the page and as a picture: with a real video in a real terminal."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentvid import Library, Settings
from agentvid.media.render import Scene, render_video
from agentvid.serve.presence import present

FILM = "the mill's film.mp4"
PLAYER = """#!/bin/sh
for argument; do echo "$argument"; done > "$PLAYED"
exit ${PLAYER_CODE:-0}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of eight seconds, indexed."""
    folder = tmp_path_factory.mktemp("film")
    film = folder / FILM
    scenes = (Scene(4, (200, 40, 40)), Scene(4, (40, 40, 200), motion="right"))
    subtitles = ((0.5, 3.5, "The miller opens the sluice."), (4.5, 7.5, "Then the wheel turns slowly."))
    render_video(film, scenes, size=(320, 180), subtitles=subtitles)
    with Library.open(folder / "films", settings=Settings(embed=False, ocr=False)) as opened:
        assert not opened.add([film]).failed
    return folder


@pytest.fixture
def film(made: Path, tmp_path: Path) -> Path:
    """The folder of a copy of it, for a test that may spoil it."""
    folder = tmp_path / "copy"
    shutil.copytree(made, folder)
    with Library.open(folder / "films", settings=Settings(embed=False, ocr=False)) as opened:
        opened.add([folder / FILM])
        opened.catalogue.move_path(str(made / FILM), str(folder / FILM))
    return folder


@pytest.fixture
def bin_folder(tmp_path: Path) -> Path:
    """A folder with a player that writes down what it was told."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "mpv").write_text(PLAYER)
    (folder / "mpv").chmod(0o755)
    return folder


def test_play_clip_export_and_a_film_that_is_gone(
    start: Callable[..., Any], film: Path, bin_folder: Path, tmp_path: Path
) -> None:
    chat = start(
        columns=200,
        AGENTVID_LIBRARY=str(film / "films"),
        PATH=f"{bin_folder}:/usr/bin:/bin",
        PLAYED=str(tmp_path / "played"),
    )
    chat.wait_for("1 video", "\n>")
    chat.line("/play")
    chat.wait_for("there is no numbered moment yet")
    chat.line("What does the miller open?")
    chat.wait_for(" 1  the mill's film.mp4  0:00-0:03", "mpv --start=0.500 --end=3.500 --", "confidence")
    chat.line("/play 1")
    chat.wait_for("playing the mill's film.mp4@0.50-3.50 in mpv")
    assert (tmp_path / "played").read_text().splitlines() == ["--start=0.500", "--end=3.500", "--", str(film / FILM)]
    chat.line("/play 7")
    chat.wait_for("! '7' is no line of the last list; allowed: 1 to 1")
    chat.line(f'/clip 1 "{tmp_path}/a clip.mp4"')
    chat.wait_for("clip.mp4: 3.000 s")  # the folder before it may end a line
    assert (tmp_path / "a clip.mp4").stat().st_size > 1000
    chat.line("/export vt\t")
    chat.wait_for("WEBVTT", "00:00:00.500 --> 00:00:03.500")
    chat.line(f"/export edl {tmp_path}/cut.edl")
    chat.wait_for("cut.edl: 1 moment")
    chat.line("/export sheet")
    chat.wait_for("sheet is not text")
    chat.line("/export nosuch")
    chat.wait_for("'nosuch' is no format")
    (film / FILM).unlink()
    chat.line("/play 1")
    chat.wait_for("! the mill's film.mp4: its file is not there")
    chat.line("What turns slowly?")
    chat.wait_for("the wheel turns slowly")
    chat.line("/quit")
    assert chat.exit_code() == 0
    assert b"Traceback" not in chat.raw


def test_times_are_links_while_the_page_runs_and_a_broken_player_is_one_line(
    start: Callable[..., Any], made: Path, bin_folder: Path, tmp_path: Path
) -> None:
    library = made / "films"
    played = {"PATH": f"{bin_folder}:/usr/bin:/bin", "PLAYED": str(tmp_path / "played"), "PLAYER_CODE": "7"}
    chat = start("--pictures", columns=200, AGENTVID_LIBRARY=str(library), COLORTERM="truecolor", **played)
    chat.wait_for("1 video", "\n>")
    with present(library, "http://127.0.0.1:8642"):
        chat.line("What does the miller open?")
        seen = chat.wait_for("confidence")
    assert "▀▀▀▀▀▀▀▀" in seen, "a picture in coloured half cells"
    assert "mpv" not in seen
    with Library.open(library) as opened:
        (video,) = opened.catalogue.videos()
    assert f";http://127.0.0.1:8642/v/{video.id}#t=0.500,3.500\x1b\\".encode() in chat.raw
    chat.line("/play 1")
    chat.wait_for("! mpv ended with exit code 7")
    chat.line("/find wheel")
    chat.wait_for("mpv --start=")  # the page has ended
    chat.line("/export jsonl")
    chat.wait_for('"pts": 5000')
    chat.line("/quit")
    assert chat.exit_code() == 0
