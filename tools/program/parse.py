"""Text to tree: what Python's parser makes of an expression, translated node by node; what has no translation is
refused."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from typing import Any, NoReturn

from agentvid.tools.program.ir import (
    Binary,
    Call,
    Constant,
    Each,
    Expression,
    If,
    Item,
    ListOf,
    Logic,
    Name,
    Slice,
    Statement,
    Unary,
)
from agentvid.tools.program.lexer import ALLOWED, MAX_FRAGMENT, read_lines, refuse

MAX_DEPTH, MAX_NESTED_LOOPS = 40, 2
MAX_TEXT_BYTES, MAX_INTEGER = 1_024, 2**53

_BINARY = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_UNARY = {ast.Not: "not", ast.USub: "-"}
_COMPARE = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "in",
    ast.NotIn: "not in",
}
#: What to write instead of Python that is not part of the language.
_INSTEAD: dict[type[ast.AST], str] = {
    ast.GeneratorExp: "a list: [x for x in items]",
    ast.Tuple: "a list: [a, b]",
    ast.Starred: "a + b, to join lists",
}


def parse(source: str) -> tuple[Statement, ...]:
    """The statements of a program, at least one, the last of them the only expression without a name.

    Raises ProgramError.
    """
    lines = read_lines(source)
    for line in lines[:-1]:
        if not line.name:
            allowed = "`name = expression`; only the last line has no name"
            refuse(line.number, line.text, "an expression whose value is lost", allowed)
    if not lines or lines[-1].name:
        number, fragment = (lines[-1].number, lines[-1].text) if lines else (1, "")
        refuse(number, fragment, "the program does not end with an expression", "answer(value=..., evidence=...)")
    return tuple(Statement(line.name, _parse_line(line.number, line.text)) for line in lines)


def _parse_line(number: int, text: str) -> Expression:
    try:
        tree = ast.parse(text, mode="eval")
    except SyntaxError as error:
        refuse(number + (error.lineno or 1) - 1, text, error.msg)
    except (RecursionError, MemoryError, ValueError) as error:
        refuse(number, text, f"more than the parser can take ({type(error).__name__})")
    return _Parser(number, text).expression(tree.body)


class _Parser:
    """Translates the expression of one line; keeps its text for fragments and its depth for the limits."""

    def __init__(self, number: int, text: str) -> None:
        self._first_line = number
        # Python counts columns in bytes of UTF-8.
        self._lines = [line.encode() for line in text.split("\n")]
        self._depth = 0
        self._loops = 0
        self._translate: dict[type[ast.AST], Callable[[Any], Expression]] = {
            ast.Constant: self._constant,
            ast.Name: lambda node: Name(name=node.id, **self._place(node)),
            ast.UnaryOp: self._unary,
            ast.BinOp: self._binary,
            ast.BoolOp: self._logic,
            ast.Compare: self._compare,
            ast.IfExp: self._if,
            ast.List: lambda node: ListOf(items=tuple(map(self.expression, node.elts)), **self._place(node)),
            ast.Subscript: self._subscript,
            ast.ListComp: self._each,
            ast.Call: self._call,
        }

    def expression(self, node: ast.expr) -> Expression:
        translate = self._translate.get(type(node))
        if translate is None:
            self._refuse(node, f"{type(node).__name__} is not part of the language", _INSTEAD.get(type(node), ALLOWED))
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._refuse(node, "an expression too deep", f"{MAX_DEPTH} levels; give parts a name on their own line")
        translated = translate(node)
        self._depth -= 1
        return translated

    def _constant(self, node: ast.Constant) -> Constant:
        value = node.value
        if value is not None and not isinstance(value, bool | int | float | str):
            self._refuse(node, f"a constant of type {type(value).__name__}", "numbers, texts, True, False, None")
        if isinstance(value, str) and len(value.encode("utf-8", "surrogatepass")) > MAX_TEXT_BYTES:
            self._refuse(node, "a text too long", f"{MAX_TEXT_BYTES} bytes")
        if isinstance(value, int) and not isinstance(value, bool):
            if value >= MAX_INTEGER:
                self._refuse(node, "a number too large", "whole numbers below 2 to the power of 53")
            value = float(value)
        if isinstance(value, float) and not math.isfinite(value):
            self._refuse(node, "a number too large", "finite numbers")
        return Constant(value=value, **self._place(node))

    def _unary(self, node: ast.UnaryOp) -> Unary:
        operator = _UNARY.get(type(node.op))
        if operator is None:
            self._refuse(node, f"the operator {type(node.op).__name__}", "not x, -x")
        return Unary(operator=operator, operand=self.expression(node.operand), **self._place(node))

    def _binary(self, node: ast.BinOp) -> Binary:
        operator = _BINARY.get(type(node.op))
        if operator is None:
            self._refuse(node, f"the operator {type(node.op).__name__}", "+ - * /")
        left, right = self.expression(node.left), self.expression(node.right)
        return Binary(operator=operator, left=left, right=right, **self._place(node))

    def _logic(self, node: ast.BoolOp) -> Logic:
        operator = "and" if isinstance(node.op, ast.And) else "or"
        return Logic(operator=operator, parts=tuple(map(self.expression, node.values)), **self._place(node))

    def _compare(self, node: ast.Compare) -> Binary:
        if len(node.ops) != 1:
            self._refuse(node, "a chain of comparisons", "one comparison; join two with `and`")
        operator = _COMPARE.get(type(node.ops[0]))
        if operator is None:
            self._refuse(node, f"the comparison {type(node.ops[0]).__name__}", "== != < <= > >= in; x == None")
        left, right = self.expression(node.left), self.expression(node.comparators[0])
        return Binary(operator=operator, left=left, right=right, **self._place(node))

    def _if(self, node: ast.IfExp) -> If:
        test, yes, no = self.expression(node.test), self.expression(node.body), self.expression(node.orelse)
        return If(test=test, yes=yes, no=no, **self._place(node))

    def _subscript(self, node: ast.Subscript) -> Item | Slice:
        source = self.expression(node.value)
        if not isinstance(node.slice, ast.Slice):
            return Item(source=source, index=self._index(node.slice), **self._place(node))
        if node.slice.step is not None:
            self._refuse(node, "a slice with a step", "items[a:b]; sort(items, descending=True) to turn a list round")
        start = None if node.slice.lower is None else self._index(node.slice.lower)
        stop = None if node.slice.upper is None else self._index(node.slice.upper)
        return Slice(source=source, start=start, stop=stop, **self._place(node))

    def _index(self, node: ast.expr) -> int:
        negative = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)
        inner = node.operand if isinstance(node, ast.UnaryOp) and negative else node
        if not isinstance(inner, ast.Constant) or type(inner.value) is not int or inner.value >= MAX_INTEGER:
            self._refuse(node, "an index that is no whole constant", "items[0], items[-1], items[:3]; nth(items, n)")
        return -inner.value if negative else inner.value

    def _each(self, node: ast.ListComp) -> Each:
        loop = node.generators[0]
        if len(node.generators) != 1 or loop.is_async or not isinstance(loop.target, ast.Name):
            self._refuse(node, "a comprehension with more than one `for` or name", "[x for x in items if test]")
        self._loops += 1
        if self._loops > MAX_NESTED_LOOPS:
            self._refuse(node, "comprehensions nested too deep", f"{MAX_NESTED_LOOPS} levels")
        source, tests, body = self.expression(loop.iter), map(self.expression, loop.ifs), self.expression(node.elt)
        each = Each(name=loop.target.id, source=source, tests=tuple(tests), body=body, **self._place(node))
        self._loops -= 1
        return each

    def _call(self, node: ast.Call) -> Call:
        if not isinstance(node.func, ast.Name):
            self._refuse(node.func, "only a tool or builtin can be called, by its name", "name(keyword=value)")
        named = [keyword for keyword in node.keywords if keyword.arg is not None]
        if len(named) < len(node.keywords):
            self._refuse(node, "no ** in calls", "name(keyword=value)")
        arguments = [("", self.expression(value)) for value in node.args]
        arguments += [(keyword.arg or "", self.expression(keyword.value)) for keyword in named]
        return Call(function=node.func.id, arguments=tuple(arguments), **self._place(node))

    def _place(self, node: ast.expr) -> dict[str, Any]:
        return {"line": self._line(node), "fragment": self._fragment(node)}

    def _line(self, node: ast.expr) -> int:
        return self._first_line + node.lineno - 1

    def _fragment(self, node: ast.expr) -> str:
        """The text of `node`; of several lines, joined and cut."""
        first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
        lines = self._lines[first : last + 1]
        lines[-1] = lines[-1][: node.end_col_offset]
        lines[0] = lines[0][node.col_offset :]
        return b" ".join(line.strip() for line in lines).decode("utf-8", "replace")[:MAX_FRAGMENT]

    def _refuse(self, node: ast.expr, problem: str, allowed: str = ALLOWED) -> NoReturn:
        refuse(self._line(node), self._fragment(node), problem, allowed)
