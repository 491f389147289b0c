"""`rewatch`: watch a stretch of video closely and tell when what is asked for is to be seen.

Frames come where the text that is there answers the question, the rest evenly; asking the video model again about what
was retrieved is what makes a cascade answer more than its captions (Goldfish, Ataallah et al. 2024). Times that the
model names are those of frames it was shown, or it is told so and asked again.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from agentvid.errors import ToolError
from agentvid.indexes.base import Filter
from agentvid.prompts import render
from agentvid.text import clean_text
from agentvid.tools import watching
from agentvid.tools.base import ToolContext
from agentvid.tools.llm_spans import CERTAINTY
from agentvid.tools.scope import filled, whole_number
from agentvid.types import Moment, Span
from agentvid.watch.sampling import at_rate, by_relevance
from agentvid.watch.showing import Shown

MAX_FRAMES, MAX_SEEN = 64, 20
#: So many faulty replies are sent back.
MAX_REPAIRS = 2
MAX_REPLY_CHARACTERS = 50_000
#: Captions tell times to a hundredth: a time may lie so far beside its frame.
_ROUNDING_SECONDS = 0.02
_PLACES, _PAD_SECONDS = 16, 1.0
_OBJECT = re.compile(r"\{.*\}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Seen:
    """One entry of a reply: times of frames, in seconds, what they show, and how surely, 0 to 1."""

    first: float
    last: float
    text: str
    certainty: float


def rewatch(context: ToolContext, *, within: Moment, question: str, frames: float = 24.0) -> list[Moment]:
    """When frames of a moment show what is asked for, with what they show, in time order; empty if none does.

    Args:
        within: the moment to watch; a short one is seen best
        question: one event or thing to look for, in a few words
        frames: at most how many, 1 to 64

    Raises:
        ToolError: an argument is not allowed, lies outside of the question's scope, or no model can look at it.
    """
    vision, asked = watching.need_vision(context), filled("question", question)
    most = whole_number("frames", frames, most=MAX_FRAMES)
    within = watching.part_of(context, within)
    found = watching.frames_of(context, within, _times(context, within, asked, most))
    start, end = (f"{seconds:.2f}" for seconds in (within.span.start_seconds, within.span.end_seconds))
    shown = watching.show(vision, render("rewatch", question=asked, start=start, end=end), found)
    entries = _ask(context, shown)
    kept = [
        watching.keep(
            context,
            within,
            _span(entry, shown, within.span),
            entry.text,
            asked,
            shown,
            certainty=entry.certainty,
        )
        for entry in entries
    ]
    return context.ledger.record(sorted((moment for moment in kept if moment), key=lambda moment: moment.span))


def _times(context: ToolContext, within: Moment, question: str, most: int) -> list[float]:
    """At a steady rate where that is not too much; else half of them evenly, half where the text is about it."""
    if within.span.duration_seconds * watching.FRAMES_PER_SECOND <= most:
        return at_rate(within.span, watching.FRAMES_PER_SECOND, most=most)
    where = Filter((within.video_id,), (), within.span)
    places = context.retriever.search(question, k=_PLACES, where=where)
    return by_relevance(within.span, [(place.span, place.score) for place in places], most)


def _ask(context: ToolContext, shown: Shown) -> list[_Seen]:
    """The entries of the model's reply. Raises ToolError for its last reply that cannot be used."""
    vision, again, fault = watching.need_vision(context), shown, ""
    for _ in range(MAX_REPAIRS + 1):
        reply = watching.ask(context, vision, again)
        try:
            return _read(reply, shown.seconds)
        except ValueError as error:
            fault = str(error)
        times = ", ".join(f"{seconds:.2f}" for seconds in shown.seconds)
        told = f"Your last reply was not usable: {fault}. Times of frames: {times}. Write the whole reply again."
        again = replace(shown, parts=(*shown.parts, told))
    raise ToolError(
        f"{vision.model.name} gave no usable reply about the frames: {fault}", hint="ask in other words, or use look"
    )


def _read(reply: str, times: Sequence[float]) -> list[_Seen]:
    """The entries of a reply. Raises ValueError that names what is wrong with it, in one line."""
    found = _OBJECT.search(reply[:MAX_REPLY_CHARACTERS])
    try:
        data = json.loads(found.group()) if found else None
    except (ValueError, RecursionError):
        data = None
    entries = data.get("seen") if isinstance(data, dict) else None
    if not isinstance(entries, list):
        raise ValueError('it is no JSON object with a list "seen"')
    if len(entries) > MAX_SEEN:
        raise ValueError(f"it has {len(entries)} entries; allowed: {MAX_SEEN}")
    return [_entry(entry, times) for entry in entries]


def _entry(entry: Any, times: Sequence[float]) -> _Seen:
    shown = clean_text(json.dumps(entry), limit=120)
    if not isinstance(entry, dict) or not isinstance(entry.get("text"), str) or not clean_text(entry["text"]):
        raise ValueError(f"{shown} has no text")
    certainty = CERTAINTY.get(entry["certainty"]) if isinstance(entry.get("certainty"), int) else None
    if certainty is None:
        raise ValueError(f"{shown} has no certainty 1, 2 or 3")
    first, last = (_frame_time(entry.get(name), times) for name in ("start", "end"))
    if first is None or last is None or first > last:
        raise ValueError(f"{shown} names times that are not those of frames, the first before the last")
    return _Seen(first, last, entry["text"], certainty)


def _frame_time(value: Any, times: Sequence[float]) -> float | None:
    """The time of the frame nearest to `value`; None for what is no time between the first frame and the last."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    if not times[0] - _ROUNDING_SECONDS <= value <= times[-1] + _ROUNDING_SECONDS:
        return None
    return min(times, key=lambda time: abs(time - value))


def _span(seen: _Seen, shown: Shown, within: Span) -> Span:
    """From its first frame to the last one that looks like its last, and half way to their neighbours, at most 1 s.

    Half of the step between samples is what LifelongMemory (Wang et al. 2023) adds too; where samples are far apart,
    nothing is known of what lies between.
    """
    last = shown.alike_until[seen.last]
    before = max((time for time in shown.sampled if time < seen.first), default=within.start_seconds)
    after = min((time for time in shown.sampled if time > last), default=within.end_seconds)
    start = max(within.start_seconds, seen.first - min(_PAD_SECONDS, (seen.first - before) / 2))
    end = min(within.end_seconds, last + min(_PAD_SECONDS, (after - last) / 2))
    return Span(start, max(end, start + 0.001))
