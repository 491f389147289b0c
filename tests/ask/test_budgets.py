"""Limits hold whatever a planner does, and what was found until then is the answer."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from agentvid.budget import Budget, Price
from agentvid.budgeted import BudgetedChat, estimated_tokens
from agentvid.composers.llm import LLMComposer
from agentvid.config import Settings
from agentvid.errors import UsageError
from agentvid.graph import AskContext, ask
from agentvid.models.base import ChatModel, Reply, Shape
from agentvid.models.scripted import ScriptedChat
from agentvid.planners.llm import LLMPlanner
from agentvid.tools.base import Ledger
from agentvid.types import Answer, Usage

ContextFor = Callable[..., AskContext]
QUESTION = "What is said about bread?"
NOTHING_YET = 'hits = search(query="submarine")\nanswer(kind="what", evidence=after(hits, last(hits)))'


def asked(
    context_for: ContextFor, chat: ChatModel, budget: Budget, question: str = QUESTION, price: Price | None = None
) -> Answer:
    """The answer of planner, tools and composer that share one chat model and one budget."""
    context = context_for(settings=Settings(max_replans=10))
    context.tools.ledger.price = price
    guarded = BudgetedChat(chat, context.tools.ledger)
    context.tools.chat = guarded
    return ask(question, replace(context, planner=LLMPlanner(guarded), composer=LLMComposer(guarded), budget=budget))


@pytest.mark.parametrize("limit", [0, -1, True, 2.5, math.nan, math.inf, "7"])
@pytest.mark.parametrize("name", ["steps", "tool_calls", "llm_calls", "tokens", "frames"])
def test_a_limit_that_is_no_count_is_refused(name: str, limit: Any) -> None:
    with pytest.raises(UsageError, match="allowed: a whole number from 1"):
        Budget(**{name: limit})


@pytest.mark.parametrize("limit", [0, -0.5, True, math.nan, math.inf, "7"])
@pytest.mark.parametrize("name", ["money", "seconds"])
def test_a_limit_that_is_no_amount_is_refused(name: str, limit: Any) -> None:
    with pytest.raises(UsageError, match="allowed: a number above 0"):
        Budget(**{name: limit})


def test_settings_are_a_budget() -> None:
    assert Settings().budget == Budget()
    chosen = Settings(max_steps=1, max_tool_calls=2, max_llm_calls=3, max_tokens=4, max_money=5, max_frames=6)
    assert chosen.budget == Budget(1, 2, 3, 4, 5.0, 6, 600.0)


def adversary(seed: int) -> Callable[[str, str], str]:
    """A planner that wastes: many calls, the same calls, loops over lists, errors, prose, garbage for a composer."""
    draw = random.Random(seed)

    def reply(_system: str, user: str) -> str:
        if "JSON object" in user:
            return draw.choice(["{", "no", '{"claims": []}', "x " * 500])
        words = [draw.choice(["bread", "flour", "oven", "dough", f"thing {draw.random()}"]) for _ in range(30)]
        some = [f'a{n} = search(query="{word}", k={draw.randint(1, 9)})' for n, word in enumerate(words)]
        programs = [
            "\n".join([*some[: draw.randint(1, 30)], "answer(evidence=[])"]),
            "\n".join([*some, "answer(evidence=a0 + oops)"]),
            "\n".join([*some[:3], 'b = [search(query=w) for w in ["bread", "flour", "rye"]]', "answer(evidence=a0)"]),
            "\n".join([some[0], "c = [count(search(query=m.text)) for m in a0]", "answer(evidence=[])"]),
            "\n".join([some[0], 'answer(evidence=[m for m in a0 if count(ground(query="bread", within=m)) > 9])']),
            "I would rather talk about it.",
            'answer(kind="what", evidence=[])',
            NOTHING_YET,
        ]
        return draw.choice(programs)

    return reply


LIMITS: list[dict[str, Any]] = [
    {"tool_calls": 1}, {"tool_calls": 7}, {"steps": 1}, {"steps": 12}, {"llm_calls": 1}, {"llm_calls": 3},
    {"tokens": 12_000}, {"seconds": 0.2}, {"money": 0.02}, {"tool_calls": 3, "steps": 4, "llm_calls": 2},
]  # fmt: skip


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("limits", LIMITS, ids=str)
def test_fifty_wasteful_planners_keep_every_limit(context_for: ContextFor, limits: dict[str, Any], seed: int) -> None:
    chat = ScriptedChat(adversary(seed))
    started = time.monotonic()
    usage = asked(context_for, chat, Budget(**limits), price=Price(2.0, 8.0)).usage
    assert usage.tool_calls <= limits.get("tool_calls", 60)
    assert usage.steps <= limits.get("steps", 100)
    assert len(chat.calls) <= limits.get("llm_calls", 30) + 1
    largest = max((estimated_tokens(call.system + call.user) + 1_000 for call in chat.calls), default=0)
    assert usage.input_tokens + usage.output_tokens <= limits.get("tokens", 30_000) + largest
    assert (usage.money or 0) <= limits.get("money", math.inf) + Price(2.0, 8.0).of(Usage(input_tokens=largest))
    assert time.monotonic() - started < 5
    assert usage.llm_calls <= len(chat.calls)


def test_what_was_found_before_the_end_is_the_answer_with_the_reason(context_for: ContextFor) -> None:
    program = 'a = search(query="sourdough bread")\nb = search(query="x")\nanswer(kind="what", evidence=b)'
    answer = asked(context_for, ScriptedChat([program]), Budget(tool_calls=1), "sourdough bread")
    assert "sourdough bread" in answer.evidence[0].quote
    assert answer.stopped == "the budget of 1 tool calls is spent"
    assert answer.to_json()["stopped"] == answer.stopped


def test_the_planner_reads_what_is_left(context_for: ContextFor) -> None:
    chat = ScriptedChat([NOTHING_YET.replace("after(", "oops("), 'answer(kind="what", evidence=[])', "{}", "{}"])
    asked(context_for, chat, Budget(tool_calls=9, money=None, seconds=50))
    first, second = chat.calls[0].user, chat.calls[1].user
    assert "Left for this question: 100 steps, 9 tool calls, 30 model calls, 30000 tokens, 1000 frames." in first
    assert "29 model calls" in second
    shared = first.split("Left for this question")[0]
    assert second.startswith(shared), "only the end of the prompt changes"


def test_a_call_asked_twice_is_told_and_a_third_time_stops(context_for: ContextFor) -> None:
    first = 'a = search(query="rye flour")'
    chat = ScriptedChat([f'{first}\nb = search(query="x", video="none {n}")\nanswer(evidence=a)' for n in range(9)])
    answer = asked(context_for, chat, Budget())
    assert 'search(query="rye flour")' in answer.stopped
    assert "the same 3 times" in answer.stopped
    assert len(chat.calls) == 3
    assert "was asked" not in chat.calls[1].user
    assert 'search(query="rye flour") was asked 2 times already: ask something else' in chat.calls[2].user
    assert "rye flour" in answer.evidence[0].quote


def test_different_calls_are_not_stopped(context_for: ContextFor) -> None:
    programs = [
        f'a = search(query="rye {n}")\nb = search(query="x{n}", video="x")\nanswer(evidence=a)' for n in range(11)
    ]
    chat = ScriptedChat(programs)
    answer = asked(context_for, chat, Budget(tokens=100_000))
    assert len(chat.calls) == 11
    assert "no program worked after 10 repairs" in answer.stopped


def test_a_slow_model_is_not_waited_for(context_for: ContextFor) -> None:
    def slow(_system: str, _user: str) -> str:
        time.sleep(3)
        return "answer(evidence=[])"

    started = time.monotonic()
    answer = asked(context_for, ScriptedChat(slow), Budget(seconds=0.3))
    assert time.monotonic() - started < 2
    assert answer.stopped == "the budget of 0.3 seconds is spent"


def test_a_budget_below_the_first_prompt_is_refused_at_once(context_for: ContextFor) -> None:
    chat = ScriptedChat([])
    with pytest.raises(UsageError, match=r"about \d+ tokens and 100 of the budget of 100 tokens are left") as caught:
        asked(context_for, chat, Budget(tokens=100))
    assert "more tokens" in caught.value.hint
    assert chat.calls == []


class Silent:
    """A provider that does not tell how many tokens it counted."""

    name = "silent"

    def __init__(self) -> None:
        self.calls = 0

    def reply(self, system: str, user: str, shape: Shape | None = None) -> Reply:
        self.calls += 1
        return Reply(f"answer(evidence=oops_{self.calls}())")


def test_a_provider_that_tells_no_numbers_does_not_void_the_limit(context_for: ContextFor) -> None:
    answer = asked(context_for, Silent(), Budget(tokens=12_000))
    assert 6_000 < answer.usage.input_tokens + answer.usage.output_tokens <= 12_000
    assert "of the budget of 12000 tokens are left" in answer.stopped


def test_spending_from_threads_is_all_counted() -> None:
    ledger = Ledger(price=Price(1.0, 10.0))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: ledger.count(Reply("x", 3, 2)), range(2_000)))
    assert (ledger.usage.llm_calls, ledger.usage.input_tokens, ledger.usage.output_tokens) == (2_000, 6_000, 4_000)
    assert ledger.usage.money == pytest.approx(0.046)
