"""A tool is one typed function that a program may call; the registry reads its signature and docstring.

    def search(context: ToolContext, *, query: str, k: float = 8) -> list[Moment]: ...
    SEARCH = Tool.from_function(search)

Parameter and return types are limited to the language's: float, bool, str, Moment and lists of them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_type_hints

from agentvid.types import Moment, Video

if TYPE_CHECKING:
    from agentvid.indexes.catalogue import Catalogue
    from agentvid.indexes.retriever import Retriever


@dataclass
class Ledger:
    """Every moment that a tool returned in this run: only these may be cited."""

    moments: list[Moment] = field(default_factory=list)

    def record(self, moments: list[Moment]) -> list[Moment]:
        self.moments += moments
        return moments


@dataclass
class ToolContext:
    """What tools may touch. `scope` was frozen from the user's words; no tool looks outside it."""

    catalogue: Catalogue
    retriever: Retriever
    scope: Mapping[str, Video]
    ledger: Ledger = field(default_factory=Ledger)


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
