"""A tool is one typed function that a program may call; the registry reads its signature and docstring.

    def search(context: ToolContext, *, query: str, k: float = 8) -> list[Moment]: ...
    SEARCH = Tool.from_function(search)

Parameter and return types are limited to the language's: float, bool, str, Moment and lists of them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, get_type_hints

from agentvid.types import Moment, Usage, Video
from agentvid.untrusted import Fence

if TYPE_CHECKING:
    from agentvid.indexes.base import Filter
    from agentvid.indexes.catalogue import Catalogue
    from agentvid.indexes.retriever import Retriever
    from agentvid.models.base import ChatModel, Reply


@dataclass(frozen=True, slots=True)
class Scan:
    """One look at everything: every passage that `where` keeps was compared.

    `left` places fit as well and were left out, because the list was full.
    """

    query: str
    where: Filter
    left: int = 0


@dataclass
class Ledger:
    """Every moment that a tool returned in this run: only these may be cited. And what was looked at in full.

    `usage`: what the model calls of tools cost. `notes`: what the user must know of how tools worked.
    """

    moments: list[Moment] = field(default_factory=list)
    scans: list[Scan] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    notes: list[str] = field(default_factory=list)

    def record(self, moments: list[Moment]) -> list[Moment]:
        self.moments += moments
        return moments

    def count(self, reply: Reply) -> None:
        """Add one call of a chat model to `usage`."""
        self.usage = replace(
            self.usage,
            llm_calls=self.usage.llm_calls + 1,
            input_tokens=self.usage.input_tokens + reply.input_tokens,
            output_tokens=self.usage.output_tokens + reply.output_tokens,
        )


@dataclass
class ToolContext:
    """What tools may touch. `scope` was frozen from the user's words; no tool looks outside it.

    `chat` is None where no model is chosen, and after it failed: a tool then does without and the ledger says so.
    `fence` is that of every prompt of the run.
    """

    catalogue: Catalogue
    retriever: Retriever
    scope: Mapping[str, Video]
    ledger: Ledger = field(default_factory=Ledger)
    chat: ChatModel | None = None
    fence: Fence = field(default_factory=Fence)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One keyword of a tool. `type` is a language type: number, bool, text, moment or list[...]."""

    name: str
    type: str
    required: bool
    default: Any = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class Tool:
    """A callable of the program language."""

    name: str
    description: str
    parameters: tuple[Parameter, ...]
    returns: str
    run: Callable[..., Any]

    @classmethod
    def from_function(cls, function: Callable[..., Any]) -> Tool:
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
        return cls(function.__name__, summary, parameters, language_type(hints["return"]), function)


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
