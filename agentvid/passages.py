"""Observations and clips -> passages, the texts that search compares with a query.

A subtitle cue is too short to say what it is about, a whole clip too long to point at a moment. Neighbouring speech
cues are joined to a few sentences; what other tracks say stays as it is, apart from labels of a few words.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence

from agentvid.errors import UsageError
from agentvid.perceive.speech import ends_sentence
from agentvid.types import SPEECH, Clip, Observation, Passage, Span
from agentvid.words import UNSPACED

_MOST_WORDS = 40
_LONGEST_SECONDS = 20.0
#: Speech after a longer silence is about something else.
_SPEECH_GAP_SECONDS = 4.0
#: Rows of other tracks up to this many words are labels: one shown with another says more than alone.
_LABEL_WORDS = 6
#: Labels further apart than this were not seen together.
_LABEL_GAP_SECONDS = 2.0
_CONTEXT_WORDS, _CONTEXT_CHARACTERS = 12, 120
#: Scripts without spaces: two characters count as a word.
_UNSPACED = re.compile(UNSPACED)


def make_passages(title: str, clips: Sequence[Clip], observations: Sequence[Observation]) -> tuple[Passage, ...]:
    """Passages in the order of clips and time; every observation is in exactly one.

    A passage holds observations of one track, language and source from one clip: the clip that holds most of each.
    Speech is joined up to about 40 words or 20 s, if possible to the end of a sentence. `observation_ids` are
    positions in `observations`. `context` is the title and the last words before, in the same track.

    Raises UsageError if there are observations and no clips.
    """
    if observations and not clips:
        raise UsageError("observations without clips; allowed: at least one clip", hint="make clips first")
    finder = _ClipFinder(clips)
    places: dict[Hashable, list[tuple[int, int]]] = defaultdict(list)
    order = sorted(range(len(observations)), key=lambda position: (observations[position].span, position))
    for position in order:
        observation = observations[position]
        places[_stream(observation)].append((finder.find(observation.span), position))

    passages: list[Passage] = []
    for rows in places.values():
        before = ""
        # A long row may start first and belong to a later clip, hence the sort; it keeps the order of time in a clip.
        rows.sort(key=lambda row: row[0])
        for clip_index, group in _groups(rows, observations):
            passage = _passage(title, before, clip_index, group, observations)
            passages.append(passage)
            before = passage.text
    passages.sort(key=lambda passage: (passage.clip_index, passage.span, passage.track, passage.observation_ids))
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
    words = sum(_word_count(member.text) for member in before) + _word_count(new.text)
    together = _hull(before).hull(new.span)
    if words > _MOST_WORDS or together.duration_seconds > _LONGEST_SECONDS:
        return False
    gap_seconds = new.span.start_seconds - _hull(before).end_seconds
    if new.track == SPEECH:
        return gap_seconds <= _SPEECH_GAP_SECONDS
    are_labels = _word_count(before[-1].text) <= _LABEL_WORDS and _word_count(new.text) <= _LABEL_WORDS
    is_repeated = any(member.text == new.text for member in before)
    return are_labels and not is_repeated and gap_seconds <= _LABEL_GAP_SECONDS


def _sentence_size(group: Sequence[int], observations: Sequence[Observation]) -> int:
    """How many rows of a full group make its passage: up to the last sentence end, else all."""
    if observations[group[0]].track == SPEECH:
        for size in range(len(group), 0, -1):
            if ends_sentence(observations[group[size - 1]].text):
                return size
    return len(group)


def _passage(
    title: str, before: str, clip_index: int, group: Sequence[int], observations: Sequence[Observation]
) -> Passage:
    members = [observations[position] for position in group]
    tail = " ".join(before.split()[-_CONTEXT_WORDS:])[-_CONTEXT_CHARACTERS:]
    return Passage(
        span=_hull(members),
        track=members[0].track,
        text=" ".join(member.text for member in members),
        clip_index=clip_index,
        observation_ids=tuple(group),
        context=f"{title} {tail}".strip(),
    )


def _hull(members: Sequence[Observation]) -> Span:
    return Span(
        min(member.span.start_seconds for member in members), max(member.span.end_seconds for member in members)
    )


def _word_count(text: str) -> int:
    return max(1, len(text.split()), len(_UNSPACED.findall(text)) // 2)
