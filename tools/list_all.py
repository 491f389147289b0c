"""`list_all`: every place that fits, not the best ones only; what counting is done on.

It compares every passage of its scope and stops only when the list is full; the ledger keeps what it looked at and
how much was left, so that an answer can say what "none" and "all" rest on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from agentvid.tools.base import Scan, ToolContext
from agentvid.tools.intervals import merge, near, overlapping
from agentvid.tools.rows import rows_at, streams, to_moment
from agentvid.tools.scope import asked_for, where
from agentvid.tools.words import phrase_counter, quoted_phrases
from agentvid.types import SPEECH, Moment, Observation
from agentvid.words import content_words

if TYPE_CHECKING:
    from agentvid.indexes.base import Filter

#: What is shown again after at most this long was there all the time; what is said again is said twice.
GAP_SECONDS = 2.0
#: As many as a list of the program language holds.
MAX_MOMENTS = 1_000
#: A sentence may run over so many rows.
_MOST_ROWS = 3

Holds = Callable[[str], bool]


def list_all(
    context: ToolContext,
    *,
    query: str,
    video: str | None = None,
    track: str | None = None,
    within: Moment | None = None,
) -> list[Moment]:
    """Every moment that fits the query, each once, by video and time; what stands in double quotes must occur word by
    word. The first 1,000 if there are more.

    Args:
        query: what to look for; '"red door"' for these very words
        video: id, title or file name; without it all videos of the question
        track: speech, ocr, caption or another track; without it all
        within: only moments that overlap this one

    Raises:
        ToolError: an argument is not allowed, or lies outside of the question's scope.
    """
    allowed = where(context, video=video, track=track, within=within)
    found: list[Moment] = []
    left = 0
    for moments in occurrences(context, query, allowed, within):
        if len(found) < MAX_MOMENTS:
            found += moments
        else:
            left += 1
    left += max(0, len(found) - MAX_MOMENTS)
    context.ledger.scans.append(Scan(query, allowed, left))
    return context.ledger.record(sorted(found[:MAX_MOMENTS], key=lambda m: (m.video_id, m.span)))


def occurrences(context: ToolContext, query: str, allowed: Filter, within: Moment | None) -> Iterator[list[Moment]]:
    """What fits the query, place by place, of every passage that `allowed` keeps. Raises ToolError if it is empty."""
    asked = asked_for(context, query).text
    holds, is_quoted = _test(asked), bool(quoted_phrases(asked))
    track = allowed.tracks[0] if allowed.tracks else None
    for place in _without_echoes(context, context.retriever.scan(query.strip(), where=allowed), asked):
        moments = [m for m in _moments_of(context, place, track, holds) if holds(m.text) or not is_quoted]
        yield overlapping(moments, [within]) if within is not None else moments


def _without_echoes(context: ToolContext, places: Sequence[Moment], query: str) -> list[Moment]:
    """Without places that fit only because their neighbours do.

    A passage's vector holds the video's title and the words before it too. Where the title or another place of the same
    track says what is asked for, a place that shares no word with the query is taken for an echo of it.
    """
    wanted = frozenset(content_words(query))
    if not wanted:
        return list(places)
    own = [wanted & set(content_words(place.text)) for place in places]
    told = {(place.video_id, place.track) for place, shared in zip(places, own, strict=True) if shared == wanted}
    titled = {video.id for video in context.scope.values() if wanted & set(content_words(video.title))}
    return [
        place
        for place, shared in zip(places, own, strict=True)
        if shared or not ((place.video_id, place.track) in told or place.video_id in titled)
    ]


def _test(query: str) -> Holds:
    """Whether a text has what the query asks for: its quoted phrases, or else all its content words."""
    counters = [phrase_counter(phrase) for phrase in quoted_phrases(query)]
    if counters:
        return lambda text: all(count(text) for count in counters)
    wanted = frozenset(content_words(query))
    return lambda text: bool(wanted) and wanted <= set(content_words(text))


def _moments_of(context: ToolContext, place: Moment, track: str | None, holds: Holds) -> list[Moment]:
    """The occurrences in a place that the retriever found; the place itself where it fits by its meaning only.

    Speech counts each time. What another track tells of the same seconds, or right after, counts once.
    """
    found: list[Moment] = []
    rows = streams(rows_at(context, place.video_id, place.span, track))
    for (name, _), members in sorted(rows.items(), key=lambda item: item[0][0] != SPEECH):
        runs = [to_moment(place.video_id, run) for run in _occurrences(members, holds)]
        if name == SPEECH:
            known = overlapping(runs, found)
        else:
            runs = merge(runs, gap_seconds=GAP_SECONDS)
            known = near(runs, found, GAP_SECONDS)
        found += [run for run in runs if run not in known]
    if not found:
        return [place]
    return [replace(m, score=place.score, similarity=place.similarity, ranks=place.ranks) for m in found]


def _occurrences(rows: Sequence[Observation], holds: Holds) -> Iterable[Sequence[Observation]]:
    """The shortest runs of up to three neighbouring rows that hold what is asked for, none sharing a row."""
    position = 0
    while position < len(rows):
        run = _shortest(rows[position : position + _MOST_ROWS], holds)
        if run:
            yield run
        position += max(1, len(run))


def _shortest(rows: Sequence[Observation], holds: Holds) -> Sequence[Observation]:
    """The shortest run from the first row on that holds it; empty if there is none, or a shorter one starts later."""
    for size in range(1, len(rows) + 1):
        run = rows[:size]
        if size > 1 and run[-1].span.start_seconds - run[-2].span.end_seconds > GAP_SECONDS:
            break
        if holds(_text(run)):
            return () if size > 1 and holds(_text(run[1:])) else run
    return ()


def _text(rows: Sequence[Observation]) -> str:
    return " ".join(row.text for row in rows)
