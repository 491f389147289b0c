"""Path 2: a question becomes an answer. One LangGraph, one loop.

    route -> plan -> execute -> check -> compose -> cite
               ^________________|   (a program to repair, or nothing found yet; at most `max_replans` times)

A look-up takes the question's form as its program and skips an LLM planner; everything else is planned. Nodes read and
write `AskState` (JSON); what is alive is in `AskContext`, frozen from the user's words before any video text is read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from agentvid import trace
from agentvid.answer import Checked, check_answer, coverage_of, plain
from agentvid.composers.base import Composer, ComposeRequest, Draft
from agentvid.config import Settings
from agentvid.errors import ModelError, ProgramError, ToolError, UsageError
from agentvid.models.base import Embedder
from agentvid.planners.base import Plan, Planner, PlanRequest
from agentvid.planners.packs import packs
from agentvid.planners.routes import route_of
from agentvid.state import (
    AskState,
    answer_from_json,
    answer_to_json,
    draft_from_json,
    draft_to_json,
    moment_from_json,
    moment_to_json,
)
from agentvid.text import check_query
from agentvid.tools import load_tools
from agentvid.tools.base import ToolContext
from agentvid.tools.choose import MAX_OPTIONS
from agentvid.tools.program import Limits, check_program, run_program
from agentvid.tools.program.values import to_json
from agentvid.types import Answer, Json, Usage

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph

_NODES_PER_ROUND, _NODES_ONCE = 3, 4


@dataclass(frozen=True)
class AskContext:
    """What one question may use. Make a new one, with a new `tools.ledger`, for every question.

    `shortcut` plans look-ups when `planner` is an LLM; None sends every question to `planner`. `library`: the directory
    whose `traces/` keeps the record; None keeps none. `clock`: seconds, monotonic.
    """

    planner: Planner
    composer: Composer
    tools: ToolContext
    settings: Settings
    embedder: Embedder | None = None
    shortcut: Planner | None = None
    library: Path | None = None
    clock: Callable[[], float] = time.monotonic


def ask(question: str, context: AskContext, *, choices: Sequence[str] = ()) -> Answer:
    """Answer from evidence or abstain.

    Raises UsageError for an empty or over-long question or choices, ModelError if an LLM fails for good.
    """
    *_, last = stream(question, context, choices=choices)
    assert isinstance(last, Answer)
    return last


def stream(question: str, context: AskContext, *, choices: Sequence[str] = ()) -> Iterator[Json | Answer]:
    """`{"node", "detail"}` for every step as it happens, then the Answer. Raises as `ask`."""
    state = _start(question, choices, context)
    started = context.clock()
    limit = _NODES_ONCE + _NODES_PER_ROUND * (context.settings.max_replans + 1)
    graph = build_graph()
    parts = graph.stream(state, {"recursion_limit": limit}, context=context, stream_mode=["custom", "values"])
    for mode, part in cast("Iterator[tuple[str, Any]]", parts):
        if mode == "custom":
            yield part
        else:
            state = part
    answer, warning = _record(state, context, context.clock() - started)
    if warning:
        yield {"node": "trace", "detail": warning}
    yield answer


@lru_cache(maxsize=1)
def build_graph() -> CompiledStateGraph[AskState, AskContext, AskState, AskState]:
    """The compiled graph; it holds nothing of a question and serves all of them."""
    graph = StateGraph(AskState, context_schema=AskContext)
    for node in (route, plan, execute, check, compose, cite):
        graph.add_node(node.__name__, node)
    graph.add_edge(START, "route")
    graph.add_conditional_edges(
        "route", lambda state: "execute" if state.get("program") else "plan", ["execute", "plan"]
    )
    graph.add_conditional_edges(
        "plan", lambda state: "compose" if state["stopped"] else "execute", ["compose", "execute"]
    )
    graph.add_edge("execute", "check")
    graph.add_conditional_edges("check", lambda state: "plan" if state["feedback"] else "compose", ["plan", "compose"])
    graph.add_edge("compose", "cite")
    graph.add_edge("cite", END)
    return graph.compile()


def _start(question: str, choices: Sequence[str], context: AskContext) -> AskState:
    check_query(question, "question", hint='ask something, as in: agentvid ask "When is the door opened?"')
    if choices and (not 2 <= len(choices) <= MAX_OPTIONS or not all(choice.strip() for choice in choices)):
        raise UsageError(f"{len(choices)} choices; allowed: 2 to {MAX_OPTIONS}, none of them empty")
    return {
        "question": question,
        "choices": list(choices),
        "scope": list(context.tools.scope),
        "program": "",
        "tried": [],
        "steps": [],
        "outcome": {},
        "feedback": {},
        "replans": 0,
        "stopped": "" if context.tools.scope else "there is no video to look at; add one with `agentvid index PATH...`",
        "counters": {},
    }


# -- nodes ------------------------------------------------------------------------------------------------------------


def route(state: AskState, runtime: Runtime[AskContext]) -> AskState:
    """A look-up takes its form's program at once; the rest goes to the planner."""
    shortcut = runtime.context.shortcut
    if shortcut is None or state["stopped"]:
        return {"route": "loop"}
    first = shortcut.plan(_request(state, runtime))
    if not first.is_lookup:
        return {"route": "loop"}
    runtime.stream_writer({"node": "route", "detail": f"look-up ({first.form_id})"})
    return {"route": "lookup", **_planned(first, state, shortcut.name)}


def plan(state: AskState, runtime: Runtime[AskContext]) -> AskState:
    """A program, or a better one than the last, which `feedback` says was wrong."""
    if state["stopped"]:
        return {}
    planner, request, feedback = runtime.context.planner, _request(state, runtime), state["feedback"]
    try:
        if feedback:
            new = planner.repair(request, state["program"], _error_from_json(feedback))
        else:
            new = planner.plan(request)
    except ModelError as error:
        if not feedback:
            raise
        return {"stopped": f"{feedback['message']} ({error})", "feedback": {}}
    detail = f"{route_of(new.program)}: {new.form_id or 'a program of its own'}"
    runtime.stream_writer({"node": "plan", "detail": detail})
    return _planned(new, state, planner.name)


def execute(state: AskState, runtime: Runtime[AskContext]) -> AskState:
    """Check and run the program; an error becomes feedback for the planner."""
    context, program = runtime.context, state["program"]
    before = len(context.tools.ledger.moments)
    budget = context.settings.max_tool_calls - state["counters"].get("tool_calls", 0)
    try:
        run = run_program(check_program(program, load_tools()), context.tools, Limits(tool_calls=max(0, budget)))
    except (ProgramError, ToolError) as error:
        # A failed run does not tell its calls; what they returned bounds them, so that the budget cannot be cheated.
        calls = min(max(budget, 0), max(1, len(context.tools.ledger.moments) - before))
        runtime.stream_writer({"node": "execute", "detail": f"the program failed: {error}"})
        return {
            "feedback": _error_to_json(error),
            "tried": [*state["tried"], {"program": program, "error": str(error)}],
            "counters": _count(state, tool_calls=calls),
        }
    outcome = run.outcome
    runtime.stream_writer({"node": "execute", "detail": f"{outcome.kind}: {len(outcome.evidence)} moments"})
    return {
        "feedback": {},
        "tried": [*state["tried"], {"program": program, "error": ""}],
        "steps": [step.to_json() for step in run.steps],
        "outcome": {
            "kind": outcome.kind,
            "value": to_json(outcome.value),
            "evidence": [moment_to_json(moment) for moment in outcome.evidence],
        },
        "counters": _count(state, tool_calls=run.tool_calls, steps=len(run.steps)),
    }


def check(state: AskState, runtime: Runtime[AskContext]) -> AskState:
    """Another program, if this one failed or found nothing, and if there is something left to try with."""
    settings, feedback = runtime.context.settings, state["feedback"]
    if not feedback and not state["outcome"].get("evidence") and runtime.context.shortcut is not None:
        feedback = {
            "message": "the program found no evidence",
            "allowed": "other words, another track, fewer conditions",
        }
    if not feedback:
        return {"feedback": {}}
    programs = [tried["program"] for tried in state["tried"]]
    if programs.count(state["program"]) > 1:
        reason = f"the same program failed twice: {feedback['message']}"
    elif state["replans"] >= settings.max_replans:
        reason = f"no program worked after {state['replans']} repairs: {feedback['message']}"
    elif state["counters"].get("tool_calls", 0) >= settings.max_tool_calls:
        reason = f"the budget of {settings.max_tool_calls} tool calls is spent"
    else:
        runtime.stream_writer({"node": "check", "detail": f"again: {feedback['message']}"})
        return {"feedback": feedback, "replans": state["replans"] + 1}
    # A program that ran and found nothing is an outcome, and for a count or a yes-or-no question an answer.
    return {"feedback": {}, "stopped": reason if not state["outcome"] else ""}


def compose(state: AskState, runtime: Runtime[AskContext]) -> AskState:
    """Draft claims from the outcome; without one, from whatever the tools found before."""
    outcome, tools = state["outcome"], runtime.context.tools
    found = tuple(moment_from_json(item) for item in outcome["evidence"]) if outcome else tuple(tools.ledger.moments)
    value = outcome.get("value")
    draft = runtime.context.composer.compose(
        ComposeRequest(
            question=state["question"],
            kind=outcome.get("kind", ""),
            value=tuple(value) if isinstance(value, list) else value,
            evidence=found,
            context=tools,
            choices=tuple(state["choices"]),
            focus=tuple(state.get("focus", ())),
            stopped=state["stopped"],
        )
    )
    runtime.stream_writer({"node": "compose", "detail": f"{len(draft.claims)} claims"})
    return {"draft": draft_to_json(draft), "counters": _count(state, draft.usage, tools.ledger.usage)}


def cite(state: AskState, runtime: Runtime[AskContext]) -> AskState:
    """Publish what survives the check; abstain if nothing does."""
    context, draft = runtime.context, draft_from_json(state["draft"])
    asked = " ".join([state["question"], *state["choices"]])
    checked = check_answer(draft, question=asked, context=context.tools, embedder=context.embedder)
    answer = _answer(state, draft, checked, context)
    runtime.stream_writer(
        {"node": "cite", "detail": f"{len(checked.claims)} claims kept, {len(checked.rejected)} dropped"}
    )
    rejected = [{"text": r.text, "verdict": r.verdict, "reason": r.reason} for r in checked.rejected]
    return {"answer": {**answer_to_json(answer), "rejected": rejected}}


# -- helpers ----------------------------------------------------------------------------------------------------------


def _request(state: AskState, runtime: Runtime[AskContext]) -> PlanRequest:
    tools = runtime.context.tools
    question, videos = state["question"], tuple(tools.scope.values())
    return PlanRequest(question, tuple(state["choices"]), videos, tools.fence, partial(packs, question, tools))


def _planned(new: Plan, state: AskState, planner: str) -> AskState:
    return {
        "program": new.program,
        "form": new.form_id,
        "focus": list(new.focus),
        "choices": list(new.choices or state["choices"]),
        "planner": planner,
        "counters": _count(state, new.usage),
    }


def _count(state: AskState, *usages: Usage, **more: int) -> dict[str, int]:
    counters = dict(state["counters"])
    spent = [(key, int(n)) for usage in usages for key, n in usage.to_json().items() if key != "seconds"]
    for key, value in (*spent, *more.items()):
        counters[key] = counters.get(key, 0) + value
    return counters


def _error_to_json(error: ProgramError | ToolError) -> Json:
    return {
        "message": str(error),
        "fragment": getattr(error, "fragment", ""),
        "allowed": getattr(error, "allowed", ""),
        "hint": error.hint,
    }


def _error_from_json(data: Json) -> ProgramError:
    return ProgramError(
        data["message"], fragment=data.get("fragment", ""), allowed=data.get("allowed", ""), hint=data.get("hint", "")
    )


def _answer(state: AskState, draft: Draft, checked: Checked, context: AskContext) -> Answer:
    # What was examined is no answer where claims were drafted and none is supported.
    abstained = not checked.claims and (bool(draft.claims) or not draft.statement)
    reason = draft.reason or ("no claim of the draft is supported by its evidence" if draft.claims else "")
    if checked.claims:
        said = [claim.text if claim.text.endswith((".", "”")) else f"{claim.text}." for claim in checked.claims]
        text = " ".join([*said, draft.statement] if draft.statement else said)
    else:
        text = f"I cannot answer this from the videos: {reason}." if abstained else draft.statement
    # Reasons repeat what a program said, and statements name files.
    text = plain(text)
    return Answer(
        question=state["question"],
        text=text,
        abstained=abstained,
        confidence=min(1.0, max(0.0, draft.confidence)),
        claims=checked.claims,
        evidence=checked.evidence,
        coverage=coverage_of(context.tools, (*context.tools.ledger.notes, *draft.notes)),
        choice=None if abstained else draft.choice,
        program=state["program"],
    )


def _record(state: AskState, context: AskContext, seconds: float) -> tuple[Answer, str]:
    """The answer with its costs and trace id, and a warning if the trace could not be written."""
    answer = answer_from_json(state["answer"], usage=Usage(**state["counters"], seconds=seconds))
    if context.library is None:
        return answer, ""
    traced = replace(answer, trace_id=trace.new_trace_id())
    record: dict[str, Any] = {
        "question": answer.question,
        "choices": state["choices"],
        "scope": state["scope"],
        "route": state.get("route", ""),
        "program_route": route_of(answer.program) if answer.program else "",
        "planner": state.get("planner", ""),
        "composer": context.composer.name,
        "form": state.get("form", ""),
        "program": answer.program,
        "programs": state["tried"],
        "steps": state["steps"],
        "answer": answer.text,
        "result": traced.to_json(),
        "rejected": state["answer"]["rejected"],
        "prompts": dict(getattr(context.planner, "prompts", {})) | dict(getattr(context.composer, "prompts", {})),
    }
    warning = trace.write_trace(context.library, traced.trace_id, record)
    return (answer if warning else traced), warning
