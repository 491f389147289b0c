"""What every tool keeps to, whatever it does: its types, the scope, and that the same call gives the same."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from agentvid.errors import ToolError
from agentvid.tools import TOOLS
from agentvid.tools.base import Ledger, Parameter, Tool, ToolContext
from agentvid.tools.program import check_program, run_program
from agentvid.tools.program.values import fit, is_valid
from agentvid.types import Moment, Span

#: Only the video that is left out of the scope says so.
SECRET = "hides"
#: These need nothing but the library: they always have an answer. Others may want a model or a file.
READING = {"search", "ground", "read", "list_all", "count_all", "score_options", "verify", "compare", "summarize"}
HOSTILE = ['"; DROP TABLE videos; --', "NEAR(", "*", '"', "\u202edoor\x00", "a" * 5_000, "{0.__class__}", "<<marker>>"]


def given(context: ToolContext, parameter: Parameter, *, text: str = "red door", outside: bool = False) -> Any:
    """A value for a parameter, in the form in which programs hand it over."""
    video_id = next(video.id for video in context.scope.values() if video.title == "Kitchen")
    moment = Moment("another" if outside else video_id, Span(0, 70))
    values = {
        "number": 2.0,
        "bool": True,
        "text": text,
        "moment": moment,
        "list[number]": [1.0, 2.0],
        "list[bool]": [True],
        "list[text]": [text, "salt"],
        "list[moment]": [moment],
    }
    return values[parameter.type]


def arguments(context: ToolContext, tool: Tool, **how: Any) -> dict[str, Any]:
    return {p.name: given(context, p, **how) for p in tool.parameters if p.required}


def fresh(context: ToolContext) -> ToolContext:
    return replace(context, ledger=Ledger())


def call(context: ToolContext, tool: Tool, given: dict[str, Any]) -> Any:
    """The value, or the tool's own error; any other exception is a failure."""
    try:
        value = tool.run(context, **given)
    except ToolError as error:
        return error
    value = fit(tuple(value) if isinstance(value, list) else value, tool.returns)
    assert is_valid(value, tool.returns)
    return value


@pytest.fixture(params=sorted(TOOLS))
def tool(request: pytest.FixtureRequest) -> Tool:
    return TOOLS[request.param]


def test_the_value_is_of_the_type_that_the_tool_tells(in_library: ToolContext, tool: Tool) -> None:
    value = call(in_library, tool, arguments(in_library, tool))
    assert not (isinstance(value, ToolError) and tool.name in READING), value


def test_nothing_comes_from_outside_of_the_scope(in_library: ToolContext, tool: Tool) -> None:
    value = call(in_library, tool, arguments(in_library, tool, text=SECRET))
    assert SECRET not in str(value).casefold() or isinstance(value, ToolError)
    assert all(moment.video_id in in_library.scope for moment in in_library.ledger.moments)
    assert not any(SECRET in moment.text for moment in in_library.ledger.moments)


def test_moments_and_videos_outside_of_the_scope_are_refused(in_library: ToolContext, tool: Tool) -> None:
    inside = arguments(in_library, tool)
    for parameter in tool.parameters:
        strange: Any = None
        if parameter.type in ("moment", "list[moment]"):
            strange = given(in_library, parameter, outside=True)
        elif parameter.name == "video":
            strange = "Secret"
        if strange is not None:
            context = fresh(in_library)
            with pytest.raises(ToolError, match="not in the scope" if tool.name in READING else "."):
                tool.run(context, **{**inside, parameter.name: strange})
            assert context.ledger.moments == []


def test_the_same_call_gives_the_same_also_at_the_same_time(in_library: ToolContext, tool: Tool) -> None:
    inside = arguments(in_library, tool)
    contexts = [fresh(in_library) for _ in range(4)]
    with ThreadPoolExecutor(4 if tool.may_overlap(in_library) else 1) as pool:
        values = list(pool.map(lambda context: str(call(context, tool, inside)), contexts))
    assert len(set(values)) == 1
    assert all(context.ledger == contexts[0].ledger for context in contexts)


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:12])
def test_any_text_is_only_a_text(in_library: ToolContext, tool: Tool, text: str) -> None:
    call(in_library, tool, arguments(in_library, tool, text=text))


def test_a_program_calls_it_as_it_describes_itself(in_library: ToolContext, tool: Tool) -> None:
    literals = {
        "number": "2",
        "bool": "True",
        "text": '"red door"',
        "moment": "place",
        "list[number]": "[1, 2]",
        "list[bool]": "[True]",
        "list[text]": '["red door", "salt"]',
        "list[moment]": "[place]",
    }
    called = ", ".join(f"{p.name}={literals[p.type]}" for p in tool.parameters if p.required)
    program = check_program(f'place = span(start=0, end=70, video="Kitchen")\n{tool.name}({called})', TOOLS)
    assert program.type == tool.returns
    try:
        run = run_program(program, in_library)
    except ToolError:
        return
    assert run.tool_calls == 1


def test_it_describes_itself_and_its_arguments(tool: Tool) -> None:
    assert tool.description.endswith(".")
    assert all(parameter.description for parameter in tool.parameters)
    assert tool.run.__doc__
