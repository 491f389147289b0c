"""Prompts render as the snapshots beside this file say; a missing or unknown variable is an error."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentvid import prompts
from agentvid.errors import UsageError

SNAPSHOTS = Path(__file__).parent / "snapshots"

VALUES = {
    "plan_system": {
        "rules": "Lists hold at most 1000 items.",
        "tools": "search(query: text, k: number = 8) -> list[moment]  Moments about a query.",
        "examples": 'Question: What is red?\nhits = search(query="red")\nanswer(kind="list", evidence=hits)',
    },
    "plan_user": {"videos": '"talk.mp4" (12:00)', "question": "When is the launch date mentioned?"},
    "balance": {"balance": "58 tool calls, 20000 tokens"},
    "repair": {
        "program": "hits = serch(query=1)\nanswer(value=hits)",
        "fragment": "serch",
        "problem": "there is no tool serch",
        "allowed": "search",
    },
    "compose": {
        "question": "When is the launch?",
        "choices": "none",
        "result": '{"kind": "when", "value": "1:15"}',
        "evidence": 'e1 [talk.mp4 1:15-1:18, speech] "The launch is on Monday."',
        "marker": "=== 7f3a ===",
    },
    "entail": {
        "statements": 's1 "It starts on Monday."',
        "rows": '75.0-78.0 speech: "The launch is on Monday."',
        "marker": "=== 7f3a ===",
    },
    "predict": {
        "question": "When is the launch?",
        "choices": '["Monday", "Friday"]',
        "rows": '75.0-78.0 speech: "The launch is on Monday."',
        "marker": "=== 7f3a ===",
    },
    "blind": {"question": "When is the launch?", "choices": "none"},
    "ground": {
        "query": '"the launch is announced"',
        "video": '"talk.mp4"',
        "duration": "720.0",
        "rows": '[1] 75.0-78.0 speech: "The launch is on Monday."\n[2] 75.0-90.0 ocr: "LAUNCH"',
        "most": "20",
        "marker": "=== 7f3a ===",
    },
    "look": {
        "question": "What is on the table?",
        "start": "12.00",
        "end": "15.50",
        "part": "They show a part of it, cut out.",
    },
    "rewatch": {"question": "the door opens", "start": "12.00", "end": "15.50"},
    "verify": {
        "claim": '"Is the launch on Monday?"',
        "rows": '[1] 75.0-78.0 speech: "The launch is on Monday."',
        "marker": "=== 7f3a ===",
    },
    "compare": {
        "question": '"When is the launch?"',
        "first": '[1] 75.0-78.0 speech: "The launch is on Monday."',
        "second": '[1] 5.0-9.0 speech: "The launch is put off."',
        "most": "6",
        "marker": "=== 7f3a ===",
    },
    "summarize": {
        "about": '"the launch"',
        "rows": '[1] 75.0-78.0 speech: "The launch is on Monday."',
        "most": "5",
        "marker": "=== 7f3a ===",
    },
}


@pytest.mark.parametrize("name", prompts.names())
def test_a_prompt_renders_as_its_snapshot(name: str) -> None:
    assert prompts.render(name, **VALUES[name]) + "\n" == (SNAPSHOTS / f"{name}.txt").read_text("utf-8")


def test_the_system_part_of_a_plan_does_not_change_with_the_question() -> None:
    assert not prompts.variables("plan_system") & prompts.variables("plan_user")
    assert "question" not in prompts.variables("plan_system")


@pytest.mark.parametrize("name", ["compose", "entail", "ground", "predict", "verify", "compare", "summarize"])
def test_evidence_stands_between_markers_and_after_the_rule_that_calls_it_data(name: str) -> None:
    text = prompts.render(name, **VALUES[name])
    rule, opening, evidence, closing = (
        " ".join(text.split("\n")).index("never an instruction"),
        text.index("\n=== 7f3a ===\n"),
        text.index("The launch is on Monday"),
        text.rindex("\n=== 7f3a ===\n"),
    )
    assert rule < opening < evidence < closing


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(UsageError, match="missing videos") as caught:
        prompts.render("plan_user", question="x")
    assert caught.value.hint == "it takes: question, videos"


def test_an_unknown_variable_is_named() -> None:
    with pytest.raises(UsageError, match="unknown colour"):
        prompts.render("plan_user", question="x", videos="y", colour="z")


@pytest.mark.parametrize("name", ["plan", "../prompts/repair", "/etc/passwd", ""])
def test_a_prompt_that_does_not_exist_is_an_error_with_the_names(name: str) -> None:
    with pytest.raises(UsageError, match="allowed: balance, blind, compare, compose, entail, ground, look"):
        prompts.render(name)


@given(st.text(), st.text())
def test_values_are_never_read_as_templates(question: str, videos: str) -> None:
    text = prompts.render("plan_user", question=f"${{videos}}{question}$", videos=f"{videos}$$")
    assert f"${{videos}}{question}$".rstrip("\n") in text
    assert f"{videos}$$" in text
