"""What a planner is asked and what it gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from agentvid.errors import ProgramError, ToolError
from agentvid.tools import load_tools
from agentvid.tools.base import Tool
from agentvid.types import Span, Usage, Video
from agentvid.untrusted import Fence


@dataclass(frozen=True, slots=True)
class Turn:
    """An earlier question, its program and what it cited: (video id, span). No word of a video is in it.

    `understood`: the question made complete, if it said only half of it. `videos`: the ids that the user had chosen,
    none for all. `abstained`: what it cites are the moments nearest to no answer.
    """

    question: str
    program: str
    cited: tuple[tuple[str, Span], ...] = ()
    understood: str = ""
    videos: tuple[str, ...] = ()
    abstained: bool = False

    @property
    def standalone(self) -> str:
        return self.understood or self.question


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """A question as the user put it, with what was frozen from it: choices and the videos in scope.

    `tools` are those that can do something in this run. `fence` stands around what strangers wrote, in every prompt;
    `look` gives lines to put there: what is in the videos. `balance`: what is left of its budget, in words.
    `turns`: what was asked before in the same thread, the first first. `tried`: programs that led to an answer of low
    confidence; the next one differs from them. `attempt`: how often this planner has planned the question before.
    `place`: (video id, span) where alone the question is to be answered; only the embedded planner reads it.
    """

    question: str
    choices: tuple[str, ...] = ()
    videos: tuple[Video, ...] = ()
    tools: Mapping[str, Tool] = field(default_factory=load_tools)
    fence: Fence = field(default_factory=Fence)
    look: Callable[[], Sequence[str]] | None = None
    balance: str = ""
    turns: tuple[Turn, ...] = ()
    tried: tuple[str, ...] = ()
    attempt: int = 0
    place: tuple[str, Span] | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A program and where it came from.

    `form_id`: the example that it follows, "" for a free program. `is_lookup`: one retrieval answers it.
    `focus`: the phrases the question is about (slot values), which the composer looks for in the quotes.
    `note`: what the user must know of it, "" if nothing.
    """

    program: str
    form_id: str = ""
    is_lookup: bool = False
    focus: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    note: str = ""
    usage: Usage = field(default_factory=Usage)


class Planner(Protocol):
    """Writes a program for a question."""

    @property
    def name(self) -> str: ...

    def plan(self, request: PlanRequest) -> Plan:
        """Raises UsageError if the question needs a choice only the user can make; ModelError if a model fails."""
        ...

    def repair(self, request: PlanRequest, program: str, error: ProgramError | ToolError) -> Plan:
        """A better program after `program` failed with `error`; raises ModelError if there is none."""
        ...
