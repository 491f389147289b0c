"""`slides`: what the screen shows page by page, told from its text alone: slides, boards, title cards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from agentvid.tools.base import ToolContext
from agentvid.tools.intervals import hull
from agentvid.tools.rows import rows_at, to_moment
from agentvid.tools.scope import check_moment
from agentvid.types import OCR, ROLLING, SUBTITLE, Moment, Observation, Span
from agentvid.words import words

#: The next page begins where less than this share of the words that were there are left; bullets only add to a page.
_LEFT_ON_A_PAGE = 0.5
#: What stands for less is a flicker of the reader, or a page turning.
_SHORTEST_SECONDS = 1.0


def slides(context: ToolContext, *, within: Moment) -> list[Moment]:
    """The pages that a moment shows one after the other (slides, boards, title cards), in time order, each with the
    text that stands on it. Told from text on screen alone, without subtitles and text that moves.

    Args:
        within: the moment; span(start=0, end=86400, video=...) for all of a video

    Raises:
        ToolError: the moment lies outside of the question's scope.
    """
    check_moment(context, within)
    read = rows_at(context, within.video_id, within.span, OCR)
    rows = [row for row in read if row.attributes.get("kind") not in (SUBTITLE, ROLLING)]
    found = []
    for span in _pages(rows):
        shown = [row for row in rows if _seconds_in(row, span) >= min(_SHORTEST_SECONDS, row.span.duration_seconds / 2)]
        if shown and (kept := span.intersection(within.span)):
            found.append(replace(to_moment(within.video_id, shown), span=kept))
    return context.ledger.record(found)


def _pages(rows: Sequence[Observation]) -> Iterator[Span]:
    """Stretches in which most of the words stay, in time order."""
    page: list[Span] = []
    before: frozenset[str] = frozenset()
    for span, shown in _states(rows):
        is_left = len(before & shown) >= _LEFT_ON_A_PAGE * len(before)
        if page and not (shown and is_left):
            yield hull(page)
            page = []
        if shown:
            page.append(span)
        before = shown
    if page:
        yield hull(page)


def _states(rows: Sequence[Observation]) -> Iterator[tuple[Span, frozenset[str]]]:
    """What words stand on the screen from when to when, in time order, without what is there too shortly."""
    changes = sorted({second for row in rows for second in (row.span.start_seconds, row.span.end_seconds)})
    told = [(row.span, frozenset(words(row.text))) for row in rows]
    waiting, there = 0, list[tuple[Span, frozenset[str]]]()
    for start, end in pairwise(changes):
        while waiting < len(told) and told[waiting][0].start_seconds <= start:
            there.append(told[waiting])
            waiting += 1
        there = [one for one in there if one[0].end_seconds > start]
        shown = frozenset[str]().union(*(found for _, found in there))
        if end - start >= _SHORTEST_SECONDS:
            yield Span(start, end), shown


def _seconds_in(row: Observation, span: Span) -> float:
    shared = row.span.intersection(span)
    return shared.duration_seconds if shared else 0.0
