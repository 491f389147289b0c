"""Chapters through the doors: kept with their video, shown, searched, asked for, and gone with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentvid import Library
from agentvid.config import Settings
from agentvid.errors import UsageError
from agentvid.types import Level

TOPICS = {
    "baking": ("Knead the dough with flour.", "The oven bakes the bread.", "Yeast makes the loaf rise."),
    "sailing": ("Hoist the sail in the wind.", "The boat heels over.", "An anchor holds the hull."),
    "chess": ("The knight forks the queen.", "Castle to save the king.", "The bishop is pinned."),
}
TOLD = ("baking",) * 9 + ("sailing",) * 7 + ("chess",) * 8


@pytest.fixture
def library(tmp_path: Path) -> Library:
    def line(video: str, at: int, text: str, end: int) -> str:
        row = {"video": video, "duration": end * 20.0, "track": "speech", "text": text}
        return json.dumps(row | {"start": at * 20.0, "end": at * 20.0 + 19})

    rows = [line("club night", at, TOPICS[topic][at % 3], len(TOLD)) for at, topic in enumerate(TOLD)]
    rows += [line("kitchen", at, TOPICS["baking"][at % 3], 4) for at in range(4)]
    library = Library.open(tmp_path / "library")
    library.import_file([row.encode() for row in rows])
    return library


def test_chapters_are_kept_with_their_video_and_go_with_it(library: Library) -> None:
    shown = library.describe_video("club night")["sections"]
    assert [part["level"] for part in shown][-1] == "video"
    assert {179.0, 319.0} <= {part["end"] for part in shown}
    video = library.remove("club night")
    assert library.catalogue.sections(video.id) == []


@pytest.mark.parametrize(
    ("query", "start", "end"), [("hoisting a sail", 180, 320), ("a knight takes the queen", 320, 480)]
)
def test_search_finds_the_chapter_that_tells_of_it(library: Library, query: str, start: float, end: float) -> None:
    hits = library.search(query, k=3, level="chapter")
    best = hits[0]
    assert (best.video, best.moment.track) == ("club night", "chapter")
    assert best.moment.span.start_seconds >= start - 1
    assert best.moment.span.end_seconds <= end
    places = [(hit.video, hit.moment.span) for hit in hits]
    assert len(places) == len(set(places))
    scores = [hit.moment.score for hit in hits]
    assert scores == sorted(scores, reverse=True)


def test_search_finds_each_video_once(library: Library) -> None:
    found = library.search("bread dough", level="video")
    assert sorted(hit.video for hit in found) == ["club night", "kitchen"]
    assert library.search("bread dough", level="video", videos=["kitchen"])[0].video == "kitchen"


def test_an_unknown_level_is_refused(library: Library) -> None:
    level: Level = "scene"  # type: ignore[assignment]
    with pytest.raises(UsageError, match=r"'scene' is not allowed; allowed: chapter, video"):
        library.search("bread", level=level)


def test_the_chapters_are_answered_with_a_quote_of_each(library: Library) -> None:
    answer = library.ask("List the chapters", videos=["club night"])
    chapters = [part for part in library.describe_video("club night")["sections"] if part["level"] == "chapter"]
    assert not answer.abstained
    assert len(answer.claims) == len(chapters)
    for item, chapter in zip(answer.evidence, chapters, strict=True):
        assert item.span.start_seconds >= chapter["start"]
        assert item.span.end_seconds <= chapter["end"]


def test_a_model_tells_of_the_chapters_in_its_own_words(tmp_path: Path) -> None:
    script = tmp_path / "replies.json"
    script.write_text(json.dumps(["Bread\nSomebody bakes.", "All of it\nA kitchen."]))
    settings = Settings(library=tmp_path / "library", digests="model", model=f"scripted:{script}")
    with Library.open(settings.library, settings=settings) as library:
        row = {"video": "kitchen", "duration": 40, "track": "speech", "start": 0, "end": 20, "text": "Knead the dough."}
        report = library.import_file([json.dumps(row).encode()])
        chapter, whole = library.describe_video("kitchen")["sections"]
    assert report.warnings == []
    assert (chapter["title"], chapter["text"], chapter["model"]) == ("Bread", "Somebody bakes.", settings.model)
    assert (whole["title"], whole["text"]) == ("All of it", "A kitchen.")


def test_digests_by_a_model_need_one(tmp_path: Path) -> None:
    settings = Settings(library=tmp_path / "library", digests="model")
    with (
        Library.open(settings.library, settings=settings) as library,
        pytest.raises(UsageError, match="needs a model and none is chosen"),
    ):
        library.import_file([b'{"video": "v", "duration": 9, "track": "speech", "start": 0, "end": 2, "text": "x"}'])
