"""B9 and B10: what a step of the agent costs beside model and tools, and how a question's tokens grow with hours."""

from __future__ import annotations

import json
import math
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from agentvid import Budget, Library, Settings
from agentvid.budgeted import BudgetedChat, estimated_tokens
from agentvid.composers.base import ComposeRequest, Draft
from agentvid.composers.llm import LLMComposer
from agentvid.errors import ProgramError, ToolError
from agentvid.graph import ask
from agentvid.models.base import Reply, Shape
from agentvid.models.scripted import ScriptedChat
from agentvid.planners.base import Plan, PlanRequest
from agentvid.planners.llm import LLMPlanner
from agentvid.planners.packs import packs
from agentvid.tools.base import Ledger
from benchmarks.ratio import measure

STEP_BAR, STEP_BAR_MILLISECONDS = 1.2, 5.0
GROWTH_BAR, PREFIX_BAR, TOKENS_BAR = 0.05, 0.85, 30_000
#: Programs of one question; as many rounds of the peer.
ROUNDS = 11
HOURS = (1, 10, 100)
QUESTION = "How often does the red crane lift a container?"


def run() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        yield from _steps(Path(folder))
        yield from _tokens(Path(folder))


# -- B9: a step -------------------------------------------------------------------------------------------------------


def _steps(folder: Path) -> Iterator[str]:
    with _library(folder / "steps", hours=1) as library:
        ours = _our_loop(library)
        peer = _react_agent()
        ratio = measure("B9 agent loop / LangGraph's ReAct agent", STEP_BAR, ours, peer, pairs=21)
        seconds = _first_look(library)
    yield ratio.line()
    yield f"B9 the look at the library that every question begins with: {seconds * 1000:.1f} ms"
    milliseconds = ratio.ours_seconds / ROUNDS * 1000
    verdict = _verdict(milliseconds <= STEP_BAR_MILLISECONDS)
    yield f"B9 a step of the agent: {milliseconds:.2f} ms bar {STEP_BAR_MILLISECONDS:g} ms -> {verdict}"


class _Formless:
    """Knows no form of question, and drafts no answer: so that only the loop itself is timed."""

    name = "formless"

    def plan(self, request: PlanRequest) -> Plan:
        return Plan("")

    def repair(self, request: PlanRequest, program: str, error: ProgramError | ToolError) -> Plan:
        return Plan("")

    def compose(self, request: ComposeRequest) -> Draft:
        return Draft()


class _Unseeing(LLMPlanner):
    """Is not shown what is in the videos: that is one search for each question, and no step."""

    def plan(self, request: PlanRequest) -> Plan:
        return super().plan(replace(request, look=None))

    def repair(self, request: PlanRequest, program: str, error: ProgramError | ToolError) -> Plan:
        return super().repair(replace(request, look=None), program, error)


def _first_look(library: Library) -> float:
    """Seconds, the least of ten."""
    tools = library.ask_context().tools
    times = []
    for _ in range(10):
        started = time.perf_counter()
        packs(QUESTION, tools)
        times.append(time.perf_counter() - started)
    return min(times)


def _our_loop(library: Library) -> Callable[[], object]:
    """A question whose programs run, call no tool and find nothing, so that the planner is asked again and again."""
    none = _Formless()
    settings = Settings(max_replans=ROUNDS - 1, max_asks=1, embed=False)
    base = replace(
        library.ask_context(), shortcut=none, composer=none, settings=settings, budget=Budget(tokens=None), library=None
    )

    def once() -> None:
        chat = _Counting()
        tools = replace(base.tools, ledger=Ledger())
        ask(QUESTION, replace(base, tools=tools, planner=_Unseeing(BudgetedChat(chat, tools.ledger))))
        assert chat.replies == ROUNDS

    return once


class _Counting:
    """A model that costs no time: each of its programs answers with another number."""

    name = "counting"
    timeout_seconds = 0.0

    def __init__(self) -> None:
        self.replies = 0

    def reply(self, system: str, user: str, shape: Shape | None = None) -> Reply:
        self.replies += 1
        return Reply(f"n = {self.replies} + 1\nanswer(value=n, evidence=[])")


class _ToolCaller(BaseChatModel):
    """Calls the tool `rounds` times, then says that it is done."""

    rounds: int = ROUNDS - 1

    @property
    def _llm_type(self) -> str:
        return "tool-caller"

    def bind_tools(self, tools: Any, **_: Any) -> Any:
        return self

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        done = sum(isinstance(message, AIMessage) for message in messages)
        call = {"name": "look", "args": {"number": done}, "id": f"call_{done}"}
        message = AIMessage("done") if done >= self.rounds else AIMessage("", tool_calls=[call])
        return ChatResult(generations=[ChatGeneration(message=message)])


def _react_agent() -> Callable[[], object]:
    def look(number: int) -> str:
        """Look at nothing."""
        return "nothing"

    agent: Any = create_agent(_ToolCaller(), [look])

    def once() -> None:
        final = agent.invoke({"messages": [HumanMessage(QUESTION)]}, {"recursion_limit": 100})
        assert sum(isinstance(message, AIMessage) for message in final["messages"]) == ROUNDS

    return once


# -- B10: tokens ------------------------------------------------------------------------------------------------------

_BROKEN = (
    'found = ground(query="red crane lifts a container", k=3)\nanswer(kind="count", value=count(found), evidence=fond)'
)
_WHOLE = _BROKEN.replace("fond", "found")
_CLAIMS = json.dumps({"claims": [], "choice": None, "abstain": True})


def _tokens(folder: Path) -> Iterator[str]:
    """One question, planned, repaired, grounded by the model and composed, on libraries of more and more hours."""
    totals = []
    for hours in HOURS:
        with _library(folder / f"{hours} h", hours) as library:
            prompts = _asked(library)
        totals.append(sum(estimated_tokens(prompt) for prompt in prompts))
        planning = [prompt for prompt in prompts if prompt.startswith("You write short programs")]
        share = _shared(planning[0], planning[1]) / len(planning[1])
        yield f"B10 {hours:3} h: {totals[-1]:6} prompt tokens in {len(prompts)} calls, unchanged prefix {share:.3f}"
        if share < PREFIX_BAR:
            yield f"B10 unchanged prefix of the planner's prompt: bar {PREFIX_BAR:g} -> NOT met"
    growth = math.log(totals[-1] / totals[0]) / math.log(HOURS[-1] / HOURS[0])
    span = f"{HOURS[0]}-{HOURS[-1]} h"
    yield f"B10 growth exponent {span}: {growth:.3f} bar {GROWTH_BAR:g} -> {_verdict(growth <= GROWTH_BAR)}"
    yield f"B10 most tokens: {max(totals)} bar {TOKENS_BAR} -> {_verdict(max(totals) <= TOKENS_BAR)}"


def _verdict(is_met: bool) -> str:
    return "met" if is_met else "NOT met"


def _asked(library: Library) -> list[str]:
    """Every prompt of the question, system and user texts together."""

    def reply(_system: str, user: str) -> str:
        if "JSON object" in user:
            return _CLAIMS
        if "Find every time" in user:
            return "none"
        return _WHOLE if "not accepted" in user else _BROKEN

    chat = ScriptedChat(reply)
    context = library.ask_context()
    guarded = BudgetedChat(chat, context.tools.ledger)
    tools = replace(context.tools, chat=guarded)
    answer = ask(QUESTION, replace(context, planner=LLMPlanner(guarded), composer=LLMComposer(guarded), tools=tools))
    assert answer.stopped == ""
    return [f"{call.system}\n{call.user}" for call in chat.calls]


def _shared(one: str, other: str) -> int:
    """Characters of the common beginning."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((position for position, (a, b) in pairs if a != b), min(len(one), len(other)))


@contextmanager
def _library(folder: Path, hours: int) -> Iterator[Library]:
    """Videos of an hour each, with a made-up sentence every 20 s, searched by words."""
    folder.mkdir()
    draw = random.Random(7)
    things = "crane boat harbour market engine bridge garden violin storm ladder container".split()
    doings = "lifts carries opens follows repairs paints crosses answers counts turns".split()
    with (folder / "rows.jsonl").open("w", encoding="utf-8") as file:
        for hour in range(hours):
            for start in range(0, 3600, 20):
                text = f"the red {draw.choice(things)} {draw.choice(doings)} a {draw.choice(things)}, take {start}"
                row = {"video": f"harbour tour, hour {hour}", "track": "speech", "start": start, "end": start + 20}
                file.write(json.dumps(row | {"duration": 3600, "text": text}) + "\n")
    with Library.open(folder / "library", settings=Settings(embed=False)) as library:
        library.import_file(folder / "rows.jsonl")
        yield library
