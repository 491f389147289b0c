"""Options that name events are put on the time line: when each is first told, and which sequence is the true one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agentvid.errors import ToolError
from agentvid.tools import load_tools
from agentvid.tools.base import ToolContext
from agentvid.tools.choose import MAX_OPTIONS, score_options
from agentvid.tools.option_times import NEVER_SECONDS, events_of, first_seconds, score_orders
from agentvid.tools.program.builtins import number_in, seconds_in
from agentvid.types import Moment, Span

ToolsFor = Callable[..., ToolContext]


def test_each_text_has_the_second_where_it_is_first_told(tools_for: ToolsFor) -> None:
    texts = ["goodbye", "chlorophyll", "the Calvin cycle"]
    assert first_seconds(tools_for("talk.mp4"), texts=texts) == [110, 12, 30]


def test_the_words_themselves_come_before_what_only_resembles_them(tools_for: ToolsFor) -> None:
    """ "carbon dioxide" is told at 30 and 48, "captures carbon dioxide" only at 48."""
    assert first_seconds(tools_for("talk.mp4"), texts=["carbon dioxide", "captures carbon dioxide"]) == [30, 48]


def test_what_is_told_nowhere_comes_last_or_where_the_program_says(tools_for: ToolsFor) -> None:
    tools = tools_for("cook.mp4")
    assert first_seconds(tools, texts=["zeppelin"]) == [NEVER_SECONDS]
    assert first_seconds(tools, texts=["zeppelin"], otherwise=-1) == [-1]


def test_only_the_stretch_that_is_asked_about_counts(tools_for: ToolsFor) -> None:
    tools = tools_for("talk.mp4")
    (video_id,) = tools.scope
    late = Moment(video_id, Span(60, 120))
    assert first_seconds(tools, texts=["chlorophyll"], within=late) == [90]


def test_the_order_in_which_things_are_told_scores_best(tools_for: ToolsFor) -> None:
    options = ["goodbye, Rubisco, chlorophyll", "chlorophyll, Rubisco, goodbye", "Rubisco, chlorophyll, goodbye"]
    scores = score_orders(tools_for("talk.mp4"), options=options)
    assert scores == [0, 1, 0.5]


def test_moments_of_two_videos_are_in_no_order(tools_for: ToolsFor) -> None:
    assert score_orders(tools_for(), options=["rye flour, goodbye", "goodbye, rye flour"]) == [0, 0]


@pytest.mark.parametrize(
    "option",
    [
        "goal, whistle, song",
        "goal -> whistle → song",
        "First goal, then whistle, then song.",
        "goal; whistle/song",
    ],
)
def test_a_sequence_is_read_however_it_is_written(option: str) -> None:
    assert events_of(option) == ["goal", "whistle", "song"]


@pytest.mark.parametrize("many", [0, MAX_OPTIONS + 1])
def test_too_few_or_too_many_are_refused(tools_for: ToolsFor, many: int) -> None:
    with pytest.raises(ToolError, match="allowed"):
        first_seconds(tools_for(), texts=["x"] * many)
    with pytest.raises(ToolError, match="allowed"):
        score_orders(tools_for(), options=["x, y"] * many)


def test_programs_can_call_them() -> None:
    tools = load_tools()
    assert tools["first_seconds"].returns == tools["score_orders"].returns == "list[number]"


def test_evidence_near_the_moment_that_is_asked_about_counts_more(tools_for: ToolsFor) -> None:
    tools = tools_for("talk.mp4")
    (video_id,) = tools.scope
    options = ["chlorophyll", "Rubisco"]
    early = score_options(tools, question="What?", options=options, near=Moment(video_id, Span(10, 20)))
    late = score_options(tools, question="What?", options=options, near=Moment(video_id, Span(46, 56)))
    assert early[0] > late[0]
    assert early[1] < late[1]


@pytest.mark.parametrize(
    ("text", "number"),
    [("3", 3), ("three times", 3), ("Twice", 2), ("1,200 people", 1200), ("2.5 m", 2.5), ("none", 0), ("a dog", None)],
)
def test_options_are_read_as_numbers(text: str, number: float | None) -> None:
    assert number_in(text) == number


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1:15", 75),
        ("at 1:01:15", 3675),
        ("75 s", 75),
        ("two minutes", 120),
        ("1 min 5 s", 65),
        ("12", 12),
        ("x", None),
    ],
)
def test_options_are_read_as_times(text: str, seconds: float | None) -> None:
    assert seconds_in(text) == seconds
