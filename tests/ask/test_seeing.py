"""Questions about what is to be seen: a model that looks is asked; without one, the answer says what is missing.

The scripted eyes tell the colour of the pictures that they are really shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from agentvid.composers.extractive import ExtractiveComposer
from agentvid.config import Settings
from agentvid.graph import AskContext, ask
from agentvid.library import Library
from agentvid.media.render import Scene, render_video
from agentvid.models.scripted import ScriptedChat
from agentvid.models.scripted_vision import Look, ScriptedVision
from agentvid.planners.bank import Form, load_bank
from agentvid.planners.base import PlanRequest
from agentvid.planners.exemplar import ExemplarPlanner
from agentvid.planners.llm import LLMPlanner
from agentvid.tools import TOOLS, working_tools
from agentvid.tools.base import Ledger, ToolContext, Vision
from agentvid.tools.program import check_program
from agentvid.types import Answer, Video

GREY, RED, BLUE = (110, 110, 110), (200, 20, 20), (20, 20, 200)
SEEING = [form for form in load_bank().forms if "look(" in form.seeing]
NATURAL: dict[str, list[str]] = yaml.safe_load(Path(__file__).with_name("questions.yaml").read_text("utf-8"))
Contexts = Callable[..., ToolContext]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """A film that is grey, red while a curtain is told of, and blue at its end; and a text."""
    folder = tmp_path_factory.mktemp("seeing")
    told = ((10.0, 14.0, "Now the curtain falls."),)
    scenes = [Scene(10, GREY), Scene(4, RED), Scene(10, GREY), Scene(6, BLUE)]
    render_video(folder / "film.mp4", scenes, size=(128, 72), rate=5, subtitles=told)
    (folder / "rows.jsonl").write_text(
        '{"video": "text", "track": "speech", "start": 0, "end": 9, "text": "only words"}', "utf-8"
    )
    settings = Settings(library=folder, cache=folder, embed=False, ocr=False, index="numpy")
    with Library.open(folder / "store", settings=settings) as opened:
        assert not opened.add([folder / "film.mp4"]).failed
        opened.import_file(folder / "rows.jsonl")
        yield opened


@pytest.fixture
def context(library: Library) -> Contexts:
    def make(eyes: ScriptedVision | None = None, *, video: str = "film") -> ToolContext:
        scope = {one.id: one for one in library.catalogue.videos() if one.title.startswith(video)}
        vision = Vision(eyes) if eyes else None
        return ToolContext(library.catalogue, library.retriever, scope, vision=vision)

    return make


def red_or_not(look: Look) -> str:
    """What somebody says who looks for a red curtain."""
    middles = [np.median(shown.image.reshape(-1, 3), axis=0) for shown in look.shown]
    return "A red curtain." if any(red > green + 60 for red, green, _ in middles) else "not shown"


def blue_or_not(look: Look) -> str:
    middles = [np.median(shown.image.reshape(-1, 3), axis=0) for shown in look.shown]
    return "It is all blue." if any(blue > green + 60 for _, green, blue in middles) else "not shown"


def embedded(tools: ToolContext, question: str) -> Answer:
    return ask(question, AskContext(ExemplarPlanner(), ExtractiveComposer(), tools, Settings()))


def test_a_question_about_a_colour_is_looked_at_where_its_words_are_told(context: Contexts) -> None:
    eyes = ScriptedVision(red_or_not)
    answer = embedded(context(eyes), "What colour is the curtain?")
    assert not answer.abstained
    assert (answer.evidence[0].track, answer.evidence[0].quote) == ("look", "A red curtain.")
    assert answer.evidence[0].span.start_seconds >= 8
    assert len(eyes.looks) == 1, "the first place that shows it is enough"
    assert "Question: What colour is the curtain" in eyes.looks[0].text


@pytest.mark.parametrize(
    "question", ["What does it look like?", "What is he wearing?", "How many balloons can be seen?"]
)
def test_what_is_told_nowhere_is_looked_for_in_the_whole_video(context: Contexts, question: str) -> None:
    answer = embedded(context(ScriptedVision(blue_or_not)), question)
    assert not answer.abstained
    assert answer.evidence[0].quote == "It is all blue."


def test_a_time_is_looked_at(context: Contexts) -> None:
    eyes = ScriptedVision(blue_or_not)
    answer = embedded(context(eyes), "What colour is it at 0:27?")
    assert answer.evidence[0].quote == "It is all blue."
    assert all(25 < seconds < 30 for shown in eyes.looks[0].shown for seconds in shown.seconds)


def test_what_is_not_shown_is_not_answered(context: Contexts) -> None:
    answer = embedded(context(ScriptedVision(lambda _: "not shown")), "What is the woman holding?")
    assert answer.abstained


def test_without_eyes_the_answer_says_what_was_not_looked_at_and_how(context: Contexts) -> None:
    answer = embedded(context(), "What is the woman holding?")
    (line,) = (line for line in answer.coverage.missing if "--vision" in line)
    assert "only text and measured facts were looked at" in line
    assert not any("--vision" in line for line in embedded(context(), "Is the curtain mentioned?").coverage.missing)
    text_only = embedded(context(video="text"), "What is the woman holding?")
    assert not any("--vision" in line for line in text_only.coverage.missing), "there is nothing to look at"


@pytest.mark.parametrize("form", SEEING, ids=lambda form: form.id)
def test_the_program_that_looks_checks_and_is_used_only_where_something_can_look(form: Form) -> None:
    question = NATURAL[form.id][0]
    videos = (Video("a" * 64, "h", "film.mp4", 600.0, ("/films/film.mp4",)),)
    blind = {name: tool for name, tool in TOOLS.items() if name != "look"}
    for tools in (TOOLS, blind):
        made = ExemplarPlanner().plan(PlanRequest(question, videos=videos, tools=tools))
        assert made.form_id == form.id
        assert ("look(" in made.program) == ("look" in tools) == (not made.note)
        assert check_program(made.program, tools).type == "answer"


@pytest.mark.parametrize(
    ("has_eyes", "video", "offered"),
    [
        (True, "film", {"look", "rewatch", "core_frames", "assess"}),
        (False, "film", {"core_frames", "assess"}),
        (True, "text", set()),
        (False, "text", set()),
    ],
)
def test_a_model_is_offered_only_tools_that_work(
    context: Contexts, has_eyes: bool, video: str, offered: set[str]
) -> None:
    tools = context(ScriptedVision(red_or_not) if has_eyes else None, video=video)
    chat = ScriptedChat(['answer(kind="what", evidence=search(query="curtain words"))'])
    base = AskContext(LLMPlanner(chat), ExtractiveComposer(), tools, Settings())
    ask("What colour is the curtain?", base)
    system = chat.calls[0].system
    needing = {name for name, tool in TOOLS.items() if tool.needs != "nothing"}
    assert {name for name in needing if f"\n{name}(" in system} == offered
    assert ("look(within=" in system) == ("look" in offered), "no example shows what cannot be called"
    assert ("No tool looks at frames" in system) == ("look" not in offered)
    assert set(working_tools(replace(tools, ledger=Ledger()))) == set(TOOLS) - (needing - offered)
