"""`ground`: when exactly something happens: coarse passages first, then the rows inside that carry the words.

Coarse to fine over timed text as in LifelongMemory (Wang et al. 2023) and LLM4VG (Feng et al. 2023), but without a
language model: the boundaries are those of the best-scoring contiguous run of rows, found as the maximum-sum segment.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from agentvid.tools.base import ToolContext
from agentvid.tools.rows import rows_at, streams, to_moment
from agentvid.tools.scope import filled, where, whole_number
from agentvid.types import Moment, Observation, Span
from agentvid.words import content_words, rarity, topic_words

MAX_RESULTS = 20
#: A place counts as found from this confidence on.
MIN_CONFIDENCE = 0.5
#: Rows this close to a passage may extend it: sentences run over its ends.
MARGIN_SECONDS = 10.0
#: Silence of this length costs a run as much as one row without a word of the query.
GAP_SECONDS = 10.0
_PLACES_PER_RESULT, _MIN_PLACES = 4, 12
#: Cosines of the embedded model for "has nothing to do with it" and "says just this".
_UNRELATED, _SAME = 0.2, 0.7


def ground(
    context: ToolContext,
    *,
    query: str,
    k: float = 3.0,
    video: str | None = None,
    track: str | None = None,
    within: Moment | None = None,
) -> list[Moment]:
    """Where exactly the query happens: tighter moments than search, best first, score = confidence 0.5 to 1; empty if
    nothing fits well enough.

    Args:
        query: one event or statement, in a few words
        k: at most how many, 1 to 20
        video: id, title or file name; without it all videos of the question
        track: speech, ocr, caption or another track; without it all
        within: only moments that overlap this one

    Raises:
        ToolError: an argument is not allowed, or lies outside of the question's scope.
    """
    limit = whole_number("k", k, most=MAX_RESULTS)
    place = where(context, video=video, track=track, within=within)
    wanted = topic_words([filled("query", query)])
    hits = context.retriever.search(query, k=max(_MIN_PLACES, _PLACES_PER_RESULT * limit), where=place)
    refined = [_refine(context, hit, wanted, track) for hit in hits]
    sure = [m for m in refined if m.score >= MIN_CONFIDENCE and (not within or m.span.overlaps(within.span))]
    return context.ledger.record(_distinct(sure)[:limit])


def _refine(context: ToolContext, hit: Moment, wanted: Sequence[str], track: str | None) -> Moment:
    """The tightest run of rows at the hit that holds its words; the hit itself where no row has a word of the query."""
    rows = _rows_around(context, hit, track)
    found = [frozenset(content_words(row.text)) for row in rows]
    gains = _gains(found, wanted)
    first, last = _best_run(rows, gains)
    matched = frozenset[str]().union(*found[first:last]).intersection(wanted)
    confidence = _confidence(len(matched) / max(1, len(wanted)), hit.similarity)
    if not matched:
        return replace(hit, score=confidence)
    run = to_moment(hit.video_id, rows[first:last])
    return replace(run, score=confidence, similarity=hit.similarity, ranks=hit.ranks)


def _rows_around(context: ToolContext, hit: Moment, track: str | None) -> list[Observation]:
    """The rows of the hit's own stream from a little before it to a little after."""
    start = max(0.0, hit.span.start_seconds - MARGIN_SECONDS)
    around = Span(start, hit.span.end_seconds + MARGIN_SECONDS)
    found = streams(rows_at(context, hit.video_id, around, hit.track or track))
    own = [rows for rows in found.values() if any(row.id in hit.observation_ids for row in rows)]
    return max(own or found.values(), key=len, default=[])


def _gains(found: Sequence[frozenset[str]], wanted: Sequence[str]) -> list[float]:
    """Per row, the summed weights of the query's words in it; a word that many rows here have weighs little."""
    weights = rarity(wanted, found)
    return [sum(weights[word] for word in row.intersection(wanted)) for row in found]


def _best_run(rows: Sequence[Observation], gains: Sequence[float]) -> tuple[int, int]:
    """[first, last) of the contiguous rows with the largest sum of gain minus cost (Kadane's algorithm).

    Every row costs half the best gain, silence as much per GAP_SECONDS: a run bridges a row or two to the next match.
    """
    cost = max(gains, default=0.0) / 2
    best, best_run = -math.inf, (0, 0)
    total, first, end_seconds = -math.inf, 0, 0.0
    for position, (row, gain) in enumerate(zip(rows, gains, strict=True)):
        silence_seconds = max(0.0, row.span.start_seconds - end_seconds)
        total -= cost * silence_seconds / GAP_SECONDS
        if total <= 0:
            total, first = 0.0, position
        total += gain - cost
        end_seconds = max(end_seconds, row.span.end_seconds)
        if total > best:
            best, best_run = total, (first, position + 1)
    return best_run


def _confidence(coverage: float, similarity: float | None) -> float:
    """0 to 1 from the share of the query's words that were found and the cosine, each of which may do alone."""
    meaning = 0.0 if similarity is None else min(1.0, max(0.0, (similarity - _UNRELATED) / (_SAME - _UNRELATED)))
    return 1 - (1 - coverage * coverage) * (1 - meaning * meaning)


def _distinct(moments: Sequence[Moment]) -> list[Moment]:
    """Best first, without a moment that overlaps a better one of the same video."""
    kept: list[Moment] = []
    for moment in sorted(moments, key=lambda m: -m.score):
        if not any(moment.video_id == other.video_id and moment.span.overlaps(other.span) for other in kept):
            kept.append(moment)
    return kept
