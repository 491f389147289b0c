"""Types every expression before anything runs, so that a wrong program costs no tool call.

The checked tree says what the evaluator must do: every argument is named, every node has a type, and a value that
must change its shape (a moment where a list is asked for) stands under a `Fit`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NoReturn

from agentvid.errors import UsageError
from agentvid.tools.base import Parameter, Tool
from agentvid.tools.program.builtins import BUILTINS
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
from agentvid.tools.program.lexer import refuse
from agentvid.tools.program.parse import parse
from agentvid.tools.program.values import ELEMENTS, element, unify

_LISTED = 60


@dataclass(frozen=True)
class Program:
    """A program that parsed and type-checked: its text, its statements, what it may call, and its value's type."""

    source: str
    statements: tuple[Statement, ...]
    functions: Mapping[str, Tool] = field(repr=False)
    type: str


def callables(tools: Mapping[str, Tool]) -> dict[str, Tool]:
    """Builtins and tools by name. Raises UsageError if a tool has a builtin's name."""
    clashes = sorted(BUILTINS.keys() & tools.keys())
    if clashes:
        raise UsageError(f"the tool {clashes[0]!r} has the name of a builtin", hint="rename the tool")
    return {**tools, **BUILTINS}


def check_program(source: str, tools: Mapping[str, Tool]) -> Program:
    """Parse and type-check a program. Raises ProgramError with the fragment and what is allowed in its place."""
    checker = _Checker(callables(tools))
    statements = tuple(checker.statement(statement) for statement in parse(source))
    return Program(source, statements, checker.functions, statements[-1].expression.type)


class _Checker:
    """Walks the statements in order; `types` holds the variables assigned so far."""

    def __init__(self, functions: Mapping[str, Tool]) -> None:
        self.functions = functions
        self.types: dict[str, str] = {}

    def statement(self, statement: Statement) -> Statement:
        expression = self.expression(statement.expression)
        if statement.name:
            self._check_free(statement.name, expression)
            self.types[statement.name] = expression.type
        return replace(statement, expression=expression)

    def expression(self, node: Expression) -> Expression:
        match node:
            case Constant():
                return replace(node, type=_type_of(node.value))
            case Name():
                return self._name(node)
            case Unary():
                wanted = "bool" if node.operator == "not" else "number"
                return replace(node, operand=self._expect(node.operand, wanted), type=wanted)
            case Binary():
                return self._binary(node)
            case Logic():
                return replace(node, parts=tuple(self._expect(part, "bool") for part in node.parts), type="bool")
            case If():
                return self._if(node)
            case ListOf():
                return self._list(node)
            case Item() | Slice():
                return self._subscript(node)
            case Each():
                return self._each(node)
            case Call():
                return self._call(node)
            case Fit():
                return node

    def _name(self, node: Name) -> Name:
        if node.name in self.types:
            return replace(node, type=self.types[node.name])
        if node.name in self.functions:
            self._refuse(
                node, f"{node.name} is a function, not a value", f"a call: {signature(self.functions[node.name])}"
            )
        self._refuse_unknown(node, "name", node.name, self.types)

    def _binary(self, node: Binary) -> Expression:
        left, right = self.expression(node.left), self.expression(node.right)
        operator = node.operator
        if operator in ("==", "!="):
            if unify(left.type, right.type) is None:
                self._refuse(node, f"{left.type} is never equal to {right.type}", "two values of one type")
            return replace(node, left=left, right=right, type="bool")
        if operator in ("in", "not in"):
            inner = "text" if right.type == "text" else element(right.type)
            if right.type != "none" and (inner is None or unify(left.type, inner) is None):
                self._refuse(node, f"{left.type} in {right.type}", "an item in a list of its type, a phrase in a text")
            return replace(node, left=left, right=right, type="bool")
        joined = unify(left.type, right.type)
        if operator == "+" and joined is not None and element(joined) is not None:
            return replace(node, left=_fit(left, joined), right=_fit(right, joined), type=joined)
        if joined not in ("number", "none"):
            allowed = "two numbers" + (", or two lists of one type" if operator == "+" else "")
            self._refuse(node, f"{left.type} {operator} {right.type}", allowed)
        return replace(node, left=left, right=right, type="number" if operator in "+-*/" else "bool")

    def _if(self, node: If) -> If:
        test, yes, no = self._expect(node.test, "bool"), self.expression(node.yes), self.expression(node.no)
        joined = unify(yes.type, no.type)
        if joined is None:
            self._refuse(node, f"either {yes.type} or {no.type}", "two values of one type, or None")
        return replace(node, test=test, yes=_fit(yes, joined), no=_fit(no, joined), type=joined)

    def _list(self, node: ListOf) -> ListOf:
        items = tuple(self.expression(item) for item in node.items)
        inner = "none"
        for item in items:
            joined = unify(inner, item.type)
            if joined not in (*ELEMENTS, "none"):
                self._refuse(
                    item, f"{item.type} in a list" + _of(inner), "numbers, bools, texts or moments, of one type"
                )
            inner = joined
        return replace(node, items=items, type=f"list[{inner}]")

    def _subscript(self, node: Item | Slice) -> Item | Slice:
        source = self.expression(node.source)
        if source.type == "none":
            source = _fit(source, "list[none]")
        inner = element(source.type)
        if inner is None:
            self._refuse(node, f"[ ] after a {source.type}", "[ ] after a list")
        return replace(node, source=source, type=inner if isinstance(node, Item) else source.type)

    def _each(self, node: Each) -> Each:
        source = self.expression(node.source)
        inner = "moment" if source.type == "moment" else element(source.type)
        if source.type != "none" and inner is None:
            self._refuse(node.source, f"for {node.name} in a {source.type}", "a list")
        self._check_free(node.name, node)
        if node.name in self.types:
            self._refuse(node, f"{node.name} already has a value", "another name after `for`")
        self.types[node.name] = inner or "none"
        tests = tuple(self._expect(test, "bool") for test in node.tests)
        body = self.expression(node.body)
        del self.types[node.name]
        if body.type not in (*ELEMENTS, "none"):
            self._refuse(node.body, f"a list of {body.type}", "lists of numbers, bools, texts or moments")
        source = _fit(source, f"list[{inner or 'none'}]")
        return replace(node, source=source, tests=tests, body=body, type=f"list[{body.type}]")

    def _call(self, node: Call) -> Call:
        function = self.functions.get(node.function)
        if function is None and node.function in self.types:
            self._refuse(node, f"{node.function} is a value, not a function", "a call of a tool or builtin")
        if function is None:
            self._refuse_unknown(node, "function", node.function, self.functions)
        given = self._named(node, function)
        bindings: dict[str, str] = {}
        arguments = []
        for parameter in function.parameters:
            argument = given.get(parameter.name)
            if argument is None and parameter.required:
                self._refuse(node, f"{function.name} without {parameter.name}=", signature(function))
            if argument is None:
                continue
            argument = self.expression(argument)
            if not _accepts(parameter.type, argument, bindings):
                self._refuse_argument(argument, function, parameter)
            # None, as written, leaves an optional argument out; nothing that was computed does not.
            if argument.type != "none" or parameter.required:
                arguments.append((parameter.name, _fit_parameter(argument, parameter.type)))
        return replace(node, arguments=tuple(arguments), type=_substitute(function.returns, bindings))

    def _named(self, node: Call, function: Tool) -> dict[str, Expression]:
        """The call's arguments by keyword, each once and known; a builtin's may stand in their order."""
        names = [parameter.name for parameter in function.parameters]
        given: dict[str, Expression] = {}
        for position, (name, argument) in enumerate(node.arguments):
            if not name and function.name not in BUILTINS:
                self._refuse(argument, f"{function.name} takes its arguments by keyword only", signature(function))
            if not name and position >= len(names):
                self._refuse(argument, f"{function.name} takes {len(names)} arguments", signature(function))
            name = name or names[position]
            if name not in names:
                self._refuse_unknown(node, f"argument of {function.name}", name, names, allowed=signature(function))
            if name in given:
                self._refuse(node, f"{name}= given twice", signature(function))
            given[name] = argument
        return given

    def _expect(self, node: Expression, wanted: str) -> Expression:
        checked = self.expression(node)
        if unify(checked.type, wanted) != wanted:
            way = "exists(items), count(items) > 0, x == None" if wanted == "bool" else "a number"
            self._refuse(node, f"a {checked.type} where a {wanted} is needed", way)
        return _fit(checked, wanted)

    def _check_free(self, name: str, node: Expression) -> None:
        if name in self.functions:
            kind = "builtin" if name in BUILTINS else "tool"
            self._refuse(node, f"{name} is the name of a {kind}", f"another name, such as {name}_1")

    def _refuse_argument(self, argument: Expression, function: Tool, parameter: Parameter) -> NoReturn:
        problem = f"{parameter.name}= of {function.name} takes {_plain(parameter.type)}, not {argument.type}"
        if isinstance(argument, Constant) and argument.type == "text" and "'" in parameter.type:
            problem = f"{parameter.name}= of {function.name} is one of {_plain(parameter.type)}"
        hint = "first(items) takes one moment out of a list" if argument.type == "list[moment]" else ""
        self._refuse(argument, problem, signature(function), hint=hint)

    def _refuse_unknown(
        self, node: Expression, what: str, name: str, known: Iterable[str], *, allowed: str = ""
    ) -> NoReturn:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
        allowed = allowed or ", ".join(sorted(known)[:_LISTED]) or "none: no name has a value yet"
        self._refuse(
            node, f"unknown {what} {name!r}", allowed, hint=f"did you mean {' or '.join(near)}?" if near else ""
        )

    def _refuse(self, node: Expression, problem: str, allowed: str, *, hint: str = "") -> NoReturn:
        refuse(node.line, node.fragment, problem, allowed, hint=hint)


def signature(function: Tool) -> str:
    """`name(parameter: type, other: type = default) -> type`."""
    parameters = [
        f"{p.name}: {_plain(p.type)}" + ("" if p.required else f" = {_default(p.default)}") for p in function.parameters
    ]
    return f"{function.name}({', '.join(parameters)}) -> {function.returns}"


def _default(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else str(value)


def _plain(pattern: str) -> str:
    return pattern.replace("'", '"')


def _type_of(value: float | bool | str | None) -> str:
    return (
        "none"
        if value is None
        else "bool"
        if isinstance(value, bool)
        else "text"
        if isinstance(value, str)
        else "number"
    )


def _of(inner: str) -> str:
    return "" if inner == "none" else f" of {inner}"


def _accepts(pattern: str, argument: Expression, bindings: dict[str, str]) -> bool:
    """True if the argument is of one of the types in `pattern`; binds T and M."""
    for option in pattern.split(" | "):
        if option.startswith("'"):
            if isinstance(argument, Constant) and argument.value == option.strip("'"):
                return True
        elif _fits(option, argument.type, bindings):
            return True
    return argument.type == "none"


def _fits(pattern: str, type_name: str, bindings: dict[str, str]) -> bool:
    if type_name == "none":
        return True
    if pattern == "M":
        bindings["M"] = "list[moment]" if type_name == "list[none]" else type_name
        return bindings["M"] in ("moment", "list[moment]")
    if pattern == "T":
        return type_name in ELEMENTS and bindings.setdefault("T", type_name) == type_name
    inner = element(pattern)
    if inner is not None:
        given = "moment" if type_name == "moment" else element(type_name)
        return given is not None and _fits(inner, given, bindings)
    return pattern == type_name


def _substitute(pattern: str, bindings: Mapping[str, str]) -> str:
    if pattern in ("T", "M"):
        return bindings.get(pattern, "none")
    return f"list[{bindings.get('T', 'none')}]" if pattern == "list[T]" else pattern


def _fit(node: Expression, wanted: str) -> Expression:
    """`node`, under a Fit where its values may need another shape to be of type `wanted`."""
    is_list = element(wanted) is not None
    if node.type == wanted or wanted == "none" or (is_list and element(node.type) is not None):
        return node
    return Fit(source=node, line=node.line, fragment=node.fragment, type=wanted)


def _fit_parameter(node: Expression, pattern: str) -> Expression:
    takes_list = any(element(option) is not None for option in pattern.split(" | "))
    if takes_list and node.type == "moment":
        return _fit(node, "list[moment]")
    if takes_list and node.type == "none" and pattern.startswith("list["):
        return _fit(node, "list[none]")
    return _fit(node, "bool") if pattern == "bool" else node
