"""Tools for options that name events: when each is first told, and which of several sequences is the right one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from agentvid.errors import ToolError
from agentvid.tools.base import ToolContext
from agentvid.tools.choose import MAX_OPTIONS
from agentvid.tools.ground import ground
from agentvid.tools.list_all import list_all
from agentvid.types import Moment
from agentvid.words import content_words

#: Later than any video ends: what is told nowhere comes last.
NEVER_SECONDS = 1e9
_MAX_EVENTS = 20
#: "a, b and c", "a -> b", "a; b", "a then b", "first a, then b": what stands between events.
_BETWEEN = re.compile(r"\s*(?:->|→|=>|[,;>/|])\s*|\s+(?:and then|and|then|before|followed by)\s+", re.IGNORECASE)
_LEADING = re.compile(r"^(?:and then|and|then|first|finally|lastly|next|\(?[a-h1-9][).:])\s+", re.IGNORECASE)


def first_seconds(
    context: ToolContext,
    *,
    texts: list[str],
    video: str | None = None,
    within: Moment | None = None,
    otherwise: float = NEVER_SECONDS,
) -> list[float]:
    """Per text, in their order, the second of its video at which it is first told; `otherwise` where it is nowhere.

    Args:
        texts: 1 to 20 events, names or statements
        video: id, title or file name; without it all videos of the question
        within: only moments that overlap this one
        otherwise: what stands for a text that is not found

    Raises:
        ToolError: an argument is not allowed, or lies outside of the question's scope.
    """
    if not 1 <= len(texts) <= MAX_OPTIONS:
        raise ToolError(f"{len(texts)} texts are not allowed; allowed: 1 to {MAX_OPTIONS}")
    found = [_first(context, text, video, within) for text in texts]
    return [moment.span.start_seconds if moment else otherwise for moment in found]


def score_orders(
    context: ToolContext, *, options: list[str], video: str | None = None, within: Moment | None = None
) -> list[float]:
    """Per option, each a sequence like "a, b, c" or "a then b", the share of its neighbours that come in that order.

    Args:
        options: 2 to 20 sequences of events
        video: id, title or file name; without it all videos of the question
        within: only moments that overlap this one

    Raises:
        ToolError: an argument is not allowed, or lies outside of the question's scope.
    """
    if not 2 <= len(options) <= MAX_OPTIONS:
        raise ToolError(f"{len(options)} options are not allowed; allowed: 2 to {MAX_OPTIONS}")
    sequences = [events_of(option) for option in options]
    names = list(dict.fromkeys(event for sequence in sequences for event in sequence))[:_MAX_EVENTS]
    found = {name: moment for name in names if (moment := _first(context, name, video, within))}
    return [_share_in_order([found.get(event) for event in sequence]) for sequence in sequences]


def events_of(option: str) -> list[str]:
    """The events that an option names, in its order: "First a, then b" -> a, b."""
    parts = [_LEADING.sub("", part.strip(" .")) for part in _BETWEEN.split(option)]
    return [part for part in parts if part]


def _share_in_order(moments: Sequence[Moment | None]) -> float:
    pairs = list(pairwise(moments))
    right = sum(
        bool(one and two and one.video_id == two.video_id and one.span.start_seconds < two.span.start_seconds)
        for one, two in pairs
    )
    return right / len(pairs) if pairs else 0.0


def _first(context: ToolContext, text: str, video: str | None, within: Moment | None) -> Moment | None:
    """The first moment that has the text word by word; else the first with all its words; else where it fits best."""
    exact = list_all(context, query=f'"{text}"', video=video, within=within)
    if exact:
        return min(exact, key=lambda moment: moment.span.start_seconds)
    wanted = set(content_words(text))
    if not wanted:
        return None
    close = list_all(context, query=text, video=video, within=within)
    whole = [moment for moment in close if wanted <= set(content_words(moment.text))]
    if whole:
        return min(whole, key=lambda moment: moment.span.start_seconds)
    best = ground(context, query=text, k=1, video=video, within=within)
    return best[0] if best else None
