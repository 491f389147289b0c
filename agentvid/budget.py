"""What one question may use, what a model's tokens cost, and how work is ended before it is done."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

from agentvid.errors import UsageError
from agentvid.types import Usage

#: What a limit is counted in, as users and planners read it.
_UNITS = {
    "steps": "steps",
    "tool_calls": "tool calls",
    "llm_calls": "model calls",
    "tokens": "tokens",
    "money": "money",
    "frames": "frames",
    "seconds": "seconds",
}
_FRACTIONS = frozenset({"money", "seconds"})


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that one question may use; None is no limit.

    `steps`: lines of programs. `tokens`: read and written by models, together. `money`: in the currency of the prices.
    `frames`: pictures that tools decode. `seconds`: by the clock. Raises UsageError for a limit that is not positive.
    """

    steps: int | None = 100
    tool_calls: int | None = 60
    llm_calls: int | None = 30
    tokens: int | None = 30_000
    money: float | None = None
    frames: int | None = 1_000
    seconds: float | None = 600.0

    def __post_init__(self) -> None:
        for name, limit in self._limits():
            allowed = (int, float) if name in _FRACTIONS else (int,)
            if isinstance(limit, bool) or not isinstance(limit, allowed) or not 0 < limit < math.inf:
                kind = "a number above 0" if name in _FRACTIONS else "a whole number from 1"
                raise UsageError(
                    f"a budget of {limit!r:.40} {_UNITS[name]} is not allowed; allowed: {kind}",
                    hint="None is no limit",
                )

    def spent(self, usage: Usage) -> str:
        """The limit that `usage` has reached, in words; "" if there is something left of all."""
        for name, limit in self._limits():
            if _used(usage, name) >= limit:
                return f"the budget of {limit:g} {_UNITS[name]} is spent"
        return ""

    def left(self, name: str, usage: Usage) -> float | None:
        """What `usage` leaves of one limit, at least 0; None where there is none."""
        limit: float | None = getattr(self, name)
        return None if limit is None else max(0, limit - _used(usage, name))

    def balance(self, usage: Usage) -> str:
        """What is left, in words: "58 tool calls, 90 steps".

        Without seconds: a planner cannot measure them, and the same question must make the same prompt.
        """
        parts = [(name, self.left(name, usage)) for name, _ in self._limits() if name != "seconds"]
        return ", ".join(f"{left:g} {_UNITS[name]}" for name, left in parts if left is not None)

    def _limits(self) -> list[tuple[str, Any]]:
        limits = ((field.name, getattr(self, field.name)) for field in fields(self))
        return [(name, limit) for name, limit in limits if limit is not None]


#: For programs that run outside of a question; they have limits of their own.
UNLIMITED = Budget(None, None, None, None, None, None, None)


#: Why a run stopped that somebody ended.
INTERRUPTED = "interrupted"


class Stopped(BaseException):
    """Work that was ended by its `Cancel`. No error, so that nothing takes it for a fault of a file or a model."""


class Cancel:
    """Ends one question or index run from elsewhere: another thread, or a signal handler. Make a new one for each.

    The run looks before every call and while it waits for a model. A question then answers with what it has.
    """

    # A plain flag: setting an Event in a handler of a signal may wait for the lock that the interrupted code holds.
    def __init__(self) -> None:
        self.is_set = False

    def set(self) -> None:
        self.is_set = True

    def check(self) -> None:
        """Raises Stopped once it is set."""
        if self.is_set:
            raise Stopped


#: For work that nobody ends.
NEVER = Cancel()


@dataclass(frozen=True, slots=True)
class Price:
    """What a million tokens cost, in any one currency: those that the model reads, and those that it writes."""

    input_per_million: float
    output_per_million: float

    def of(self, usage: Usage) -> float:
        tokens = usage.input_tokens * self.input_per_million + usage.output_tokens * self.output_per_million
        return tokens / 1_000_000


def _used(usage: Usage, name: str) -> float:
    if name == "tokens":
        return usage.input_tokens + usage.output_tokens
    used: float | None = getattr(usage, name)
    return used or 0
