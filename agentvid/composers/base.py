"""What a composer is given and what it drafts; `agentvid.answer` checks every draft."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeGuard

from agentvid.tools.base import ToolContext
from agentvid.types import Claim, Evidence, Moment, Usage


@dataclass(frozen=True, slots=True)
class ComposeRequest:
    """A question with the outcome of its program.

    `kind` is "" if no program ran through; then `evidence` is whatever the tools had found before.
    `focus`: the phrases the question is about; empty if it is about a time or a whole video. `tell` hears the words of
    a model while it writes them.
    """

    question: str
    kind: str
    value: Any
    evidence: tuple[Moment, ...]
    context: ToolContext
    choices: tuple[str, ...] = ()
    focus: tuple[str, ...] = ()
    stopped: str = ""
    tell: Callable[[str], None] | None = None

    @property
    def numbers(self) -> tuple[float, ...]:
        """The numbers that the program computed."""
        values = self.value if isinstance(self.value, tuple) else (self.value,)
        return tuple(float(value) for value in values if is_number(value))


def is_number(value: object) -> TypeGuard[int | float]:
    """True for an int or float; Python counts True and False among them, an answer does not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


@dataclass(frozen=True, slots=True)
class Draft:
    """Claims before they are checked.

    `statement` is a sentence about the examination itself ("No: nothing in ..."), which needs no evidence: the whole
    answer of a draft without claims; after claims it says what they rest on.
    `numbers` are those the program computed, which claims may state. A draft without claims and statement abstains;
    `reason` then says why. `notes` join `coverage.missing`. `whole`: ids of evidence whose span is the moment
    that a tool found, with a sentence of it as its quote; it is not cut to the rows of that sentence.
    """

    claims: tuple[Claim, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    confidence: float = 0.0
    statement: str = ""
    reason: str = ""
    choice: str | None = None
    numbers: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()
    whole: tuple[str, ...] = ()
    usage: Usage = field(default_factory=Usage)


class Composer(Protocol):
    """Drafts an answer from the outcome of a program."""

    @property
    def name(self) -> str: ...

    def compose(self, request: ComposeRequest) -> Draft:
        """Raises ModelError if a model fails."""
        ...
