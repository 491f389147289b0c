"""Calls made before their turn: those that need not wait for each other run at the same time.

A program has no effects, so it may be evaluated again and again, each time as far as the calls known so far reach; the
calls met on the way are made together, and the next round starts. The method is that of Haxl (Marlow et al., "There is
no Fork", ICFP 2014). No call is made that the program may not come to: branches not yet chosen are left alone, and
every call has fewer than the allowed number before it, whatever those in between turn out to be. So the evaluation
proper, which comes after and in order, finds its calls made and keeps its limits exactly.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import replace
from typing import Any

from agentvid.errors import AgentvidError
from agentvid.tools.base import Ledger, Tool, ToolContext
from agentvid.tools.program.builtins import BUILTINS
from agentvid.tools.program.calls import CallKey, Made, call_key, make_call
from agentvid.tools.program.check import Program
from agentvid.tools.program.evaluate import Evaluator, Limits
from agentvid.tools.program.ir import Call, Each, Expression, If, Logic, operands

#: The value of what waits for a call that is not made yet.
_PENDING: Any = object()


def call_ahead(
    program: Program, context: ToolContext, limits: Limits, *, deadline: float, workers: int
) -> Mapping[CallKey, Made]:
    """The calls that could be made at the same time, each with a ledger of its own; none if there is but one."""
    if sum(_most_calls(statement.expression, limits) for statement in program.statements) < 2:
        return {}
    made: dict[CallKey, Made] = {}
    steps = limits.steps
    pool = ThreadPoolExecutor(workers, thread_name_prefix="agentvid-tool")
    try:
        # All rounds together may cost as much as the evaluation that follows.
        while steps > 0:
            scout = _Scout(program, context, replace(limits, steps=steps), deadline=deadline, ahead=made)
            ready = scout.explore()
            steps -= scout.steps
            jobs = {
                call: pool.submit(copy_context().run, make_call, tool, replace(context, ledger=Ledger()), arguments)
                for call, (tool, arguments) in ready.items()
            }
            done, late = wait(jobs.values(), timeout=max(0.0, deadline - time.monotonic()))
            made |= {call: job.result() for call, job in jobs.items() if job in done}
            if late or not ready:
                break
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return made


class _Scout(Evaluator):
    """Evaluates as far as the calls already made reach; collects those that could be made now, in order."""

    def __init__(self, program: Program, *rest: Any, **named: Any) -> None:
        super().__init__(program, *rest, **named)
        self._statements = program.statements
        self._ready: dict[CallKey, tuple[Tool, dict[str, Any]]] = {}
        self._met: set[CallKey] = set()
        #: At most so many calls come before the next one.
        self._before = 0

    def explore(self) -> Mapping[CallKey, tuple[Tool, dict[str, Any]]]:
        """Tool and arguments of every call that is ready and not made yet."""
        try:
            for statement in self._statements:
                self.statement(statement)
        except AgentvidError:
            # The evaluation proper will stop there too, and say so.
            pass
        return self._ready

    def _apply(self, node: Expression, values: list[Any]) -> Any:
        if any(value is _PENDING for value in values):
            self._before += isinstance(node, Call) and node.function not in BUILTINS
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
            return self._leave([*node.tests, node.body], times=self._limits.list_items)
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
        allowed = self._before < self._limits.tool_calls
        self._before += call not in self._met
        self._met.add(call)
        if call in self._ahead:
            return self._received(node, self._returned(node, function, self._ahead[call]))
        if allowed and function.may_overlap(self._context):
            self._ready.setdefault(call, (function, arguments))
        return _PENDING

    def _leave(self, parts: Iterable[Expression], *, times: int = 1) -> Any:
        """What cannot be evaluated yet may come to hold calls."""
        self._before += times * sum(_most_calls(part, self._limits) for part in parts)
        return _PENDING


def _most_calls(node: Expression, limits: Limits) -> int:
    """At most so many tool calls does the evaluation of a node make."""
    own = isinstance(node, Call) and node.function not in BUILTINS
    match node:
        case If():
            parts: Iterable[Expression] = (node.test, node.yes, node.no)
        case Logic():
            parts = node.parts
        case Each():
            each = sum(_most_calls(part, limits) for part in (*node.tests, node.body))
            return _most_calls(node.source, limits) + limits.list_items * each
        case _:
            parts = operands(node)
    return own + sum(_most_calls(part, limits) for part in parts)
