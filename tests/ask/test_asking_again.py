"""An answer that is not sure is asked for again with other examples, at most so often; the surest one is kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from agentvid.config import Settings
from agentvid.graph import AskContext, ask
from agentvid.models.scripted import ScriptedChat
from agentvid.planners.exemplar import ExemplarPlanner
from agentvid.planners.llm import LLMPlanner
from agentvid.trace import read_trace

ContextFor = Callable[..., AskContext]
QUESTION = "Which enzyme captures carbon dioxide?"


def program(query: str) -> str:
    return f'hits = search(query="{query}", k=1)\nanswer(kind="what", evidence=hits)'


POOR, GOOD = program("sourdough"), program(QUESTION)


def asked(
    context_for: ContextFor, *programs: str, most: int = 3, library: Path | None = None
) -> tuple[ScriptedChat, str]:
    chat = ScriptedChat(programs)
    settings = Settings(max_asks=most, confident=0.2)
    answer = ask(QUESTION, context_for(planner=LLMPlanner(chat), settings=settings, library=library))
    if library is not None:
        record = read_trace(library, answer.trace_id)
        assert record["result"] == answer.to_json()
        assert record["steps"][0]["name"] == "hits"
        assert len(record["programs"]) == len(chat.calls)
    return chat, "" if answer.abstained else answer.text


def test_the_loop_stops_at_the_first_sure_answer(context_for: ContextFor, tmp_path: Path) -> None:
    chat, text = asked(context_for, POOR, GOOD, program("never reached"), library=tmp_path)
    assert len(chat.calls) == 2
    assert "Rubisco is the enzyme" in text


def test_a_sure_answer_is_not_asked_for_again(context_for: ContextFor) -> None:
    chat, text = asked(context_for, GOOD, POOR)
    assert len(chat.calls) == 1
    assert "Rubisco" in text


def test_it_is_asked_at_most_so_often(context_for: ContextFor) -> None:
    chat, text = asked(context_for, POOR, program("oven"), program("flour"), program("table"))
    assert len(chat.calls) == 3
    assert text == ""
    once, _ = asked(context_for, POOR, GOOD, most=1)
    assert len(once.calls) == 1


def test_no_example_is_shown_twice_and_the_unsure_program_is(context_for: ContextFor) -> None:
    chat, _ = asked(context_for, POOR, program("oven"), program("flour"))
    shown = [set(call.system.split("Question: ")[1:]) for call in chat.calls]
    assert all(shown)
    assert len(set.union(*shown)) == sum(map(len, shown))
    assert [POOR in call.user for call in chat.calls] == [False, True, True]


def test_the_same_program_again_ends_it(context_for: ContextFor) -> None:
    chat, text = asked(context_for, POOR, POOR, GOOD)
    assert len(chat.calls) == 2
    assert text == ""


def test_a_model_that_fails_the_second_time_costs_nothing(context_for: ContextFor) -> None:
    chat, text = asked(context_for, program("carbon"))
    assert len(chat.calls) <= 2
    assert "carbon dioxide" in text or text == ""


def test_an_unsure_look_up_goes_to_the_model(context_for: ContextFor) -> None:
    chat = ScriptedChat([GOOD])
    context = context_for(planner=LLMPlanner(chat), shortcut=ExemplarPlanner(), settings=Settings(confident=0.9))
    ask("What is said about carbon?", context)
    assert len(chat.calls) == 1


def test_the_embedded_planner_takes_its_next_best_form(context_for: ContextFor) -> None:
    question = "When is the submarine volcano mentioned?"
    once, twice = (ask(question, context_for(settings=Settings(max_asks=n))) for n in (1, 3))
    assert twice.usage.tool_calls > once.usage.tool_calls
    assert once.abstained
    assert twice.abstained, "another form must not make sure of what is not there"
    assert twice.coverage.missing
