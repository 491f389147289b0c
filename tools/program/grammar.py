"""The language as a grammar, for models that decode by one: all that such a model writes is accepted by our parser.

Made from what the parser and the checker read: their limits, and the signatures of tools and builtins. The notation is
Lark's as llguidance extends it (https://github.com/guidance-ai/llguidance, docs/syntax.md, docs/parametric.md): a rule
`rule::_` carries a number, here how many brackets are open around it in bits 0 to 3 and how many loops in bits 4 and 5.

It is narrower than the language where that costs nothing: one space where any would do, no comments, fewer lines. It
cannot say which names have a value, nor the types of expressions: the checker does.
"""

from __future__ import annotations

import keyword
from collections.abc import Mapping, Sequence
from functools import lru_cache

from agentvid.tools.base import Parameter, Tool
from agentvid.tools.program.builtins import BUILTINS
from agentvid.tools.program.check import callables
from agentvid.tools.program.lexer import MAX_NAME
from agentvid.tools.program.parse import MAX_NESTED_LOOPS, MAX_TEXT_BYTES

#: A program has at most so many lines and a list so many items; planners need far fewer than the parser allows.
LINES, ITEMS = 40, 32
#: At most so many brackets stand in each other; operators freely inside of less than the second number, one of them
#: inside of less than the third. Free ones nest 9 deep between two brackets (two `if`, `and`, `not`, a comparison, a
#: sum of five), so that with brackets and an item nothing is deeper than 3 x 10 + 2 x 2 + 3 + 2, within MAX_DEPTH.
BRACKETS, FREE, SINGLE = 8, 3, 5
#: A character takes at most 4 bytes of UTF-8.
_TEXT = MAX_TEXT_BYTES // 4

_RULES = """\
start: (NAME " = " expression::0 "\\n"){0,%(lines)d} expression::0 "\\n"?

expression::_: choice::_ %%if lt([0:4], %(free)d)
  | single::_ %%if and(ge([0:4], %(free)d), lt([0:4], %(single)d))
  | operand::_ %%if ge([0:4], %(single)d)
single::_: operand::_ ((COMPARED | ADDED | MULTIPLIED) operand::_)?
choice::_: test::_ (" if " test::_ " else " test::_){0,2}
test::_: part::_ | part::_ (" and " part::_)+ | part::_ (" or " part::_)+
part::_: "not "? sum::_ (COMPARED sum::_)?
sum::_: product::_ (ADDED product::_)? | operand::_ (ADDED operand::_){2,4}
product::_: operand::_ (MULTIPLIED operand::_){0,2}
operand::_: CONSTANT | NAME ITEM? | "-" NAME | bracketed::incr([0:4]) ITEM? %%if lt([0:4], %(brackets)d)
bracketed::_: call::_ | "(" expression::_ ")" | "[]" | "[" items::_ "]" | each::incr([4:6]) %%if lt([4:6], %(loops)d)
items::_: expression::_ (", " expression::_){0,%(items)d}
each::_: "[" expression::_ " for " NAME " in " operand::_ (" if " filter::_)? "]"
filter::_: test::_ %%if lt([0:4], %(free)d)
  | single::_ %%if and(ge([0:4], %(free)d), lt([0:4], %(single)d))
  | operand::_ %%if ge([0:4], %(single)d)

CONSTANT: TEXT | NUMBER | "True" | "False" | "None"
TEXT: /"([^"\\\\\\p{C}\\p{Zl}\\p{Zp}]|\\\\[\\\\'"nt]){0,%(text)d}"/
  | /'([^'\\\\\\p{C}\\p{Zl}\\p{Zp}]|\\\\[\\\\'"nt]){0,%(text)d}'/
NUMBER: /-?(0|[1-9][0-9]{0,14})(\\.[0-9]{1,9})?/
ITEM: /\\[-?(0|[1-9][0-9]{0,5})\\]|\\[(-?(0|[1-9][0-9]{0,5}))?:(-?(0|[1-9][0-9]{0,5}))?\\]/
COMPARED: / (==|!=|<=|>=|<|>|in|not in) /
ADDED: / [+-] /
MULTIPLIED: / [*\\/] /
NAME: /[A-Za-z_][A-Za-z0-9_]{0,%(name)d}/ & ~/%(taken)s/
"""


def program_grammar(tools: Mapping[str, Tool]) -> str:
    """A Lark grammar, its start is `start`. Raises UsageError if a tool has a builtin's name."""
    return _grammar(tuple(callables(tools).values()))


@lru_cache(maxsize=8)
def _grammar(functions: tuple[Tool, ...]) -> str:
    """Made once for the tools of a run: every request of a planner goes with it."""
    rules = _RULES % {
        "lines": LINES,
        "items": ITEMS - 1,
        "text": _TEXT,
        "name": MAX_NAME - 1,
        "loops": MAX_NESTED_LOOPS,
        "brackets": BRACKETS,
        "free": FREE,
        "single": SINGLE,
        "taken": "|".join([*keyword.kwlist, *(function.name for function in functions)]),
    }
    # What is called alike is one choice: a decoder that looks ahead has fewer ways to follow.
    alike: dict[str, list[str]] = {}
    for function in functions:
        alike.setdefault(_arguments(function), []).append(f'"{function.name}("')
    calls = [f'CALL_{at} {arguments} ")"' for at, arguments in enumerate(alike)]
    names = [f"CALL_{at}: {' | '.join(names)}\n" for at, names in enumerate(alike.values())]
    return f"{rules}call::_: {' | '.join(calls)}\n{''.join(names)}"


def _arguments(tool: Tool) -> str:
    """Required arguments come first and in their order, so that none is forgotten; the others follow in any order."""
    required = [parameter for parameter in tool.parameters if parameter.required]
    optional = [parameter for parameter in tool.parameters if not parameter.required]
    option = f"({' | '.join(map(_named, optional))})"
    more = f'(", " {option}){{0,{len(optional)}}}' if optional else ""
    is_positional = tool.name in BUILTINS
    if required:
        return f"({_required(required, more, optional, is_positional=is_positional)})"
    first = f"{option} | {_value(optional[0])}" if optional and is_positional else option
    return f"(({first}) {more})?" if optional else ""


def _required(required: Sequence[Parameter], more: str, optional: Sequence[Parameter], *, is_positional: bool) -> str:
    """Arguments by keyword or, for a builtin, by position and then by keyword; `more` are the optional ones."""
    named = f"""{' ", " '.join(map(_named, required))} {more}"""
    if not is_positional:
        return named
    head, rest = required[0], required[1:]
    if rest:
        follow = f"""", " ({_required(rest, more, optional, is_positional=True)})"""
    else:
        follow = "".join(f'(", " {_value(parameter)})? ' for parameter in optional[:1]) + more
    return f"{_value(head)} {follow} | {named}"


def _named(parameter: Parameter) -> str:
    return f'"{parameter.name}=" {_value(parameter)}'


def _value(parameter: Parameter) -> str:
    """An expression, or one of the texts that a signature lists."""
    if "'" not in parameter.type:
        return "expression::_"
    texts = [option.strip("'") for option in parameter.type.split(" | ")]
    return "(" + " | ".join(rf'"\"{text}\""' for text in texts) + ")"
