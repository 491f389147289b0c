"""Evaluates a checked program: our own interpreter over our own tree, with fuel.

What a program can do to the world is the calls of its tools, each with arguments of the declared types; what it can
use up is bounded by `Limits`. Python's own evaluation is not involved.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from agentvid.budget import INTERRUPTED
from agentvid.errors import AgentvidError, ProgramError, ToolError
from agentvid.events import Tell
from agentvid.tools.base import Shortfall, Tool, ToolContext
from agentvid.tools.program.builtins import BUILTINS, COUNTING, READING, SCOPED
from agentvid.tools.program.calls import CallKey, Made, call_key, call_text, make_call
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
    operands,
)
from agentvid.tools.program.values import Value, element, fit, is_valid, key
from agentvid.tools.words import contains_phrase
from agentvid.types import Moment, Usage

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


#: What came of a call whose turn it is, if it was made before: see CallsAhead.
Ahead: TypeAlias = Callable[[CallKey, Tool, Mapping[CallKey, Value]], Made | None]


class Evaluator:
    """The state of one run: variables, and what has been used up.

    `ahead` tells what came of a call that was made before its turn; `deadline` is of `time.monotonic`. `tell` hears of
    every call that is made here.
    """

    def __init__(
        self,
        program: Program,
        context: ToolContext,
        limits: Limits,
        *,
        deadline: float,
        ahead: Ahead,
        tell: Tell | None = None,
    ) -> None:
        self.steps = 0
        self.tool_calls = 0
        #: What calls took that were made before their turn, less the time in which others were waited for.
        self.seconds_apart = 0.0
        self._functions = program.functions
        self._context = context
        self._limits = limits
        self._names: dict[str, Value] = {}
        self._statements_run = 0
        self._deadline = deadline
        self._ahead = ahead
        self._tell = tell
        self._known: dict[CallKey, Value] = {}

    def statement(self, statement: Statement) -> Value:
        """The value of a statement, kept under its name for those that follow."""
        self._statements_run += 1
        if self._statements_run > self._limits.statements:
            self._stop(statement.expression, "statements", self._limits.statements)
        self._context.ledger.spend(Usage(steps=1))
        value: Value = self._value(statement.expression)
        if statement.name:
            self._names[statement.name] = value
        return value

    def _value(self, node: Expression) -> Any:
        """The value of a checked node. The checker has seen to it that operands have the types assumed here."""
        self._spend(node, 1)
        match node:
            case Constant():
                return node.value
            case Name():
                return self._names[node.name]
            case Logic():
                return self._logic(node)
            case If():
                return self._if(node)
            case Each():
                return self._each(node)
            case _:
                return self._apply(node, [self._value(operand) for operand in operands(node)])

    def _apply(self, node: Expression, values: list[Any]) -> Any:
        """The value of a node whose operands have these values."""
        match node:
            case Fit():
                return fit(values[0], node.type)
            case Unary():
                return _unary(node.operator, values[0])
            case Binary():
                return self._binary(node, values[0], values[1])
            case ListOf():
                return self._list(node, values)
            case Item():
                inside = -len(values[0]) <= node.index < len(values[0])
                if not inside:
                    self._fall_short(node.index + (node.index >= 0), values[0])
                return fit(values[0][node.index] if inside else None, node.type)
            case Slice():
                return values[0][node.start : node.stop]
            case Call():
                return self._call(node, dict(zip((name for name, _ in node.arguments), values, strict=True)))

    def _logic(self, node: Logic) -> Any:
        # `any` and `all` stop at the first part that decides.
        decide = all if node.operator == "and" else any
        return decide(self._value(part) for part in node.parts)

    def _if(self, node: If) -> Any:
        return self._value(node.yes if self._value(node.test) else node.no)

    def _binary(self, node: Binary, left: Any, right: Any) -> Value:
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

    def _each(self, node: Each) -> Any:
        found = []
        for item in self._value(node.source):
            self._names[node.name] = item
            if all(self._value(test) for test in node.tests):
                found.append(self._value(node.body))
        self._names.pop(node.name, None)
        return self._list(node, found)

    def _call(self, node: Call, arguments: dict[str, Any]) -> Any:
        function = self._functions[node.function]
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
            value = function.run(*scope, **arguments)
        except ToolError as error:
            raise ToolError(f"{place}: {error}", hint=error.hint) from error
        except ProgramError as error:
            refused = ProgramError(f"{place}: {error}", fragment=node.fragment, allowed=error.allowed, hint=error.hint)
            raise refused from error
        if function.name in COUNTING and not value:
            self._fall_short(int(arguments["n"]), arguments["items"])
        return value

    def _fall_short(self, wanted: int, items: Sequence[Value]) -> None:
        """Keep that a program counted further than there are moments: an answer can say so."""
        if found := tuple(item for item in items if isinstance(item, Moment)):
            self._context.ledger.shortfall = Shortfall(wanted, found)

    def _call_tool(self, node: Call, function: Tool, arguments: dict[str, Any]) -> Any:
        """What a tool returns; a call that this run has made before is not made again and costs no tool call."""
        call = call_key(function, arguments)
        if call in self._known:
            return self._received(node, self._known[call])
        self.tool_calls += 1
        if self.tool_calls > self._limits.tool_calls:
            self._stop(node, "tool calls", self._limits.tool_calls)
        self._context.ledger.spend(Usage(tool_calls=1))
        self._context.ledger.calls.append(call_text(function, arguments))
        started = time.monotonic()
        made = self._ahead(call, function, self._known)
        self.seconds_apart -= time.monotonic() - started
        if made is None:
            self._spend(node, 0)
            made = make_call(function, self._context, arguments, step=self._statements_run, tell=self._tell)
        else:
            self.seconds_apart += made.seconds
            self._context.ledger.add(made.ledger)
        self._known[call] = self._returned(node, function, made)
        return self._received(node, self._known[call])

    def _returned(self, node: Call, function: Tool, made: Made) -> Any:
        """The value of a call, or its error with the place in the program."""
        place = f"line {node.line}: {node.fragment!r}"
        match made.error:
            case None:
                return made.value
            case ToolError() as error:
                raise ToolError(f"{place}: {error}", hint=error.hint) from error
            case AgentvidError() as error:
                raise error
            case error:
                # A plug-in's bug is one failed tool call, not a crash of the program that asked.
                raise ToolError(
                    f"{place}: the tool {function.name} broke: {type(error).__name__}: {error}",
                    hint=f"report it to whoever made {function.name}",
                ) from error

    def _received(self, node: Call, value: Value) -> Value:
        self._spend(node, 1)
        value = fit(value, node.type)
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
        self.steps += steps
        if self._context.ledger.is_interrupted():
            raise ProgramError(INTERRUPTED)
        if self.steps > self._limits.steps:
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


def _unary(operator: str, operand: Any) -> Value:
    if operator == "not":
        return not operand
    return None if operand is None else -operand


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
