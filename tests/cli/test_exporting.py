"""`play`, `clip`, `export`: what leaves the library, and what is said where it cannot."""

from __future__ import annotations

import json
import os
import shlex
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentvid import Library, media
from agentvid.exports.material import Gatherer
from agentvid.exports.registry import EXPORTS, export
from agentvid.media.render import read_burnt_time

#: Subtitles are of one video, hits and evidence here are not; the chapters are too few for YouTube.
UNFIT = {(name, subject) for name in ("vtt", "srt") for subject in ("hits", "answer")} | {("youtube", "chapters")}


@pytest.fixture
def agentvid(run_in: Callable[..., Any], shelf: Path) -> Callable[..., Any]:
    """Runs a command line in a folder with a library of talk.mp4 and others, and one answered question."""
    return lambda *arguments, **options: run_in(list(arguments), folder=shelf, **options)


def player(folder: Path, name: str, code: int = 0) -> str:
    """A program of that name which writes down its arguments; returns a PATH with it alone."""
    program = folder / "bin" / name
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{folder}/played"\nexit {code}\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return str(program.parent)


# -- play --------------------------------------------------------------------------------------------------------


def test_play_starts_the_player_at_the_second(agentvid: Callable[..., Any], shelf: Path) -> None:
    path = player(shelf, "mpv")
    finished = agentvid("play", "talk.mp4@0:04.8-0:07.5", environment={"PATH": path})
    assert finished.code == 0, finished.stderr
    played = (shelf / "played").read_text().split("\n")
    assert played[:3] == ["--start=4.800", "--end=7.500", "--"]
    assert Path(played[3]).is_absolute()
    assert Path(played[3]).name == "talk.mp4"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("vlc", ["--start-time=4.800", "--stop-time=7.500", "--play-and-exit"]),
        ("ffplay", ["-ss", "4.800", "-t", "2.700", "-autoexit", "-i"]),
    ],
)
def test_any_installed_player_will_do(
    name: str, arguments: list[str], agentvid: Callable[..., Any], shelf: Path
) -> None:
    assert agentvid("play", "talk.mp4@4.8-7.5", environment={"PATH": player(shelf, name)}).code == 0
    assert (shelf / "played").read_text().split("\n")[: len(arguments)] == arguments


def test_play_prints_the_command_line_also_without_a_player(agentvid: Callable[..., Any]) -> None:
    finished = agentvid("play", "last", "--print", environment={"PATH": ""})
    words = shlex.split(finished.stdout)
    assert words[0] == "mpv"
    assert words[-2] == "--"
    assert Path(words[-1]).exists()


@pytest.mark.parametrize("times", ["0:04", "0:75-1:20", "4s-7s", ""])
def test_what_is_no_span_of_a_video_is_said(times: str, agentvid: Callable[..., Any]) -> None:
    refused = agentvid("play", f"talk.mp4@{times}", "--print")
    assert (refused.code, refused.stderr.count("\n")) == (2, 1)
    assert f"{times!r} is no span of 'talk.mp4'; allowed: START-END" in refused.stderr
    assert agentvid("play", f"nosuch.mp4@{times}", "--print").code == 3


@pytest.mark.parametrize("command", [("play", "--print"), ("clip",)])
def test_which_seconds_of_a_video_is_asked_with_a_span_that_works(
    command: tuple[str, ...], agentvid: Callable[..., Any]
) -> None:
    refused = agentvid(*command, "talk.mp4")
    assert (refused.code, refused.stderr.count("\n")) == (2, 1)
    assert "which seconds of" in refused.stderr
    assert "--track" not in refused.stderr
    whole = refused.stderr.strip().rpartition(" ")[2]
    assert agentvid(*command, whole).code == 0


def test_an_answer_without_evidence_exports_nothing_and_says_so(agentvid: Callable[..., Any]) -> None:
    agentvid("ask", "What is said about the xylophone?", environment={"AGENTVID_EMBED": "false"})
    empty = agentvid("export", "jsonl", "last")
    assert (empty.code, empty.stdout) == (3, "")
    assert empty.stderr == "nothing found: 'What is said about the xylophone?' has no evidence\n"


def test_no_player_and_a_player_that_fails_are_one_line(agentvid: Callable[..., Any], shelf: Path) -> None:
    nothing = agentvid("play", "last:e1", environment={"PATH": str(shelf / "empty")})
    assert (nothing.code, nothing.stderr.count("\n")) == (1, 1)
    assert "no player is installed; allowed: mpv, vlc, ffplay" in nothing.stderr
    failed = agentvid("play", "last", environment={"PATH": player(shelf, "mpv", 3)})
    assert failed.code == 1
    assert "mpv ended with exit code 3" in failed.stderr
    unknown = agentvid("play", "last", "--player", "sh")
    assert unknown.code == 2
    assert "'sh' is no player; allowed: mpv, vlc, ffplay" in unknown.stderr


def test_a_file_whose_name_begins_with_a_dash_is_no_option(agentvid: Callable[..., Any], shelf: Path) -> None:
    odd = shelf / "-y 'two'\nlines.mp4"
    (shelf / "talk.mp4").rename(odd)
    own = ("--library", "own")
    assert agentvid(*own, "index", str(odd)).code == 0
    words = shlex.split(
        agentvid(*own, "play", f"{odd}@1-2", "--print", environment={"PATH": player(shelf, "mpv")}).stdout
    )
    assert words[3] == "--"
    assert words[4].startswith("/")
    made = agentvid(*own, "clip", f"{odd}@1-2")
    assert made.stdout.startswith("y _two__lines 1.000-2.000.mp4: 1.000 s"), made.stderr
    listed = agentvid(*own, "export", "edl", f"{odd}@1-2")
    assert listed.stdout.count("FROM CLIP NAME") == 1
    assert listed.stdout.count("\n") == 5


# -- clip --------------------------------------------------------------------------------------------------------


def test_clip_of_an_evidence_begins_with_its_frame(agentvid: Callable[..., Any], shelf: Path) -> None:
    made = agentvid("clip", "last:e1", "-o", "out.mp4", "--json")
    assert made.code == 0, made.stderr
    document = json.loads(made.stdout)
    burnt = read_burnt_time(media.frames_at(shelf / "out.mp4", [0.0])[0].image)
    assert 0 <= document["start"] - burnt < 0.1
    assert document["duration"] == pytest.approx(document["end"] - document["start"], abs=0.002)
    assert (document["file"], document["picture"] in ("copied", "encoded")) == ("out.mp4", True)


def test_a_folder_for_clips_is_made(agentvid: Callable[..., Any], shelf: Path) -> None:
    assert agentvid("export", "clips", "talk.mp4@1-2", "-o", "new/").code == 0
    assert [file.suffix for file in (shelf / "new").iterdir()] == [".mp4"]


def test_a_clip_is_not_named_as_another_kind_of_file(agentvid: Callable[..., Any], shelf: Path) -> None:
    refused = agentvid("clip", "talk.mp4@1-2", "-o", "out.avi")
    assert (refused.code, refused.stderr.count("\n")) == (2, 1)
    assert "allowed: a name that ends in .mp4" in refused.stderr
    assert not (shelf / "out.avi").exists()


def test_clip_says_what_was_encoded_and_puts_subtitles_beside_it(agentvid: Callable[..., Any], shelf: Path) -> None:
    made = agentvid("clip", "talk.mp4@0:02-0:06", "-o", "out.mp4", "--subtitles", "speech")
    assert made.stdout == (
        "out.mp4: 4.000 s, picture encoded again (the start is between two frames that need no other), sound copied\n"
        "out.vtt\n"
    )
    assert (shelf / "out.vtt").read_text() == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:00.500\nWelcome to the talk about the rocket.\n\n"
        "00:00:00.800 --> 00:00:02.500\nThe budget is nine thousand crowns.\n\n"
        "00:00:02.800 --> 00:00:04.000\nThe launch date is the third of March.\n"
    )


def test_clip_replaces_nothing_unless_forced(agentvid: Callable[..., Any], shelf: Path) -> None:
    (shelf / "out.mp4").write_text("mine")
    refused = agentvid("clip", "talk.mp4@1-2", "-o", "out.mp4")
    assert (refused.code, (shelf / "out.mp4").read_text()) == (2, "mine")
    assert "out.mp4 exists already - choose another name, or add --force" in refused.stderr
    assert agentvid("clip", "talk.mp4@1-2", "-o", "out.mp4", "--force").code == 0
    assert media.probe(shelf / "out.mp4").codec == "h264"


@pytest.mark.parametrize(
    ("reference", "code", "says"),
    [
        ("talk.mp4@0:20-0:25", 2, "0:20 is not in"),
        ("talk.mp4@7-5", 2, "start 7 is not before end 5"),
        ("nosuch.mp4@1-2", 3, "nosuch.mp4"),
        ("last:e99", 3, "has no evidence e99; it has: e1"),
        ("talk.mp4", 2, "allowed: VIDEO@START-END - all of it is talk.mp4@0:00-0:13"),
        ("", 3, ""),
    ],
)
def test_a_reference_to_nothing_is_one_line(
    reference: str, code: int, says: str, agentvid: Callable[..., Any], shelf: Path
) -> None:
    before = sorted(shelf.iterdir())
    finished = agentvid("clip", reference, "-o", "out.mp4")
    assert (finished.code, finished.stdout, finished.stderr.count("\n")) == (code, "", 1), finished.stderr
    assert says in finished.stderr
    assert sorted(shelf.iterdir()) == before


def test_a_video_that_changed_or_is_gone_is_said_and_never_cut(agentvid: Callable[..., Any], shelf: Path) -> None:
    # The shelf is a copy: what was indexed lies elsewhere and must stay for other tests.
    assert agentvid("--library", "own", "index", "talk.mp4").code == 0
    status = (shelf / "talk.mp4").stat()
    os.utime(shelf / "talk.mp4")
    touched = agentvid("--library", "own", "clip", "talk.mp4@1-2", "-o", "touched.mp4")
    assert touched.code == 0, "another time of change, but the same bytes"
    (shelf / "talk.mp4").write_bytes((shelf / "demo.mp4").read_bytes())
    os.utime(shelf / "talk.mp4", ns=(status.st_atime_ns, status.st_mtime_ns))
    changed = agentvid("--library", "own", "clip", "talk.mp4@1-2", "-o", "out.mp4")
    assert (changed.code, (shelf / "out.mp4").exists()) == (1, False)
    assert "talk.mp4: its file changed since it was indexed" in changed.stderr
    (shelf / "talk.mp4").unlink()
    gone = agentvid("--library", "own", "play", "talk.mp4@1-2", "--print")
    assert gone.code == 1
    assert "talk.mp4: its file is not there" in gone.stderr
    words = agentvid("--library", "own", "export", "vtt", "talk.mp4", "--track", "speech")
    assert words.code == 0
    assert "third of March" in words.stdout


# -- export ------------------------------------------------------------------------------------------------------


def test_tracks_are_exported_and_imported_again(agentvid: Callable[..., Any], shelf: Path) -> None:
    assert agentvid("export", "jsonl", "talk.mp4", "--track", "speech", "-o", "rows.out").code == 0
    assert agentvid("--library", "other", "import", "rows.out").code == 0
    before = json.loads(agentvid("show", "talk.mp4", "--track", "speech", "--json").stdout)
    listed = json.loads(agentvid("--library", "other", "ls", "--json").stdout)["videos"]
    after = json.loads(agentvid("--library", "other", "show", listed[0]["video_id"], "--json").stdout)
    keys = ("start", "end", "text", "track", "language", "confidence")
    assert [[row[key] for key in keys] for row in after["observations"] if row["track"] == "speech"] == [
        [row[key] for key in keys] for row in before["observations"]
    ]


def test_text_goes_to_stdout_byte_by_byte_and_pictures_do_not(agentvid: Callable[..., Any], shelf: Path) -> None:
    printed = agentvid("export", "srt", "talk.mp4", "--track", "speech")
    assert agentvid("export", "srt", "talk.mp4", "--track", "speech", "-o", "talk.srt").code == 0
    assert printed.stdout == (shelf / "talk.srt").read_text()
    refused = agentvid("export", "sheet", "last")
    assert (refused.code, refused.stdout) == (2, "")
    assert "sheet is not text; allowed: -o FILE - as in -o evidence.jpg" in refused.stderr


def test_imported_videos_are_left_out_of_what_needs_pictures(agentvid: Callable[..., Any], shelf: Path) -> None:
    assert agentvid("import", "rows.jsonl").code == 0
    mixed = agentvid("export", "clips", "--query", "launch date March", "-k", "6", "-o", "made.zip", "--json")
    document = json.loads(mixed.stdout)
    assert mixed.code == 4
    assert document["items"] > 0
    assert {one["reason"] for one in document["left_out"]} == {"it was imported as text: there is no file"}
    assert (shelf / "made.zip").exists()
    alone = agentvid("export", "clips", "--query", "launch date", "--video", "lecture", "-o", "none.zip")
    assert (alone.code, (shelf / "none.zip").exists()) == (1, False)
    assert "no clip can be made: it was imported as text" in alone.stderr
    assert agentvid("export", "markdown", "--query", "launch date", "--video", "lecture").code == 0
    words = agentvid("export", "html", "--query", "launch date", "--video", "lecture", "-o", "words.html")
    assert words.code == 4
    assert "its picture: it was imported as text" in words.stderr
    assert "third of March" in (shelf / "words.html").read_text()


def test_clips_of_an_answer_go_into_a_folder(agentvid: Callable[..., Any], shelf: Path) -> None:
    (shelf / "clips").mkdir()
    made = agentvid("export", "clips", "last", "-o", "clips/")
    assert made.code == 0, made.stderr
    files = sorted((shelf / "clips").iterdir())
    assert [file.name.split()[0] for file in files] == [f"e{n}" for n in range(1, len(files) + 1)]
    again = agentvid("export", "clips", "last", "-o", "clips/")
    assert (again.code, "exists already" in again.stderr) == (2, True)


def test_an_answer_is_exported_after_its_video_was_removed(agentvid: Callable[..., Any], shelf: Path) -> None:
    for video in ("talk.mp4", "demo.mp4", "night.mp4", "day.mp4"):
        agentvid("rm", video)
    told = agentvid("export", "markdown", "last")
    assert told.code == 0, told.stderr
    assert "it is no longer in the library" in told.stdout
    cut = agentvid("clip", "last:e1")
    assert (cut.code, "it is no longer in the library" in cut.stderr) == (1, True)


def test_a_video_alone_means_its_chapters_where_a_format_has_no_use_for_tracks(agentvid: Callable[..., Any]) -> None:
    alone = agentvid("export", "html", "talk.mp4")
    assert alone.code == 0
    assert alone.stdout == agentvid("export", "html", "talk.mp4", "--track", "chapters").stdout


def test_formats_are_listed(agentvid: Callable[..., Any]) -> None:
    listed = json.loads(agentvid("export", "--list", "--json").stdout)["formats"]
    assert {"jsonl", "html", "edl", "otio", "fcpxml", "vtt", "srt", "clips", "sheet"} <= {one["name"] for one in listed}
    assert all(one["name"] in agentvid("export", "--list").stdout for one in listed)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["export"], 2, "export needs a FORMAT and a REF or --query"),
        (["export", "vtt"], 2, "export needs a FORMAT and a REF or --query"),
        (["export", "vtt", "last", "--query", "x"], 2, "export needs a FORMAT and a REF or --query"),
        (["export", "docx", "last"], 2, "'docx' is no format; allowed: jsonl"),
        (["export", "youtube", "last"], 2, "youtube does not hold an answer; it holds: chapters"),
        (["export", "vtt", "talk.mp4", "--track", "caption"], 3, "has no rows of 'caption'; it has: fact, speech"),
        (["export", "vtt", "talk.mp4", "--track", "speech", "-o", "no/such/talk.vtt"], 1, "No such file or directory"),
        (["export", "vtt", "talk.mp4", "--track", "speech", "-o", "talks"], 2, "talks is a folder"),
    ],
)
def test_what_cannot_be_exported_is_one_line(
    arguments: list[str], code: int, says: str, agentvid: Callable[..., Any], shelf: Path
) -> None:
    before = sorted(shelf.iterdir())
    finished = agentvid(*arguments)
    assert (finished.code, finished.stdout, finished.stderr.count("\n")) == (code, "", 1), finished.stderr
    assert says in finished.stderr
    assert sorted(shelf.iterdir()) == before


def test_a_server_exports_without_giving_a_folder_away(agentvid: Callable[..., Any], shelf: Path) -> None:
    assert agentvid("import", "rows.jsonl").code == 0
    with Library.open(shelf / "library") as library:
        gatherer = Gatherer(library, page="http://127.0.0.1:1", tells_paths=False)
        folders = {str(Path(video.paths[0]).parent) for video in library.catalogue.videos() if video.paths}
        materials = [
            gatherer.answer("last"),
            gatherer.hits("launch date", library.search("launch date", k=8)),
            gatherer.track("talk.mp4", "speech"),
            gatherer.chapters("lecture"),
        ]
        texts = [
            export(one.name, material)[0].decode()
            for material in materials
            for one in EXPORTS.values()
            if one.is_text and material.subject in one.subjects and (one.name, material.subject) not in UNFIT
        ]
    assert len(texts) > 20
    assert not [text for text in texts if "file:" in text or any(folder in text for folder in folders)]
