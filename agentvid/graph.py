"""Path 2: a question becomes an answer. One LangGraph, one loop.

    route -> plan -> execute -> check -> compose -> cite
               ^________________|   (a program to repair, or nothing found yet; at most `max_replans` times)
               ^______________________________|   (low confidence; asked at most `max_asks` times, the surest is kept)

A look-up takes the question's form as its program and skips an LLM planner; everything else is planned. Nodes read and
write `AskState` (JSON); what is alive is in `AskContext`, frozen from the user's words before any video text is read.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command

from agentvid import trace
from agentvid.answer import coverage_of, plain
from agentvid.budget import INTERRUPTED, Budget, Cancel
from agentvid.checking.verify import Verification, verify
from agentvid.composers.base import Composer, ComposeRequest, Draft
from agentvid.config import Settings
from agentvid.egress import on_errand
from agentvid.errors import AgentvidError, BudgetSpent, ModelError, ProgramError, ToolError, UsageError
from agentvid.events import Event, counted, note, stage, token
from agentvid.models.base import Embedder
from agentvid.models.cassette import Call
from agentvid.planners.base import Plan, Planner, PlanRequest
from agentvid.planners.exemplar import ExemplarPlanner
from agentvid.planners.followups import FollowUp
from agentvid.planners.packs import packs
from agentvid.planners.routes import route_of
from agentvid.planners.wording import read_question
from agentvid.state import (
    AskState,
    answer_from_json,
    answer_to_json,
    draft_from_json,
    draft_to_json,
    error_from_json,
    error_to_json,
    look_to_json,
    moment_from_json,
    moment_to_json,
    place_from_json,
    place_to_json,
    turn_from_json,
    turn_to_json,
    unplanned,
)
from agentvid.text import check_question, shown_name
from agentvid.tools import load_tools, working_tools
from agentvid.tools.base import Ledger, ToolContext
from agentvid.tools.choose import MAX_OPTIONS
from agentvid.tools.program import Limits, check_program, run_program
from agentvid.tools.program.values import Outcome, to_json
from agentvid.types import LOOK, Answer, Claim, Json, Usage

if TYPE_CHECKING:
    from langchain_core.callbacks import BaseCallbackHandler
    from langchain_core.runnables import RunnableConfig
    from langgraph.graph.state import CompiledStateGraph

    Graph = CompiledStateGraph["AskState", "AskContext", "AskState", "AskState"]

#: So many programs may make the same tool call; a planner that asks once more is stopped.
MOST_ASKED = 2
_NODES_PER_ROUND, _NODES_ONCE = 3, 4
_CUT = 200
_NO_VIDEO = "there is no video to look at; add one with `agentvid index PATH...`"


@dataclass(frozen=True)
class AskContext:
    """What one question may use. Make a new one, with a new `tools.ledger`, for every question.

    `shortcut` plans look-ups when `planner` is an LLM; None sends every question to `planner`. `library`: the directory
    whose `traces/` keeps the record; None keeps none. `budget`: that of the settings, if None. `model`: the name of the
    chat model, "" for none; `calls`: where its recorder puts them, for the trace. `thread`: the conversation that the
    question goes on with, "" for none; needs `library`. `chosen`: the ids that the user limited it to, none for all;
    `is_scope_kept`: with a question before it in the thread.
    `earlier`: turns of a conversation that is kept elsewhere, None if there is none.
    `callbacks`: LangChain's, which see every node and model call. `learns`: whether a program that was repaired and
    then answered becomes an example of the library. `clock`: seconds, monotonic. `deepen`: makes captions where the
    question lands before it is planned, and returns how many; None makes none. `cancel` ends the run. `is_heard`:
    whether somebody reads its events. `trace_id`: what the record of the question is called, "" for a new name.
    """

    planner: Planner
    composer: Composer
    tools: ToolContext
    settings: Settings
    embedder: Embedder | None = None
    shortcut: Planner | None = None
    library: Path | None = None
    budget: Budget | None = None
    model: str = ""
    calls: list[Call] = field(default_factory=list)
    thread: str = ""
    chosen: tuple[str, ...] = ()
    is_scope_kept: bool = False
    earlier: Sequence[Json] | None = None
    callbacks: Sequence[BaseCallbackHandler] = ()
    learns: bool = False
    clock: Callable[[], float] = time.monotonic
    deepen: Callable[[str], int] | None = None
    cancel: Cancel | None = None
    is_heard: bool = False
    trace_id: str = ""

    @property
    def max_asks(self) -> int:
        """How often a question may be planned; unless set, a second time only where an LLM plans (measured: docs)."""
        return self.settings.max_asks or (2 if self.shortcut is not None else 1)


def ask(question: str, context: AskContext, *, choices: Sequence[str] = ()) -> Answer:
    """Answer from evidence or abstain.

    Raises UsageError for an empty or over-long question or choices, ModelError if an LLM fails for good.
    """
    # Nobody reads the events: without them LangGraph runs the nodes in this thread, in half the time.
    *_, last = _answering(question, context, choices, ["values"])
    assert isinstance(last, Answer)
    return last


def stream(question: str, context: AskContext, *, choices: Sequence[str] = ()) -> Iterator[Event | Answer]:
    """Events as they happen, then the Answer. Raises as `ask`.

    Who closes the iterator before its end ends the run, and nothing of it is kept.
    """
    cancel = context.cancel or Cancel()
    events = _answering(question, replace(context, is_heard=True, cancel=cancel), choices, ["custom", "values"])
    for event in events:
        try:
            yield event
        except GeneratorExit:
            cancel.set()  # before the events are closed: that waits for the node that runs
            raise


def _answering(
    question: str, context: AskContext, choices: Sequence[str], modes: list[str]
) -> Iterator[Event | Answer]:
    """`_run`, while what leaves the machine is recorded as of this question."""
    return on_errand(_run(question, context, choices, modes), context.trace_id, list(context.tools.scope))


def _run(
    question: str, context: AskContext, choices: Sequence[str], modes: list[str]
) -> Generator[Event | Answer, None, None]:
    ledger = context.tools.ledger
    ledger.begin(context.budget or context.settings.budget, clock=context.clock, cancel=context.cancel)
    _check(question, choices)
    with _compiled(context) as (graph, turns):
        context, state = _start(question, choices, context, turns)
        if state["understood"]:
            yield note("thread", state["understood"])
        yield from _deepened(state, context)
        options: Any = {"context": context, "stream_mode": modes}
        if context.thread:
            # Only the end of a question is kept: what tools returned is alive and in no checkpoint, so that an answer
            # could not cite from half a run.
            options["durability"] = "exit"
        try:
            for mode, part in cast("Iterator[tuple[str, Any]]", graph.stream(state, _config(context), **options)):
                if mode == "custom":
                    yield part
                else:
                    state = part
        except AgentvidError as error:
            _record(state, context, choices, {"error": str(error), "hint": error.hint})
            raise
    yield from _published(state, context, choices)


def _deepened(state: AskState, context: AskContext) -> Iterator[Event]:
    """Captions where the question lands, if the user wants some; they are paid for out of its budget."""
    if context.deepen is not None and not state["stopped"]:
        yield stage("caption", "captions where the question lands")
        made = counted(context.deepen(state["question"]), "caption")
        yield stage("caption", f"{made} made where the question lands")
    context.tools.ledger.captioned = context.tools.ledger.usage


def _published(state: AskState, context: AskContext, choices: Sequence[str]) -> Iterator[Event | Answer]:
    """The answer, after its trace is written and what it teaches is kept."""
    ledger = context.tools.ledger
    answer = answer_from_json(state["answer"], usage=ledger.total())
    if ledger.is_interrupted():
        answer = replace(answer, stopped=INTERRUPTED)
    if context.library is None:
        yield answer
        return
    traced = replace(answer, trace_id=context.trace_id or trace.new_trace_id())
    outcome = {"answer": answer.text, "result": traced.to_json(), "rejected": state["answer"]["rejected"]}
    if warning := _record(state, context, choices, outcome, trace_id=traced.trace_id):
        yield note("trace", warning)
        yield answer
        return
    if context.learns and (learned := _learn(state, context.library, traced, context.settings)):
        yield note("examples", learned)
    yield traced


@contextmanager
def _compiled(context: AskContext) -> Iterator[tuple[Graph, Sequence[Json] | None]]:
    """The graph, with a thread one that keeps the state of the question in it; and the turns of the conversation."""
    if not context.thread:
        yield build_graph(), context.earlier
        return
    from agentvid.threads import checkpointer, turns_of

    if context.library is None:
        raise UsageError(f"thread {context.thread!r} needs a library to be kept in")
    with checkpointer(context.library) as saver:
        turns = turns_of(saver, context.thread)  # what cannot be read is told before anything is asked
        yield build_graph().copy(update={"checkpointer": saver}), turns


def _config(context: AskContext) -> RunnableConfig:
    rounds = context.settings.max_replans + context.max_asks
    config: RunnableConfig = {
        "recursion_limit": _NODES_ONCE * context.max_asks + _NODES_PER_ROUND * rounds,
        "callbacks": list(context.callbacks),
        "run_name": "agentvid.ask",
    }
    if context.thread:
        from agentvid.threads import config_of

        config |= config_of(context.thread)
    return config


@lru_cache(maxsize=1)
def build_graph() -> Graph:
    """The compiled graph; it holds nothing of a question and serves all of them."""
    graph = StateGraph(AskState, context_schema=AskContext)
    graph.add_edge(START, "route")
    _add(graph, route, ("execute", "plan"), lambda state: "execute" if state.get("program") else "plan")
    _add(graph, plan, ("compose", "execute", END), _after_plan)
    graph.add_node("execute", execute)
    graph.add_edge("execute", "check")
    _add(graph, check, ("plan", "compose"), lambda state: "plan" if state["feedback"] else "compose")
    graph.add_node("compose", compose)
    graph.add_edge("compose", "cite")
    _add(graph, cite, ("plan", END), lambda state: "plan" if state["again"] else END)
    return graph.compile()


def _add(
    graph: StateGraph[AskState, AskContext],
    node: Callable[[AskState, Runtime[AskContext]], AskState],
    ways: tuple[str, ...],
    way: Callable[[AskState], str],
) -> None:
    """A node after which the state tells which of the `ways` to go.

    Not a conditional edge: LangGraph copies the whole state for each, which took a tenth of a question.
    """

    def run(state: AskState, runtime: Runtime[AskContext]) -> Command[str]:
        made = node(state, runtime)
        return Command(update=made, goto=way({**state, **made}))

    graph.add_node(node.__name__, run, destinations=ways)


def _check(question: str, choices: Sequence[str]) -> None:
    check_question(question)
    texts = {" ".join(choice.split()) for choice in choices}
    if choices and (not 2 <= len(choices) <= MAX_OPTIONS or "" in texts or len(texts) < len(choices)):
        raise UsageError(f"{len(choices)} choices; allowed: 2 to {MAX_OPTIONS}, none of them empty and no two alike")


def _start(
    question: str, choices: Sequence[str], context: AskContext, turns: Sequence[Json] | None
) -> tuple[AskContext, AskState]:
    """The question made complete, and the scope that it names; from here on nothing changes either."""
    read = FollowUp(question)
    if isinstance(context.planner, ExemplarPlanner):
        earlier = None if turns is None else list(map(turn_from_json, turns))
        read = read_question(question, context.planner, context.tools, earlier, has_choices=bool(choices))
    if read.videos:
        scope = {video.id: video for video in context.tools.catalogue.videos() if video.id in read.videos}
        context = replace(context, tools=replace(context.tools, scope=scope))
    elif context.is_scope_kept:
        names = ", ".join(shown_name(video.name) for video in context.tools.scope.values())
        read = replace(read, said="; ".join(filter(None, (f"only in {plain(names)}, as before", read.said))))
    stopped = context.tools.ledger.spent() or read.problem if context.tools.scope else _NO_VIDEO
    state: AskState = {
        **unplanned(),
        "turns": list(context.earlier or ()),
        "question": read.question or question,
        "wording": question,
        "understood": read.said,
        "place": place_to_json(*read.place) if read.place else {},
        "chosen": list(context.chosen),
        "choices": list(choices),
        "scope": list(context.tools.scope),
        "stopped": stopped,
    }
    return context, state


# -- nodes ------------------------------------------------------------------------------------------------------------


def route(state: AskState, runtime: Runtime[AskContext]) -> AskState:
    """A look-up takes its form's program at once; the rest goes to the planner.

    So does a question that goes on with a thread: "what does it do then?" is no form.
    """
    shortcut = runtime.context.shortcut
    if shortcut is None or state["stopped"] or state.get("turns"):
        return {"route": "loop"}
    first = shortcut.plan(_request(state, runtime))
    if not first.is_lookup:
        return {"route": "loop"}
    runtime.stream_writer(_program("route", f"look-up ({first.form_id})", first))
    return {"route": "lookup", **_planned(first, state, shortcut.name, runtime.context.tools.ledger)}


def plan(state: AskState, runtime: Runtime[AskContext]) -> AskState:
    """A program, or a better one than the last, which `feedback` says was wrong."""
    if state["stopped"]:
        return {}
    planner, request, feedback = runtime.context.planner, _request(state, runtime), state["feedback"]
    ledger = runtime.context.tools.ledger
    is_again = state.get("again", False) and not feedback
    runtime.stream_writer(stage("plan", f"{'repairing the program' if feedback else 'planning'} ({planner.name})"))
    try:
        if feedback:
            new = planner.repair(request, state["program"], error_from_json(feedback))
        else:
            new = planner.plan(request)
    except BudgetSpent as error:
        if not ledger.usage.llm_calls and not ledger.spent():
            raise UsageError(str(error), hint="allow more tokens: the first prompt must fit") from None
        return _settled(state) if is_again else {"stopped": str(error), "feedback": {}}
    except ModelError as error:
        if is_again:
            return _settled(state)
        if not feedback:
            raise
        told = str(error)
        reason = told if feedback["message"] in told else f"{feedback['message']} ({told})"
        return {"stopped": reason, "feedback": {}}
    ledger.spend(new.usage)
    if is_again and new.program in request.tried:
        return _settled(state)
    detail = f"{route_of(new.program)}: {new.form_id or 'a program of its own'}"
    runtime.stream_writer(_program("plan", detail, new))
    return _planned(new, state, planner.name, ledger)


def _after_plan(state: AskState) -> str:
    """Nothing new to try ends a question that was answered before."""
    if state["stopped"]:
        return "compose"
    return "execute" if state["program"] else END


def execute(state: AskState, runtime: Runtime[AskContext]) -> AskState:
    """Check and run the program; an error becomes feedback for the planner."""
    context, program = runtime.context, state["program"]
    ledger = context.tools.ledger
    before = len(ledger.calls)
    runtime.stream_writer(stage("execute", "running the program"))
    tell = runtime.stream_writer if context.is_heard else None
    try:
        run = run_program(check_program(program, load_tools()), context.tools, _limits(ledger), tell=tell)
    except (ProgramError, ToolError) as error:
        runtime.stream_writer(stage("execute", f"the program failed: {error}"))
        return {
            "feedback": error_to_json(error),
            "tried": [*state["tried"], {"program": program, "error": str(error)}],
            "asked": _asked(state, ledger.calls[before:]),
        }
    outcome = _with_looks(run.outcome, context.tools)
    runtime.stream_writer(stage("execute", f"{outcome.kind}: {counted(len(outcome.evidence), 'moment')}"))
    return {
        "feedback": {},
        "tried": [*state["tried"], {"program": program, "error": ""}],
        "steps": [step.to_json() for step in run.steps],
        "asked": _asked(state, ledger.calls[before:]),
        "outcome": {
            "kind": outcome.kind,
            "value": to_json(outcome.value),
            "evidence": [moment_to_json(moment) for moment in outcome.evidence],
        },
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
    # A program that ran and found nothing is an outcome, and for a count or a yes-or-no question an answer; but that
    # the planner could not go on is told in any case.
    if reason := runtime.context.tools.ledger.spent() or _repeated(state):
        return {"feedback": {}, "stopped": reason}
    programs = [tried["program"] for tried in state["tried"]]
    if programs.count(state["program"]) > 1:
        reason = f"the same program failed twice: {feedback['message']}"
    elif state["replans"] >= settings.max_replans:
        reason = f"no program worked after {state['replans']} repairs: {feedback['message']}"
    else:
        runtime.stream_writer(stage("check", f"again: {feedback['message']}"))
        return {"feedback": _nudged(feedback, state), "replans": state["replans"] + 1}
    return {"feedback": {}, "stopped": reason if not state["outcome"] else ""}


def compose(state: AskState, runtime: Runtime[AskContext]) -> AskState:
    """Draft claims from the outcome; without one, from whatever the tools found before."""
    outcome, tools = state["outcome"], runtime.context.tools
    found = tuple(moment_from_json(item) for item in outcome["evidence"]) if outcome else tuple(tools.ledger.moments)
    value = outcome.get("value")
    runtime.stream_writer(stage("compose", f"composing ({runtime.context.composer.name})"))
    draft = runtime.context.composer.compose(
        ComposeRequest(
            question=state["question"],
            kind=outcome.get("kind", ""),
            value=tuple(value) if isinstance(value, list) else value,
            evidence=found,
            context=tools,
            choices=tuple(state["choices"]),
            focus=tuple(state.get("focus", ())),
            stopped="" if outcome else state["stopped"],
            tell=(lambda text: runtime.stream_writer(token(text))) if runtime.context.is_heard else None,
        )
    )
    tools.ledger.spend(draft.usage)
    runtime.stream_writer(stage("compose", counted(len(draft.claims), "claim")))
    return {"draft": draft_to_json(draft)}


def cite(state: AskState, runtime: Runtime[AskContext]) -> AskState:
    """Publish what survives the check; abstain if nothing does; ask again, if it is not sure enough."""
    context, settings, draft = runtime.context, runtime.context.settings, draft_from_json(state["draft"])
    runtime.stream_writer(stage("cite", f"checking {counted(len(draft.claims), 'claim')}"))
    verified = verify(
        draft,
        question=state["question"],
        choices=state["choices"],
        context=context.tools,
        embedder=context.embedder,
        chat=context.tools.chat,
        is_strict=settings.verify == "strict",
    )
    checked, answer = verified.checked, _answer(state, draft, verified, context)
    kept = counted(len(checked.claims), "claim")
    runtime.stream_writer(stage("cite", f"{kept} kept, {len(checked.rejected)} dropped"))
    made = {"steps": state["steps"], "form": state.get("form", ""), "planner": state.get("planner", "")}
    rejected = [{"text": r.text, "verdict": r.verdict, "reason": r.reason} for r in checked.rejected]
    context.tools.ledger.spend(verified.usage)
    best = _surer(state.get("answer", {}), {**answer_to_json(answer), "rejected": rejected, **made}, settings.confident)
    asks = state.get("asks", 0) + 1
    is_unsure = (best["abstained"] or best["confidence"] < settings.confident) and not state["stopped"]
    again = is_unsure and asks < context.max_asks and not context.tools.ledger.spent()
    return {
        "answer": best,
        "again": again,
        "asks": asks,
        "outcome": {} if again else state["outcome"],
        "turns": [] if again else [_turn(best, state)],
        "counters": context.tools.ledger.usage.to_json(),
    }


def _settled(state: AskState) -> AskState:
    """Nothing new to try: what was answered before stands."""
    return {"program": "", "turns": [_turn(state["answer"], state)]}


def _turn(answer: Json, state: AskState) -> Json:
    said = answer_from_json(answer, usage=Usage())
    return turn_to_json(said, standalone=state["question"], videos=state.get("chosen", ()))


def _surer(old: Json, new: Json, confident: float) -> Json:
    """The answer to keep. Who asks often finds something: what was no answer yields only to one that is sure."""
    if not old:
        return new
    if new["abstained"]:
        return old
    bar = confident if old["abstained"] else old["confidence"]
    return new if new["confidence"] > bar else old


# -- helpers ----------------------------------------------------------------------------------------------------------


def _request(state: AskState, runtime: Runtime[AskContext]) -> PlanRequest:
    tools = runtime.context.tools
    question, ledger = state["question"], tools.ledger
    turns = tuple(turn_from_json(turn) for turn in state.get("turns", ()))
    tried = tuple(one["program"] for one in state["tried"]) if state.get("again") else ()
    # The first program of a look-up came from the shortcut.
    attempt = max(0, len(tried) - (state.get("route") == "lookup"))
    return PlanRequest(
        question=question,
        choices=tuple(state["choices"]),
        videos=tuple(tools.scope.values()),
        tools=working_tools(tools),
        fence=tools.fence,
        look=partial(packs, question, tools),
        balance=ledger.budget.balance(ledger.usage),
        turns=turns,
        tried=tried,
        attempt=attempt,
        place=place_from_json(state["place"]) if state.get("place") else None,
    )


def _program(node: str, detail: str, new: Plan) -> Event:
    return {"event": "program", "node": node, "detail": detail, "program": new.program}


def _planned(new: Plan, state: AskState, planner: str, ledger: Ledger) -> AskState:
    if new.note and new.note not in ledger.notes:
        ledger.notes.append(new.note)
    return {
        "program": new.program,
        "form": new.form_id,
        "focus": list(new.focus),
        "choices": list(new.choices or state["choices"]),
        "planner": planner,
    }


def _limits(ledger: Ledger) -> Limits:
    """What the budget leaves to one more program."""
    seconds = min(Limits.wall_seconds, ledger.left("seconds"))
    return Limits(statements=ledger.left("steps"), tool_calls=ledger.left("tool_calls"), wall_seconds=seconds)


def _asked(state: AskState, calls: Sequence[str]) -> dict[str, int]:
    """How many programs made each tool call, after one more made `calls`."""
    return dict(Counter(state.get("asked", {})) + Counter(set(calls)))


def _repeated(state: AskState) -> str:
    """Why a planner that asks the same for the third time is stopped, "" if it does not."""
    call, times = _most_asked(state)
    return f"the planner asked the same {times} times: {call}" if times > MOST_ASKED else ""


def _nudged(feedback: Json, state: AskState) -> Json:
    """The feedback, and to a planner that repeats a call, that nothing new will come of it."""
    call, times = _most_asked(state)
    if times < MOST_ASKED:
        return feedback
    return {**feedback, "message": f"{feedback['message']}; {call} was asked {times} times already: ask something else"}


def _most_asked(state: AskState) -> tuple[str, int]:
    call, times = max(state.get("asked", {}).items(), key=lambda item: item[1], default=("", 0))
    return (call if len(call) <= _CUT else f"{call[:_CUT]}..."), times


def _with_looks(outcome: Outcome, tools: ToolContext) -> Outcome:
    """A text that was read off frames is shown by what it was read from, whether or not the program cites that."""
    said = {m.observation_ids: m for m in tools.ledger.moments if m.track == LOOK and m.text == outcome.value}
    return replace(outcome, evidence=(*said.values(), *outcome.evidence)) if said else outcome


def _answer(state: AskState, draft: Draft, verified: Verification, context: AskContext) -> Answer:
    checked = verified.checked
    # What was examined is no answer where claims were drafted and none is supported.
    abstained = not checked.claims and (bool(draft.claims) or not draft.statement)
    # Claims of which none holds speak for nothing, however sure the draft was.
    sure = 0.0 if abstained and draft.claims else draft.confidence * verified.trust
    respelt = map(str, context.tools.ledger.respelt.values())
    return Answer(
        question=state.get("wording", state["question"]),
        # Reasons repeat what a program said, and statements name files.
        text=plain(_refusal(draft) if abstained else _text(draft, checked.claims)),
        abstained=abstained,
        confidence=min(1.0, max(0.0, sure)),
        claims=checked.claims,
        evidence=checked.evidence,
        coverage=coverage_of(context.tools, (*context.tools.ledger.notes, *draft.notes, *verified.notes)),
        choice=None if abstained else draft.choice,
        program=state["program"],
        stopped=state["stopped"],
        understood="; ".join(filter(None, [state.get("understood", ""), *respelt])),
    )


def _refusal(draft: Draft) -> str:
    reason = draft.reason or ("no claim of the draft is supported by its evidence" if draft.claims else "")
    return f"I cannot answer this from the videos: {reason}."


def _text(draft: Draft, claims: Sequence[Claim]) -> str:
    """The claims that hold, as sentences, then what was examined."""
    said = [claim.text if claim.text.endswith((".", "”")) else f"{claim.text}." for claim in claims]
    return " ".join([*said, draft.statement] if draft.statement else said)


def _learn(state: AskState, library: Path, answer: Answer, settings: Settings) -> str:
    """Keep the program of a sure answer as an example, if one before it failed; returns what to say of it, or "".

    What failed scored nothing, so that the new one scores no worse. What goes on with a conversation teaches nothing:
    "and then?" is no question of its own.
    """
    if len(state.get("turns", ())) > 1:
        return ""
    failed = [one for one in state["tried"] if one["error"]]
    if not failed or answer.abstained or answer.confidence < settings.confident or answer.stopped:
        return ""
    if not any(one["program"] == answer.program and not one["error"] for one in state["tried"]):
        return ""
    from agentvid.planners.learned import learn

    return learn(library, answer.trace_id, answer.question, state["choices"], answer.program)


def _record(state: AskState, context: AskContext, choices: Sequence[str], outcome: Json, *, trace_id: str = "") -> str:
    """Write the trace, with what it takes to replay it; returns why it could not be written, or ""."""
    if context.library is None:
        return ""
    settings = context.settings
    catalogue = context.tools.catalogue
    made: Json = state.get("answer") or dict(state)  # of the program that led to the answer, or to the failure
    record: dict[str, Any] = {
        "question": state["wording"],
        "standalone": state["question"],
        "choices": list(choices),
        "scope": state["scope"],
        "is_scope_kept": context.is_scope_kept,
        "fingerprints": {video_id: catalogue.fingerprint(video_id) for video_id in state["scope"]},
        "model": context.model,
        "thread": context.thread,
        "turns": state.get("turns", [])[: -1 if state.get("answer") else None],
        "verify": settings.verify,
        "budget": asdict(context.budget or settings.budget),
        "settings": {name: getattr(settings, name) for name in trace.SHAPING_SETTINGS},
        "route": state.get("route", ""),
        "program_route": route_of(state["program"]) if state["program"] else "",
        "planner": made.get("planner", ""),
        "composer": context.composer.name,
        "form": made.get("form", ""),
        "program": state["program"] or state.get("answer", {}).get("program", ""),
        "programs": state["tried"],
        "steps": made.get("steps", []),
        "captioned": context.tools.ledger.captioned.to_json(),
        "looks": [look_to_json(video_id, row) for video_id, rows in context.tools.ledger.looks.items() for row in rows],
        "prompts": dict(getattr(context.planner, "prompts", {})) | dict(getattr(context.composer, "prompts", {})),
        "model_calls": [call.to_json() for call in context.calls],
        **outcome,
    }
    return trace.write_trace(context.library, trace_id or context.trace_id or trace.new_trace_id(), record)
