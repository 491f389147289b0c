"""Calls that need not wait for each other: they overlap, are made once, and leave limits and order as they were.

That a parallel run equals a sequential one is tested on generated programs in test_program_fuzz.py.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest

from agentvid.errors import ProgramError, ToolError
from agentvid.models.scripted import ScriptedChat
from agentvid.tools.base import Parallel, Tool, ToolContext
from agentvid.tools.program import Limits, Run, check_program, run_program
from agentvid.types import Moment, Span


class Watched:
    """A tool whose calls wait for another one to start, so many seconds at most; knows how many ran at once."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.calls: list[str] = []
        self.most_at_once = 0
        self._running = 0
        self._together = threading.Event()
        self._lock = threading.Lock()

    def tool(self, parallel: Parallel = "always") -> Tool:
        def slow(context: ToolContext, *, query: str, within: Moment | None = None) -> list[Moment]:
            """One moment, after a while; none for "nothing"."""
            with self._lock:
                self.calls.append(query)
                self._running += 1
                self.most_at_once = max(self.most_at_once, self._running)
                if self._running > 1:
                    self._together.set()
            self._together.wait(self.seconds)
            with self._lock:
                self._running -= 1
            if query == "broken":
                raise ToolError("broken; allowed: whole")
            second = within.span.end_seconds if within else float(len(query))
            found = [Moment("v1", Span(second, second + 1), text=query)] if query != "nothing" else []
            return context.ledger.record(found)

        return Tool.from_function(slow, parallel=parallel)


def run(
    source: str, watched: Watched, context: ToolContext, limits: Limits | None = None, tool: Tool | None = None
) -> Run:
    return run_program(check_program(source, {"slow": tool or watched.tool()}), context, limits or Limits())


OVERLAPPING = {
    "statements": 'a = slow(query="a")\nb = slow(query="bb")\ncount(a + b)',
    "operands": 'count(slow(query="a") + slow(query="bb"))',
    "arguments": 'seconds_between(first(slow(query="a")), first(slow(query="bbbbb")))',
    "bodies": '[count(slow(query=q)) for q in ["a", "bb"]]',
    "tests": '[q for q in ["a", "bb", "nothing"] if exists(slow(query=q))]',
    "after a call that both need": (
        'a = first(slow(query="a"))\nb = slow(query="b", within=a)\nc = slow(query="c", within=a)\nb + c'
    ),
    "beside a chain": (
        'a = first(slow(query="a"))\nb = slow(query="b", within=a)\nc = slow(query="c")\nanswer(evidence=b + c)'
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OVERLAPPING)
def test_calls_that_do_not_need_each_other_overlap(context: ToolContext, name: str) -> None:
    watched = Watched(1)
    run(OVERLAPPING[name], watched, context)
    assert watched.most_at_once >= 2


@pytest.mark.parametrize(
    "source",
    [
        'a = first(slow(query="a"))\nb = slow(query="b", within=a)\ncount(b)',
        'slow(query="a") if exists(slow(query="b")) else slow(query="c")',
        'exists(slow(query="a")) or exists(slow(query="b"))',
        'exists(slow(query="nothing")) and exists(slow(query="b"))',
        '[m for m in slow(query="nothing") if exists(slow(query="b"))]',
    ],
)
def test_nothing_is_called_that_the_program_may_not_come_to(context: ToolContext, source: str) -> None:
    watched, alone = Watched(0), Watched(0)
    result = run(source, watched, context)
    run_program(check_program(source, {"slow": alone.tool()}), replace(context), workers=1)
    assert watched.most_at_once == 1
    assert watched.calls == alone.calls
    assert len(watched.calls) == result.tool_calls


def test_steps_and_ledger_are_in_the_order_of_the_program(context: ToolContext) -> None:
    watched = Watched(0)
    original = watched.tool()

    def hurried(context: ToolContext, *, query: str, within: Moment | None = None) -> list[Moment]:
        """The later it is asked, the sooner it is ready."""
        time.sleep(0.05 * (4 - len(query)))
        found: list[Moment] = original.run(context, query=query, within=within)
        return found

    result = run(
        'a = slow(query="a")\nb = slow(query="bb")\nc = slow(query="ccc")\nanswer(value=count(a + b + c), evidence=c)',
        watched,
        context,
        tool=replace(original, run=hurried),
    )
    assert [moment.text for moment in context.ledger.moments] == ["a", "bb", "ccc"]
    assert [step.tool_calls for step in result.steps] == [1, 1, 1, 0]
    seconds = [step.seconds for step in result.steps]
    assert seconds[0] >= 0.15, "a step tells what its calls took, whenever they were made"
    assert seconds[2] >= 0.05
    assert seconds[3] < 0.05


@pytest.mark.parametrize("workers", [1, 4])
def test_the_same_call_is_made_once(context: ToolContext, workers: int) -> None:
    watched = Watched(0)
    tools = {"slow": watched.tool()}
    source = (
        'a = slow(query="a")\nb = slow(query="a", within=None)\n'
        '[count(slow(query="a") + a + b) for x in [1, 2, 3] if exists(slow(query=" a"))]'
    )
    result = run_program(check_program(source, tools), context, Limits(tool_calls=2), workers=workers)
    assert result.value == (3.0, 3.0, 3.0)
    assert sorted(watched.calls) == [" a", "a"]
    assert result.tool_calls == 2, "what was not called costs no call"
    assert len(context.ledger.moments) == 2, "nor is it recorded again"


def test_moments_of_one_place_with_other_words_are_other_arguments(context: ToolContext) -> None:
    def words(context: ToolContext, *, of: Moment) -> str:
        """What a moment says."""
        return of.text

    tools = {"words": Tool.from_function(words, parallel="always"), "slow": Watched(0).tool()}
    source = 'a = first(slow(query="a"))\nb = first(slow(query="b"))\n[words(of=a), words(of=b), words(of=a)]'
    assert run_program(check_program(source, tools), context).value == ("a", "b", "a")


@pytest.mark.parametrize("allowed", range(6))
def test_no_more_calls_are_made_than_allowed(context: ToolContext, allowed: int) -> None:
    source = (
        'a = first(slow(query="a"))\nb = [q for q in ["b", "c"] if exists(slow(query=q, within=a))]\n'
        'c = slow(query="d")\nd = slow(query="e") if exists(b) else slow(query="f")\ncount(d)'
    )
    watched = Watched(0)
    if allowed >= 5:
        assert run(source, watched, context, Limits(tool_calls=allowed)).tool_calls == 5
    else:
        with pytest.raises(ProgramError, match=f"more tool calls than its limit; allowed: {allowed}"):
            run(source, watched, context, Limits(tool_calls=allowed))
    assert [moment.text for moment in context.ledger.moments] == ["a", "b", "c", "d", "e"][:allowed]
    assert sorted(watched.calls) == ["a", "b", "c", "d", "e"][:allowed]


def test_no_call_overtakes_one_that_keeps_its_turn(context: ToolContext) -> None:
    """What a tool records may be what a later call reads: frames that were looked at become rows."""
    watched = Watched(0.05)

    def seen(context: ToolContext) -> float:
        """How many moments were recorded so far."""
        return float(len(context.ledger.moments))

    tools = {"slow": watched.tool(), "seen": Tool.from_function(seen)}
    source = 'a = slow(query="a")\nn = seen()\nb = slow(query="bb")\nc = slow(query="ccc")\n[n, count(a + b + c)]'
    assert run_program(check_program(source, tools), context).value == (1.0, 3.0)
    assert watched.calls[0] == "a"
    assert watched.most_at_once == 2, "those after it run together again"


def test_the_first_error_in_the_order_of_the_program_is_the_one_that_is_told(context: ToolContext) -> None:
    with pytest.raises(ToolError, match=r"^line 2: .*broken; allowed: whole"):
        run('a = slow(query="a")\nb = slow(query="broken")\nc = slow(query="c")\nfirst(c)', Watched(0), context)
    assert [moment.text for moment in context.ledger.moments] == ["a"], "what came after it is not recorded"


def test_a_run_ends_in_time_though_its_calls_do_not(context: ToolContext) -> None:
    started = time.monotonic()

    def endless(context: ToolContext, *, query: str) -> list[Moment]:
        """Comes back after three seconds."""
        time.sleep(3)
        return []

    tool = Tool.from_function(endless, parallel="always")
    program = check_program('count(endless(query="a") + endless(query="b"))', {"endless": tool})
    with pytest.raises(ProgramError, match="more seconds than its limit"):
        run_program(program, context, Limits(wall_seconds=0.2))
    assert time.monotonic() - started < 2.5


@pytest.mark.parametrize(
    ("parallel", "has_model", "overlap"),
    [("never", False, 1), ("without_model", False, 2), ("without_model", True, 1), ("always", True, 2)],
)
def test_a_tool_says_when_its_calls_may_overlap(
    context: ToolContext, parallel: Parallel, has_model: bool, overlap: int
) -> None:
    watched = Watched(1 if overlap > 1 else 0.05)
    chosen = replace(context, chat=ScriptedChat([]) if has_model else None)
    run('count(slow(query="a") + slow(query="b"))', watched, chosen, tool=watched.tool(parallel))
    assert watched.most_at_once == overlap
