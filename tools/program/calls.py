"""One call of a tool: what makes two calls the same, what came of one, and how it is told of."""

from __future__ import annotations

import json
import time
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from agentvid.events import Event, Tell
from agentvid.tools.base import Ledger, Tool, ToolContext
from agentvid.tools.program.values import to_json
from agentvid.types import Moment

#: How much of an argument an event shows.
_SHOWN_ITEMS, _SHOWN_CHARACTERS, _ERROR_CHARACTERS = 3, 80, 300

CallKey: TypeAlias = Hashable


@dataclass(frozen=True, slots=True)
class Made:
    """A call that was made: its value (a list as a tuple) or its error, what it recorded, what it took."""

    value: Any
    error: Exception | None
    ledger: Ledger
    seconds: float


def call_key(tool: Tool, arguments: Mapping[str, Any]) -> CallKey:
    """Equal for calls of one tool with the same arguments; one left out counts as its default."""
    given = (arguments.get(parameter.name, parameter.default) for parameter in tool.parameters)
    return (tool.name, *(_hashable(value) for value in given))


def call_text(tool: Tool, arguments: Mapping[str, Any]) -> str:
    """One call with its values, the same for the same values: what a planner that repeats itself is told."""
    return f"{tool.name}({', '.join(f'{name}={json.dumps(to_json(arguments[name]))}' for name in sorted(arguments))})"


def make_call(
    tool: Tool, context: ToolContext, arguments: Mapping[str, Any], *, step: int = 0, tell: Tell | None = None
) -> Made:
    """Call a tool for a statement, and `tell` when it ends.

    What it raises is kept: a call made ahead may be one that the program never comes to.
    """
    started = time.monotonic()
    value, error = None, None
    try:
        value = tool.run(context, **{name: list(v) if isinstance(v, tuple) else v for name, v in arguments.items()})
    except Exception as caught:  # noqa: BLE001 - whatever a stranger's tool raises is raised again in its turn
        error = caught
    value = tuple(value) if isinstance(value, list) else value
    made = Made(value, error, context.ledger, time.monotonic() - started)
    if tell:
        tell(_event(tool, arguments, step, made))
    return made


def _event(tool: Tool, arguments: Mapping[str, Any], step: int, made: Made) -> Event:
    shown = {name: _shortened(value) for name, value in arguments.items()}
    found = len(made.value) if isinstance(made.value, tuple) else int(made.value is not None)
    what = ", ".join(str(value) for value in shown.values())
    error = str(made.error)[:_ERROR_CHARACTERS] if made.error else ""
    event: Event = {
        "event": "tool",
        "node": "execute",
        "detail": f"{tool.name}({what}): {error or f'{found} found'}",
        "step": step,
        "tool": tool.name,
        "arguments": shown,
        "seconds": round(made.seconds, 4),
        "found": found,
    }
    return {**event, "error": error} if error else event


def _shortened(value: Any) -> Any:
    """An argument as an event shows it: a short text or list, of more the number, of a moment its place."""
    if isinstance(value, Moment):
        return f"{value.video_id[:8]} {value.span.start_seconds:.1f}-{value.span.end_seconds:.1f}"
    if isinstance(value, tuple | list):
        return f"{len(value)} items" if len(value) > _SHOWN_ITEMS else [_shortened(item) for item in value]
    return to_json(value, characters=_SHOWN_CHARACTERS)


def _hashable(value: Any) -> Hashable:
    """Unlike `values.key`, a moment is all of itself here: tools may read its words and its score."""
    if isinstance(value, Moment):
        return (
            *(value.video_id, value.span, value.score, value.track, value.text, value.similarity),
            *(tuple(sorted(value.ranks.items())), value.observation_ids),
        )
    if isinstance(value, tuple | list):
        return tuple(_hashable(item) for item in value)
    return (type(value).__name__, value)
