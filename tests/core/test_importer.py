"""A JSONL file becomes videos; a bad line fails its own video and never the program."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentvid.errors import UsageError
from agentvid.importer import POINT_SECONDS, ImportBatch, read_import
from agentvid.types import Span


def line(**changes: Any) -> dict[str, Any]:
    row = {"video": "talk", "duration": 60, "track": "caption", "start": 1, "end": 2.5, "text": "a dog runs"}
    return {key: value for key, value in {**row, **changes}.items() if value is not ...}


def read(*lines: dict[str, Any] | bytes) -> ImportBatch:
    return read_import([item if isinstance(item, bytes) else json.dumps(item).encode() for item in lines])


def reason(*lines: dict[str, Any] | bytes) -> str:
    (problem,) = read(*lines).problems
    return problem.error


def test_rows_become_videos_in_the_order_of_the_file() -> None:
    batch = read(
        line(video="b", start=5, end=6, text="second"),
        line(video="a", track="speech", language="eng", confidence=0.5, extra=[1]),
        line(video="b", text="first"),
    )
    second, first = batch.videos
    assert (second.name, [row.text for row in second.observations]) == ("b", ["first", "second"])
    (row,) = first.observations
    assert (row.track, row.span, row.text, row.language, row.confidence) == (
        "speech",
        Span(1, 2.5),
        "a dog runs",
        "en",
        0.5,
    )
    assert row.provenance.stage == "import"
    assert row.provenance.input_hash == first.content_hash
    assert batch.problems == ()


def test_duration_is_the_largest_given_or_the_last_end() -> None:
    assert read(line(duration=10), line(duration=30), line(duration=...)).videos[0].duration_seconds == 30
    assert read(line(duration=...), line(duration=None, start=7, end=9)).videos[0].duration_seconds == 9
    assert read(line(duration=..., start=7, end=7)).videos[0].duration_seconds == 7 + POINT_SECONDS


@pytest.mark.parametrize(
    ("start", "end", "span"),
    [
        (3, 3, Span(3, 3 + POINT_SECONDS)),
        (60, 60, Span(60 - POINT_SECONDS, 60)),
        (0, 0, Span(0, POINT_SECONDS)),
        (59, 60.9, Span(59, 60)),
        (60.2, 60.9, Span(60 - POINT_SECONDS, 60)),
        (-0.0, 1, Span(0, 1)),
    ],
)
def test_points_and_small_excess(start: float, end: float, span: Span) -> None:
    assert read(line(start=start, end=end)).videos[0].observations[0].span == span


def test_a_point_in_a_tiny_video_gets_all_of_it() -> None:
    assert read(line(duration=0.1, start=0.1, end=0.1)).videos[0].observations[0].span == Span(0, 0.1)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"text": ...}, "text is missing"),
        ({"text": " \u200b "}, "text is empty"),
        ({"text": 5}, "text is 5"),
        ({"text": "x" * 5000}, "5,000 characters; allowed: 4,096"),
        ({"start": ...}, "start is missing"),
        ({"start": "1"}, 'start is "1"'),
        ({"start": True}, "start is true"),
        ({"start": -1}, "start is -1"),
        ({"start": 9}, "end 2.5 is before start 9"),
        ({"end": 10**400}, "end is"),
        ({"end": 70}, "end 70 is after the video's end, 60 s"),
        ({"start": 80, "end": 80}, "end 80 is after"),
        ({"track": "Big Track"}, 'track is "Big Track"'),
        ({"track": ...}, "track is missing"),
        ({"duration": 0}, "duration is 0"),
        ({"duration": "long"}, 'duration is "long"'),
        ({"duration": 1e9}, "duration is 1000000000.0; allowed: seconds from 0 to 3,600,000"),
        ({"confidence": 2}, "confidence is 2"),
        ({"language": "en us"}, 'language is "en us"'),
        ({"language": ["en"]}, 'language is ["en"]'),
    ],
)
def test_bad_values_fail_their_video(change: dict[str, Any], expected: str) -> None:
    batch = read(line(), line(**change), line(video="other"))
    (problem,) = batch.problems
    assert problem.error.startswith("line 2: ")
    assert expected in problem.error
    assert (problem.video, problem.count) == ("talk", 1)
    assert problem.hint
    assert [video.name for video in batch.videos] == ["other"]


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        (b"hello", "not JSON"),
        (b'{"video": "talk", ', "not JSON"),
        (b"[1]", "a JSON list; allowed: an object"),
        (b"null", "a JSON NoneType"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"start": ' + b"9" * 5000 + b"}", "not JSON"),
        (b'{"start": NaN}', "NaN is not a number"),
        (b'{"end": -Infinity}', "-Infinity is not a number"),
        (b'{"track": "ocr"}', "video is missing"),
        (b'{"video": ""}', 'video is ""'),
        (b'{"video": 7}', "video is 7"),
        (b" " * 999_999 + b"{}", "longer than the 1,000,000 bytes"),
    ],
)
def test_lines_that_name_no_video_fail_none(bad: bytes, expected: str) -> None:
    batch = read(line(), bad)
    assert [video.name for video in batch.videos] == ["talk"]
    (problem,) = batch.problems
    assert problem.video == ""
    assert problem.error.startswith("line 2: ")
    assert expected in problem.error


def test_many_bad_lines_are_one_problem() -> None:
    batch = read(*[line(start=-1)] * 50, *[b"x"] * 50)
    assert [(problem.video, problem.count, len(problem.lines)) for problem in batch.problems] == [
        ("talk", 50, 20),
        ("", 50, 20),
    ]
    assert batch.problems[0].error.endswith("(and 49 more bad lines)")


def test_blank_lines_bom_and_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(
        b"\xef\xbb\xbf" + json.dumps(line()).encode() + b"\r\n\r\n  \n" + json.dumps(line(start=0)).encode()
    )
    assert len(read_import(path).videos[0].observations) == 2
    assert len(read_import(str(path)).videos[0].observations) == 2


def test_a_line_without_end_does_not_fill_memory_and_keeps_the_line_numbers(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"x" * 3_000_000 + b"\n" + json.dumps(line(start=-1)).encode() + b"\n")
    unnamed, talk = read_import(path).problems
    assert "longer than" in unnamed.error
    assert talk.error.startswith("line 2: ")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"gone\.jsonl: No such file") as caught:
        read_import(tmp_path / "gone.jsonl")
    assert "JSONL" in caught.value.hint
    with pytest.raises(UsageError, match="directory"):
        read_import(tmp_path)
    with pytest.raises(UsageError, match="null"):
        read_import("a\0b")


def test_the_hash_is_of_the_content_alone() -> None:
    one, two = line(), line(start=5, end=6)
    same = [read(one, two), read(dict(reversed(two.items())), {**one, "start": 1.0, "note": "x"})]
    assert len({batch.videos[0].content_hash for batch in same}) == 1
    changed: list[dict[str, Any]] = [
        {"text": "a cat runs"},
        {"end": 2.6},
        {"video": "other"},
        {"duration": 61},
        {"language": "en"},
        {"confidence": 0},
    ]
    hashes = {read({**one, **change}).videos[0].content_hash for change in changed}
    assert len(hashes | {read(one).videos[0].content_hash}) == len(changed) + 1


def test_text_and_names_are_made_safe() -> None:
    (video,) = read(line(video="my\u202e talk\n", text="red \x1b[31m\u202eline\ntwo\ud800")).videos
    assert (video.name, video.observations[0].text) == ("my talk", "red [31mline two")


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers()
    | st.text(max_size=10)
    | st.sampled_from([0, 1, 2.5, "ocr", "a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
KEYS = st.sampled_from(["video", "duration", "track", "start", "end", "text", "language", "confidence", "other"])
LINES = st.one_of(st.binary(max_size=60), st.dictionaries(KEYS, VALUES).map(lambda row: json.dumps(row).encode()))
GOOD = st.builds(
    lambda start, length, text, name: json.dumps(line(video=name, start=start, end=start + length, text=text)).encode(),
    *(st.floats(0, 70), st.floats(0, 3), st.text(max_size=5), st.sampled_from(["a", "b"])),
)


@given(st.lists(LINES | GOOD, max_size=12))
def test_any_lines_give_videos_or_reasons(lines: list[bytes]) -> None:
    batch = read_import(lines)
    failed = {problem.video for problem in batch.problems}
    assert all(0 < number <= len(lines) and why for problem in batch.problems for number, why in problem.lines)
    for video in batch.videos:
        assert video.name
        assert video.name not in failed
        assert video.observations
        assert all(row.span.end_seconds <= video.duration_seconds for row in video.observations)
