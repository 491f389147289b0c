"""Rows that tell most, chosen without a model: what summaries, comparisons and prompts are made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agentvid import salience
from agentvid.tools.base import ToolContext
from agentvid.tools.intervals import by_video, union
from agentvid.tools.rows import in_order, rows_at, streams, to_moment
from agentvid.tools.scope import check_moment
from agentvid.types import FACT, SPEECH, Moment, Observation

#: A sentence runs over so many rows at most, and stops for no longer.
_MOST_ROWS, _PAUSE_SECONDS = 4, 2.0
_ENDS = (".", "!", "?", "…", "。", "！", "？")


def told_in(context: ToolContext, places: Sequence[Moment], track: str | None = None) -> list[Moment]:
    """What the rows that overlap one of the places say, each once, by video and time; of speech whole sentences.

    Measured facts only where there is nothing else, or if asked for. Raises ToolError for a place outside of the scope.
    """
    for place in places:
        check_moment(context, place)
    found: list[Moment] = []
    for video_id, group in by_video(places).items():
        rows: dict[int, Observation] = {}
        for span in union(place.span for place in group):
            rows |= {row.id: row for row in rows_at(context, video_id, span, track)}
        runs = [run for stream in streams(in_order(rows.values())).values() for run in _sentences(stream)]
        told = [to_moment(video_id, run) for run in runs]
        found += sorted(told, key=lambda moment: (moment.span, moment.track))
    return found if track else [moment for moment in found if moment.track != FACT] or found


def _sentences(rows: Iterable[Observation]) -> list[list[Observation]]:
    """Rows of one stream; those of speech that go on in the next one together with it."""
    runs: list[list[Observation]] = []
    for row in rows:
        last = runs[-1][-1] if runs else None
        goes_on = (
            last is not None
            and last.track == SPEECH
            and not last.text.rstrip("\"'”»)").endswith(_ENDS)
            and row.span.start_seconds - last.span.end_seconds <= _PAUSE_SECONDS
            and len(runs[-1]) < _MOST_ROWS
        )
        if goes_on:
            runs[-1].append(row)
        else:
            runs.append([row])
    return runs


def most_telling(rows: Sequence[Moment], most: int, about: str = "") -> list[Moment]:
    """At most so many rows, in their order, that together hold most of what all of them say (`salience`)."""
    return [rows[at] for at in salience.most_telling([row.text for row in rows], most, about)]
