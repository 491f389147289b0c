"""One call of a tool: what makes two calls the same, and what came of one."""

from __future__ import annotations

import json
import time
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from agentvid.tools.base import Ledger, Tool, ToolContext
from agentvid.tools.program.values import to_json
from agentvid.types import Moment

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


def make_call(tool: Tool, context: ToolContext, arguments: Mapping[str, Any]) -> Made:
    """Call a tool. What it raises is kept: a call made ahead may be one that the program never comes to."""
    started = time.monotonic()
    value, error = None, None
    try:
        value = tool.run(context, **{name: list(v) if isinstance(v, tuple) else v for name, v in arguments.items()})
    except Exception as caught:  # noqa: BLE001 - whatever a stranger's tool raises is raised again in its turn
        error = caught
    seconds = time.monotonic() - started
    return Made(tuple(value) if isinstance(value, list) else value, error, context.ledger, seconds)


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
