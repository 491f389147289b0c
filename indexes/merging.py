"""One place, one result: what overlaps or follows at once, in any track, becomes one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from agentvid.types import Moment, Span

#: Passages at most this far apart can be one event.
GAP_SECONDS = 2.0


def merge_places(moments: Sequence[Moment]) -> list[Moment]:
    """Moments by video and time, where whatever overlaps or lies at most 2 s apart is one.

    Its span covers them all; its words are those of the track that fits best.
    """
    ordered = sorted(moments, key=lambda moment: (moment.video_id, moment.span, moment.track))
    places: list[list[Moment]] = []
    end_seconds = 0.0
    for moment in ordered:
        starts_new = not places or places[-1][0].video_id != moment.video_id
        if starts_new or moment.span.start_seconds - end_seconds > GAP_SECONDS:
            places.append([])
            end_seconds = 0.0
        places[-1].append(moment)
        end_seconds = max(end_seconds, moment.span.end_seconds)
    return [_place(members) for members in places]


def _place(members: list[Moment]) -> Moment:
    best = max(members, key=lambda moment: (moment.score, moment.similarity or 0.0))
    told = [moment for moment in members if moment.track == best.track]
    span = Span(members[0].span.start_seconds, max(moment.span.end_seconds for moment in members))
    ids = dict.fromkeys(at for moment in told for at in moment.observation_ids)
    text = " ".join(dict.fromkeys(moment.text for moment in told))
    return _with_ranks_of(replace(best, span=span, text=text, observation_ids=tuple(ids)), members)


def _with_ranks_of(moment: Moment, others: Sequence[Moment]) -> Moment:
    """`moment` with the best rank in each channel, and the best cosine, of itself and `others`."""
    ranks: dict[str, int] = {}
    for member in (moment, *others):
        _keep_best(ranks, member.ranks)
    similarities = [member.similarity for member in (moment, *others) if member.similarity is not None]
    return replace(moment, ranks=dict(sorted(ranks.items())), similarity=max(similarities, default=None))


def _keep_best(ranks: dict[str, int], other: Mapping[str, int]) -> None:
    for channel, rank in other.items():
        ranks[channel] = min(rank, ranks.get(channel, rank))
