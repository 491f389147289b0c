"""`look`: a question about the frames of a moment, answered by a model that sees them."""

from __future__ import annotations

from agentvid.errors import ToolError, UsageError
from agentvid.media import Region
from agentvid.prompts import render
from agentvid.tools import watching
from agentvid.tools.base import ToolContext
from agentvid.tools.scope import filled, whole_number
from agentvid.types import Moment
from agentvid.watch.sampling import at_rate

MAX_FRAMES = 32


def look(
    context: ToolContext, *, within: Moment, question: str, region: list[float] | None = None, frames: float = 8.0
) -> str | None:
    """What the frames of a moment show, in a sentence or two; nothing if they do not show it.

    Args:
        within: the moment to look at; a short one is seen best
        question: what to look for, in a few words
        region: only this part of the picture: left, top, right, bottom as shares 0 to 1
        frames: at most how many, 1 to 32

    Raises:
        ToolError: an argument is not allowed, lies outside of the question's scope, or no model can look at it.
    """
    vision, asked = watching.need_vision(context), filled("question", question)
    most = whole_number("frames", frames, most=MAX_FRAMES)
    within = watching.part_of(context, within)
    part = _region(region)
    times = at_rate(within.span, watching.FRAMES_PER_SECOND, most=most)
    found = watching.frames_of(context, within, times, region=part)
    prompt = render(
        "look",
        question=asked,
        start=f"{within.span.start_seconds:.2f}",
        end=f"{within.span.end_seconds:.2f}",
        part="They show a part of it, cut out." if part else "",
    )
    shown = watching.show(vision, prompt, found)
    reply = watching.ask(context, vision, shown)
    if reply.strip(" .\"'\n").casefold() == "not shown":
        return None
    seen = watching.keep(context, within, within.span, reply, asked, shown)
    context.ledger.record([seen] if seen else [])
    return seen.text if seen else None


def _region(shares: list[float] | None) -> Region | None:
    if shares is None:
        return None
    if len(shares) != 4:
        raise ToolError(f"region has {len(shares)} numbers; allowed: 4, as [0.5, 0, 1, 1] for the right half")
    try:
        return Region(*shares)
    except UsageError as error:
        raise ToolError(str(error), hint=error.hint) from error
