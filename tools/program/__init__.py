"""The language that planners write: a few lines that look like Python and can do nothing but call tools and compute."""

from __future__ import annotations

from collections.abc import Mapping

from agentvid.tools import TOOLS
from agentvid.tools.base import Needs, Tool
from agentvid.tools.program.builtins import BUILTINS
from agentvid.tools.program.check import Program, callables, check_program, signature
from agentvid.tools.program.evaluate import Limits
from agentvid.tools.program.run import Run, Step, run_program
from agentvid.tools.program.values import Outcome, Value

__all__ = [
    "BUILTINS",
    "LANGUAGE_RULES",
    "Limits",
    "Outcome",
    "Program",
    "Run",
    "Step",
    "Value",
    "check_program",
    "describe",
    "reference_page",
    "run_program",
]

LANGUAGE_RULES = """\
- A program is lines `name = expression` and, last, one expression, usually `answer(value=..., evidence=...)`.
- Types: number (times are seconds), bool, text, moment (a stretch of one video), and flat lists of one of these.
- Expressions: `12`, `0.5`, `"text"`, `True`, `False`, `None`, names, `[a, b]`, `items[0]`, `items[-1]`, `items[1:3]`,
  `a + b`, `a - b`, `a * b`, `a / b`, comparisons, `in`, `not in`, `and`, `or`, `not`, `a if test else b`, lists joined
  by `+`, and `[x for x in items if test]` with one `for`, at most two of them nested.
- Tools are called by keyword: `search(query="a red door", k=5)`. Builtins also by position: `first(items)`.
- A test is a bool: write `exists(items)` or `count(items) > 0`, not `items`.
- Where a list of moments is asked for, one moment will do. Where one moment is asked for, write `first(items)`.
- `first`, `last` and `items[0]` follow the order of the list: search and ground give the best first, list_all and read
  the earliest first. For the first in time write `first(sort(items, by="start"))`.
- What cannot be computed is nothing, `None`: the first of an empty list, `1 / 0`, the start of nothing. It never stops
  a program: as a list it is `[]`, as a test it is `False`, and whatever needs it is nothing too. Lists leave it out.
- A tool that is given nothing as an argument is not called and gives nothing; `None` written as such leaves an
  optional argument out.
- Names of tools and builtins cannot be assigned. A name is assigned before it is used.
- No attributes, methods, imports, loops, lambdas, f-strings, dicts, sets, tuples, powers or chained comparisons.
- Limits: 8,192 bytes, 100 lines, 10,000 steps, lists of 1,000 items; texts are cut at 4,096 characters.
"""

_PAGE = """\
# The program language

Planners answer a question by writing a small program: it calls tools that look into the videos, and computes order,
counts and durations instead of guessing them. `agentvid program FILE` runs one, `agentvid program FILE --check` only
checks it. This page is generated from the registry:
`python -m agentvid.tools.program > docs/program.md`. [visual-programs.md](visual-programs.md) shows what the steps of
other systems become, and how much can be said.

    opens = list_all(query="the door opens")
    alarm = first(ground(query="the alarm rings"))
    later = sort(after(opens, alarm), by="start")
    answer(value=count(later), evidence=later)

## Rules

{rules}
`T` is one of number, bool, text, moment, the same wherever it stands in a signature; `M` is a moment or a list of
moments. A list of several moments, as a reference in time, stands for the stretch from its first start to its last
end, in each video apart.

## Tools

{tools}## Builtins

{builtins}
## How it runs

All of it is checked before anything runs. Calls that do not need each other's results are made at the same time, in
threads; no branch is entered that the program does not choose. Value, steps and what was found are those of one call
after the other, and so are the limits. The same call, with the same arguments, is made once in a run and counted once.

## A tool of your own

A tool is one function: the context, then keywords whose types are float, bool, str, Moment or a list of one of them.

    def count_rows(context: ToolContext, *, within: Moment) -> float:
        \"""How many rows a moment has.

        Args:
            within: the moment
        \"""
        return float(len(context.catalogue.observations(within.video_id, within=within.span)))

A package offers it as an entry point: `count_rows = "package:count_rows"` in `[project.entry-points."agentvid.tools"]`.
Moments that it finds must be put into `context.ledger` by `record`, or no answer can cite them; a moment of a video
outside of `context.scope` stops the program. A tool keeps its turn unless it is offered as
`Tool.from_function(count_rows, parallel="always")`, which says that threads may share it and that what it returns
depends on its arguments and the library alone. One with `needs="frames"` or `needs="vision"` is offered to a planner
only where the question's videos have files, or files and a model that looks at frames. `AGENTVID_PLUGINS=off` leaves
all plug-ins out.
"""


_NEEDS: Mapping[Needs, str] = {
    "nothing": "",
    "frames": " Needs a video that has its file.",
    "vision": " Needs a video that has its file, and a model that looks at frames (`--vision`, setting `vision`).",
}


def describe(tools: Mapping[str, Tool]) -> str:
    """One line per tool, then per builtin: signature and what it does; for prompts and docs, always in one order."""
    functions = [*(tools[name] for name in sorted(tools)), *BUILTINS.values()]
    callables(tools)
    return "".join(f"{signature(function)}: {function.description}\n" for function in functions)


def reference_page() -> str:
    """docs/program.md: rules, the tools that agentvid ships with their arguments, builtins."""
    return _PAGE.format(
        rules=LANGUAGE_RULES,
        tools="".join(_tool_entry(TOOLS[name]) for name in sorted(TOOLS)),
        builtins="".join(f"- `{signature(function)}`  \n  {function.description}\n" for function in BUILTINS.values()),
    )


def _tool_entry(tool: Tool) -> str:
    arguments = "".join(f"- `{p.name}`: {p.description}\n" for p in tool.parameters)
    return f"### {tool.name}\n\n`{signature(tool)}`\n\n{tool.description}{_NEEDS[tool.needs]}\n\n{arguments}\n"
