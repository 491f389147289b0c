"""What a program computes with: numbers, bools, texts, moments, flat lists of them, answers, and nothing.

Types are named by text: "number", "bool", "text", "moment", "list[...]" of one of these four, "answer", "none".
**Nothing** (`None`) is what cannot be computed: the first of an empty list, a division by zero. It fits every type:
as a list it is the empty list, as a bool it is false; what is computed from it is nothing again. So a program runs
through when a search finds nothing, and its answer has no evidence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

from agentvid.types import Json, Moment

Scalar: TypeAlias = float | bool | str | Moment
Value: TypeAlias = "Scalar | tuple[Scalar, ...] | Outcome | None"

ELEMENTS = ("number", "bool", "text", "moment")
#: How much of a value the trace keeps per step; the value itself is never cut.
PREVIEW_ITEMS, PREVIEW_CHARACTERS = 50, 240


@dataclass(frozen=True)
class Outcome:
    """What a program answers: a value of some kind, and the moments that show it, in the order of the answer."""

    kind: str
    value: float | bool | str | tuple[Any, ...] | None
    evidence: tuple[Moment, ...]


def element(type_name: str) -> str | None:
    """ "list[moment]" -> "moment"; None for a type that is no list."""
    return type_name[5:-1] if type_name.startswith("list[") else None


def unify(first: str, second: str) -> str | None:
    """The type that holds values of both, or None: none fits all, and a moment is a list of one where needed."""
    if first == second or second == "none":
        return first
    if first == "none":
        return second
    inner_first, inner_second = element(first), element(second)
    if inner_first is None and inner_second is None:
        return None
    if {first, second} == {"moment", "list[none]"}:
        return "list[moment]"
    if {first, second} == {"moment", "list[moment]"}:
        return "list[moment]"
    if inner_first is not None and inner_second is not None:
        inner = unify(inner_first, inner_second)
        return f"list[{inner}]" if inner else None
    return None


def fit(value: Value, type_name: str) -> Value:
    """`value` in the shape of a type it is known to fit: nothing becomes [] or false, a moment a list of one."""
    if element(type_name) is not None:
        if value is None:
            return ()
        return (value,) if isinstance(value, Moment) else value
    if type_name == "bool":
        return value is True
    return value


def is_valid(value: object, type_name: str) -> bool:
    """True if `value`, made by a tool, is of that type; nothing is of every type."""
    inner = element(type_name)
    if inner is not None:
        return isinstance(value, tuple) and all(item is not None and is_valid(item, inner) for item in value)
    if type_name == "number":
        return value is None or (
            isinstance(value, float | int) and not isinstance(value, bool) and math.isfinite(value)
        )
    wanted = {"bool": bool, "text": str, "moment": Moment}[type_name]
    return value is None or isinstance(value, wanted)


def key(value: Value) -> object:
    """Equal keys mean equal values: a moment is its place, whatever search it came from."""
    if isinstance(value, Moment):
        return ("moment", value.video_id, value.span)
    if isinstance(value, tuple):
        return tuple(key(item) for item in value)
    return value


def to_json(value: Value, *, items: int | None = None, characters: int | None = None) -> Any:
    """`value` as JSON: a whole number without its fraction, a moment as an object; lists and texts cut if asked."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, str):
        return value[:characters]
    if isinstance(value, Moment):
        return _moment_to_json(value, characters)
    if isinstance(value, tuple):
        return [to_json(item, characters=characters) for item in value[:items]]
    if isinstance(value, Outcome):
        return {
            "kind": value.kind,
            "value": to_json(value.value, items=items, characters=characters),
            "evidence": to_json(value.evidence, items=items, characters=characters),
        }
    return value


def _moment_to_json(moment: Moment, characters: int | None) -> Json:
    return {
        "video_id": moment.video_id,
        **moment.span.to_json(),
        "score": round(moment.score, 6),
        "track": moment.track,
        "text": moment.text[:characters],
    }
