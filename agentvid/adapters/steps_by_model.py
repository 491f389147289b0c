"""Steps of a tutorial in a chat model's words; one that does not share its words with the rows it cites is dropped."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from agentvid.adapters.steps import Found, Step
from agentvid.text import clean_text
from agentvid.tools.base import ToolContext
from agentvid.tools.chat import ask, lines
from agentvid.tools.intervals import hull
from agentvid.types import Observation
from agentvid.words import content_words

#: One call reads so many rows; of a longer video as many parts as there may be calls.
_ROWS, _MOST_PARTS = 120, 10
#: Such a part of a step's content words must be in the rows that it cites.
_LEAST_SHARED = 0.5
_CHARACTERS, _MOST_STEPS, _MOST_CITED = 300, 40, 8
_ALLOWED = 'one JSON object {"steps": [{"text": "...", "rows": [1, 2]}]}'


def write_steps(context: ToolContext, rows: Sequence[Observation]) -> Found | None:
    """The steps that `context.chat` finds in rows, in time order; None if it fails or gives no usable reply.

    What it says of a step that its rows do not bear out is left out, and the ledger notes how many those were.
    """
    steps: list[Step] = []
    dropped = 0
    parts = [rows[at : at + _ROWS] for at in range(0, len(rows), _ROWS)]
    if len(parts) > _MOST_PARTS:
        context.ledger.notes.append(f"only the first {_MOST_PARTS * _ROWS} of {len(rows)} rows were read; give start")
    for part in parts[:_MOST_PARTS]:
        told = ask(
            context,
            "steps",
            _parsed,
            allowed=_ALLOWED,
            instead="the steps are sentences of the video",
            rows=lines(part),
        )
        if told is None:
            return None
        borne_out = [step for text, cited in told if (step := _step(text, cited, part))]
        dropped += len(told) - len(borne_out)
        steps += borne_out
    if dropped:
        context.ledger.notes.append(f"{dropped} steps were left out: the rows that they cite do not tell them")
    name = context.chat.name if context.chat else ""
    steps.sort(key=lambda step: step.span)
    return Found(tuple(steps), f"{name} found {len(steps)} steps" if steps else f"{name} found no steps that are told")


def _parsed(reply: str) -> list[tuple[str, list[int]]] | None:
    """(text, numbers of rows) of each step; None for another form."""
    start, end = reply.find("{"), reply.rfind("}")
    try:
        document = json.loads(reply[start : end + 1])
        steps = document["steps"]
        return [
            (clean_text(re.sub(r"^\s*\d+[.)]\s*", "", step["text"]), limit=_CHARACTERS), [int(n) for n in step["rows"]])
            for step in steps[:_MOST_STEPS]
        ]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _step(text: str, cited: Sequence[int], part: Sequence[Observation]) -> Step | None:
    rows = [part[number - 1] for number in sorted(set(cited)) if 1 <= number <= len(part)][:_MOST_CITED]
    said = set(content_words(" ".join(row.text for row in rows)))
    words = content_words(text)
    if not rows or not words or sum(word in said for word in words) < _LEAST_SHARED * len(words):
        return None
    return Step(hull([row.span for row in rows]), text, tuple(rows))
