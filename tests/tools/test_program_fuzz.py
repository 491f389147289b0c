"""Generated programs: what type-checks never breaks the interpreter, and no text at all breaks the parser."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentvid.errors import ProgramError, ToolError
from agentvid.tools.base import Parameter, Tool, ToolContext
from agentvid.tools.program import BUILTINS, Limits, Outcome, Run, check_program, run_program
from agentvid.types import Moment, Span, Video

ELEMENTS = ("number", "bool", "text", "moment")
TYPES = (*ELEMENTS, *(f"list[{element}]" for element in ELEMENTS))
LIMITS = Limits(steps=3_000, tool_calls=20, list_items=50)


def spread(context: ToolContext, *, query: str, k: float = 3.0, within: Moment | None = None) -> list[Moment]:
    """Moments of both videos, overlapping, touching and apart."""
    count = int(abs(k)) % 5
    return [
        Moment(f"v{i % 2 + 1}", Span(7.0 * i, 7.0 * i + 3 * i + 1), i / 3, "ocr", f"{query} {i}") for i in range(count)
    ]


def weigh(context: ToolContext, *, items: list[Moment], limit: float) -> float:
    """A number."""
    return len(items) * limit


def label(context: ToolContext, *, item: Moment, names: list[str]) -> str:
    """A text."""
    return names[0] if names else item.text


def check(context: ToolContext, *, item: Moment) -> bool:
    """A bool."""
    return item.span.start_seconds > 5


TOOLS = {
    "spread": Tool.from_function(spread),
    "weigh": Tool.from_function(weigh),
    "label": Tool.from_function(label),
    "check": Tool.from_function(check),
}
FUNCTIONS = {**BUILTINS, **TOOLS}


def context() -> ToolContext:
    scope = {name: Video(name, name, name.upper(), 40.0) for name in ("v1", "v2")}
    return ToolContext(cast(Any, None), cast(Any, None), scope)


class Writer:
    """Draws a program of which every expression has the type that is asked for."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.names: dict[str, str] = {}
        self.loops = 0

    def expression(self, kind: str, depth: int) -> str:
        """An expression of type `kind`, at most `depth` levels deep."""
        choices: list[Callable[[str, int], str]] = [self.leaf]
        if depth > 0:
            choices += [self.call, self.call, self.call, self.conditional, self.operation]
        return self.draw(st.sampled_from(choices))(kind, depth - 1)

    def leaf(self, kind: str, depth: int) -> str:
        known = [name for name, type_name in self.names.items() if type_name == kind]
        if self.draw(st.booleans()) and known:
            return self.draw(st.sampled_from(known))
        if kind.startswith("list["):
            return self.draw(
                st.sampled_from(["[]", f"[{self.leaf(kind[5:-1], 0)}]", f"[{self.leaf(kind[5:-1], 0)}][:1]"])
            )
        literals = {
            "number": ["0", "1", "-2", "3.5", "1e300", "None", "1000000"],
            "bool": ["True", "False", "None"],
            "text": ['"v1"', '"V2"', '"red door"', '""', "None"],
            "moment": ["None", 'span(start=1, end=9, video="v1")', 'span(start=5, end=50, video="v2")'],
        }
        return self.draw(st.sampled_from(literals[kind]))

    def call(self, kind: str, depth: int) -> str:
        fitting = [tool for tool in FUNCTIONS.values() if binding(tool.returns, kind) is not None]
        tool = self.draw(st.sampled_from(fitting))
        bound = dict(binding(tool.returns, kind) or {})
        bound.setdefault("T", self.draw(st.sampled_from(ELEMENTS)))
        bound.setdefault("M", self.draw(st.sampled_from(["moment", "list[moment]"])))
        given = [p for p in tool.parameters if p.required or self.draw(st.booleans())]
        return f"{tool.name}({', '.join(f'{p.name}={self.argument(p, bound, depth)}' for p in given)})"

    def argument(self, parameter: Parameter, bound: Mapping[str, str], depth: int) -> str:
        option = self.draw(st.sampled_from(parameter.type.split(" | ")))
        if option.startswith("'"):
            return option
        option = option.replace("list[T]", f"list[{bound['T']}]")
        kind = bound.get(option, option)
        if option == "list[moment]" and self.draw(st.booleans()):
            kind = "moment"
        return self.expression(kind, depth)

    def conditional(self, kind: str, depth: int) -> str:
        yes, no = self.expression(kind, depth), self.expression(kind, depth)
        return f"({yes} if {self.expression('bool', depth)} else {no})"

    def operation(self, kind: str, depth: int) -> str:
        if kind.startswith("list["):
            return self.list_operation(kind, depth)
        if kind == "number":
            operator = self.draw(st.sampled_from("+-*/"))
            return f"({self.expression(kind, depth)} {operator} -{self.expression(kind, depth)})"
        if kind == "bool":
            return self.test(depth)
        return f"{self.expression(f'list[{kind}]', depth)}[{self.draw(st.integers(-3, 3))}]"

    def list_operation(self, kind: str, depth: int) -> str:
        if self.loops == 2 or self.draw(st.booleans()):
            return (
                f"({self.expression(kind, depth)} + {self.expression(kind, depth)})[{self.draw(st.integers(-3, 3))}:]"
            )
        element = self.draw(st.sampled_from(ELEMENTS))
        source = self.expression(f"list[{element}]", depth - 1)
        self.loops += 1
        name = f"x{len(self.names)}"
        self.names[name] = element
        body, test = self.expression(kind[5:-1], depth - 1), self.expression("bool", depth - 1)
        del self.names[name]
        self.loops -= 1
        return f"[{body} for {name} in [y for y in {source}] if {test}]" if self.loops == 0 else f"[{body}]"

    def test(self, depth: int) -> str:
        form = self.draw(st.sampled_from(["compare", "equal", "in", "not", "and"]))
        element = self.draw(st.sampled_from(ELEMENTS))
        if form == "compare":
            operator = self.draw(st.sampled_from(["<", "<=", ">", ">="]))
            return f"({self.expression('number', depth)} {operator} {self.expression('number', depth)})"
        if form == "equal":
            kind = self.draw(st.sampled_from(TYPES))
            return f"({self.expression(kind, depth)} != {self.expression(kind, depth)})"
        if form == "in":
            return f"({self.expression(element, depth)} not in {self.expression(f'list[{element}]', depth)})"
        if form == "not":
            return f"(not {self.expression('bool', depth)})"
        return f"({self.expression('bool', depth)} and {self.expression('bool', depth)})"


def binding(returns: str, kind: str) -> dict[str, str] | None:
    """What T and M must be for a function to return `kind`; None if it cannot."""
    if returns == "T":
        return {"T": kind} if kind in ELEMENTS else None
    if returns == "list[T]":
        return {"T": kind[5:-1]} if kind.startswith("list[") else None
    if returns == "M":
        return {"M": kind} if kind in ("moment", "list[moment]") else None
    return {} if returns == kind else None


@st.composite
def well_typed(draw: st.DrawFn) -> str:
    writer = Writer(draw)
    lines = []
    for i in range(draw(st.integers(0, 4))):
        kind = draw(st.sampled_from(TYPES))
        expression = writer.expression(kind, 3)
        lines.append(f"v_{i} = {expression}")
        writer.names[f"v_{i}"] = kind
    value, evidence = (
        writer.expression(draw(st.sampled_from(["number", "bool", "text"])), 2),
        writer.leaf("list[moment]", 0),
    )
    return "\n".join([*lines, f"answer(value={value}, evidence={evidence})"])


QUICK = settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
LONG = settings(QUICK, max_examples=5_000, derandomize=False)


def attempt(source: str) -> Run | ProgramError | ToolError:
    """The run of a program, or the typed error that stopped it; any other exception is a failure."""
    try:
        return run_program(check_program(source, TOOLS), context(), LIMITS)
    except (ProgramError, ToolError) as error:
        return error


def run_well_typed(source: str) -> None:
    result = attempt(source)
    if isinstance(result, ProgramError | ToolError):
        # The writer knows types, not limits, lengths, choices, and that a video's name must be in the scope.
        assert any(part in str(result) for part in STOPPED), result
        return
    assert isinstance(result.outcome, Outcome)
    assert len(result.steps) == len(source.splitlines())
    json.dumps(result.to_json(), allow_nan=False)
    assert all(moment.video_id in ("v1", "v2") for moment in result.outcome.evidence)
    again = attempt(source)
    assert isinstance(again, Run)
    assert again.value == result.value


STOPPED = ("too deep", "too long", "bytes", "than its limit", "one value for each item", "lies outside", "scope")


@given(well_typed())
@QUICK
def test_well_typed_programs_run_or_stop_with_a_typed_error(source: str) -> None:
    run_well_typed(source)


@pytest.mark.slow
@given(well_typed())
@LONG
def test_many_well_typed_programs_run_or_stop_with_a_typed_error(source: str) -> None:
    run_well_typed(source)


SOUP = st.lists(
    st.sampled_from(
        [*"()[]+-*/<>=,:.;'\"\\ \n#", "==", "!=", "and", "or", "not", "in", "if", "else", "for", "None", "True", "1",
         "2.5", '"x"', "x", "y", "first", "count", "spread", "query=", "answer(", "x = ", "[x for x in ", "\t",
         "é", "lambda"]
    ),
    max_size=60,
).map(" ".join)  # fmt: skip


@given(st.one_of(SOUP, SOUP.map(lambda text: text.replace(" ", "")), st.text(max_size=80)))
@settings(QUICK, max_examples=600)
def test_no_text_breaks_the_parser(source: str) -> None:
    result = attempt(source)
    assert isinstance(result, Run) or "allowed" in str(result)
