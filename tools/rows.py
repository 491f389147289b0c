"""Rows of the catalogue as tools read them: each thing once, and as moments with their own words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from agentvid.tools.base import ToolContext
from agentvid.tools.intervals import hull
from agentvid.tools.words import contains_phrase
from agentvid.types import FRAME, Moment, Observation, Span

Stream = tuple[str, str]


def rows_at(context: ToolContext, video_id: str, span: Span, track: str | None = None) -> list[Observation]:
    """The rows of one track, or of all, that overlap a span, in time order; with what was seen there in this run.

    Rows of frames say nothing but their time, and come only if that track is named.
    """
    rows = context.catalogue.observations(video_id, within=span, tracks=(track,) if track else ())
    rows = [row for row in rows if track or row.track != FRAME]
    seen = context.ledger.looks.get(video_id, ())
    rows += [row for row in seen if row.span.overlaps(span) and track in ("", None, row.track)]
    return in_order(rows)


def streams(rows: Iterable[Observation]) -> dict[Stream, list[Observation]]:
    """Rows by track and language, each stream without repeats: two subtitle files often say the same."""
    found: dict[Stream, list[Observation]] = defaultdict(list)
    for row in rows:
        found[row.track, row.language].append(row)
    return {stream: _distinct(members) for stream, members in found.items()}


def each_once(rows: Iterable[Observation]) -> list[Observation]:
    """In time order, without what another row of the same track and language says at the same time."""
    return in_order(row for members in streams(in_order(rows)).values() for row in members)


def in_order(rows: Iterable[Observation]) -> list[Observation]:
    """By time, then track."""
    return sorted(rows, key=lambda row: (row.span, row.track, row.id))


def _distinct(rows: Sequence[Observation]) -> list[Observation]:
    """Rows in time order, without those that overlap another one which has all their words."""
    kept: list[Observation] = []
    for row in rows:
        same = next((i for i, other in enumerate(kept[-4:], max(0, len(kept) - 4)) if _is_same(row, other)), None)
        if same is None:
            kept.append(row)
        elif len(row.text) > len(kept[same].text):
            kept[same] = row
    return kept


def _is_same(one: Observation, other: Observation) -> bool:
    if not one.span.overlaps(other.span):
        return False
    return contains_phrase(one.text, other.text) or contains_phrase(other.text, one.text)


def to_moment(video_id: str, rows: Sequence[Observation]) -> Moment:
    """One moment over neighbouring rows of one stream (at least one), with their words in order."""
    return Moment(
        video_id=video_id,
        span=hull([row.span for row in rows]),
        score=min(row.confidence for row in rows),
        track=rows[0].track,
        text=" ".join(row.text for row in rows),
        observation_ids=tuple(row.id for row in rows),
    )
