"""Planning with any chat model: programs out of chatty replies, feedback that helps, a small view of the videos."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentvid.errors import ProgramError
from agentvid.graph import AskContext, ask, stream
from agentvid.indexes.catalogue import Catalogue
from agentvid.models.scripted import ScriptedChat
from agentvid.planners.bank import load_bank
from agentvid.planners.base import PlanRequest
from agentvid.planners.llm import LLMPlanner
from agentvid.planners.packs import OVERVIEW_CHARACTERS, packs, shares
from agentvid.planners.replies import program_in
from agentvid.planners.routes import ROUTES, route_of
from agentvid.tools import TOOLS
from agentvid.tools.base import ToolContext
from agentvid.tools.program import check_program
from agentvid.trace import read_trace
from agentvid.types import Answer, Video
from agentvid.untrusted import Fence

ContextFor = Callable[..., AskContext]
ToolsFor = Callable[..., ToolContext]

PROGRAM = 'hits = search(query="Rubisco", k=3)\nanswer(kind="what", evidence=hits)'
WRONG = 'hits = serch(query="Rubisco")\nanswer(kind="what", evidence=hits)'
JSON = json.dumps({"look": "local", "program": PROGRAM})
REPLIES = {
    "bare": PROGRAM,
    "blank lines": f"\n\n{PROGRAM}\n\n",
    "one fence": f"```\n{PROGRAM}\n```",
    "a fence with a language": f"Here you are:\n\n```python\n{PROGRAM}\n```\nGood luck!",
    "a fence without an end": f"```python\n{PROGRAM}",
    "waves": f"~~~python\n{PROGRAM}\n~~~",
    "an indented fence": "1. The program:\n   ```py\n" + PROGRAM + "\n   ```",
    "a draft and a better one": f"First:\n```\n{WRONG}\n```\nBetter:\n```\n{PROGRAM}\n```",
    "the output after it": f"```python\n{PROGRAM}\n```\nIt will print:\n```\n[Moment(1)]\n```",
    "in two fences": "```\n" + PROGRAM.replace("\n", "\n```\nand then\n```\n") + "\n```",
    "thoughts": f"<think>\nhits = maybe(1)\n```\nnot this\n```\n</think>\n{PROGRAM}",
    "thoughts without a beginning": f"maybe so, hits = x(1)\n</think>\n\n{PROGRAM}",
    "thoughts and a fence": f"<thinking>well</thinking>Sure.\n```\n{PROGRAM}\n```",
    "explanations": f"Sure! This program searches for it:\n\n{PROGRAM}\n\nIt finds the passages (all of them).",
    "an explanation before": f"The program is:\n{PROGRAM}",
    "an indented program": "The program is:\n    " + PROGRAM.replace("\n", "\n    "),
    "JSON": JSON,
    "JSON with another key": json.dumps({"reasoning": "because", "code": PROGRAM}),
    "JSON of lines": json.dumps({"program": PROGRAM.split("\n")}),
    "JSON in JSON": json.dumps({"answer": JSON}),
    "JSON text": json.dumps(PROGRAM),
    "JSON in a list": json.dumps([{"program": PROGRAM}]),
    "JSON in a fence": f"```json\n{JSON}\n```",
    "JSON with line breaks in it": '{"program": "' + PROGRAM.replace('"', '\\"') + '"}',
    "a tool call": json.dumps({"name": "plan", "arguments": {"program": PROGRAM}}),
    "JSON with a fence in it": json.dumps({"program": f"```python\n{PROGRAM}\n```"}),
}


def is_program(text: str) -> object:
    return check_program(text, TOOLS)


@pytest.mark.parametrize("form", REPLIES)
def test_the_program_is_found_however_it_is_wrapped(form: str) -> None:
    assert program_in(REPLIES[form], is_program) == PROGRAM + "\n"


@pytest.mark.parametrize(
    "reply", ["I cannot help with that.", "", "{", '{"program": 3}', "```\n```", "[" * 50_000, "null"]
)
def test_a_reply_without_a_program_stays_what_it_is(reply: str) -> None:
    with pytest.raises(ProgramError):
        is_program(program_in(reply, is_program))


@given(
    st.text(max_size=200)
    | st.lists(st.sampled_from(["```", "\n", "{", '"program":', "<think>", "</think>", "x = 1", "answer(", ")"])).map(
        "".join
    )
)
def test_no_reply_breaks_the_reading(reply: str) -> None:
    assert program_in(reply, is_program).endswith("\n")


def test_feedback_names_the_part_at_fault_what_is_allowed_and_near_names(context_for: ContextFor) -> None:
    chat = ScriptedChat([WRONG, PROGRAM])
    answer = ask("What does Rubisco capture?", context_for("talk.mp4", planner=LLMPlanner(chat)))
    assert answer.program == PROGRAM + "\n"
    assert not answer.abstained
    first, second = (call.user.rpartition("\n\n")[0] for call in chat.calls)  # the balance is last and changes
    assert second.startswith(first), "a transcript is only appended to"
    assert chat.calls[0].system == chat.calls[1].system
    feedback = second[len(first) :]
    assert 'The part at fault: serch(query="Rubisco")' in feedback
    assert "unknown function 'serch'" in feedback
    assert "What may help: did you mean search?" in feedback


def test_what_is_in_the_videos_is_looked_up_once_for_all_rounds(tools_for: ToolsFor) -> None:
    looked: list[int] = []

    def look() -> list[str]:
        looked.append(len(looked))
        return [f"look {len(looked)}"]

    chat = ScriptedChat([WRONG, PROGRAM, PROGRAM])
    planner, fence = LLMPlanner(chat), Fence()
    first = PlanRequest("What does Rubisco capture?", look=look, fence=fence)
    planner.plan(first)
    planner.repair(first, WRONG, ProgramError("unknown function"))
    assert looked == [0]
    planner.plan(replace(first, fence=Fence()))
    assert looked == [0, 1], "another run looks anew"
    assert ["look 1" in call.user for call in chat.calls] == [True, True, False]


# -- routes -----------------------------------------------------------------------------------------------------------

PROGRAMS = {
    "local": 'answer(kind="what", evidence=search(query="the order of the count before track=\\"ocr\\""))',
    "global": 'answer(kind="summary", evidence=read(within=span(start=0, end=60)))',
    "count": 'hits = list_all(query="x")\nanswer(kind="count", value=count(hits), evidence=hits)',
    "order": 'a = search(query="x")\nb = search(query="y")\nanswer(kind="order", evidence=before(a, b))',
    "ground": 'hits = ground(query="x")\nanswer(kind="when", evidence=hits)',
    "multi-video": 'a = search(query="x", video="a") + search(query="x", video="b")\nanswer(kind="what", evidence=a)',
    "visual": 'answer(kind="what", evidence=search(query="x", track="caption"))',
}


@pytest.mark.parametrize("route", ROUTES)
def test_a_program_tells_its_route(route: str) -> None:
    check_program(PROGRAMS[route], TOOLS)
    assert route_of(PROGRAMS[route]) == route


def test_prompt_and_trace_name_routes_and_every_form_has_one(context_for: ContextFor, tmp_path: Path) -> None:
    chat = ScriptedChat([PROGRAM])
    context = context_for("talk.mp4", planner=LLMPlanner(chat), library=tmp_path)
    *events, answer = stream("Tell me things", context)
    assert isinstance(answer, Answer)
    assert all(f"- {name}: " in chat.calls[0].system for name in ROUTES)
    assert any(isinstance(event, dict) and event["detail"] == "local: a program of its own" for event in events)
    assert read_trace(tmp_path, answer.trace_id)["program_route"] == "local"
    found = {route_of(form.program) for form in load_bank().forms}
    assert found <= set(ROUTES)
    assert len(found) >= 5


# -- what the planner is shown ----------------------------------------------------------------------------------------


def test_the_best_moments_stand_in_full_and_everything_in_short(tools_for: ToolsFor) -> None:
    tools = tools_for()
    lines = packs("What does Rubisco capture?", tools)
    focus = lines.index("Moments that fit the question best:")
    fast = lines.index("What parts of them are about:")
    assert lines[0] == "Videos in scope:"
    assert {line.split()[-1] for line in lines[1:focus]} == {'"talk.mp4"', '"cook.mp4"'}
    assert any("Rubisco is the enzyme that captures carbon dioxide." in line for line in lines[focus:fast])
    for line in lines[focus + 1 : fast] + lines[fast + 1 :]:
        assert re.match(r"[0-9a-f]{16} \d+\.\d-\d+\.\d s", line), line
    assert not tools.ledger.moments, "what was only shown cannot be cited"


def test_only_the_scope_is_shown(tools_for: ToolsFor) -> None:
    assert not any("sourdough" in line or "cook" in line for line in packs("sourdough bread", tools_for("talk.mp4")))
    assert packs("anything", tools_for("no such video")) == ["Videos in scope:"]


@given(st.lists(st.floats(1.0, 360_000.0), min_size=1, max_size=60), st.integers(1, 40))
def test_every_video_has_its_share_of_few_lines(lengths: list[float], most: int) -> None:
    videos = [Video(f"v{n}", f"h{n}", "x", seconds) for n, seconds in enumerate(lengths)]
    found = shares(videos, most)
    assert [video for video, _ in found] == videos[:most]
    assert all(count >= 1 for _, count in found)
    assert sum(count for _, count in found) <= most


def test_the_more_videos_are_listed_the_fewer_parts_of_them_are_told_nearest_first(
    tools_for: ToolsFor, import_video: Callable[..., None], tmp_path: Path
) -> None:
    rows = {
        f"part {n} of a very long course on the enzymes of plants and what they are good for": [
            ("speech", 6.0 * at, 6.0 * at + 5, f"Sentence {at} of part {n} says that enzyme number {at} is slow.")
            for at in range(19)
        ]
        for n in range(60)
    }
    rows["part 60"] = [("speech", 0, 5, "Rubisco captures carbon dioxide.")]
    with Catalogue.open(tmp_path / "library") as opened:
        import_video(opened, tmp_path / "rows.jsonl", rows)
        lines = packs("What does Rubisco capture?", tools_for(of=opened))
    focus, fast = lines.index("Moments that fit the question best:"), lines.index("What parts of them are about:")
    assert lines[1].endswith('"part 60"')
    assert re.fullmatch(r"and \d+ more", lines[focus - 1])
    assert "rubisco" in lines[fast + 1]
    assert len(lines[fast + 1 :]) >= 9
    assert sum(map(len, lines[1:focus] + lines[fast + 1 :])) <= OVERVIEW_CHARACTERS


@pytest.mark.parametrize("most_hours", [5, pytest.param(100, marks=pytest.mark.slow)])
def test_many_hours_cost_hardly_more_words_than_one(
    context_for: ContextFor, import_video: Callable[..., None], tmp_path: Path, most_hours: int
) -> None:
    words = {}
    for hours in (1, most_hours):
        rows = {
            f"lecture {n} on enzymes": [
                ("speech", 6.0 * at, 6.0 * at + 5, f"Sentence {at} of part {n} says that Rubisco number {at} is slow.")
                for at in range(19)
            ]
            for n in range(30 * hours)
        }
        with Catalogue.open(tmp_path / f"library{hours}") as opened:
            import_video(opened, tmp_path / f"rows{hours}.jsonl", rows)
            chat = ScriptedChat([PROGRAM])
            context = context_for(of=opened, planner=LLMPlanner(chat))
            ask("Tell me things about Rubisco number 7", context)
        (call,) = chat.calls
        words[hours] = len(call.system.split()) + len(call.user.split())
        prefix = call.system.index("# Examples") + len(call.system) - call.system.index("# Your reply")
        assert prefix / len(call.system + call.user) > 0.5
    assert math.log(words[most_hours] / words[1]) / math.log(most_hours) <= 0.05, words
