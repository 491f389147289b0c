"""Grounding runs: the tool as a program calls it, in the right video and in a wrong one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentvid.config import Settings
from agentvid.errors import UsageError
from agentvid.evaluate.grounding import DEPTH, grounding_runs, other_videos
from agentvid.evaluate.metrics import grounding_scores
from agentvid.evaluate.queries import Asked, load_queries
from agentvid.evaluate.runs import compare_with_file, run_json, write_run
from agentvid.library import Library
from agentvid.types import Video

ROWS = {
    "kitchen": ["knead dough", "oven opens", "salt soup"],
    "harbour": ["red boat leaves", "gulls cry", "anchor drops"],
}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    folder = tmp_path_factory.mktemp("films")
    rows = [
        {"video": name, "duration": 90, "track": "speech", "start": at * 30, "end": at * 30 + 6, "text": text}
        for name, texts in ROWS.items()
        for at, text in enumerate(texts)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    settings = Settings(library=folder, cache=folder, embed=False, index="numpy")
    with Library.open(folder / "library", settings=settings) as opened:
        assert not opened.import_file(folder / "rows.jsonl").failed
        yield opened


@pytest.fixture
def asked(library: Library, tmp_path: Path) -> list[Asked]:
    lines = [
        {"query": text, "video": name, "start": at * 30, "end": at * 30 + 6}
        for name, texts in ROWS.items()
        for at, text in enumerate(texts)
    ]
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return load_queries(library, tmp_path / "q.jsonl")


def test_own_words_are_found_and_strange_ones_are_not(library: Library, asked: list[Asked]) -> None:
    runs = {run.name: run for run in grounding_runs(library, asked, has_absent=True, has_baselines=True)}
    metrics = run_json(runs["ground"], asked, grounding_scores)["metrics"]
    assert (metrics["R@1/0.7"], metrics["mIoU"], metrics["empty"], metrics["rejected"]) == (1, 1, 0, 1)
    assert run_json(runs["bm25 rows"], asked, grounding_scores)["metrics"]["mIoU"] == 1
    assert "rejected" not in run_json(runs["bm25 rows"], asked, grounding_scores)["metrics"]
    assert all(len(found) <= DEPTH for run in runs.values() for found in run.found)
    assert all(one.video.name != absent.video for one, absent in zip(asked, runs["ground"].absent, strict=True))


def test_located_leaves_nothing_out(library: Library, tmp_path: Path) -> None:
    name, texts = next(iter(ROWS.items()))
    file = tmp_path / "q.jsonl"
    file.write_text(
        json.dumps({"query": f"{texts[0]} near purple submarines sinking", "video": name, "start": 0, "end": 6})
    )
    asked = load_queries(library, file)
    runs = {run.name: run for run in grounding_runs(library, asked, has_baselines=True)}
    assert runs["ground"].found == ((),)
    assert run_json(runs["located"], asked, grounding_scores)["metrics"]["mIoU"] == 1


def test_a_written_run_keeps_what_was_absent(library: Library, asked: list[Asked], tmp_path: Path) -> None:
    (with_absent,) = grounding_runs(library, asked, has_absent=True)
    (without,) = grounding_runs(library, asked)
    write_run(tmp_path / "with.jsonl", with_absent, asked)
    write_run(tmp_path / "without.jsonl", without, asked)
    same = compare_with_file(with_absent, asked, tmp_path / "with.jsonl", grounding_scores)
    assert same.differences["rejected"].p == 1
    mixed = compare_with_file(with_absent, asked, tmp_path / "without.jsonl", grounding_scores)
    assert "rejected" not in mixed.differences
    assert "mIoU" in mixed.differences


@given(st.sets(st.integers(0, 1000), min_size=2, max_size=30))
def test_every_video_gets_another_one_always_the_same(numbers: set[int]) -> None:
    videos = [Video(f"id{number}", f"hash{number}", f"film {number}", 10.0) for number in sorted(numbers)]
    others = other_videos(videos)
    assert all(others[video.id].id != video.id for video in videos)
    assert {other.id for other in others.values()} == {video.id for video in videos}
    assert other_videos([*reversed(videos), videos[0]]) == others


def test_one_video_has_no_other() -> None:
    with pytest.raises(UsageError, match="at least two videos"):
        other_videos([Video("id", "hash", "film", 10.0)] * 3)
