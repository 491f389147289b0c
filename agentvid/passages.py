"""Observations and clips -> passages, the texts that search compares with a query.

A subtitle cue is too short to say what it is about, a whole clip too long to point at a moment. Neighbouring speech
cues are joined to a sentence or so; what other tracks say stays as it is. Longer stretches need no passage of their
own: search compares runs of neighbouring passages (indexes/windows.py).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence

from agentvid.errors import UsageError
from agentvid.perceive.sentences import ends_sentence
from agentvid.types import FRAME, SPEECH, Clip, Observation, Passage, Span
from agentvid.words import UNSPACED

_MOST_WORDS = 20
_LONGEST_SECONDS = 10.0
#: Speech after a longer silence is about something else.
_SPEECH_GAP_SECONDS = 4.0
#: Scripts without spaces: two characters count as a word.
_UNSPACED = re.compile(UNSPACED)


def make_passages(clips: Sequence[Clip], observations: Sequence[Observation]) -> tuple[Passage, ...]:
    """Passages by track and source, in the order of clips and time; every observation is in exactly one.

    But rows of frames are in none: they say when a frame is shown, nothing that a query could be compared with.

    A passage holds observations of one track, language and source from one clip: the clip that holds most of each.
    Speech is joined up to about 20 words or 10 s, if possible to the end of a sentence. `observation_ids` are
    positions in `observations`.

    Raises UsageError if there are observations and no clips.
    """
    if observations and not clips:
        raise UsageError("observations without clips; allowed: at least one clip", hint="make clips first")
    finder = _ClipFinder(clips)
    places: dict[Hashable, list[tuple[int, int]]] = defaultdict(list)
    told = (at for at, observation in enumerate(observations) if observation.track != FRAME)
    order = sorted(told, key=lambda position: (observations[position].span, position))
    for position in order:
        observation = observations[position]
        places[_stream(observation)].append((finder.find(observation.span), position))

    passages: list[Passage] = []
    for rows in places.values():
        # A long row may start first and belong to a later clip, hence the sort; it keeps the order of time in a clip.
        rows.sort(key=lambda row: row[0])
        for clip_index, group in _groups(rows, observations):
            passages.append(_passage(clip_index, group, observations))
    return tuple(passages)


class _ClipFinder:
    """Finds the clip that holds most of a span; the earlier one of equals, the nearest one if none holds any."""

    def __init__(self, clips: Sequence[Clip]) -> None:
        self._clips = sorted(clips, key=lambda clip: clip.span)
        self._starts = [clip.span.start_seconds for clip in self._clips]
        self._known: dict[Span, int] = {}

    def find(self, span: Span) -> int:
        if span not in self._known:
            first = max(0, bisect_right(self._starts, span.start_seconds) - 1)
            last = max(first + 1, bisect_right(self._starts, span.end_seconds))
            best = max(self._clips[first:last], key=lambda clip: _shared_seconds(clip.span, span))
            self._known[span] = best.index
        return self._known[span]


def _shared_seconds(clip: Span, span: Span) -> float:
    """Seconds that two spans share; negative, their distance, if they share none."""
    return min(clip.end_seconds, span.end_seconds) - max(clip.start_seconds, span.start_seconds)


def _stream(observation: Observation) -> Hashable:
    """Rows that may share a passage: of one track, language and source (another source says the same otherwise)."""
    provenance = observation.provenance
    source = provenance.input_hash if observation.track == SPEECH else ""
    return observation.track, observation.language, provenance.stage, provenance.model, source


def _groups(rows: Sequence[tuple[int, int]], observations: Sequence[Observation]) -> Iterator[tuple[int, list[int]]]:
    """(clip index, positions) for each passage of one stream."""
    group: list[int] = []
    group_clip = -1
    for clip_index, position in rows:
        if group and clip_index != group_clip:
            yield group_clip, group
            group = []
        while group and not _may_join(group, position, observations):
            size = _sentence_size(group, observations)
            yield group_clip, group[:size]
            group = group[size:]
        group_clip = clip_index
        group.append(position)
    if group:
        yield group_clip, group


def _may_join(group: Sequence[int], position: int, observations: Sequence[Observation]) -> bool:
    before = [observations[index] for index in group]
    new = observations[position]
    if new.track != SPEECH:
        return False
    words = sum(_word_count(member.text) for member in before) + _word_count(new.text)
    together = _hull(before).hull(new.span)
    gap_seconds = new.span.start_seconds - _hull(before).end_seconds
    return words <= _MOST_WORDS and together.duration_seconds <= _LONGEST_SECONDS and gap_seconds <= _SPEECH_GAP_SECONDS


def _sentence_size(group: Sequence[int], observations: Sequence[Observation]) -> int:
    """How many rows of a full group make its passage: up to the last sentence end, else all."""
    for size in range(len(group), 0, -1):
        if ends_sentence(observations[group[size - 1]].text):
            return size
    return len(group)


def _passage(clip_index: int, group: Sequence[int], observations: Sequence[Observation]) -> Passage:
    members = [observations[position] for position in group]
    return Passage(
        span=_hull(members),
        track=members[0].track,
        text=" ".join(member.text for member in members),
        clip_index=clip_index,
        observation_ids=tuple(group),
    )


def _hull(members: Sequence[Observation]) -> Span:
    return Span(
        min(member.span.start_seconds for member in members), max(member.span.end_seconds for member in members)
    )


def _word_count(text: str) -> int:
    return max(1, len(text.split()), len(_UNSPACED.findall(text)) // 2)
