"""Tools that look: a model with eyes reads in the pictures what the tools say they are, and its words can be cited.

The scripted eyes really look: they read the time that is burnt into a picture and the colour that it has.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agentvid.answer import check_answer
from agentvid.budget import UNLIMITED, Budget, Cancel
from agentvid.composers.base import Draft
from agentvid.composers.extractive import ExtractiveComposer
from agentvid.config import Settings
from agentvid.errors import ToolError
from agentvid.graph import AskContext, ask
from agentvid.library import Library
from agentvid.media.render import Scene, read_burnt_time, render_video
from agentvid.models import load_vision
from agentvid.models.scripted import ScriptedChat
from agentvid.models.scripted_server import ScriptedServer
from agentvid.models.scripted_vision import Look, ScriptedVision, Shown
from agentvid.planners.llm import LLMPlanner
from agentvid.tools import TOOLS
from agentvid.tools.assess import assess
from agentvid.tools.base import ToolContext, Vision
from agentvid.tools.core_frames import core_frames
from agentvid.tools.look import look
from agentvid.tools.program import Outcome, check_program, run_program
from agentvid.tools.rewatch import rewatch
from agentvid.trace import read_trace
from agentvid.types import Claim, Evidence, Moment, Span

GREY, RED, GREEN, BLUE = (110, 110, 110), (200, 20, 20), (20, 160, 20), (20, 20, 200)
Contexts = Callable[..., ToolContext]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """A short film, a long one whose needle is told in its subtitles, one with needles nobody tells, and a text."""
    folder = tmp_path_factory.mktemp("watching")
    render_video(
        folder / "short.mp4",
        [Scene(8, GREY, motion="right"), Scene(4, RED, motion="left"), Scene(4, BLUE)],
        size=(320, 180),
    )
    told = ((903.0, 907.0, "Now the scarlet curtain falls."),)
    long = [Scene(903, GREY), Scene(4, RED), Scene(293, GREY)]
    render_video(folder / "long.mp4", long, size=(128, 72), rate=1, gop=60, subtitles=told)
    needles = [Scene(40, GREY), Scene(1, RED), Scene(30, GREY), Scene(1, GREEN), Scene(50, GREY), Scene(1, BLUE)]
    render_video(folder / "needles.mp4", [*needles, Scene(77, GREY)], size=(128, 72), rate=5, gop=50)
    (folder / "rows.jsonl").write_text(
        json.dumps({"video": "text", "track": "speech", "start": 0, "end": 9, "text": "only words"}), "utf-8"
    )
    settings = Settings(library=folder, cache=folder, embed=False, ocr=False, index="numpy")
    with Library.open(folder / "store", settings=settings) as opened:
        report = opened.add([folder / f"{name}.mp4" for name in ("short", "long", "needles")])
        assert not report.failed
        opened.import_file(folder / "rows.jsonl")
        yield opened


@pytest.fixture
def context(library: Library) -> Contexts:
    def make(eyes: ScriptedVision | None = None, **options: Any) -> ToolContext:
        scope = {video.id: video for video in library.catalogue.videos()}
        vision = Vision(eyes, **options) if eyes else None
        return ToolContext(library.catalogue, library.retriever, scope, vision=vision)

    return make


def moment(context: ToolContext, name: str, start: float, end: float) -> Moment:
    (video,) = (v for v in context.scope.values() if v.title.startswith(name))
    return Moment(video.id, Span(start, end))


def colour(shown: Shown) -> str:
    """The colour of a picture's middle, in words."""
    red, green, blue = np.median(shown.image[10:60, 40:90].reshape(-1, 3), axis=0).astype(int)
    names = {"red": red - max(green, blue), "green": green - max(red, blue), "blue": blue - max(red, green)}
    best = max(names, key=lambda name: names[name])
    return best if names[best] > 60 else "grey"


def red_stretch(look: Look) -> str:
    """A reply of `rewatch` made of the burnt-in times of the red pictures, nothing else."""
    red = [read_burnt_time(shown.image) for shown in look.shown if colour(shown) == "red"]
    entry = {"start": red[0], "end": red[-1], "text": "a red field", "certainty": 3} if red else None
    return f"Here it is:\n```json\n{json.dumps({'seen': [entry] if entry else []})}\n```"


def test_rewatch_tells_when_what_the_model_sees_is_to_be_seen(context: Contexts) -> None:
    eyes = ScriptedVision(red_stretch)
    tools = context(eyes)
    (seen,) = rewatch(tools, within=moment(tools, "short", 0, 16), question="the red field", frames=40)
    # 32 frames, half a second apart: 8.25, 8.75 ... 11.75 are red.
    assert (seen.span.start_seconds, seen.span.end_seconds) == pytest.approx((8.0, 12.0), abs=0.05)
    assert (seen.text, seen.track, seen.score) == ("a red field", "look", 1.0)
    (look_,) = eyes.looks
    for shown in look_.shown:
        assert list(shown.seconds) == pytest.approx([read_burnt_time(shown.image)], abs=0.011)
    assert "the red field" in look_.text
    assert tools.ledger.usage.frames == 32
    assert tools.ledger.usage.llm_calls == 1


def test_rewatch_of_a_long_span_looks_where_the_text_tells_of_it(context: Contexts) -> None:
    eyes = ScriptedVision(red_stretch)
    tools = context(eyes)
    (seen,) = rewatch(tools, within=moment(tools, "long", 0, 1200), question="scarlet curtain", frames=16)
    assert seen.span.iou(Span(903, 907)) > 0.7
    # Where the text is silent, even sampling at this rate does not meet the four seconds.
    assert rewatch(tools, within=moment(tools, "long", 0, 1200), question="something else", frames=8) == []


def test_a_still_picture_is_shown_once(context: Contexts) -> None:
    eyes = ScriptedVision(lambda look: '{"seen": []}')
    tools = context(eyes)
    rewatch(tools, within=moment(tools, "long", 100, 110), question="anything", frames=20)
    burnt = len(eyes.looks[0].shown)
    look(tools, within=moment(tools, "long", 100, 110), question="anything", region=[0, 0, 1, 0.8])
    assert (burnt, len(eyes.looks[1].shown)) == (10, 1)  # only the burnt-in time changes, and it is cut off


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        ("I see a red field.", "no JSON object"),
        ('{"seen": [{"start": 1, "end": 2, "text": "x", "certainty": 9}]}', "no certainty"),
        ('{"seen": [{"start": 1, "end": 2, "text": " ", "certainty": 1}]}', "no text"),
        ('{"seen": [{"start": 3, "end": 2, "text": "x", "certainty": 1}]}', "times that are not those of frames"),
        ('{"seen": [{"start": 1, "end": 99, "text": "x", "certainty": 1}]}', "times that are not those of frames"),
        ('{"seen": [{"start": "NaN", "end": 2, "text": "x", "certainty": 1}]}', "times that are not those of frames"),
    ],
)
def test_a_faulty_reply_goes_back_and_is_never_trusted(context: Contexts, reply: str, fault: str) -> None:
    good = '{"seen": [{"start": 1.25, "end": 2.25, "text": "it", "certainty": 2}]}'
    eyes = ScriptedVision([reply, good])
    tools = context(eyes)
    (seen,) = rewatch(tools, within=moment(tools, "short", 0, 4), question="it")
    assert (seen.span.start_seconds, seen.span.end_seconds) == pytest.approx((1.0, 2.5), abs=0.05)
    assert seen.score == 0.75
    assert fault in eyes.looks[1].text
    assert [shown.seconds for shown in eyes.looks[1].shown] == [shown.seconds for shown in eyes.looks[0].shown]
    with pytest.raises(ToolError, match=fault):
        rewatch(context(ScriptedVision([reply] * 3)), within=moment(tools, "short", 0, 4), question="it")


def test_look_sees_the_region_at_its_own_size_and_answers_or_not(context: Contexts) -> None:
    eyes = ScriptedVision(["A red field.", "Not shown."])
    tools = context(eyes)
    within = moment(tools, "short", 9, 11)
    assert look(tools, within=within, question="what is there", region=[0.5, 0.5, 1, 1]) == "A red field."
    assert look(tools, within=within, question="a door", frames=2) is None
    assert {shown.image.shape for shown in eyes.looks[0].shown} == {(90, 160, 3)}
    assert [len(call.shown) for call in eyes.looks] == [4, 2]
    (recorded,) = tools.ledger.moments
    assert (recorded.text, recorded.span) == ("A red field.", Span(9, 11))


def test_a_run_that_somebody_ends_waits_for_no_model(context: Contexts) -> None:
    is_over, cancel = threading.Event(), Cancel()

    def stare(look: Look) -> str:
        cancel.set()
        is_over.wait(60)
        return "too late"

    tools = context(ScriptedVision(stare))
    tools.ledger.begin(UNLIMITED, clock=time.monotonic, cancel=cancel)
    started = time.monotonic()
    with pytest.raises(ToolError, match=r"^interrupted$"):
        look(tools, within=moment(tools, "short", 9, 11), question="what is there")
    assert time.monotonic() - started < 30
    assert not tools.ledger.moments
    is_over.set()


@pytest.mark.parametrize(("layout", "images"), [("frames", 8), ("grid", 1), ("thumbnail", 9)])
def test_every_layout_keeps_the_budget(context: Contexts, layout: str, images: int) -> None:
    eyes = ScriptedVision(["something"])
    tools = context(eyes, layout=layout, image_tokens=700)
    look(tools, within=moment(tools, "short", 0, 4), question="what")
    sizes = [shown.image.shape for shown in eyes.looks[0].shown]
    assert len(sizes) == images
    assert sum(-(-height // 28) * -(-width // 28) for height, width, _ in sizes) <= 700


def test_core_frames_find_the_needles_that_even_frames_miss(context: Contexts) -> None:
    tools = context()
    found = core_frames(tools, within=moment(tools, "needles", 0, 200), count=8)
    for second in (40, 71, 122):
        assert any(m.span.overlaps(Span(second, second + 1)) for m in found)
    assert [m.span for m in found] == sorted(m.span for m in found)
    assert len(found) <= 8
    assert tools.ledger.moments == found


def test_a_program_looks_at_core_frames(context: Contexts) -> None:
    eyes = ScriptedVision(lambda look: f"The picture is {colour(look.shown[0])}.")
    tools = context(eyes)
    source = """
places = core_frames(within=span(start=0, end=200, video="needles"), count=4)
texts = [look(within=place, question="What colour is the picture?", frames=1) for place in places]
answer(kind="list", value=texts, evidence=places)
"""
    value = run_program(check_program(source, TOOLS), tools).outcome.value
    assert isinstance(value, tuple)
    assert {f"The picture is {name}." for name in ("red", "green", "blue")} <= set(value)


# -- evidence ---------------------------------------------------------------------------------------------------------


def cited(tools: ToolContext, seen: Moment, quote: str) -> str:
    """Why a claim that quotes this of what was seen is dropped, "" if it is kept."""
    item = Evidence("e1", tools.scope[seen.video_id].name, seen.video_id, seen.span, "look", quote, 1.0)
    draft = Draft((Claim(f"The frames show “{quote}”", ("e1",)),), (item,), 1.0)
    checked = check_answer(draft, question="What is shown?", context=tools)
    return checked.rejected[0].reason if checked.rejected else ""


def test_what_was_seen_is_verbatim_evidence_of_its_run_only(context: Contexts) -> None:
    tools = context(ScriptedVision(red_stretch))
    (seen,) = rewatch(tools, within=moment(tools, "short", 0, 16), question="red")
    assert cited(tools, seen, "a red field") == ""
    assert cited(tools, seen, "a green field") == "its quote is not what the catalogue holds there"
    assert "no tool returned it" in cited(tools, replace(seen, span=Span(0, 16)), "a red field")
    assert "no tool returned it" in cited(context(), seen, "a red field")
    (row,) = tools.ledger.looks[seen.video_id]
    assert row.provenance.model == "scripted"
    assert row.provenance.parameters["question"] == "red"
    assert len(row.provenance.input_hash) == 64


LOOKS = """
seen = look(within=span(start=8.2, end=11, video="short"), question="what")
answer(kind="what", value=seen)
"""


def asked(library: Library, context: ToolContext, program: str) -> Any:
    chat = ScriptedChat([program, program, program, program])
    settings = library.settings.model_copy(update={"max_replans": 1})
    directory = library.catalogue.directory
    whole = AskContext(LLMPlanner(chat), ExtractiveComposer(), context, settings, library=directory)
    return ask("What does the red field show?", whole)


def test_an_answer_cites_what_look_said_and_its_trace_keeps_how(library: Library, context: Contexts) -> None:
    tools = context(ScriptedVision(["A red field lies there."]))
    answer = asked(library, tools, LOOKS)
    assert not answer.abstained, answer.text
    assert (answer.evidence[0].track, answer.evidence[0].quote) == ("look", "A red field lies there.")
    assert (answer.usage.frames, answer.usage.llm_calls) == (5, 2)
    (kept,) = read_trace(library.catalogue.directory, answer.trace_id)["looks"]
    assert (kept["text"], kept["question"], kept["model"]) == ("A red field lies there.", "what", "scripted")
    assert len(kept["seconds"]) == 5


def test_words_in_the_pictures_or_of_the_model_do_not_become_markup(library: Library, context: Contexts) -> None:
    said = "A red field \x1b[31m<img src=x> [click](http://evil.example) \u202e"
    tools = context(ScriptedVision([said]))
    answer = asked(library, tools, LOOKS)
    assert not {"\x1b", "\u202e"} & set(json.dumps(answer.to_json(), ensure_ascii=False))
    assert "http" not in answer.text


def test_without_a_model_the_answer_says_how_to_set_one(library: Library, context: Contexts) -> None:
    program = 'answer(kind="what", evidence=rewatch(within=span(start=0, end=9, video="short"), question="red"))'
    answer = asked(library, context(), program)
    assert answer.abstained
    (line,) = (line for line in answer.coverage.missing if line.startswith("frames: "))
    assert "choose one with --vision provider:model or the setting `vision`" in line


# -- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"question": "  "}, "question is empty"),
        ({"frames": 0}, "frames=0 is not allowed"),
        ({"region": [0.5, 0]}, "region has 2 numbers"),
        ({"region": [0.5, 0, 0.2, 1]}, "is no part of a picture"),
        ({"within": Moment("elsewhere", Span(0, 1))}, "is not in the scope"),
        ({"within": ("text", 0, 5)}, "was imported as text"),
        ({"within": ("short", 99, 100)}, "behind the end of"),
    ],
)
def test_what_cannot_be_looked_at_is_refused_in_one_line(
    context: Contexts, arguments: dict[str, Any], message: str
) -> None:
    tools = context(ScriptedVision(["never said"]))
    within = arguments.get("within", ("short", 0, 4))
    arguments = {
        "question": "what",
        **arguments,
        "within": within if isinstance(within, Moment) else moment(tools, *within),
    }
    with pytest.raises(ToolError, match=message) as caught:
        look(tools, **arguments)
    assert "\n" not in str(caught.value)
    assert tools.ledger.moments == []


def test_no_model_a_failing_model_and_a_budget_too_small(context: Contexts) -> None:
    tools = context()
    with pytest.raises(ToolError, match="no model is set") as caught:
        look(tools, within=moment(tools, "short", 0, 4), question="what")
    assert "--vision provider:model" in caught.value.hint
    tools = context(ScriptedVision([]))
    with pytest.raises(ToolError, match="has no reply"):
        look(tools, within=moment(tools, "short", 0, 4), question="what")
    tools = context(ScriptedVision(["never said"]), image_tokens=1)
    with pytest.raises(ToolError, match="no frame fits into 1 image tokens"):
        look(tools, within=moment(tools, "short", 0, 4), question="what")


def test_the_picture_is_assessed_and_can_be_cited(context: Contexts) -> None:
    tools = context()
    measured = assess(tools, within=moment(tools, "short", 0, 8))
    assert measured.text.startswith("sharp picture, little noise, no visible blocks, well exposed, steady light (blur ")
    assert (measured.track, measured.span) == ("look", Span(0, 8))
    assert 8 <= tools.ledger.usage.frames <= 23
    program = 'answer(kind="what", evidence=[assess(within=span(start=0, end=8, video="short"))])'
    outcome = run_program(check_program(program, TOOLS), tools).value
    assert isinstance(outcome, Outcome)
    assert outcome.evidence[0].text == measured.text


def test_the_budget_of_frames_is_kept_and_said(context: Contexts) -> None:
    known = context()
    known.ledger.begin(Budget(frames=3), clock=lambda: 0.0)
    assert core_frames(known, within=moment(known, "short", 0, 16), count=2)
    assert known.ledger.usage.frames == 3
    assert "budget of frames" in known.ledger.notes[0]
    with pytest.raises(ToolError, match="budget of 3 frames is spent"):
        core_frames(known, within=moment(known, "short", 0, 16), count=2)


def test_another_file_in_the_place_of_the_indexed_one_is_not_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "v.mp4"
    render_video(path, [Scene(3, RED)], size=(64, 64))
    settings = Settings(library=tmp_path, cache=tmp_path, embed=False, ocr=False, index="numpy")
    with Library.open(tmp_path / "store", settings=settings) as opened:
        opened.add([path])
        scope = {video.id: video for video in opened.catalogue.videos()}
        tools = ToolContext(opened.catalogue, opened.retriever, scope)
        whole = moment(tools, "v", 0, 3)
        assert core_frames(tools, within=whole)
        render_video(path, [Scene(3, BLUE)], size=(64, 64))
        with pytest.raises(ToolError, match="with the content that was indexed"):
            core_frames(tools, within=whole)
        path.unlink()
        with pytest.raises(ToolError, match="with the content that was indexed"):
            core_frames(tools, within=whole)


# -- the whole way ----------------------------------------------------------------------------------------------------


def test_through_a_real_client_and_server(context: Contexts) -> None:
    eyes = ScriptedVision(red_stretch)
    before = dict(os.environ)
    try:
        with ScriptedServer(eyes) as server:
            os.environ |= {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "sk-unused-key"}
            tools = replace(context(), vision=Vision(load_vision("openai:any", 20.0)))
            (seen,) = rewatch(tools, within=moment(tools, "short", 4, 14), question="red", frames=12)
    finally:
        os.environ.clear()
        os.environ.update(before)
    assert seen.span.iou(Span(8, 12)) > 0.6
    assert tools.ledger.looks[seen.video_id][0].provenance.model == "openai:any"
