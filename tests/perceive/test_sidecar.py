"""Which subtitle files belong to a video, and what their names say."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from agentvid.errors import SubtitleError
from agentvid.perceive.languages import is_wanted, language_tag
from agentvid.perceive.sidecar import Sidecar, read_sidecar, sidecars

SRT = b"1\n00:00:01,000 --> 00:00:02,000\nHello\n"


def beside(tmp_path: Path, video: str, *names: str) -> dict[str, str]:
    for name in (video, *names):
        (tmp_path / name).write_bytes(SRT)
    return {sidecar.path.name: sidecar.language for sidecar in sidecars(tmp_path / video)}


def test_languages_and_flags(tmp_path: Path) -> None:
    found = beside(
        tmp_path,
        "talk.mp4",
        *("talk.srt", "talk.EN.SRT", "talk.pt-BR.vtt", "talk.ger.forced.srt", "talk.en.sdh.ass", "talk.zh-hans.ttml"),
        *("talk.forced.srt", "talk.hi.srt", "talk.en.hi.srt", "talk.und.ssa", "talk.en-orig.vtt"),
    )
    assert found == {
        "talk.srt": "",
        "talk.EN.SRT": "en",
        "talk.pt-BR.vtt": "pt-BR",
        "talk.ger.forced.srt": "de",
        "talk.en.sdh.ass": "en",
        "talk.zh-hans.ttml": "zh-Hans",
        "talk.forced.srt": "",
        "talk.hi.srt": "hi",
        "talk.en.hi.srt": "en",
        "talk.und.ssa": "",
        "talk.en-orig.vtt": "en",
    }


def test_other_videos_keep_their_subtitles(tmp_path: Path) -> None:
    others = ("talk2.srt", "talk.part2.srt", "talk.v2.en.srt", "TALK.srt", "talk.txt", "talk.en.de.srt", "talk.srt.bak")
    assert beside(tmp_path, "talk.mp4", *others) == {}
    assert beside(tmp_path, "talk.v2.mp4") == {"talk.v2.en.srt": "en"}


def test_an_xml_file_counts_only_if_it_is_ttml(tmp_path: Path) -> None:
    (tmp_path / "talk.xml").write_text("<nfo>no subtitles</nfo>")
    assert beside(tmp_path, "talk.mp4") == {}
    (tmp_path / "talk.xml").write_bytes('<?xml version="1.0"?><tt xmlns="http://www.w3.org/ns/ttml"/>'.encode("utf-16"))
    assert list(beside(tmp_path, "talk.mp4")) == ["talk.xml"]


def test_composed_and_decomposed_names_are_the_same(tmp_path: Path) -> None:
    assert list(beside(tmp_path, "caf\u00e9.mp4", "cafe\u0301.en.srt").values()) == ["en"]


def test_directories_pipes_and_missing_folders_are_no_sidecars(tmp_path: Path) -> None:
    (tmp_path / "talk.srt").mkdir()
    os.mkfifo(tmp_path / "talk.en.srt")
    assert sidecars(tmp_path / "talk.mp4") == []
    assert sidecars(tmp_path / "nowhere" / "talk.mp4") == []


def test_reading_tells_the_hash_and_what_was_skipped(tmp_path: Path) -> None:
    path = tmp_path / "talk.srt"
    path.write_bytes(SRT + b"\n2\n00:00:05,000 --> 00:00:04,000\nbackwards\n")
    read = read_sidecar(Sidecar(path))
    assert [cue.text for cue in read.cues] == ["Hello"]
    assert (read.skipped, read.codec) == (1, "subrip")
    assert read.input_hash == hashlib.sha256(path.read_bytes()).hexdigest()


def test_what_cannot_be_read_is_a_subtitle_error(tmp_path: Path) -> None:
    with pytest.raises(SubtitleError, match=r"gone\.srt: No such file"):
        read_sidecar(Sidecar(tmp_path / "gone.srt"))
    (tmp_path / "talk.srt").mkdir()
    with pytest.raises(SubtitleError, match="directory"):
        read_sidecar(Sidecar(tmp_path / "talk.srt"))


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        *[("eng", "en"), ("EN", "en"), ("pt_br", "pt-BR"), ("zh-hans-cn", "zh-Hans-CN"), ("es-419", "es-419")],
        *[("und", ""), ("fil", "fil"), ("part2", None), ("new", None), ("", None), ("xx", None), ("english", None)],
    ],
)
def test_language_tags(text: str, tag: str | None) -> None:
    assert language_tag(text) == tag


def test_the_language_filter() -> None:
    assert all([is_wanted("en", ()), is_wanted("en-US", ("eng",)), is_wanted("", ("de",))])
    assert not any([is_wanted("en", ("de",)), is_wanted("en", ("en-US",)), is_wanted("es", ("e",))])
