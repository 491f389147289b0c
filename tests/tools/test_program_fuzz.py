"""Generated programs: what type-checks never breaks the interpreter, calls made at the same time change nothing but the
time they take, and no text at all breaks the parser."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeVar, cast

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
#: Every call that was really made.
CALLS: list[str] = []
T = TypeVar("T")


class Choose(Protocol):
    """One of several."""

    def __call__(self, options: Sequence[T], /) -> T: ...


def spread(context: ToolContext, *, query: str, k: float = 3.0, within: Moment | None = None) -> list[Moment]:
    """Moments of both videos, overlapping, touching and apart."""
    CALLS.append("spread")
    count = int(abs(k)) % 5
    context.ledger.notes.append(f"{count} of {query}")
    return context.ledger.record(
        [
            Moment(f"v{i % 2 + 1}", Span(7.0 * i, 7.0 * i + 3 * i + 1), i / 3, "ocr", f"{query} {i}")
            for i in range(count)
        ]
    )


def weigh(context: ToolContext, *, items: list[Moment], limit: float) -> float:
    """A number, of not too many."""
    CALLS.append("weigh")
    context.ledger.record(items)
    if len(items) > 6:
        raise ToolError(f"{len(items)} items; allowed: 6")
    return len(items) * limit


def label(context: ToolContext, *, item: Moment, names: list[str]) -> str:
    """A text; it depends on what was recorded before, as replies of a chat model may."""
    CALLS.append("label")
    if len(context.ledger.moments) % 3 == 2:
        return f"{len(context.ledger.moments)}"
    return names[0] if names else item.text


def check(context: ToolContext, *, item: Moment) -> bool:
    """A bool."""
    CALLS.append("check")
    context.ledger.notes.append(f"checked {item.video_id}")
    return item.span.start_seconds > 5


TOOLS = {
    "spread": Tool.from_function(spread, parallel="always"),
    "weigh": Tool.from_function(weigh, parallel="without_model"),
    "label": Tool.from_function(label),
    "check": Tool.from_function(check, parallel="always"),
}
FUNCTIONS = {**BUILTINS, **TOOLS}


def context() -> ToolContext:
    scope = {name: Video(name, name, name.upper(), 40.0) for name in ("v1", "v2")}
    return ToolContext(cast(Any, None), cast(Any, None), scope)


FLAGS = (False, True)


class Writer:
    """Writes a program of which every expression has the type that is asked for, by one choice after another."""

    def __init__(self, choose: Choose) -> None:
        self.choose = choose
        self.names: dict[str, str] = {}
        self.loops = 0

    def expression(self, kind: str, depth: int) -> str:
        """An expression of type `kind`, at most `depth` levels deep."""
        choices: list[Callable[[str, int], str]] = [self.leaf]
        if depth > 0:
            choices += [self.call, self.call, self.call, self.conditional, self.operation]
        return self.choose(choices)(kind, depth - 1)

    def leaf(self, kind: str, depth: int) -> str:
        known = [name for name, type_name in self.names.items() if type_name == kind]
        if self.choose(FLAGS) and known:
            return self.choose(known)
        if kind.startswith("list["):
            return str(self.choose(["[]", f"[{self.leaf(kind[5:-1], 0)}]", f"[{self.leaf(kind[5:-1], 0)}][:1]"]))
        literals = {
            "number": ["0", "1", "-2", "3.5", "1e300", "None", "1000000"],
            "bool": ["True", "False", "None"],
            "text": ['"v1"', '"V2"', '"red door"', '""', "None"],
            "moment": ["None", 'span(start=1, end=9, video="v1")', 'span(start=5, end=50, video="v2")'],
        }
        return self.choose(literals[kind])

    def call(self, kind: str, depth: int) -> str:
        fitting = [tool for tool in FUNCTIONS.values() if binding(tool.returns, kind) is not None]
        ours = [tool for tool in fitting if tool.name in TOOLS]
        tool = self.choose(self.choose([fitting, ours or fitting]))
        bound = dict(binding(tool.returns, kind) or {})
        bound.setdefault("T", self.choose(ELEMENTS))
        bound.setdefault("M", self.choose(["moment", "list[moment]"]))
        given = [p for p in tool.parameters if p.required or self.choose(FLAGS)]
        return f"{tool.name}({', '.join(f'{p.name}={self.argument(p, bound, depth)}' for p in given)})"

    def argument(self, parameter: Parameter, bound: Mapping[str, str], depth: int) -> str:
        option = self.choose(parameter.type.split(" | "))
        if option.startswith("'"):
            return option
        option = option.replace("list[T]", f"list[{bound['T']}]")
        kind = bound.get(option, option)
        if option == "list[moment]" and self.choose(FLAGS):
            kind = "moment"
        return self.expression(kind, depth)

    def conditional(self, kind: str, depth: int) -> str:
        yes, no = self.expression(kind, depth), self.expression(kind, depth)
        return f"({yes} if {self.expression('bool', depth)} else {no})"

    def operation(self, kind: str, depth: int) -> str:
        if kind.startswith("list["):
            return self.list_operation(kind, depth)
        if kind == "number":
            operator = self.choose("+-*/")
            return f"({self.expression(kind, depth)} {operator} -{self.expression(kind, depth)})"
        if kind == "bool":
            return self.test(depth)
        return f"{self.expression(f'list[{kind}]', depth)}[{self.choose(range(-3, 4))}]"

    def list_operation(self, kind: str, depth: int) -> str:
        if self.loops == 2 or self.choose(FLAGS):
            return f"({self.expression(kind, depth)} + {self.expression(kind, depth)})[{self.choose(range(-3, 4))}:]"
        element = self.choose(ELEMENTS)
        source = self.expression(f"list[{element}]", depth - 1)
        self.loops += 1
        name = f"x{len(self.names)}"
        self.names[name] = element
        body, test = self.expression(kind[5:-1], depth - 1), self.expression("bool", depth - 1)
        del self.names[name]
        self.loops -= 1
        return f"[{body} for {name} in [y for y in {source}] if {test}]" if self.loops == 0 else f"[{body}]"

    def test(self, depth: int) -> str:
        form = self.choose(["compare", "equal", "in", "not", "and"])
        element = self.choose(ELEMENTS)
        if form == "compare":
            operator = self.choose(["<", "<=", ">", ">="])
            return f"({self.expression('number', depth)} {operator} {self.expression('number', depth)})"
        if form == "equal":
            kind = self.choose(TYPES)
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


def write_program(choose: Choose) -> str:
    writer = Writer(choose)
    lines = []
    for i in range(choose(range(5))):
        kind = choose(TYPES)
        expression = writer.expression(kind, 3)
        lines.append(f"v_{i} = {expression}")
        writer.names[f"v_{i}"] = kind
    value = writer.expression(choose(["number", "bool", "text"]), 2)
    return "\n".join([*lines, f"answer(value={value}, evidence={writer.leaf('list[moment]', 0)})"])


@st.composite
def well_typed(draw: st.DrawFn) -> str:
    def choose(options: Sequence[T], /) -> T:
        return draw(st.sampled_from(options))

    return write_program(choose)


QUICK = settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
#: So many programs are written by a seeded generator, which is a hundred times quicker than one that can shrink.
MANY = 100_000


def attempt(
    source: str, limits: Limits = LIMITS, *, workers: int = 4
) -> tuple[Run | ProgramError | ToolError, ToolContext, int]:
    """The run of a program, or the typed error that stopped it; its context; how many calls were really made.

    Any other exception is a failure.
    """
    used, before = context(), len(CALLS)
    try:
        result: Any = run_program(check_program(source, TOOLS), used, limits, workers=workers)
    except (ProgramError, ToolError) as error:
        result = error
    return result, used, len(CALLS) - before


def run_well_typed(source: str, limits: Limits = LIMITS) -> Run | ProgramError | ToolError:
    CALLS.clear()
    result, used, calls = attempt(source, limits)
    alone, used_alone, calls_alone = attempt(source, limits, workers=1)
    assert used.ledger == used_alone.ledger, "the ledger is that of one call after the other"
    assert calls <= limits.tool_calls
    if isinstance(result, ProgramError | ToolError):
        # The writer knows types, not limits, lengths, choices, and that a video's name must be in the scope.
        assert any(part in str(result) for part in STOPPED), result
        assert (type(alone), str(alone)) == (type(result), str(result))
        return result
    assert isinstance(alone, Run)
    assert isinstance(result.outcome, Outcome)
    assert len(result.steps) == len(source.splitlines())
    json.dumps(result.to_json(), allow_nan=False)
    assert all(moment.video_id in ("v1", "v2") for moment in result.outcome.evidence)
    assert timeless(result) == timeless(alone)
    assert calls == calls_alone == result.tool_calls
    return result


def timeless(run: Run) -> Run:
    return replace(run, steps=tuple(replace(step, seconds=0.0) for step in run.steps))


STOPPED = (
    *("too deep", "too long", "bytes", "than its limit", "one value for each item", "lies outside", "scope"),
    "items; allowed: 6",
)
FEW_CALLS = replace(LIMITS, tool_calls=2)


@given(well_typed(), st.sampled_from([LIMITS, FEW_CALLS]))
@QUICK
def test_well_typed_programs_run_or_stop_with_a_typed_error(source: str, limits: Limits) -> None:
    run_well_typed(source, limits)


@pytest.mark.slow
@pytest.mark.parametrize("limits", [LIMITS, FEW_CALLS], ids=["usual limits", "few calls"])
def test_many_well_typed_programs_run_or_stop_with_a_typed_error(limits: Limits) -> None:
    overlapping = 0
    for seed in range(MANY // 2):
        source = write_program(random.Random(f"{limits.tool_calls} {seed}").choice)
        try:
            result = run_well_typed(source, limits)
        except BaseException as error:
            error.add_note(f"seed {seed}:\n{source}")
            raise
        overlapping += isinstance(result, Run) and result.tool_calls > 1
    assert overlapping > MANY // 40, "many programs must have calls that can overlap, or the test shows little"


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
    result, *_ = attempt(source)
    assert isinstance(result, Run) or "allowed" in str(result)
