"""One place, one result: neighbours that continue each other and duplicates in other tracks become one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from agentvid.indexes.fusion import fused_score
from agentvid.types import Moment, Passage, Span

#: Passages at most this far apart can be one event.
GAP_SECONDS = 2.0
#: No merging makes a ranked moment longer than this.
LONGEST_SECONDS = 90.0
_COVERED = 0.7
_SIMILAR_LENGTH = 0.3
_STRONG = 0.8


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage, or several merged, with the moment made of it. `clips` are the first and last clip index."""

    moment: Moment
    clips: tuple[int, int]

    @classmethod
    def of(cls, passage: Passage, moment: Moment) -> Hit:
        return cls(moment, (passage.clip_index, passage.clip_index))


def merge_ranked(hits: Sequence[Hit], *, channels: int) -> list[Moment]:
    """Ranked hits, best first, without duplicates and with strong neighbours joined; scored and ordered again.

    A duplicate gives its better ranks to the hit that it repeats, whose span and words stay.
    """
    kept: list[Hit] = []
    for hit in hits:
        for at, better in enumerate(kept):
            if _is_duplicate(better.moment, hit.moment):
                kept[at] = replace(better, moment=_with_ranks_of(better.moment, [hit.moment]))
                break
            if _continues(better, hit):
                kept[at] = _joined(better, hit)
                break
        else:
            kept.append(hit)
    moments = [replace(hit.moment, score=fused_score(hit.moment.ranks.values(), channels=channels)) for hit in kept]
    return sorted(moments, key=lambda moment: (-moment.score, -(moment.similarity or 0.0)))


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


def _is_duplicate(better: Moment, other: Moment) -> bool:
    """`other` shows nothing new: it lies in `better`, is of like length, and is another track or the same words.

    A short passage inside a long one is no duplicate: it says where.
    """
    if better.video_id != other.video_id:
        return False
    shared = better.span.intersection(other.span)
    if shared is None or shared.duration_seconds < _COVERED * other.span.duration_seconds:
        return False
    if better.track == other.track and not set(better.observation_ids) & set(other.observation_ids):
        return False
    return better.span.iou(other.span) >= _SIMILAR_LENGTH


def _continues(better: Hit, other: Hit) -> bool:
    """Both are parts of one longer stretch of the same track, and both fit well.

    A passage of a single observation is a span that somebody measured or imported; it stays as it is.
    """
    one, two = better.moment, other.moment
    if (one.video_id, one.track) != (two.video_id, two.track):
        return False
    if len(one.observation_ids) < 2 or len(two.observation_ids) < 2 or two.score < _STRONG * one.score:
        return False
    clips_apart = max(other.clips[0] - better.clips[1], better.clips[0] - other.clips[1])
    hull = one.span.hull(two.span)
    gap_seconds = hull.duration_seconds - one.span.duration_seconds - two.span.duration_seconds
    return clips_apart <= 1 and 0 <= gap_seconds <= GAP_SECONDS and hull.duration_seconds <= LONGEST_SECONDS


def _joined(better: Hit, other: Hit) -> Hit:
    first, second = sorted((better.moment, other.moment), key=lambda moment: moment.span)
    moment = replace(
        better.moment,
        span=first.span.hull(second.span),
        text=f"{first.text} {second.text}",
        observation_ids=(*first.observation_ids, *second.observation_ids),
    )
    clips = (min(better.clips[0], other.clips[0]), max(better.clips[1], other.clips[1]))
    return Hit(_with_ranks_of(moment, [other.moment]), clips)


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
