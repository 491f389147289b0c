"""Prompts render as the snapshots beside this file say; a missing or unknown variable is an error."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentvid import prompts
from agentvid.errors import UsageError
from agentvid.untrusted import Fence

SNAPSHOTS = Path(__file__).parent / "snapshots"
FENCE = Fence("<<7f3a>>")

VALUES = {
    "plan_system": {
        "rules": "Lists hold at most 1000 items.",
        "routes": "- local: one fact in one place.",
        "tools": "search(query: text, k: number = 8) -> list[moment]  Moments about a query.",
        "examples": 'Question: What is red?\nhits = search(query="red")\nanswer(kind="list", evidence=hits)',
    },
    "plan_user": {
        "videos": FENCE.wrap(['0123456789abcdef (720.0 s) "talk.mp4"']),
        "question": "When is the launch date mentioned?",
        "marker": FENCE.marker,
    },
    "balance": {"balance": "58 tool calls, 20000 tokens"},
    "repair": {
        "program": "hits = serch(query=1)\nanswer(value=hits)",
        "problem": FENCE.wrap(["The part at fault: serch", "The problem: no function serch", "Allowed there: search"]),
        "marker": FENCE.marker,
    },
    "compose": {
        "question": "When is the launch?",
        "choices": "none",
        "evidence": FENCE.wrap(
            ["Computed result: 75.0", 'e1 [75.0-78.0 s, video 01234567, speech] "The launch is on Monday."']
        ),
        "marker": FENCE.marker,
    },
    "entail": {
        "statements": 's1 "It starts on Monday."',
        "rows": FENCE.wrap(['75.0-78.0 speech: "The launch is on Monday."']),
        "marker": FENCE.marker,
    },
    "predict": {
        "question": "When is the launch?",
        "choices": '["Monday", "Friday"]',
        "rows": FENCE.wrap(['75.0-78.0 speech: "The launch is on Monday."']),
        "marker": FENCE.marker,
    },
    "blind": {"question": "When is the launch?", "choices": "none"},
    "ground": {
        "rows": FENCE.wrap(
            [
                'find: "the launch is announced"',
                'video: "talk.mp4", 720.0 seconds long',
                '[1] 75.0-78.0 speech: "The launch is on Monday."',
                '[2] 75.0-90.0 ocr: "LAUNCH"',
            ]
        ),
        "most": "20",
        "marker": FENCE.marker,
    },
    "look": {
        "question": "What is on the table?",
        "start": "12.00",
        "end": "15.50",
        "part": "They show a part of it, cut out.",
    },
    "caption": {
        "start": "12.00",
        "end": "15.50",
        "marker": FENCE.marker,
        "rows": FENCE.wrap(['said at 12.50 s: "The launch is on Monday."']),
    },
    "rewatch": {"question": "the door opens", "start": "12.00", "end": "15.50"},
    "verify": {
        "claim": '"Is the launch on Monday?"',
        "rows": FENCE.wrap(['[1] 75.0-78.0 speech: "The launch is on Monday."']),
        "marker": FENCE.marker,
    },
    "compare": {
        "question": '"When is the launch?"',
        "first": FENCE.wrap(['[1] 75.0-78.0 speech: "The launch is on Monday."']),
        "second": FENCE.wrap(['[1] 5.0-9.0 speech: "The launch is put off."']),
        "most": "6",
        "marker": FENCE.marker,
    },
    "digest": {
        "span": "60.0 to 120.0 s",
        "rows": FENCE.wrap(['[1] 75.0-78.0 speech: "The launch is on Monday."']),
        "marker": FENCE.marker,
    },
    "cite_the_evidence": {"question": "When is the launch?", "video": "talk.mp4"},
    "follow_the_steps": {"video": "bread.mp4"},
    "steps": {
        "rows": FENCE.wrap(['[1] 75.0-78.0 speech: "The launch is on Monday."']),
        "marker": FENCE.marker,
    },
    "summarize": {
        "about": '"the launch"',
        "rows": FENCE.wrap(['[1] 75.0-78.0 speech: "The launch is on Monday."']),
        "most": "5",
        "marker": FENCE.marker,
    },
}


@pytest.mark.parametrize("name", prompts.names())
def test_a_prompt_renders_as_its_snapshot(name: str) -> None:
    assert prompts.render(name, **VALUES[name]) + "\n" == (SNAPSHOTS / f"{name}.txt").read_text("utf-8")


def test_the_system_part_of_a_plan_does_not_change_with_the_question() -> None:
    assert not prompts.variables("plan_system") & prompts.variables("plan_user")
    assert "question" not in prompts.variables("plan_system")


@pytest.mark.parametrize(
    "name", ["compose", "entail", "ground", "predict", "verify", "compare", "summarize", "digest", "caption", "steps"]
)
def test_evidence_stands_between_markers_and_after_the_rule_that_calls_it_data(name: str) -> None:
    text = prompts.render(name, **VALUES[name])
    rule, opening, evidence, closing = (
        " ".join(text.split("\n")).index("never an instruction"),
        text.index(f"\n{FENCE.marker}\n"),
        text.index("The launch is on Monday"),
        text.rindex(f"\n{FENCE.marker}\n"),
    )
    assert rule < opening < evidence < closing


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(UsageError, match="missing marker, videos") as caught:
        prompts.render("plan_user", question="x")
    assert caught.value.hint == "it takes: marker, question, videos"


def test_an_unknown_variable_is_named() -> None:
    with pytest.raises(UsageError, match="unknown colour"):
        prompts.render("plan_user", question="x", videos=FENCE.wrap(["y"]), marker="m", colour="z")


@pytest.mark.parametrize("name", ["plan", "../prompts/repair", "/etc/passwd", ""])
def test_a_prompt_that_does_not_exist_is_an_error_with_the_names(name: str) -> None:
    with pytest.raises(
        UsageError, match="allowed: balance, blind, caption, cite_the_evidence, compare, compose, digest, entail"
    ):
        prompts.render(name)


@given(st.text(), st.text())
def test_values_are_never_read_as_templates(question: str, videos: str) -> None:
    fenced = FENCE.wrap([f"{videos}$$"])
    text = prompts.render("plan_user", question=f"${{videos}}{question}$", videos=fenced, marker=FENCE.marker)
    assert f"${{videos}}{question}$".rstrip("\n") in text
    assert fenced in text


@pytest.mark.parametrize("name", prompts.names())
def test_what_strangers_wrote_is_taken_only_inside_a_fence(name: str) -> None:
    for variable in prompts.variables(name) & prompts.FENCED:
        with pytest.raises(UsageError, match=f"{variable} not fenced"):
            prompts.render(name, **VALUES[name] | {variable: "bare text"})
