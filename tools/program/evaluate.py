"""Runs a checked program: our own interpreter over our own tree, with fuel, and every step kept for the trace.

What a program can do to the world is the calls of its tools, each with arguments of the declared types; what it can
use up is bounded by `Limits`. Python's own evaluation is not involved.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agentvid.errors import AgentvidError, ProgramError, ToolError
from agentvid.tools.base import Tool, ToolContext
from agentvid.tools.program.builtins import BUILTINS, READING, SCOPED, outcome_of
from agentvid.tools.program.check import Program
from agentvid.tools.program.ir import (
    Binary,
    Call,
    Constant,
    Each,
    Expression,
    Fit,
    If,
    Item,
    ListOf,
    Logic,
    Name,
    Slice,
    Statement,
    Unary,
)
from agentvid.tools.program.values import (
    PREVIEW_CHARACTERS,
    PREVIEW_ITEMS,
    Outcome,
    Value,
    element,
    fit,
    is_valid,
    key,
    to_json,
)
from agentvid.tools.words import contains_phrase
from agentvid.types import Json, Moment, Usage

#: A builtin costs one step, one more for this many items of its lists, and for this many characters that it reads.
_ITEMS_PER_STEP, _CHARACTERS_PER_STEP = 100, 1_000


@dataclass(frozen=True)
class Limits:
    """What a run may use; each has a typed error that names it."""

    steps: int = 10_000
    statements: float = 100
    tool_calls: float = 60
    list_items: int = 1_000
    text_characters: int = 4_096
    wall_seconds: float = 120.0


@dataclass(frozen=True)
class Step:
    """One statement as it ran. `name` is "" for the final expression; `value` is JSON, long ones cut.

    `items` is the true length of a list, None for other values.
    """

    name: str
    expression: str
    type: str
    value: Any
    seconds: float
    tool_calls: int
    items: int | None = None

    def to_json(self) -> Json:
        return {
            "name": self.name,
            "expression": self.expression,
            "type": self.type,
            "value": self.value,
            "items": self.items,
            "seconds": round(self.seconds, 4),
            "tool_calls": self.tool_calls,
        }


@dataclass(frozen=True)
class Run:
    """A program that ran through: its value, and how it came about."""

    value: Value
    type: str
    steps: tuple[Step, ...]
    tool_calls: int

    @property
    def outcome(self) -> Outcome:
        """The answer; a program that ends without `answer(...)` answers with its value."""
        return outcome_of(self.value)

    def to_json(self) -> Json:
        return {
            "type": self.type,
            "value": to_json(self.value),
            "steps": [step.to_json() for step in self.steps],
            "tool_calls": self.tool_calls,
        }


def run_program(program: Program, context: ToolContext, limits: Limits = Limits()) -> Run:
    """Run a checked program. Raises ProgramError when a limit is reached, ToolError when a tool refuses."""
    evaluator = _Evaluator(program, context, limits)
    value: Value = None
    steps = []
    for statement in program.statements:
        value, step = evaluator.statement(statement)
        steps.append(step)
    return Run(value, program.type, tuple(steps), evaluator.tool_calls)


class _Evaluator:
    """The state of one run: variables, and what has been used up."""

    def __init__(self, program: Program, context: ToolContext, limits: Limits) -> None:
        self.tool_calls = 0
        self._functions = program.functions
        self._context = context
        self._limits = limits
        self._names: dict[str, Value] = {}
        self._steps = self._statements = 0
        self._deadline = time.monotonic() + limits.wall_seconds

    def statement(self, statement: Statement) -> tuple[Value, Step]:
        started, calls = time.monotonic(), self.tool_calls
        node = statement.expression
        self._statements += 1
        if self._statements > self._limits.statements:
            self._stop(node, "statements", self._limits.statements)
        self._context.ledger.spend(Usage(steps=1))
        value = self._value(node)
        if statement.name:
            self._names[statement.name] = value
        step = Step(
            name=statement.name,
            expression=node.fragment,
            type=node.type,
            value=to_json(value, items=PREVIEW_ITEMS, characters=PREVIEW_CHARACTERS),
            seconds=time.monotonic() - started,
            tool_calls=self.tool_calls - calls,
            items=len(value) if isinstance(value, tuple) else None,
        )
        return value, step

    def _value(self, node: Expression) -> Any:
        """The value of a checked node. The checker has seen to it that operands have the types assumed here."""
        self._spend(node, 1)
        match node:
            case Constant():
                return node.value
            case Name():
                return self._names[node.name]
            case Fit():
                return fit(self._value(node.source), node.type)
            case Unary():
                return self._unary(node)
            case Binary():
                return self._binary(node)
            case Logic():
                # `any` and `all` stop at the first part that decides.
                decide = all if node.operator == "and" else any
                return decide(self._value(part) for part in node.parts)
            case If():
                return self._value(node.yes if self._value(node.test) else node.no)
            case ListOf():
                return self._list(node, [self._value(item) for item in node.items])
            case Item():
                return self._item(node)
            case Slice():
                return self._value(node.source)[node.start : node.stop]
            case Each():
                return self._each(node)
            case Call():
                return self._call(node)

    def _unary(self, node: Unary) -> Value:
        operand = self._value(node.operand)
        if node.operator == "not":
            return not operand
        return None if operand is None else -operand

    def _binary(self, node: Binary) -> Value:
        left, right = self._value(node.left), self._value(node.right)
        if isinstance(left, tuple) or isinstance(right, tuple):
            self._spend(node, (_size(left) + _size(right)) // _ITEMS_PER_STEP)
        elif isinstance(right, str) and node.operator in ("in", "not in"):
            self._spend(node, (_characters(left) + _characters(right)) // _CHARACTERS_PER_STEP)
        match node.operator:
            case "==" | "!=":
                return (key(left) == key(right)) is (node.operator == "==")
            case "in" | "not in":
                return _is_in(left, right) is (node.operator == "in")
            case "+" if isinstance(left, tuple):
                return self._list(node, [*left, *right])
        if node.type == "bool":
            return left is not None and right is not None and _compare(node.operator, left, right)
        return None if left is None or right is None else _arithmetic(node.operator, left, right)

    def _item(self, node: Item) -> Value:
        items = self._value(node.source)
        inside = -len(items) <= node.index < len(items)
        return fit(items[node.index] if inside else None, node.type)

    def _each(self, node: Each) -> Value:
        found = []
        for item in self._value(node.source):
            self._names[node.name] = item
            if all(self._value(test) for test in node.tests):
                found.append(self._value(node.body))
        self._names.pop(node.name, None)
        return self._list(node, found)

    def _call(self, node: Call) -> Value:
        function = self._functions[node.function]
        arguments = {name: self._value(argument) for name, argument in node.arguments}
        self._spend(node, sum(map(_size, arguments.values())) // _ITEMS_PER_STEP)
        if function.name in READING:
            self._spend(node, sum(map(_characters, arguments.values())) // _CHARACTERS_PER_STEP)
        if None in arguments.values() and function.name != "answer":
            return fit(None, node.type)
        if function.name not in BUILTINS:
            return self._call_tool(node, function, arguments)
        return self._result(node, self._call_builtin(node, function, arguments))

    def _call_builtin(self, node: Call, function: Tool, arguments: dict[str, Any]) -> Any:
        """What a builtin refuses is told with its line, as for tools."""
        scope = (self._context.scope,) if function.name in SCOPED else ()
        place = f"line {node.line}: {node.fragment!r}"
        try:
            return function.run(*scope, **arguments)
        except ToolError as error:
            raise ToolError(f"{place}: {error}", hint=error.hint) from error
        except ProgramError as error:
            refused = ProgramError(f"{place}: {error}", fragment=node.fragment, allowed=error.allowed, hint=error.hint)
            raise refused from error

    def _call_tool(self, node: Call, function: Tool, arguments: dict[str, Any]) -> Value:
        self.tool_calls += 1
        if self.tool_calls > self._limits.tool_calls:
            self._stop(node, "tool calls", self._limits.tool_calls)
        self._context.ledger.spend(Usage(tool_calls=1))
        self._context.ledger.calls.append(call_text(function.name, arguments))
        arguments = {name: list(value) if isinstance(value, tuple) else value for name, value in arguments.items()}
        try:
            value = function.run(self._context, **arguments)
        except ToolError as error:
            raise ToolError(f"line {node.line}: {node.fragment!r}: {error}", hint=error.hint) from error
        except AgentvidError:
            raise
        except Exception as error:
            # A plug-in's bug is one failed tool call, not a crash of the program that asked.
            raise ToolError(
                f"line {node.line}: {node.fragment!r}: the tool {function.name} broke: {type(error).__name__}: {error}",
                hint=f"report it to whoever made {function.name}",
            ) from error
        self._spend(node, 1)
        value = fit(tuple(value) if isinstance(value, list) else value, node.type)
        self._check_tool_value(node, value)
        return self._result(node, value)

    def _check_tool_value(self, node: Call, value: Value) -> None:
        if not is_valid(value, node.type):
            raise ToolError(f"{node.function} returned a {type(value).__name__}; allowed: {node.type}")
        moments = value if isinstance(value, tuple) else (value,)
        outside = [m.video_id for m in moments if isinstance(m, Moment) and m.video_id not in self._context.scope]
        if outside:
            raise ToolError(f"{node.function} returned a moment of video {outside[0][:12]!r} outside of the scope")

    def _result(self, node: Call, value: Any) -> Value:
        if isinstance(value, tuple):
            return self._list(node, list(value))
        if isinstance(value, float | int) and not isinstance(value, bool):
            return _finite(float(value))
        return value[: self._limits.text_characters] if isinstance(value, str) else fit(value, node.type)

    def _list(self, node: Expression, items: list[Any]) -> Value:
        """A list within its limits; nothing is left out, so that a list never holds it."""
        if len(items) > self._limits.list_items:
            hint = "ask for less: within=, video= or track= narrow a tool's result"
            self._stop(node, "items in a list", self._limits.list_items, hint=f"{hint}; this has {len(items)}")
        inner = element(node.type)
        cut = self._limits.text_characters
        kept = (item for item in items if item is not None)
        if inner == "number":
            return tuple(number for item in kept if (number := _finite(float(item))) is not None)
        return tuple(item[:cut] for item in kept) if inner == "text" else tuple(kept)

    def _spend(self, node: Expression, steps: int) -> None:
        self._steps += steps
        if self._steps > self._limits.steps:
            self._stop(node, "steps", self._limits.steps)
        if time.monotonic() > self._deadline:
            self._stop(node, "seconds", self._limits.wall_seconds)

    def _stop(self, node: Expression, what: str, limit: float, *, hint: str = "") -> None:
        raise ProgramError(
            f"line {node.line}: {node.fragment!r}: the run needs more {what} than its limit; allowed: {limit:g}",
            fragment=node.fragment,
            allowed=f"{limit:g} {what}",
            hint=hint or "make the program smaller: fewer tool calls, shorter lists, no loop in a loop",
        )


def call_text(tool: str, arguments: Mapping[str, Value]) -> str:
    """One tool call with its values, the same for the same values: what a planner that repeats itself is told."""
    return f"{tool}({', '.join(f'{name}={json.dumps(to_json(arguments[name]))}' for name in sorted(arguments))})"


def _size(value: object) -> int:
    return len(value) if isinstance(value, tuple) else 0


def _characters(value: object) -> int:
    if isinstance(value, tuple):
        return sum(map(_characters, value))
    return len(value.text) if isinstance(value, Moment) else len(value) if isinstance(value, str) else 0


def _is_in(item: Value, container: Value) -> bool:
    if isinstance(container, str):
        return isinstance(item, str) and contains_phrase(container, item)
    return isinstance(container, tuple) and item is not None and key(item) in {key(other) for other in container}


def _compare(operator: str, left: float, right: float) -> bool:
    match operator:
        case "<":
            return left < right
        case "<=":
            return left <= right
        case ">":
            return left > right
        case _:
            return left >= right


def _arithmetic(operator: str, left: float, right: float) -> float | None:
    match operator:
        case "+":
            return _finite(left + right)
        case "-":
            return _finite(left - right)
        case "*":
            return _finite(left * right)
        case _:
            return _finite(left / right) if right else None


def _finite(number: float) -> float | None:
    """What is too large for a number cannot be computed: it is nothing."""
    return number if math.isfinite(number) else None
