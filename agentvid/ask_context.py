"""Path 2, before the graph: which planner, composer, tools and limits a question gets, as settings and caller say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace

from agentvid.budget import Budget, Price
from agentvid.composers.extractive import ExtractiveComposer
from agentvid.config import Settings, with_verify
from agentvid.egress import outlet_of
from agentvid.errors import LibraryError, UsageError
from agentvid.graph import AskContext
from agentvid.media.limits import limits_of
from agentvid.models.base import ChatModel
from agentvid.models.cassette import Cassette
from agentvid.parts import Parts
from agentvid.planners.bank import ExampleBank
from agentvid.planners.exemplar import ExemplarPlanner
from agentvid.tools.base import ToolContext
from agentvid.trace import new_trace_id
from agentvid.types import Video

_CHOOSE = "choose one, as in --model openai:NAME"


def ask_context(
    parts: Parts,
    scope: Mapping[str, Video],
    *,
    is_chosen: bool,
    model: str = "",
    budget: Budget | None = None,
    cassette: Cassette | None = None,
    verify: str = "",
    bank: ExampleBank | None = None,
    learned_before: str = "",
) -> AskContext:
    """See `Library.ask_context`. `scope`: the videos by id; `is_chosen`: the caller named them."""
    embedded = ExemplarPlanner(parts.embedder, bank or parts.bank)
    tools = ToolContext(parts.catalogue, parts.retriever, scope, vision=parts.vision, limits=limits_of(parts.settings))
    budget = budget or parts.settings.budget
    context = AskContext(
        planner=embedded,
        composer=ExtractiveComposer(),
        tools=tools,
        settings=with_verify(parts.settings, verify),
        embedder=parts.embedder,
        library=parts.catalogue.directory,
        budget=budget,
        chosen=tuple(scope) if is_chosen else (),
        trace_id=new_trace_id(),
        deepen=_deepen_with(parts, tools, budget),
    )
    name = model or (parts.settings.model if cassette is None or cassette.is_recording else cassette.model)
    if name:
        return _with_model(context, name, parts, cassette, bank, learned_before)
    if cassette and cassette.is_recording:
        raise UsageError(f"{cassette.path}: no model is chosen, so there is nothing to record", hint=_CHOOSE)
    return context


def _with_model(
    context: AskContext,
    name: str,
    parts: Parts,
    cassette: Cassette | None,
    bank: ExampleBank | None,
    learned_before: str,
) -> AskContext:
    """`context` with the LLM `name` to plan and compose; its embedded planner stays for look-ups."""
    from agentvid.budgeted import BudgetedChat
    from agentvid.composers.llm import LLMComposer
    from agentvid.models import load_chat
    from agentvid.models.cassette import RecordingChat
    from agentvid.planners.learned import with_learned
    from agentvid.planners.llm import LLMPlanner

    settings = parts.settings
    context.tools.ledger.price = _price(settings, name, context.budget)

    def load() -> ChatModel:
        outlet = outlet_of(settings, "model")
        return load_chat(name, settings.model_timeout_seconds, settings.structured_output, outlet)

    recorder = RecordingChat(cassette.chat(name, load) if cassette else load(), context.calls)
    chat = BudgetedChat(recorder, context.tools.ledger)
    before = learned_before if cassette else None
    shown = with_learned(parts.bank, parts.catalogue.directory, before=before) if bank is None else bank
    return replace(
        context,
        planner=LLMPlanner(chat, embedder=parts.embedder, bank=shown),
        composer=LLMComposer(chat),
        tools=replace(context.tools, chat=chat),
        shortcut=context.planner,
        model=name,
        learns=settings.learn and cassette is None,
    )


def _price(settings: Settings, model: str, budget: Budget | None) -> Price | None:
    price = settings.price(model)
    if price is None and budget and budget.money is not None:
        known = ", ".join(settings.prices) or "none"
        raise UsageError(
            f"a budget of {budget.money:g} money needs the price of {model!r}; prices are set for: {known}",
            hint=f'set it, as in AGENTVID_PRICES="{model}=1.25/10": of a million tokens read and written',
        )
    return price


def _deepen_with(parts: Parts, tools: ToolContext, budget: Budget | None) -> Callable[[str], int] | None:
    """What makes captions where a question lands; None unless the setting `captions` is "lazy"."""
    settings = parts.settings
    if settings.captions != "lazy":
        return None
    from agentvid.deepening import Deepening
    from agentvid.models import IN_PROCESS
    from agentvid.perceive.caption import captions_model

    name = captions_model(settings)
    if budget and budget.money is not None and not settings.price(name) and not name.startswith(IN_PROCESS):
        tools.ledger.notes.append(f"captions: none made: the budget of money needs the price of {name!r}")
        return None
    deepening = Deepening(name, settings, parts.embedder)

    def deepen(question: str) -> int:
        if made := deepening.deepen(question, tools):
            with suppress(LibraryError):  # the next search makes what is missing
                parts.publish()
        return made

    return deepen
