"""Real directories with real links: which files are videos, and why the others are not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agentvid.discover import Discovery, find_videos
from agentvid.identity import hash_file, video_id_from_hash


def make(root: Path, *names: str, content: bytes = b"video") -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def names(found: Discovery, root: Path) -> list[str]:
    assert all(path.is_absolute() for path in found.videos)
    return [str(path.relative_to(root)) for path in found.videos]


def test_directories_are_searched_in_natural_order(tmp_path: Path) -> None:
    make(tmp_path, "part10.mp4", "part2.MKV", "a/x.webm", "b.mov", "a/deep/er/y.avi", "notes.txt", "talk.srt", "²3.mp4")
    found = find_videos([tmp_path])
    assert names(found, tmp_path) == ["a/deep/er/y.avi", "a/x.webm", "b.mov", "part2.MKV", "part10.mp4", "²3.mp4"]
    assert found.problems == []


def test_hidden_and_unfinished_files_are_left_out(tmp_path: Path) -> None:
    make(tmp_path, ".hidden.mp4", ".cache/x.mp4", "a.mp4.part", "b.mp4.crdownload", "c.mp4.ytdl", "d.tmp", "ok.mp4")
    assert names(find_videos([tmp_path]), tmp_path) == ["ok.mp4"]


def test_a_named_file_is_taken_whatever_it_is_called(tmp_path: Path) -> None:
    make(tmp_path, "clip.bin", ".hidden", "x.mp4.part")
    paths = [tmp_path / name for name in ("clip.bin", ".hidden", "x.mp4.part")]
    assert find_videos(paths).videos == paths


def test_typescript_is_no_transport_stream(tmp_path: Path) -> None:
    make(tmp_path, "code.ts", "module.mts", content=b"Generate();" + b" " * 300)
    packet = b"\x47" + bytes(187)
    make(tmp_path, "stream.ts", content=packet * 3)
    make(tmp_path, "camera.mts", content=(bytes(4) + packet) * 3)
    assert names(find_videos([tmp_path]), tmp_path) == ["camera.mts", "stream.ts"]


def test_links_are_followed_and_loops_and_repeats_are_not(tmp_path: Path) -> None:
    make(tmp_path, "a/x.mp4", "outside/y.mp4")
    (tmp_path / "a" / "loop").symlink_to(tmp_path / "a")
    (tmp_path / "a" / "self").symlink_to("self")
    (tmp_path / "a" / "again.mp4").symlink_to("x.mp4")
    (tmp_path / "a" / "linked").symlink_to(tmp_path / "outside")
    found = find_videos([tmp_path / "a", tmp_path / "a" / "x.mp4", tmp_path / "a", tmp_path / "outside"])
    assert names(found, tmp_path) == ["a/again.mp4", "a/linked/y.mp4"]
    assert found.problems == []


def test_the_order_of_the_arguments_stays(tmp_path: Path) -> None:
    make(tmp_path, "b.mp4", "a.mp4")
    assert names(find_videos([tmp_path / "b.mp4", tmp_path / "a.mp4"]), tmp_path) == ["b.mp4", "a.mp4"]


def test_relative_paths_become_absolute(tmp_path: Path) -> None:
    make(tmp_path, "x.mp4", "sub/y.mp4")
    before = Path.cwd()
    os.chdir(tmp_path / "sub")
    try:
        assert names(find_videos(["y.mp4", "../x.mp4"]), tmp_path) == ["sub/y.mp4", "x.mp4"]
    finally:
        os.chdir(before)


@pytest.mark.parametrize(
    ("named", "error"),
    [
        ("gone.mp4", "gone.mp4: No such file or directory"),
        ("https://example.org/x.mp4", "is an address, not a file"),
        ("a\0b", "not a path"),
        ("", "empty path"),
        ("x" * 5000, "name too long"),
    ],
)
def test_paths_that_lead_nowhere(named: str, error: str) -> None:
    found = find_videos([named])
    (problem,) = found.problems
    assert error.lower() in problem.error.lower()
    assert problem.path == named
    assert problem.hint
    assert found.videos == []


def test_empty_directories_dangling_links_and_pipes(tmp_path: Path) -> None:
    make(tmp_path, "empty/notes.txt", "broken/ok.mp4")
    (tmp_path / "broken" / "lost.mp4").symlink_to("nowhere.mp4")
    os.mkfifo(tmp_path / "pipe.mp4")
    found = find_videos([tmp_path / "empty", tmp_path / "broken", tmp_path / "pipe.mp4"])
    assert names(found, tmp_path) == ["broken/ok.mp4"]
    errors = [problem.error for problem in found.problems]
    assert [error.rpartition("/")[2] for error in errors] == [
        "lost.mp4: No such file or directory",
        "pipe.mp4 is neither a file nor a directory",
    ]
    assert found.empty == [tmp_path / "empty"]


def test_a_name_that_is_not_unicode_is_a_problem_of_its_own(tmp_path: Path) -> None:
    make(tmp_path, "a.mp4", "b\udcff.mp4", "c.mp4")
    found = find_videos([tmp_path, tmp_path / "b\udcff.mp4"])
    assert names(found, tmp_path) == ["a.mp4", "c.mp4"]
    (problem,) = found.problems
    assert "is not UTF-8" in problem.error


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_directory_is_a_problem(tmp_path: Path) -> None:
    make(tmp_path, "locked/x.mp4", "y.mp4")
    (tmp_path / "locked").chmod(0)
    try:
        found = find_videos([tmp_path])
    finally:
        (tmp_path / "locked").chmod(0o700)
    assert names(found, tmp_path) == ["y.mp4"]
    assert "Permission denied" in found.problems[0].error


def test_identity_is_the_content(tmp_path: Path) -> None:
    make(tmp_path, "a", "b", content=b"x" * 2_500_000)
    make(tmp_path, "empty", content=b"")
    assert hash_file(tmp_path / "a") == hash_file(tmp_path / "b")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert hash_file(tmp_path / "empty") == empty
    assert video_id_from_hash(empty) == "e3b0c44298fc1c14"
    with pytest.raises(FileNotFoundError):
        hash_file(tmp_path / "gone")
