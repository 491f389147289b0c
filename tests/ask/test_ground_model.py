"""What the model calls of `ground` cost, and what went wrong with them, is in the answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from agentvid.graph import AskContext, ask
from agentvid.models.scripted import ScriptedChat

QUESTION = "When does the farmer water the tomato field?"


def test_calls_of_tools_are_counted(context_for: Callable[..., AskContext]) -> None:
    context = context_for("talk.mp4")
    chat = ScriptedChat(["70-78 3"])
    answer = ask(QUESTION, replace(context, tools=replace(context.tools, chat=chat)))
    assert not answer.abstained
    assert answer.evidence[0].span.start_seconds == 70
    assert (answer.usage.llm_calls, answer.usage.output_tokens) == (1, 2)
    assert not any(line.startswith("ground:") for line in answer.coverage.missing)


def test_a_failure_is_told_in_the_coverage(context_for: Callable[..., AskContext]) -> None:
    context = context_for("talk.mp4")
    answer = ask(QUESTION, replace(context, tools=replace(context.tools, chat=ScriptedChat([]))))
    assert not answer.abstained
    assert any(line.startswith("ground: scripted: call 1 has no reply") for line in answer.coverage.missing)
