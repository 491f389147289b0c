"""How tools ask the chat model: the video's words as data between markers, few calls, no reply taken on trust."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from agentvid.errors import ModelError
from agentvid.prompts import render
from agentvid.text import clean_text
from agentvid.tools.base import ToolContext
from agentvid.types import Moment, Observation, Passage, Span
from agentvid.untrusted import quoted

#: One question makes so many calls of the model for its tools.
MAX_CALLS = 20
#: A row in a prompt is cut to so many characters, a reply to so many before it is read.
ROW_CHARACTERS, MAX_REPLY_CHARACTERS, _SHOWN_CHARACTERS = 300, 20_000, 120

SYSTEM = "You read what a video says and shows. You reply as you are asked to."

T = TypeVar("T")


def reply(context: ToolContext, system: str, user: str) -> str:
    """What `context.chat`, which must be there, says.

    Raises ModelError if it fails, or has been asked too often for this question.
    """
    assert context.chat is not None
    if context.ledger.usage.llm_calls >= MAX_CALLS:
        raise ModelError(f"{MAX_CALLS} calls of {context.chat.name} are allowed for one question and spent")
    said = context.chat.reply(system, user)
    context.ledger.count(said)
    return said.text


def ask(
    context: ToolContext,
    prompt: str,
    read: Callable[[str], T | None],
    *,
    allowed: str,
    instead: str,
    **values: str | list[str],
) -> T | None:
    """What `read` makes of the model's reply to a prompt; None without a model, or without a reply that can be read.

    `values` fill the prompt; lists are lines of videos and are fenced. A reply that cannot be read is asked for once
    more, with what is `allowed`. In the end the ledger notes what was done `instead`; a model that fails is not asked
    again for this question.
    """
    if context.chat is None:
        return None
    name = context.chat.name
    fence = context.fence
    filled = {key: fence.wrap(value) if isinstance(value, list) else value for key, value in values.items()}
    user = render(prompt, marker=fence.marker, **filled)
    again = f"{user}\n\nYour last reply was not usable. Allowed: {allowed}."
    said = ""
    try:
        for text in (user, again):
            said = reply(context, SYSTEM, text)
            found = read(said[:MAX_REPLY_CHARACTERS])
            if found is not None:
                return found
        problem = f"{name} replied {quoted(said, limit=_SHOWN_CHARACTERS)}; allowed: {allowed}"
    except ModelError as error:
        context.chat = None
        problem = f"{error} ({error.hint})" if error.hint else str(error)
    context.ledger.notes.append(f"{prompt}: {problem}; {instead}")
    return None


def lines(rows: Iterable[Moment | Observation | Passage]) -> list[str]:
    """Rows as prompts show them: [number] start-end track: "text"."""
    return [line(number, row.span, row.track, row.text) for number, row in enumerate(rows, 1)]


def line(number: int, span: Span, track: str, text: str) -> str:
    """One of them."""
    place = f"[{number}] {span.start_seconds:.1f}-{span.end_seconds:.1f}"
    return f"{place} {clean_text(track, limit=40)}: {quoted(text, limit=ROW_CHARACTERS)}"
