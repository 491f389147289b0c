"""`amounts`: rows that tell how long, how hot, how much something is, by their figures and units."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace

from agentvid.errors import ToolError
from agentvid.tools.base import ToolContext
from agentvid.tools.rows import rows_at, streams, to_moment
from agentvid.tools.scope import asked_for
from agentvid.tools.search import search
from agentvid.types import Moment, Observation
from agentvid.words import NUMBER_WORDS, content_words, topic_words

#: So many passages are read for rows; what an amount is of may be said so many rows before it.
_PLACES, _ROWS_BEFORE = 16, 2
#: Rows further apart than this do not go on with each other.
_GAP_SECONDS = 5.0
_COUNTED = "thirty forty fifty sixty ninety hundred several".split()
_FIGURE = rf"(?:\d+(?:[.,/]\d+)?|{'|'.join([*NUMBER_WORDS, *_COUNTED])}|an?|half an?|a few|a couple(?: of)?)"
#: What is measured -> how an amount of it is written.
_WRITTEN: Mapping[str, str] = {
    # "Wait a second" tells no time.
    "time": rf"(?!a second\b){_FIGURE}(?: more| or so)?[\s-]*(?:seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|weeks?"
    r"|months?|years?)\b|\bovernight\b",
    "temperature": rf"{_FIGURE}\s*(?:°|degrees?\b|celsius\b|fahrenheit\b)",
    "money": rf"[$€£¥]\s*\d|{_FIGURE}\s*(?:dollars?|euros?|pounds?|cents?|bucks|usd|eur|gbp)\b",
    "quantity": rf"{_FIGURE}\s*(?:g|kg|grams?|kilos?|kilograms?|pounds?|lbs?|ounces?|oz|ml|cl|litres?|liters?|cups?"
    r"|(?:table|tea)?spoons?|tbsp|tsp|pinch(?:es)?|cloves?|pieces?|slices?)\b",
}
_PATTERNS = {name: re.compile(rf"(?<![\w.]){written}", re.IGNORECASE) for name, written in _WRITTEN.items()}


def amounts(
    context: ToolContext, *, query: str, of: str, video: str | None = None, within: Moment | None = None
) -> list[Moment]:
    """Rows that tell an amount ("fry it for 3 minutes", "at 230 degrees"), those that share most words with the query
    first; the score is the share of its words that stand there or right before.

    Args:
        query: what it is the amount of: "fry the onions"
        of: what is measured: time, temperature, money or quantity
        video: id, title or file name; without it all videos of the question
        within: only rows of passages that overlap this moment

    Raises:
        ToolError: an argument is not allowed, or lies outside of the question's scope.
    """
    if of not in _PATTERNS:
        raise ToolError(f"of={of!r} is not allowed; allowed: {', '.join(_PATTERNS)}")
    wanted = frozenset(topic_words([asked_for(context, query).text]))
    found: dict[tuple[str, int], Moment] = {}
    for place in search(context, query=query, k=_PLACES, video=video, within=within):
        rows = streams(rows_at(context, place.video_id, place.span))
        for row, score in (told for members in rows.values() for told in _told(members, wanted, _PATTERNS[of])):
            found.setdefault((place.video_id, row.id), replace(to_moment(place.video_id, [row]), score=score))
    return context.ledger.record(sorted(found.values(), key=lambda m: (-m.score, m.video_id, m.span)))


def _told(
    rows: Sequence[Observation], wanted: Set[str], pattern: re.Pattern[str]
) -> Iterator[tuple[Observation, float]]:
    """Rows with an amount that share a word with the query, and the share of its words."""
    for at, row in enumerate(rows):
        if not pattern.search(row.text):
            continue
        first = at
        while first > max(0, at - _ROWS_BEFORE) and _goes_on(rows[first - 1], rows[first]):
            first -= 1
        said = {word for one in rows[first : at + 1] for word in content_words(one.text)}
        if shared := wanted & said:
            yield row, len(shared) / len(wanted)


def _goes_on(one: Observation, other: Observation) -> bool:
    return other.span.start_seconds - one.span.end_seconds <= _GAP_SECONDS
