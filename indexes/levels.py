"""From moments to the chapters, or videos, that hold them: search at a coarser level without a second index."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from agentvid.types import Level, Moment, Section

#: So many moments are found for each section that is wanted: several may lie in one.
MOMENTS_PER_SECTION, MOST_MOMENTS = 10, 200


def lift(
    moments: Iterable[Moment], sections_of: Callable[[str], Sequence[Section]], level: Level, *, k: int
) -> list[Moment]:
    """The best `k` sections of that level, best first, as moments whose text is title and digest.

    `sections_of` gives those of a video id. A section's score is the sum of its moments', each of which counts for the
    sections that it lies in by its share of seconds there.
    """
    known: dict[str, list[Section]] = {}
    scores: defaultdict[tuple[str, int], float] = defaultdict(float)
    best: dict[tuple[str, int], Moment] = {}
    for moment in moments:
        if moment.video_id not in known:
            known[moment.video_id] = [part for part in sections_of(moment.video_id) if part.level == level]
        for number, section in enumerate(known[moment.video_id]):
            if shared := section.span.intersection(moment.span):
                place = (moment.video_id, number)
                scores[place] += moment.score * shared.duration_seconds / moment.span.duration_seconds
                best.setdefault(place, moment)
    found = sorted(scores, key=lambda place: -scores[place])[:k]
    return [
        replace(
            best[video_id, number],
            span=(section := known[video_id][number]).span,
            score=scores[video_id, number],
            track=level,
            text=": ".join(filter(None, (section.title, section.text))),
            observation_ids=section.observation_ids,
        )
        for video_id, number in found
    ]
