"""Query files and retrieval runs on a small library that is searched by words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from agentvid.config import Settings
from agentvid.errors import UsageError
from agentvid.evaluate.metrics import mean_scores, retrieval_scores
from agentvid.evaluate.queries import Asked, load_queries
from agentvid.evaluate.retrieval import retrieval_runs
from agentvid.evaluate.runs import compare_with_file, run_json, write_run
from agentvid.evaluate.types import part_of
from agentvid.library import Library
from agentvid.types import Span

ROWS = {
    "kitchen": ["we knead the dough", "the oven opens", "salt goes into the soup", "the timer rings"],
    "harbour": ["a red boat leaves", "gulls cry over the pier", "the anchor drops", "fog covers the water"],
    "lecture": ["a cipher needs a key", "never use a pad twice", "primes are everywhere", "questions at the end"],
}


def span_of(at: int) -> Span:
    """Rows lie 5 s apart: closer ones of a few words would share a passage."""
    return Span(15.0 * at, 15.0 * at + 10.0)


def write_lines(file: Path, documents: Sequence[Any]) -> Path:
    file.write_text("".join(json.dumps(document) + "\n" for document in documents), "utf-8")
    return file


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    folder = tmp_path_factory.mktemp("films")
    rows = [
        {"video": name, "duration": 60, "track": "caption", "text": text, **span_of(at).to_json()}
        for name, texts in ROWS.items()
        for at, text in enumerate(texts)
    ]
    settings = Settings(library=folder, cache=folder, embed=False, index="numpy")
    with Library.open(folder / "library", settings=settings) as opened:
        assert not opened.import_file(write_lines(folder / "rows.jsonl", rows)).failed
        yield opened


@pytest.fixture
def queries(tmp_path: Path) -> Path:
    """Every row asked for in its own words: what any search must find."""
    return write_lines(
        tmp_path / "queries.jsonl",
        [
            {"query": text, "video": name, **span_of(at).to_json()}
            for name, texts in ROWS.items()
            for at, text in enumerate(texts)
        ],
    )


def asked_of(library: Library, file: Path, **options: Any) -> list[Asked]:
    return load_queries(library, file, **options)


@pytest.mark.parametrize("is_single_video", [False, True])
def test_own_words_are_found_at_first_place(library: Library, queries: Path, is_single_video: bool) -> None:
    asked = asked_of(library, queries)
    runs = {
        run.name: run for run in retrieval_runs(library, asked, is_single_video=is_single_video, has_baselines=True)
    }
    assert list(runs)[:2] == ["fused", "lexical"]
    for name in ("fused", "lexical", "bm25 rows"):
        metrics = run_json(runs[name], asked, retrieval_scores)["metrics"]
        assert metrics["R@1/0.7"] == metrics["MRR"] == metrics["mIoU"] == 1
    assert len(runs["fused"].ms) == len(asked)
    assert run_json(runs["bm25 rows"], asked, retrieval_scores)["ms"] is None
    if is_single_video:
        for run in runs.values():
            for one, found in zip(asked, run.found, strict=True):
                assert {hit.video for hit in found} <= {one.video.name}


def test_a_channel_that_cannot_be_searched_is_refused(library: Library, queries: Path) -> None:
    with pytest.raises(UsageError, match=r"'dense'.*lexical"):
        list(retrieval_runs(library, asked_of(library, queries), channel="dense"))


def test_a_written_run_compares_equal_with_itself(library: Library, queries: Path, tmp_path: Path) -> None:
    asked = asked_of(library, queries)
    run = next(retrieval_runs(library, asked, channel="fused"))
    write_run(tmp_path / "run.jsonl", run, asked)
    comparison = compare_with_file(run, asked, tmp_path / "run.jsonl", retrieval_scores)
    assert comparison.matched == len(asked)
    for name, difference in comparison.differences.items():
        assert (difference.here, difference.low, difference.high) == (difference.there, 0, 0), name
    lines = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text().splitlines()]
    assert [line["query"] for line in lines] == [one.query.query for one in asked]
    assert lines[0].keys() == {"query", "video", "spans", "hits", "ms"}
    assert lines[0]["hits"][0].keys() == {"video", "start", "end", "score"}


def test_only_common_queries_are_compared_and_repeated_ones_apart(
    library: Library, queries: Path, tmp_path: Path
) -> None:
    asked = asked_of(library, queries)
    (run,) = retrieval_runs(library, [*asked, asked[0]], channel="fused")
    write_run(tmp_path / "run.jsonl", run, [*asked, asked[0]])
    fewer = [asked[0], asked[0], asked[0], asked[5]]
    (again,) = retrieval_runs(library, fewer, channel="fused")
    assert compare_with_file(again, fewer, tmp_path / "run.jsonl", retrieval_scores).matched == 3
    other = write_lines(
        tmp_path / "other.jsonl", [{"query": "else", "video": "kitchen", "spans": [[0, 1]], "hits": []}]
    )
    with pytest.raises(UsageError, match="none of these 4 queries"):
        compare_with_file(again, fewer, other, retrieval_scores)


def test_parts_are_the_whole_and_follow_the_video(library: Library, queries: Path) -> None:
    everything = asked_of(library, queries)
    by_part = {}
    for part in ("dev", "test"):
        names = {name for name in ROWS if part_of(name) == part}
        by_part[part] = asked_of(library, queries, part=part) if names else []
        assert {one.video.title for one in by_part[part]} == names
    assert len(by_part["dev"]) + len(by_part["test"]) == len(everything)


def test_limit_spreads_over_the_file(library: Library, queries: Path) -> None:
    assert [one.video.title for one in asked_of(library, queries, limit=3)] == list(ROWS)
    assert len(asked_of(library, queries, limit=1000)) == 12
    with pytest.raises(UsageError, match="limit 0"):
        asked_of(library, queries, limit=0)


def test_any_of_several_spans_is_right(library: Library, tmp_path: Path) -> None:
    line = {"query": "the oven opens", "video": "kitchen", "spans": [[45, 55], [15, 25]]}
    asked = asked_of(library, write_lines(tmp_path / "q.jsonl", [line]))
    (run,) = retrieval_runs(library, asked, channel="fused")
    assert mean_scores(run.scores(asked, retrieval_scores))["mIoU"] == 1


def test_names_resolve_as_in_other_commands(library: Library, tmp_path: Path) -> None:
    video = library.catalogue.find_video("harbour")
    lines = [{"query": "boat", "video": name, "start": 0, "end": 5} for name in ("harbour", video.id, video.id[:8])]
    asked = asked_of(library, write_lines(tmp_path / "q.jsonl", lines))
    assert {one.video.id for one in asked} == {video.id}


GOOD = {"query": "boat", "video": "harbour", "start": 0, "end": 5}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("not json", "not JSON"),
        ("[1, 2]", "not an object"),
        ("[" * 100_000, "not JSON"),
        (json.dumps(GOOD | {"query": " "}), "empty"),
        (json.dumps(GOOD | {"query": "x" * 10_001}), "10001"),
        (json.dumps(GOOD | {"query": 5}), "query"),
        (json.dumps(GOOD | {"start": 5}), "not before"),
        (json.dumps(GOOD | {"end": None}), "end is missing"),
        (json.dumps(GOOD | {"start": -1}), "start is not a time"),
        (json.dumps(GOOD | {"end": 10**400}), "end is not a time"),
        (json.dumps(GOOD | {"end": float("nan")}), "end is not a time"),
        (json.dumps(GOOD | {"end": True}), "end is not a time"),
        (json.dumps(GOOD | {"spans": []}), "spans"),
        (json.dumps(GOOD | {"spans": [[1]]}), "two numbers"),
        (json.dumps(GOOD | {"spans": [[2, 1]]}), "not before"),
        (json.dumps(GOOD | {"video": ""}), "video is no name"),
        (json.dumps(GOOD | {"video": "habour"}), "habour"),
        (json.dumps({"query": "boat", "start": 0, "end": 5}), "the library holds 3"),
    ],
)
def test_a_bad_line_is_named(library: Library, tmp_path: Path, line: str, says: str) -> None:
    file = tmp_path / "q.jsonl"
    file.write_text(f"{json.dumps(GOOD)}\n\n{line}\n", "utf-8")
    with pytest.raises(UsageError) as caught:
        load_queries(library, file)
    assert "line 3" in str(caught.value)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        "{}",
        '{"query": "boat", "video": "harbour"}',
        '{"query": "b", "video": "h", "hits": [{"video": "h"}]}',
        "nonsense",
    ],
)
def test_a_bad_line_of_a_run_is_named(library: Library, queries: Path, tmp_path: Path, line: str) -> None:
    asked = asked_of(library, queries, limit=1)
    (run,) = retrieval_runs(library, asked, channel="fused")
    (tmp_path / "run.jsonl").write_text(line + "\n", "utf-8")
    with pytest.raises(UsageError, match="line 1"):
        compare_with_file(run, asked, tmp_path / "run.jsonl", retrieval_scores)
