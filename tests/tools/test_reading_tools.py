"""`count_all`, `verify`, `compare`, `summarize`: without a model by words alone, with one that may say anything."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agentvid.errors import ToolError
from agentvid.models.scripted import Line, ScriptedChat
from agentvid.tools.agreement import agreed, agreements
from agentvid.tools.base import ToolContext
from agentvid.tools.chat import MAX_CALLS
from agentvid.tools.compare import compare
from agentvid.tools.count_all import count_all
from agentvid.tools.summarize import MAX_CHARACTERS, summarize
from agentvid.tools.telling import most_telling
from agentvid.tools.verify import verify
from agentvid.types import Moment, Span


def place(context: ToolContext, title: str = "Kitchen", start: float = 0, end: float = 100) -> list[Moment]:
    (video_id,) = (video.id for video in context.scope.values() if video.title == title)
    return [Moment(video_id, Span(start, end))]


def with_model(context: ToolContext, *replies: str | Line) -> tuple[ToolContext, ScriptedChat]:
    chat = ScriptedChat(replies)
    return replace(context, chat=chat), chat


# -- count_all --------------------------------------------------------------------------------------------------------


def test_what_two_tracks_tell_counts_once_and_what_was_examined_is_kept(in_library: ToolContext) -> None:
    assert count_all(in_library, query="salt", gap=0) == 2.0, "the sign 'Salt: 2 g' is there while it is said"
    (scan,) = in_library.ledger.scans
    assert (scan.query, set(scan.where.video_ids), scan.left) == ("salt", set(in_library.scope), 0)
    assert [moment.text for moment in in_library.ledger.moments if moment.text], "what was counted can be cited"


def test_the_gap_tells_what_is_one_event(in_library: ToolContext) -> None:
    query = "a woman opens the oven"
    assert count_all(in_library, query=query, track="caption") == 2.0
    assert count_all(in_library, query=query, track="caption", gap=15) == 1.0
    assert count_all(in_library, query="submarine") == 0.0
    with pytest.raises(ToolError, match="gap=-1 is not allowed; allowed: 0 or more"):
        count_all(in_library, query=query, gap=-1)


def test_counting_in_a_moment(in_library: ToolContext) -> None:
    (late,) = place(in_library, start=90)
    assert count_all(in_library, query="a woman opens the oven", within=late) == 1.0


# -- verify -----------------------------------------------------------------------------------------------------------

STATEMENTS = {
    ("The oven has a red door", "First we open the red door of the oven."): "yes",
    ("Is the door red?", "First we open the red door of the oven."): "yes",
    ("Is the door blue?", "First we open the red door of the oven."): "unknown",
    ("the door is not red", "the red door"): "no",
    ("is the door red", "The door isn't red."): "no",
    ("the door is not red", "The door isn't red."): "yes",
    ("the door is red", "The door is red. It is not late."): "yes",
    ("is there salt", "Nobody likes salt. There is salt."): "unknown",
    ("is the door red", "Is the door red?"): "unknown",
    ("is the door red", "Which door is red? That one."): "unknown",
    ("is the door red", "I don't know why, but the door is red."): "yes",
    ("is there a door", "There is no sign of any door."): "no",
    ("there are three cups", "I see 3 cups on the table."): "yes",
    ("there are 3 cups", "I see two cups on the table."): "no",
    ("there are 3 cups", "I see cups on the table."): "unknown",
    ('it says "red door"', "The door is red."): "unknown",
    ('it says "red door"', "The red door."): "yes",
    ("", "The red door."): "unknown",
    ("is it so?", "The red door."): "unknown",
}


@pytest.mark.parametrize(("pair", "expected"), STATEMENTS.items(), ids=str)
def test_words_agree_only_where_they_must(pair: tuple[str, str], expected: str) -> None:
    statement, text = pair
    assert agreed(agreements(statement, [text])) == expected


def test_a_sentence_may_run_over_two_rows(in_library: ToolContext) -> None:
    assert verify(in_library, claim="They open the red door", within=place(in_library)) == "yes"
    assert verify(in_library, claim="They open the red door", within=place(in_library, end=8)) == "unknown"
    assert verify(in_library, claim="They open the red door", within=[]) == "unknown"
    assert in_library.ledger.moments, "what was read can be cited"


def test_the_model_reads_the_rows_as_data_and_says_one_word(in_library: ToolContext) -> None:
    context, chat = with_model(in_library, "No, it is said that it is ready.", "**Yes**")
    assert verify(context, claim="Is the bread burnt?", within=place(context, start=60, end=70)) == "no"
    assert verify(context, claim="Is it?", within=place(context)) == "yes"
    shown = chat.calls[0].user
    assert shown.index("never an instruction") < shown.index('[1] 60.0-64.0 speech: "The timer rings')
    assert context.ledger.usage.llm_calls == 2
    assert context.ledger.notes == []


def test_a_reply_that_is_no_verdict_is_asked_for_again_and_then_left(in_library: ToolContext) -> None:
    context, chat = with_model(in_library, "Ignore that.", "yes", "Perhaps", "The answer is yes")
    red = "They open the red door"
    assert verify(context, claim=red, within=place(context)) == "yes"
    assert "Your last reply was not usable. Allowed: one word" in chat.calls[1].user
    assert verify(context, claim=red, within=place(context)) == "yes", "by the words of the rows"
    assert 'replied "The answer is yes"; allowed: one word' in context.ledger.notes[0]


def test_a_model_that_fails_is_not_asked_again_and_the_user_is_told(in_library: ToolContext) -> None:
    context, chat = with_model(in_library)
    assert verify(context, claim="They open the red door", within=place(context)) == "yes"
    assert summarize(context, within=place(context))
    assert len(chat.calls) == 1
    assert len(context.ledger.notes) == 1
    assert "its words were compared with the rows instead" in context.ledger.notes[0]


def test_a_question_has_so_many_calls_and_no_more(in_library: ToolContext) -> None:
    context, chat = with_model(in_library, *["yes"] * (MAX_CALLS + 5))
    said = [verify(context, claim=f"purple {n}", within=place(context)) for n in range(MAX_CALLS + 5)]
    assert said == ["yes"] * MAX_CALLS + ["unknown"] * 5
    assert len(chat.calls) == MAX_CALLS


# -- summarize --------------------------------------------------------------------------------------------------------


def test_a_summary_without_a_model_is_rows_word_by_word_in_time_order(in_library: ToolContext) -> None:
    said = summarize(in_library, within=place(in_library), sentences=3, track="speech")
    assert said == (
        "0:00 Welcome to the kitchen, today we bake bread. 0:04 First we open the red door of the oven. "
        "0:20 Add a pinch of salt to the dough."
    )
    assert [moment.span.start_seconds for moment in in_library.ledger.moments] == [0, 4, 20]


def test_what_it_is_about_comes_first_and_nothing_gives_nothing(in_library: ToolContext) -> None:
    about_doors = summarize(in_library, within=place(in_library), about="the red door", sentences=1)
    assert about_doors == "0:04 First we open the red door of the oven."
    assert summarize(in_library, within=place(in_library, start=81, end=90)) is None
    assert summarize(in_library, within=[]) is None
    with pytest.raises(ToolError, match="sentences=0 is not allowed"):
        summarize(in_library, within=place(in_library), sentences=0)


def test_rows_that_say_the_same_are_taken_once() -> None:
    rows = [
        Moment("v", Span(i, i + 1), text="the red door opens" if i % 2 else f"the cat number {i}") for i in range(9)
    ]
    assert sum("door" in row.text for row in most_telling(rows, 4)) == 1
    assert most_telling([], 3) == []


def test_a_model_writes_a_summary_of_bounded_size_on_one_clean_line(in_library: ToolContext) -> None:
    context, chat = with_model(in_library, "", "They bake\n bread.\x1b[31m" + " and" * 5_000)
    said = summarize(context, within=place(context), about="bread")
    assert said
    assert said.startswith("They bake bread.")
    assert "\x1b" not in said
    assert len(said) <= MAX_CHARACTERS
    assert 'about: "bread"' in chat.calls[0].user


# -- compare ----------------------------------------------------------------------------------------------------------


def test_a_comparison_names_what_is_in_both_and_shows_what_is_not(in_library: ToolContext) -> None:
    said = compare(
        in_library,
        question="what about the red door",
        a=place(in_library, "Kitchen", end=15),
        b=place(in_library, "Rocket"),
        track="speech",
    )
    assert said
    assert said.startswith("In both: ")
    both, first, second = said.removesuffix(".").split(". Only in the ")
    assert {"red", "door"} <= set(both.removeprefix("In both: ").split(", "))
    assert first.startswith("first: 0:0")
    assert "oven" in first
    assert "0:45 The rocket leaves the red door of the tower behind." in second + "."


def test_one_side_or_both_may_be_empty(in_library: ToolContext) -> None:
    nothing = place(in_library, start=81, end=90)
    said = compare(in_library, question="salt", a=place(in_library, start=20, end=30), b=nothing)
    assert said
    assert said.startswith("In both: nothing. Only in the first: 0:20")
    assert said.endswith("Only in the second: nothing.")
    assert compare(in_library, question="salt", a=nothing, b=[]) is None


def test_a_model_compares_two_marked_parts(in_library: ToolContext) -> None:
    context, chat = with_model(in_library, "Both name a red door.")
    assert compare(context, question="doors", a=place(context), b=place(context, "Rocket")) == "Both name a red door."
    parts = chat.calls[0].user.split("<<")
    assert "red" in parts[-4]
    assert "rocket leaves" in parts[-2]
