"""Rows that tell most, chosen without a model: what summaries, comparisons and prompts are made of."""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Iterable, Sequence

from agentvid.tools.base import ToolContext
from agentvid.tools.intervals import by_video, union
from agentvid.tools.rows import in_order, rows_at, streams, to_moment
from agentvid.tools.scope import check_moment
from agentvid.types import FACT, SPEECH, Moment, Observation
from agentvid.words import content_words

#: A word that is asked for counts as much as so many others.
_ASKED = 5.0
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
    """At most so many rows, in their order, that together hold most of what all of them say.

    Every content word counts once, by how often it is said, and more if `about` has it; the row that adds most for its
    length is taken next. Greedy choice is within 1 - 1/e of the best for such a measure (Lin and Bilmes, ACL 2011).
    """
    held = [frozenset(content_words(row.text)) for row in rows]
    asked = set(content_words(about))
    counts = Counter(word for words in held for word in words)
    weights = {word: (1 + math.log(count)) * (_ASKED if word in asked else 1) for word, count in counts.items()}
    covered: set[str] = set()

    def gain(at: int) -> float:
        return sum(weights[word] for word in held[at] - covered) / math.sqrt(max(1, len(held[at])))

    # What a row adds only shrinks as others are taken: its old value is an upper bound, looked at again when it leads.
    queue = [(-gain(at), at) for at in range(len(rows))]
    heapq.heapify(queue)
    chosen: list[int] = []
    while queue and len(chosen) < most:
        _, at = heapq.heappop(queue)
        now = gain(at)
        if queue and (-now, at) > queue[0]:
            heapq.heappush(queue, (-now, at))
        elif now > 0 or not chosen:
            chosen.append(at)
            covered |= held[at]
    return [rows[at] for at in sorted(chosen)]
