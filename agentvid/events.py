"""What a question tells of itself while it runs: JSON objects, the same for every door (docs/json.md)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Required, TypeAlias, TypedDict

from agentvid.types import Json


class Event(TypedDict, total=False):
    """One thing that happened. `detail` says it in words for people; further keys belong to the kind of event.

    Readers ignore names and keys that they do not know: there will be more.
    """

    event: Required[Literal["stage", "program", "tool", "token", "note"]]
    node: Required[str]  # of the graph, or what comes before and after it: "start", "caption", "trace", "examples"
    detail: Required[str]
    program: str  # program: its text
    step: int  # tool: the statement that made the call, from 1
    tool: str
    arguments: Json  # shortened
    seconds: float
    found: int  # how many things it returned
    error: str  # tool: only if it failed
    text: str  # token: words of an answer that a model is writing; nobody has checked them


Tell: TypeAlias = Callable[[Event], None]


def counted(number: int, thing: str) -> str:
    """ "1 video", "2 videos"."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def stage(node: str, detail: str) -> Event:
    """A part of the run began, or says what came of it."""
    return {"event": "stage", "node": node, "detail": detail}


def note(node: str, detail: str) -> Event:
    """Something that the user should know."""
    return {"event": "note", "node": node, "detail": detail}


def token(text: str) -> Event:
    """Words that a model is writing."""
    return {"event": "token", "node": "compose", "detail": "", "text": text}
