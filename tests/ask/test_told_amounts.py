"""How long, how hot, how much: what is said of it, rather than what is measured; who speaks; what is covered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentvid.errors import ToolError
from agentvid.graph import AskContext, ask
from agentvid.indexes.catalogue import Catalogue
from agentvid.tools.amounts import amounts
from agentvid.tools.base import ToolContext

ContextFor = Callable[..., AskContext]
KITCHEN = [
    ("speech", 0, 4, "Hello, my name is Marta Lind and this is my kitchen."),
    ("speech", 5, 9, "Here are the ingredients."),
    ("speech", 10, 14, "Flour, butter and two lemons."),
    ("speech", 20, 24, "Now take the onions."),
    ("speech", 24, 28, "Fry them for three to four minutes."),
    ("speech", 40, 44, "Bake the bread at 230 degrees for half an hour."),
    ("speech", 60, 64, "The bread smells good."),
    ("speech", 80, 84, "This pan costs 40 euros."),
]
HARBOUR = [
    ("speech", 0, 5, "The ferry leaves the pier."),
    ("speech", 20, 26, "We use Blender, a free software, for the animation."),
    ("ocr", 40, 44, "Filmed in Iceland"),
]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, import_video: Callable[..., None]) -> Iterator[Catalogue]:
    folder = tmp_path_factory.mktemp("told")
    with Catalogue.open(folder / "library") as opened:
        import_video(opened, folder / "rows.jsonl", {"kitchen.mp4": KITCHEN, "harbour.mp4": HARBOUR})
        yield opened


@pytest.mark.parametrize(
    ("question", "quote"),
    [
        ("How long do I fry them?", "Fry them for three to four minutes."),
        ("How long should I fry the onions?", "Fry them for three to four minutes."),
        ("How long should the bread bake?", "Bake the bread at 230 degrees for half an hour."),
        ("How long does the bread need to bake?", "Bake the bread at 230 degrees for half an hour."),
        ("At what temperature should I bake the bread?", "Bake the bread at 230 degrees for half an hour."),
        ("How much does the pan cost?", "This pan costs 40 euros."),
    ],
)
def test_the_amount_that_is_said_is_quoted(context_for: ContextFor, told: Catalogue, question: str, quote: str) -> None:
    answer = ask(question, context_for("kitchen.mp4", of=told))
    assert quote in answer.text
    assert "seconds" not in answer.text


def test_how_long_nobody_says_is_not_made_up(context_for: ContextFor, told: Catalogue) -> None:
    assert ask("How long should the ferry bake?", context_for("harbour.mp4", of=told)).abstained


def test_what_an_amount_is_of_may_be_said_right_before(tools_for: Callable[..., ToolContext], told: Catalogue) -> None:
    tools = tools_for("kitchen.mp4", of=told)
    (best, *_) = amounts(tools, query="fry the onions", of="time")
    assert (best.text, best.score) == ("Fry them for three to four minutes.", 1.0)
    with pytest.raises(ToolError, match="allowed: time, temperature, money, quantity"):
        amounts(tools, query="fry the onions", of="speed")


def test_who_introduces_herself_is_who_speaks(context_for: ContextFor, told: Catalogue) -> None:
    answer = ask("Who is the speaker?", context_for("kitchen.mp4", of=told))
    assert "Marta Lind" in answer.evidence[0].quote
    assert answer.text.endswith("Named by their own words: Marta Lind.")


def test_who_speaks_is_told_for_each_of_several_videos(context_for: ContextFor, told: Catalogue) -> None:
    answer = ask("Who is the speaker?", context_for(of=told))
    assert [item.quote for item in answer.evidence] == [KITCHEN[0][3]]
    assert "Named: Marta Lind in kitchen.mp4; 1 further with speech" in answer.text
    assert ask("Who is talking?", context_for("harbour.mp4", of=told)).confidence <= 0.2


def test_nobody_is_called_ok(
    tmp_path: Path, import_video: Callable[..., None], context_for: Callable[..., AskContext]
) -> None:
    with Catalogue.open(tmp_path / "library") as catalogue:
        rows = {"fall.mp4": [("speech", 0, 2, "I'm Ok.")], "sea.mp4": [("speech", 0, 2, "The sea is calm.")]}
        import_video(catalogue, tmp_path / "rows.jsonl", rows)
        answer = ask("Who is the speaker?", context_for(of=catalogue))
    assert answer.abstained
    assert "no row names who speaks" in answer.text


@pytest.mark.parametrize("question", ["Where was this filmed?", "where was the film shot"])
def test_where_it_was_filmed_is_quoted_where_it_is_told(
    context_for: ContextFor, told: Catalogue, question: str
) -> None:
    assert "Filmed in Iceland" in ask(question, context_for(of=told)).text
    assert ask(question, context_for("kitchen.mp4", of=told)).abstained


def test_which_videos_have_subtitles_is_told_where_several_are_asked(context_for: ContextFor, told: Catalogue) -> None:
    assert ask("Is there any text?", context_for(of=told)).text.startswith("1 of 2 videos: harbour.mp4")


def test_words_that_only_repeat_the_question_are_followed_by_what_comes_next(
    context_for: ContextFor, told: Catalogue
) -> None:
    assert "Flour, butter and two lemons." in ask("What are the ingredients?", context_for("kitchen.mp4", of=told)).text


@pytest.mark.parametrize(
    ("question", "quote"),
    [("What software is used?", "We use Blender"), ("Where was this filmed?", "Filmed in Iceland")],
)
def test_a_row_that_names_it_is_found_and_nothing_is_made_up(
    context_for: ContextFor, told: Catalogue, question: str, quote: str
) -> None:
    assert quote in ask(question, context_for("harbour.mp4", of=told)).text
    assert ask(question, context_for("kitchen.mp4", of=told)).abstained


def test_topics_are_chapters_with_their_spans(context_for: ContextFor, told: Catalogue) -> None:
    answer = ask("What topics are covered?", context_for(of=told))
    assert {item.video for item in answer.evidence} == {"kitchen.mp4", "harbour.mp4"}
    assert "Of 2 videos 2 are told of" in answer.text
    spans = {
        (part.span.start_seconds, part.span.end_seconds)
        for video in told.videos()
        for part in told.sections(video.id)
        if part.level == "chapter"
    }
    assert {(item.span.start_seconds, item.span.end_seconds) for item in answer.evidence} <= spans
