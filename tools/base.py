"""A tool is one typed function that a program may call; the registry reads its signature and docstring.

    def search(context: ToolContext, *, query: str, k: float = 8) -> list[Moment]: ...
    SEARCH = Tool.from_function(search)

Parameter and return types are limited to the language's: float, bool, str, Moment and lists of them.
"""

from __future__ import annotations

import inspect
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, get_type_hints

from agentvid.budget import INTERRUPTED, UNLIMITED, Budget, Cancel, Price
from agentvid.media.limits import DEFAULT, Limits
from agentvid.types import Moment, Observation, Usage, Video
from agentvid.untrusted import Fence

if TYPE_CHECKING:
    from agentvid.indexes.base import Filter
    from agentvid.indexes.catalogue import Catalogue
    from agentvid.indexes.retriever import Retriever
    from agentvid.indexes.spelling import Respelling
    from agentvid.models.base import ChatModel, Reply, VisionModel
    from agentvid.watch.layout import Layout

Parallel = Literal["never", "without_model", "always"]
#: What a tool cannot work without: a file with frames, or that and a model which looks at them.
Needs = Literal["nothing", "frames", "vision"]


@dataclass(frozen=True, slots=True)
class Scan:
    """One look at everything: every passage that `where` keeps was compared.

    `left` places fit as well and were left out, because the list was full.
    """

    query: str
    where: Filter
    left: int = 0


@dataclass(frozen=True, slots=True)
class Shortfall:
    """A place in an order, from 1 or from the end if negative, of which there were only `found`."""

    wanted: int
    found: tuple[Moment, ...]


@dataclass
class Ledger:
    """Every moment that a tool returned in this run: only these may be cited. And what was looked at in full.

    It is also the account of the run: `usage` is what it cost so far, `budget` what it may cost, `calls` names every
    tool call, `tracks` every track that one asked for by name. `notes`: what the user must know of how tools worked.
    `shortfall`: what the program counted to last and did not come to. `respelt`: words of queries that were searched in
    another spelling. `looks`: what a vision model said of frames, by video id; rows of the track "look" that live as
    long as the run. `captioned`: what captions cost that were made before the question was planned, a part of `usage`.
    `cancel` ends the run.
    """

    moments: list[Moment] = field(default_factory=list)
    scans: list[Scan] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    notes: list[str] = field(default_factory=list)
    shortfall: Shortfall | None = None
    respelt: dict[str, Respelling] = field(default_factory=dict)
    looks: dict[str, list[Observation]] = field(default_factory=dict)
    captioned: Usage = field(default_factory=Usage)
    calls: list[str] = field(default_factory=list)
    tracks: set[str] = field(default_factory=set)
    budget: Budget = UNLIMITED
    price: Price | None = None
    cancel: Cancel | None = None
    clock: Callable[[], float] = time.monotonic
    started: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def begin(self, budget: Budget, *, clock: Callable[[], float], cancel: Cancel | None = None) -> None:
        """Count seconds from now on, hold the run to `budget`, and end it when `cancel` is set."""
        self.budget, self.clock, self.started = budget, clock, clock()
        self.cancel = cancel

    def record(self, moments: list[Moment]) -> list[Moment]:
        self.moments += moments
        return moments

    def apart(self) -> Ledger:
        """A ledger that begins empty, for what is recorded at the same time and added in its turn."""
        return replace(self, moments=[], scans=[], usage=Usage(), notes=[], respelt={}, calls=[], tracks=set())

    def add(self, other: Ledger) -> None:
        """Append what was recorded apart."""
        self.moments += other.moments
        self.scans += other.scans
        self.tracks |= other.tracks
        self.notes += other.notes
        self.respelt |= other.respelt
        self.spend(other.usage)

    def see(self, video_id: str, seen: Observation) -> None:
        """Keep what a vision model said of frames, so that it can be quoted; the same once."""
        rows = self.looks.setdefault(video_id, [])
        if seen.id not in {row.id for row in rows}:
            rows.append(seen)

    def spend(self, usage: Usage) -> None:
        """Add to what the run cost; calls from several threads are all counted."""
        with self._lock:
            total = self.usage + usage
            self.usage = replace(total, money=self.price.of(total)) if self.price else total

    def count_frames(self, count: int) -> None:
        """Add decoded pictures to `usage`."""
        self.spend(Usage(frames=count))

    def count(self, reply: Reply) -> None:
        """Add one call of a chat model to `usage`."""
        self.spend(Usage(llm_calls=1, input_tokens=reply.input_tokens, output_tokens=reply.output_tokens))

    def total(self) -> Usage:
        """What the run cost up to now, its seconds included."""
        return replace(self.usage, seconds=self.clock() - self.started)

    def spent(self) -> str:
        """The limit that is reached, in words, or that somebody ended the run; "" if it may go on."""
        return INTERRUPTED if self.is_interrupted() else self.budget.spent(self.total())

    def is_interrupted(self) -> bool:
        """True if somebody ended the run."""
        return self.cancel is not None and self.cancel.is_set

    def left(self, name: str) -> float:
        """What is left of the limit `name` of the budget; infinite where there is none."""
        left = self.budget.left(name, self.total() if name == "seconds" else self.usage)
        return math.inf if left is None else left


@dataclass(frozen=True, slots=True)
class Vision:
    """A model that looks at frames, how they are laid out for it, and how many image tokens one call may take."""

    model: VisionModel
    layout: Layout = "frames"
    image_tokens: int = 8_000


@dataclass
class ToolContext:
    """What tools may touch. `scope` was frozen from the user's words; no tool looks outside it.

    `chat` is None where no model is chosen, and after it failed: a tool then does without and the ledger says so.
    `fence` is that of every prompt of the run.
    `vision` is None where no model is chosen: tools that need it say so. `limits` bound the decoding of files.
    """

    catalogue: Catalogue
    retriever: Retriever
    scope: Mapping[str, Video]
    ledger: Ledger = field(default_factory=Ledger)
    chat: ChatModel | None = None
    fence: Fence = field(default_factory=Fence)
    vision: Vision | None = None
    limits: Limits = DEFAULT


@dataclass(frozen=True, slots=True)
class Parameter:
    """One keyword of a tool. `type` is a language type: number, bool, text, moment or list[...]."""

    name: str
    type: str
    required: bool
    default: Any = None
    description: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Tool:
    """A callable of the program language; two are the same only if they are one object.

    `parallel` tells when a call of it may run beside others, in a thread: only if what it returns and records depends
    on nothing but its arguments and the library. What asks the chat model keeps its turn where there is one, because
    replies, and what is left of a budget, may depend on those before.
    """

    name: str
    description: str
    parameters: tuple[Parameter, ...]
    returns: str
    run: Callable[..., Any]
    parallel: Parallel = "never"
    needs: Needs = "nothing"

    def works_in(self, context: ToolContext) -> bool:
        """True unless what it needs is missing, whatever it is called with."""
        if self.needs == "nothing":
            return True
        has_frames = any(video.paths for video in context.scope.values())
        return has_frames and (self.needs == "frames" or context.vision is not None)

    def may_overlap(self, context: ToolContext) -> bool:
        """True if its calls may be made at the same time as others."""
        return self.parallel == "always" or (self.parallel == "without_model" and context.chat is None)

    @classmethod
    def from_function(
        cls, function: Callable[..., Any], *, parallel: Parallel = "never", needs: Needs = "nothing"
    ) -> Tool:
        """Read name, keyword parameters, types and descriptions from a function and its Google-style docstring."""
        hints = get_type_hints(function, localns={"ToolContext": ToolContext})
        summary, described = _read_docstring(inspect.getdoc(function) or "")
        parameters = tuple(
            Parameter(
                name=name,
                type=language_type(hints[name]),
                required=parameter.default is inspect.Parameter.empty,
                default=None if parameter.default is inspect.Parameter.empty else parameter.default,
                description=described.get(name, ""),
            )
            for name, parameter in inspect.signature(function).parameters.items()
            if name != "context"
        )
        return cls(function.__name__, summary, parameters, language_type(hints["return"]), function, parallel, needs)


_TYPES: Mapping[Any, str] = {
    float: "number",
    bool: "bool",
    str: "text",
    Moment: "moment",
    list[float]: "list[number]",
    list[bool]: "list[bool]",
    list[str]: "list[text]",
    list[Moment]: "list[moment]",
}


def language_type(hint: Any) -> str:
    """The language's name for a Python type; `T | None` counts as T (the parameter may be left out)."""
    members = [member for member in getattr(hint, "__args__", ()) if member is not type(None)]
    if hint not in _TYPES and len(members) == 1:
        hint = members[0]
    if hint not in _TYPES:
        raise TypeError(f"{hint} is not a type of the program language; allowed: {', '.join(_TYPES.values())}")
    return _TYPES[hint]


def _read_docstring(text: str) -> tuple[str, dict[str, str]]:
    """(summary, {parameter: description}) of a Google-style docstring."""
    summary, _, rest = text.partition("\nArgs:")
    described: dict[str, str] = {}
    for line in rest.split("\n\n")[0].splitlines():
        name, colon, description = line.strip().partition(":")
        if colon and name.isidentifier():
            described[name] = description.strip()
    return " ".join(summary.split()), described
