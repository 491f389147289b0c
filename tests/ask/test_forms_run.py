"""The program of every form runs over a real library: what a question is planned as can also be carried out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from agentvid.config import Settings
from agentvid.graph import AskContext, ask
from agentvid.importer import read_import
from agentvid.indexes.catalogue import Catalogue
from agentvid.ingest import Pipeline, import_fingerprint, ingest_import
from agentvid.models.scripted import HashEmbedder
from agentvid.planners.bank import Form, load_bank
from agentvid.planners.base import PlanRequest
from agentvid.planners.exemplar import ExemplarPlanner
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


def test_a_row_of_under_a_second_has_a_time_that_can_be_seen(
    tmp_path: Path, import_video: Callable[..., None], context_for: Callable[..., AskContext]
) -> None:
    with Catalogue.open(tmp_path / "library") as catalogue:
        rows = [("ocr", 0.0, 0.08, "The harbour campus"), ("ocr", 7.1, 7.9, "The icebreaker pier")]
        import_video(catalogue, tmp_path / "rows.jsonl", {"harbour.mp4": rows})
        answer = ask("What text is on the screen?", context_for(of=catalogue))
    assert "0:00.0-0:00.1" in answer.text
    assert "0:07.1-0:07.9" in answer.text


def test_what_is_read_off_a_time_is_no_surer_than_its_rows(
    tmp_path: Path, context_for: Callable[..., AskContext]
) -> None:
    with Catalogue.open(tmp_path / "library") as catalogue:
        rows = [
            {
                "video": "sign.mp4",
                "duration": 60,
                "track": "ocr",
                "start": at,
                "end": at + 5,
                "text": text,
                "confidence": sure,
            }
            for at, text, sure in [(0, "Harbour closed today", 1.0), (20, "l(cbre4ker at pi3r", 0.4)]
        ]
        pipeline = Pipeline(Settings(), HashEmbedder(256))
        for video in read_import([json.dumps(row).encode() + b"\n" for row in rows]).videos:
            catalogue.put_video(ingest_import(video, import_fingerprint(video, pipeline), pipeline).record)
        clear, blurred = (ask(f"What is on the screen at {at}?", context_for(of=catalogue)) for at in ("0:02", "0:22"))
    assert clear.confidence == 1.0
    assert blurred.confidence == pytest.approx(0.4)


def test_where_two_are_mentioned_equally_often_neither_is_named(context_for: Callable[..., AskContext]) -> None:
    answer = ask("Which is mentioned more often, goodbye or Rubisco?", context_for("talk.mp4"))
    assert not answer.text.startswith(("“goodbye”", "“Rubisco”"))
