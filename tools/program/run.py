"""Runs a checked program, and keeps every step for the trace.

What a program can do to the world is the calls of its tools, each with arguments of the declared types; what it can
use up is bounded by `Limits`. Calls that do not need each other's results are made at the same time; values, steps and
ledger are those of one call after the other.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from agentvid.events import Tell
from agentvid.tools.base import ToolContext
from agentvid.tools.program.ahead import CallsAhead
from agentvid.tools.program.builtins import outcome_of
from agentvid.tools.program.check import Program
from agentvid.tools.program.evaluate import Evaluator, Limits
from agentvid.tools.program.ir import Statement
from agentvid.tools.program.values import PREVIEW_CHARACTERS, PREVIEW_ITEMS, Outcome, Value, to_json
from agentvid.types import Json

#: So many calls are made at the same time.
WORKERS = 4
_LIMITS = Limits()


@dataclass(frozen=True)
class Step:
    """One statement as it ran. `name` is "" for the final expression; `value` is JSON, long ones cut.

    `items` is the true length of a list, None for other values. `seconds` are those of its evaluation and of its tool
    calls, whenever these were made; `tool_calls` leaves out those that an earlier step had made.
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
    """A program that ran through: its value, how it came about, and what the user must know of how tools worked."""

    value: Value
    type: str
    steps: tuple[Step, ...]
    tool_calls: int
    notes: tuple[str, ...] = ()

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
            "notes": list(self.notes),
        }


def run_program(
    program: Program,
    context: ToolContext,
    limits: Limits = _LIMITS,
    *,
    workers: int = WORKERS,
    tell: Tell | None = None,
) -> Run:
    """Run a checked program, with 1 worker one call after the other.

    `tell` hears of every tool call when it ends, from the thread that made it. Raises ProgramError when a limit is
    reached or somebody ends the run, ToolError when a tool refuses.
    """
    context.ledger.shortfall = None  # of a program before this one
    deadline = time.monotonic() + limits.wall_seconds
    ahead = CallsAhead(program, context, limits, deadline=deadline, workers=workers, tell=tell)
    evaluator = Evaluator(program, context, limits, deadline=deadline, ahead=ahead, tell=tell)
    value: Value = None
    steps = []
    try:
        for statement in program.statements:
            value, step = _step(evaluator, statement)
            steps.append(step)
    finally:
        ahead.close()
    notes = (*map(str, context.ledger.respelt.values()), *context.ledger.notes)
    return Run(value, program.type, tuple(steps), evaluator.tool_calls, notes)


def _step(evaluator: Evaluator, statement: Statement) -> tuple[Value, Step]:
    started, calls, apart = time.monotonic(), evaluator.tool_calls, evaluator.seconds_apart
    value = evaluator.statement(statement)
    return value, Step(
        name=statement.name,
        expression=statement.expression.fragment,
        type=statement.expression.type,
        value=to_json(value, items=PREVIEW_ITEMS, characters=PREVIEW_CHARACTERS),
        seconds=time.monotonic() - started + evaluator.seconds_apart - apart,
        tool_calls=evaluator.tool_calls - calls,
        items=len(value) if isinstance(value, tuple) else None,
    )
