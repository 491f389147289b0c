"""`list_all`: every place that fits, not the best ones only; what counting is done on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agentvid.tools.base import ToolContext
from agentvid.tools.intervals import join, time_key
from agentvid.tools.scope import filled, observed, where
from agentvid.tools.words import contains_phrase, normalised, quoted_phrases
from agentvid.types import Moment

_QUOTES = str.maketrans("", "", '"“”«»')


def list_all(
    context: ToolContext,
    *,
    query: str,
    video: str | None = None,
    track: str | None = None,
    within: Moment | None = None,
) -> list[Moment]:
    """Every moment that fits the query, each once, in time order; a part in double quotes must occur word by word.

    Args:
        query: what to look for; '"red door"' for these very words
        video: id, title or file name; without it all videos of the question
        track: speech, ocr, caption or another track; without it all
        within: only moments that overlap this one

    Raises:
        ToolError: an argument is not allowed, or lies outside of the question's scope.
    """
    place = where(context, video=video, track=track, within=within)
    plain = filled("query", query.translate(_QUOTES))
    found = context.retriever.scan(plain, where=place)
    phrases = quoted_phrases(query)
    if phrases:
        found = _literal(context, found, phrases, track)
        found = [m for m in found if place.within is None or m.span.overlaps(place.within)]
    return context.ledger.record(merge_duplicates(found))


def _literal(
    context: ToolContext, candidates: Iterable[Moment], phrases: Sequence[str], track: str | None
) -> list[Moment]:
    """The rows that hold all phrases; where a phrase runs over the end of a row, the candidate itself."""
    found: dict[tuple[int, ...], Moment] = {}
    for candidate in candidates:
        rows = observed(context, candidate.video_id, candidate.span, candidate.track or track)
        holding = [row for row in rows if _holds(row, phrases)]
        for moment in holding or [candidate] * _holds(candidate, phrases):
            found.setdefault(moment.observation_ids, moment)
    return list(found.values())


def _holds(moment: Moment, phrases: Sequence[str]) -> bool:
    return all(contains_phrase(moment.text, phrase) for phrase in phrases)


def merge_duplicates(moments: Iterable[Moment]) -> list[Moment]:
    """One moment for each thing that was observed, in order of video, then time.

    Two are the same when they overlap or touch and have the same words (a line that is said and shown, a sign that
    is read in many frames), or when one holds all the rows of the other.
    """
    merged: list[Moment] = []
    latest: dict[tuple[str, str], int] = {}
    for moment in sorted(moments, key=lambda m: (m.video_id, *time_key(m))):
        key = (moment.video_id, normalised(moment.text))
        position = latest.get(key)
        if position is not None and moment.span.start_seconds <= merged[position].span.end_seconds:
            merged[position] = join([merged[position], moment])
            continue
        latest[key] = len(merged)
        merged.append(moment)
    return merged
