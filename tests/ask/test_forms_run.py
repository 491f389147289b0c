"""The program of every form runs over a real library: what a question is planned as can also be carried out."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from agentvid.graph import AskContext, ask
from agentvid.planners.base import PlanRequest
from agentvid.planners.exemplar import ExemplarPlanner, Form, load_bank
from agentvid.tools import load_tools, working_tools
from agentvid.tools.base import ToolContext
from agentvid.tools.program import check_program, run_program

BANK = load_bank()
NATURAL: dict[str, list[str]] = yaml.safe_load(Path(__file__).with_name("questions.yaml").read_text("utf-8"))
ToolsFor = Callable[..., ToolContext]


@pytest.mark.parametrize("form", BANK.forms, ids=lambda form: form.id)
def test_the_program_of_every_form_runs(tools_for: ToolsFor, form: Form) -> None:
    # The videos here last two minutes.
    question = re.sub(r"\b(?:[2-9]|\d\d):\d\d", "1:50", NATURAL[form.id][0]).replace("demo.mp4", "cook.mp4")
    tools = tools_for() if "cook.mp4" in question else tools_for("talk.mp4")
    choices = ("two chlorophyll", "one red goodbye") if form.takes_choices else ()
    made = ExemplarPlanner().plan(PlanRequest(question, choices, tuple(tools.scope.values()), working_tools(tools)))
    assert made.form_id == form.id
    outcome = run_program(check_program(made.program, load_tools()), tools).outcome
    assert f'kind="{outcome.kind}"' in form.program


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("Which is mentioned more often, chlorophyll or Rubisco?", "“chlorophyll”"),
        ("Which is mentioned less often, chlorophyll or Rubisco?", "“Rubisco”"),
        ("Is chlorophyll mentioned at least 2 times?", "Yes"),
        ("Is chlorophyll mentioned more than two times?", "No"),
        ("Is chlorophyll mentioned fewer than three times?", "Yes"),
        ("Is chlorophyll mentioned exactly two times?", "Yes"),
        ("Is goodbye mentioned in the last 30 seconds?", "Yes"),
        ("How many times is chlorophyll mentioned after 1:00?", "1"),
        ("Are both Rubisco and chlorophyll mentioned?", "Yes"),
        ("Are neither chlorophyll nor Rubisco mentioned?", "No"),
        ("Is there any speech?", "Yes: at"),
        ("How often does the word Calvin appear?", "1 in all"),
        ("What are the final words?", "Thank you for listening and goodbye."),
        ("What is on the screen at the end?", "The Calvin cycle"),
    ],
)
def test_a_form_answers_what_is_true(context_for: Callable[..., AskContext], question: str, told: str) -> None:
    answer = ask(question, context_for("talk.mp4"))
    assert told in answer.text


def test_where_two_are_mentioned_equally_often_neither_is_named(context_for: Callable[..., AskContext]) -> None:
    answer = ask("Which is mentioned more often, goodbye or Rubisco?", context_for("talk.mp4"))
    assert not answer.text.startswith(("“goodbye”", "“Rubisco”"))
