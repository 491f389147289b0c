"""Calls made before their turn: those that need not wait for each other run at the same time.

A program may be evaluated again and again, each time as far as the calls known so far reach; the calls met on the way
are made together. The method is that of Haxl (Marlow et al., "There is no Fork", ICFP 2014). No call is made that the
program may not come to: branches not yet chosen are left alone, every call has fewer than the allowed number before
it, whatever those in between turn out to be, and none overtakes one that keeps its turn. So the evaluation proper,
which goes in order, finds its calls made and keeps its limits exactly.
"""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import replace
from functools import partial
from typing import Any

from agentvid.errors import AgentvidError
from agentvid.events import Event, Tell
from agentvid.tools.base import Tool, ToolContext
from agentvid.tools.program.builtins import BUILTINS
from agentvid.tools.program.calls import CallKey, Made, call_key, make_call
from agentvid.tools.program.check import Program
from agentvid.tools.program.evaluate import Evaluator, Limits
from agentvid.tools.program.ir import Call, Each, Expression, If, Logic, operands
from agentvid.tools.program.values import Value

#: The value of what waits for a call that is not made yet.
_PENDING: Any = object()
#: How often who waits for calls looks whether the run is still wanted.
_LOOK_SECONDS = 0.05


class CallsAhead:
    """The calls of one run that were made before their turn.

    `deadline` is of `time.monotonic`; `tell` hears of every call when it ends, from the thread that made it.
    """

    def __init__(
        self,
        program: Program,
        context: ToolContext,
        limits: Limits,
        *,
        deadline: float,
        workers: int,
        tell: Tell | None = None,
    ) -> None:
        self._program = program
        self._context = context
        self._limits = limits
        self._deadline = deadline
        self._workers = workers
        self._tell = tell
        #: Looking ahead may cost as much, all in all, as the evaluation itself.
        self._steps = limits.steps
        self._made: dict[CallKey, Made] = {}
        self._pool: ThreadPoolExecutor | None = None

    def __call__(self, call: CallKey, tool: Tool, known: Mapping[CallKey, Value]) -> Made | None:
        """What came of a call whose turn it is, with a ledger of its own; None if it is to be made now, alone.

        `known`: the calls whose turn has been. Whatever can be made together with this one is made here too.
        """
        if call not in self._made and self._steps > 0 and self._workers > 1 and tool.may_overlap(self._context):
            self._look_ahead(known)
        return self._made.pop(call, None)

    def close(self) -> None:
        """Leave calls that still run to themselves; of a run that somebody ended, keep what the others found."""
        self._tell = None
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        if self._context.ledger.is_interrupted():
            for made in self._made.values():
                self._context.ledger.add(made.ledger)

    def _look_ahead(self, known: Mapping[CallKey, Value]) -> None:
        scout = _Scout(
            self._program, self._context, replace(self._limits, steps=self._steps), self._deadline, known, self._made
        )
        ready = scout.explore()
        self._steps -= scout.steps
        if len(ready) < 2:
            return
        self._pool = self._pool or ThreadPoolExecutor(self._workers, thread_name_prefix="agentvid-tool")
        jobs = {}
        for call, (tool, arguments, step) in ready.items():
            apart = replace(self._context, ledger=self._context.ledger.apart())
            make = partial(make_call, step=step, tell=self._told if self._tell else None)
            jobs[call] = self._pool.submit(copy_context().run, make, tool, apart, arguments)
        done = self._wait(jobs.values())
        self._made |= {call: job.result() for call, job in jobs.items() if job in done}
        if len(done) < len(jobs):
            self._steps = 0

    def _wait(self, jobs: Collection[Future[Made]]) -> set[Future[Made]]:
        """Those that are done when all are, when time is up, or when somebody ends the run."""
        ledger = self._context.ledger
        look_seconds = math.inf if ledger.cancel is None else _LOOK_SECONDS
        while True:
            left = max(0.0, self._deadline - time.monotonic())
            done, late = wait(jobs, timeout=min(left, look_seconds))
            if not late or not left or ledger.is_interrupted():
                return done

    def _told(self, event: Event) -> None:
        # A call that is left to itself ends after its run: nobody waits to hear of it.
        if tell := self._tell:
            tell(event)


class _Scout(Evaluator):
    """Evaluates as far as the calls already made reach; collects those that could be made now, in order."""

    def __init__(
        self,
        program: Program,
        context: ToolContext,
        limits: Limits,
        deadline: float,
        known: Mapping[CallKey, Value],
        made: Mapping[CallKey, Made],
    ) -> None:
        super().__init__(program, context, limits, deadline=deadline, ahead=lambda *_: None)
        self._statements = program.statements[: int(min(limits.statements, len(program.statements)))]
        self._known = dict(known)
        self._made = made
        self._ready: dict[CallKey, tuple[Tool, dict[str, Any], int]] = {}
        self._met: set[CallKey] = set()
        #: At most so many calls come before the next one; infinitely many where one of them keeps its turn.
        self._before = 0.0

    def explore(self) -> Mapping[CallKey, tuple[Tool, dict[str, Any], int]]:
        """Tool, arguments and number of the statement of every call that is ready and not made yet."""
        try:
            for statement in self._statements:
                self._statements_run += 1
                self._names[statement.name] = self._value(statement.expression)
                if self._before >= self._limits.tool_calls:
                    break
        except AgentvidError:
            # The evaluation proper will stop there too, and say so.
            pass
        return self._ready

    def _apply(self, node: Expression, values: list[Any]) -> Any:
        if any(value is _PENDING for value in values):
            self._before += self._weight(node)
            return _PENDING
        return super()._apply(node, values)

    def _logic(self, node: Logic) -> Any:
        for position, part in enumerate(node.parts):
            value = self._value(part)
            if value is _PENDING:
                return self._leave(node.parts[position + 1 :])
            if bool(value) is not (node.operator == "and"):
                return value
        return node.operator == "and"

    def _if(self, node: If) -> Any:
        test = self._value(node.test)
        if test is _PENDING:
            return self._leave([node.yes, node.no])
        return self._value(node.yes if test else node.no)

    def _each(self, node: Each) -> Any:
        source = self._value(node.source)
        if source is _PENDING:
            self._before += self._most_rounds(node)
            return _PENDING
        found = []
        for item in source:
            self._names[node.name] = item
            found.append(self._body(node))
        self._names.pop(node.name, None)
        return _PENDING if any(value is _PENDING for value in found) else self._list(node, found)

    def _body(self, node: Each) -> Any:
        """The body for the item at hand, nothing if a test fails: a list leaves that out."""
        for position, part in enumerate(node.tests):
            test = self._value(part)
            if test is _PENDING:
                return self._leave([*node.tests[position + 1 :], node.body])
            if not test:
                return None
        return self._value(node.body)

    def _call_tool(self, node: Call, function: Tool, arguments: dict[str, Any]) -> Any:
        call = call_key(function, arguments)
        is_allowed = self._before < self._limits.tool_calls
        is_made = call in self._known or call in self._made
        if call not in self._met:
            self._met.add(call)
            self._before += 1 if is_made else self._weight(node)
        if call in self._known:
            return self._received(node, self._known[call])
        if is_made:
            return self._received(node, self._returned(node, function, self._made[call]))
        if is_allowed and function.may_overlap(self._context):
            self._ready.setdefault(call, (function, arguments, self._statements_run))
        return _PENDING

    def _fall_short(self, wanted: int, items: Sequence[Value]) -> None:
        """Nothing is kept of what the evaluation proper may not come to."""

    def _leave(self, parts: Iterable[Expression]) -> Any:
        """What cannot be evaluated yet may come to hold calls."""
        self._before += sum(self._most_calls(part) for part in parts)
        return _PENDING

    def _most_calls(self, node: Expression) -> float:
        """At most so many calls does the evaluation of a node make, infinitely many if one keeps its turn."""
        match node:
            case If():
                parts: Iterable[Expression] = (node.test, node.yes, node.no)
            case Logic():
                parts = node.parts
            case Each():
                return self._most_calls(node.source) + self._most_rounds(node)
            case _:
                parts = operands(node)
        return self._weight(node) + sum(self._most_calls(part) for part in parts)

    def _most_rounds(self, node: Each) -> float:
        return self._limits.list_items * sum(self._most_calls(part) for part in (*node.tests, node.body))

    def _weight(self, node: Expression) -> float:
        if not isinstance(node, Call) or node.function in BUILTINS:
            return 0
        return 1 if self._functions[node.function].may_overlap(self._context) else math.inf
