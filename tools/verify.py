"""`verify`: is it so there? A chat model, where there is one, reads the rows; without one their words decide."""

from __future__ import annotations

import re

from agentvid.tools.agreement import Agreement, agreed, agreements
from agentvid.tools.base import ToolContext
from agentvid.tools.chat import ask, lines
from agentvid.tools.scope import filled
from agentvid.tools.telling import most_telling, told_in
from agentvid.types import Moment
from agentvid.untrusted import quoted

#: So many rows are read.
MAX_ROWS = 120
_CLAIM_CHARACTERS = 1_000
_ALLOWED: tuple[Agreement, ...] = ("yes", "no", "unknown")
_WORD = re.compile(r"[\s\"'`*]*(yes|no|unknown)\b", re.IGNORECASE)


def verify(context: ToolContext, *, claim: str, within: list[Moment], track: str | None = None) -> str:
    """Whether moments show a claim: "yes", "no" (they show the opposite), or "unknown".

    Args:
        claim: one statement, or a question that yes or no would answer
        within: the moments to read
        track: speech, ocr, caption or another track; without it all

    Raises:
        ToolError: the claim is empty, or a moment lies outside of the question's scope.
    """
    asked = filled("claim", claim)
    rows = most_telling(told_in(context, within, track), MAX_ROWS, asked)
    if not rows:
        return "unknown"
    context.ledger.record(rows)
    said = ask(
        context,
        "verify",
        _read,
        allowed="one word: yes, no or unknown",
        instead="its words were compared with the rows instead",
        claim=quoted(asked, limit=_CLAIM_CHARACTERS),
        rows=lines(rows),
    )
    return said or by_words(context, asked, rows)


def by_words(context: ToolContext, claim: str, rows: list[Moment]) -> Agreement:
    """The verdict without a model; of tracks that contradict each other the ledger tells."""
    # A sentence goes on in the next row of its own track.
    in_tracks = sorted(rows, key=lambda row: (row.video_id, row.track))
    found = agreements(claim, [row.text for row in in_tracks])
    if {"yes", "no"} <= set(found):
        context.ledger.notes.append(f"verify: {quoted(claim, limit=200)} is told both ways in what was read")
    return agreed(found)


def _read(reply: str) -> Agreement | None:
    match = _WORD.match(reply)
    said = match[1].lower() if match else ""
    return next((word for word in _ALLOWED if word == said), None)
