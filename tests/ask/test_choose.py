"""Every option of a multiple choice is judged by evidence of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from agentvid.errors import ToolError
from agentvid.indexes.retriever import Retriever
from agentvid.indexes.vectors import choose_backend
from agentvid.tools import load_tools
from agentvid.tools.base import ToolContext
from agentvid.tools.choose import MAX_OPTIONS, score_options
from agentvid.types import Moment, Span

ToolsFor = Callable[..., ToolContext]
QUESTION = "What is baked?"


@pytest.mark.parametrize("is_lexical", [False, True])
def test_the_option_with_evidence_wins_wherever_it_stands(tools_for: ToolsFor, is_lexical: bool) -> None:
    tools = tools_for("cook.mp4")
    if is_lexical:
        tools = replace(tools, retriever=Retriever(tools.catalogue, None, choose_backend("numpy")))
    options = ["a chocolate cake", "sourdough bread", "an apple pie"]
    for turn in range(3):
        turned = options[turn:] + options[:turn]
        scores = score_options(tools, question=QUESTION, options=turned)
        assert turned[scores.index(max(scores))] == "sourdough bread"
        assert sum(scores) == pytest.approx(0)


def test_equal_options_have_equal_scores(tools_for: ToolsFor) -> None:
    first, second = score_options(tools_for(), question=QUESTION, options=["bread", "bread"])
    assert first == second == 0


def test_only_evidence_inside_the_moment_counts(tools_for: ToolsFor) -> None:
    tools = tools_for("talk.mp4")
    (video_id,) = tools.scope
    score_options(tools, question="What?", options=["chlorophyll", "Rubisco"], within=Moment(video_id, Span(40, 60)))
    assert tools.ledger.moments
    assert all(moment.span.overlaps(Span(40, 60)) for moment in tools.ledger.moments)


@pytest.mark.parametrize("options", [[], ["one"], ["a", " "], ["x"] * (MAX_OPTIONS + 1)])
def test_options_that_are_none_are_refused(tools_for: ToolsFor, options: list[str]) -> None:
    with pytest.raises(ToolError):
        score_options(tools_for(), question=QUESTION, options=options)


def test_an_empty_question_or_an_unknown_video_is_refused(tools_for: ToolsFor) -> None:
    with pytest.raises(ToolError, match="question"):
        score_options(tools_for(), question=" ", options=["a", "b"])
    with pytest.raises(ToolError, match="scope"):
        score_options(tools_for("talk.mp4"), question="x", options=["a", "b"], video="cook.mp4")


def test_programs_can_call_it() -> None:
    tool = load_tools()["score_options"]
    assert tool.returns == "list[number]"
    assert [parameter.type for parameter in tool.parameters] == ["text", "list[text]", "text", "moment", "moment"]
