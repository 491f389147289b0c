"""The program as our own small tree: eleven kinds of expression, none of which can reach a Python object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """`line` from 1 and `fragment` say where it stands in the source; `type` is set by the checker."""

    line: int
    fragment: str
    type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant(Node):
    value: float | bool | str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Name(Node):
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unary(Node):
    """`operator` is "not" or "-"."""

    operator: str
    operand: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary(Node):
    """`operator` is one of + - * / == != < <= > >= in, "not in"."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Logic(Node):
    """`operator` is "and" or "or"; the parts are evaluated in order, no further than needed."""

    operator: str
    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class If(Node):
    test: Expression
    yes: Expression
    no: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOf(Node):
    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item(Node):
    source: Expression
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice(Node):
    source: Expression
    start: int | None
    stop: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Each(Node):
    """[`body` for `name` in `source` if every one of `tests`]."""

    name: str
    source: Expression
    tests: tuple[Expression, ...]
    body: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Node):
    """Of a tool or builtin. As parsed, a positional argument has the name "" ; as checked, every one is named."""

    function: str
    arguments: tuple[tuple[str, Expression], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit(Node):
    """`source` in the shape of this node's type; put in by the checker, never written."""

    source: Expression


Expression: TypeAlias = Constant | Name | Unary | Binary | Logic | If | ListOf | Item | Slice | Each | Call | Fit


@dataclass(frozen=True, slots=True)
class Statement:
    """`name` is the variable that is set, or "" for the final expression."""

    name: str
    expression: Expression


def operands(node: Expression) -> tuple[Expression, ...]:
    """The parts that are always evaluated before the node itself; none for a node that chooses or repeats."""
    match node:
        case Fit() | Item() | Slice():
            return (node.source,)
        case Unary():
            return (node.operand,)
        case Binary():
            return (node.left, node.right)
        case ListOf():
            return node.items
        case Call():
            return tuple(argument for _, argument in node.arguments)
        case _:
            return ()
