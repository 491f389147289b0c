"""Verbatim quotes: which words of the catalogue, at which seconds, show what a question asks about."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence, Set

from agentvid.tools.base import ToolContext
from agentvid.tools.intervals import hull
from agentvid.tools.rows import rows_at
from agentvid.types import FRAME, SPEECH, Evidence, Moment, Observation
from agentvid.words import content_words, rarity, sentences, topic_words

QUOTE_LIMIT = 280
#: Fewer content words sum up nothing; more than so many make a quote no better.
MIN_TELLING_WORDS, _TELLING_WORDS = 3, 8
#: Cosine of MiniLM below which two texts share nothing, and above which they say the same.
_FAR, _NEAR = 0.15, 0.65
#: The dev halves of TutorialVQA, FriendsQA, PororoQA and NExT-GQA, each question asked of its own and another video.
_SLOPE, _INTERCEPT = 3.236, -3.138
#: Words of a question may be spread over so many sentences.
_NEIGHBOURS = 3
_SENTENCE_ENDS = (".", "!", "?", "…", "。", "！", "？", '"', "”")


class Topic:
    """The content words of a question's phrases, weighted by how rare they are in what the tools returned.

    `is_empty` if the question has no phrases: it is about a time or a whole video.
    """

    def __init__(self, focus: Sequence[str], seen: Iterable[Moment]) -> None:
        self.is_empty = not focus
        texts = {(m.video_id, m.span, m.track): frozenset(content_words(m.text)) for m in seen}
        self._phrases = [tuple(found) for phrase in focus if (found := topic_words([phrase]))]
        self.weights = rarity((word for phrase in self._phrases for word in phrase), list(texts.values()))

    def weight(self, text: str) -> float:
        """Summed weight of the topic's words in `text`."""
        found = set(content_words(text))
        return sum(weight for word, weight in self.weights.items() if word in found)

    def repeats(self, text: str) -> bool:
        """True if a text says nothing but the topic."""
        return not self.is_empty and set(content_words(text)) <= self.weights.keys()

    def coverage(self, text: str) -> list[float]:
        """Per phrase, the share of its weight that neighbouring sentences of `text` hold together, 0 to 1.

        A few minutes of talk hold most words of any question somewhere.
        """
        parts = sentences(text)
        stretches = [" ".join(parts[at : at + _NEIGHBOURS]) for at in range(max(1, len(parts) - _NEIGHBOURS + 1))]
        found = [set(content_words(stretch)) for stretch in stretches]
        return [max(self._share(phrase, words) for words in found) for phrase in self._phrases]

    def _share(self, phrase: Sequence[str], found: Set[str]) -> float:
        total = sum(self.weights[word] for word in phrase)
        return sum(self.weights[word] for word in phrase if word in found) / total


def belief(coverage: float, moment: Moment) -> float:
    """0..1: how surely `moment` is about the phrase, from shared words, cosine and agreement of the channels."""
    if moment.similarity is None:
        return coverage
    if moment.track == FRAME:
        return moment.similarity
    nearness = min(1.0, max(0.0, (moment.similarity - _FAR) / (_NEAR - _FAR)))
    agreement = 0.05 if len(moment.ranks) > 1 else 0.0
    return min(1.0, 0.5 * coverage + 0.5 * nearness + agreement)


def one_run_a_place(moments: Sequence[Moment]) -> tuple[Moment, ...]:
    """`moments` without the runs of frames that overlap a better run.

    They show it about as surely; where it begins and ends is what search weighed, and their score tells.
    """
    kept: list[Moment] = []
    for run in sorted((moment for moment in moments if moment.track == FRAME), key=lambda run: -run.score):
        if not any(run.video_id == other.video_id and run.span.overlaps(other.span) for other in kept):
            kept.append(run)
    return tuple(moment for moment in moments if moment.track != FRAME or moment in kept)


def confidence(topic: Topic, seen: Iterable[Moment]) -> float:
    """0..1: the least certain phrase of the question by its best moment.

    1 for a question about a time or a whole video; 0 for phrases that have no word to look for ("why", "it").
    """
    if topic.is_empty:
        return 1.0
    best: list[float] = []
    for moment in seen:
        beliefs = [belief(share, moment) for share in topic.coverage(moment.text)]
        best = [max(pair) for pair in zip(best, beliefs, strict=True)] if best else beliefs
    return min(best, default=0.0)


def probability(certainty: float, topic: Topic) -> float:
    """0..1: how often an answer of this certainty is right; times and whole videos are read off and stay sure.

    Logistic map after Platt (1999), fitted with `agentvid eval calibration`; docs/evaluation.md has its reliability.
    """
    if topic.is_empty:
        return certainty
    return 1 / (1 + math.exp(-(_SLOPE * certainty + _INTERCEPT)))


def observations_under(context: ToolContext, moment: Moment) -> list[Observation]:
    """The rows a moment stands for, in time order: those it names, else those of its track under its span."""
    rows = rows_at(context, moment.video_id, moment.span, moment.track)
    return [row for row in rows if row.id in moment.observation_ids] or rows


def quote(context: ToolContext, moment: Moment, topic: Topic, identity: str) -> Evidence | None:
    """The run of a moment's rows that says most about the topic, verbatim; None where no row lies under it."""
    rows = observations_under(context, moment)
    if not rows:
        return None
    best = max(rows, key=lambda row: _telling(row, topic)) if moment.track != FRAME else rows[0]
    run = _run_around(best, rows, rows_at(context, moment.video_id, moment.span, best.track))
    chosen = _whole_sentence(run, run.index(best))
    text = " ".join(row.text for row in chosen)
    if len(text) > QUOTE_LIMIT:
        text = _best_part(text, topic)
    span = hull([row.span for row in chosen]).intersection(moment.span) or moment.span
    if best.track == FRAME:
        span = moment.span  # the run is what was found; its first frame stands for it
    video = context.scope[moment.video_id]
    return Evidence(identity, video.name, video.id, span, best.track, text, moment.score)


def _telling(row: Observation, topic: Topic) -> tuple[float, float]:
    """What a row says of the topic, then how surely; without a topic a scrap of a few words says little."""
    size = min(_TELLING_WORDS, len(content_words(row.text))) if topic.is_empty else 1
    return topic.weight(row.text), size * row.confidence


def _whole_sentence(run: Sequence[Observation], at: int) -> list[Observation]:
    """The row at `at` with the rows before and after it that belong to its sentence, as far as the limit allows."""
    first = last = at
    length = len(run[at].text)
    if run[at].track != SPEECH:
        return [run[at]]
    while first > 0 and not run[first - 1].text.rstrip().endswith(_SENTENCE_ENDS):
        length += len(run[first - 1].text) + 1
        if length > QUOTE_LIMIT:
            break
        first -= 1
    while last + 1 < len(run) and not run[last].text.rstrip().endswith(_SENTENCE_ENDS):
        length += len(run[last + 1].text) + 1
        if length > QUOTE_LIMIT:
            break
        last += 1
    return list(run[first : last + 1])


def _run_around(best: Observation, rows: Sequence[Observation], every: Sequence[Observation]) -> list[Observation]:
    """The rows around the best that stand next to each other among `every` row of its track: those that tell most of a
    chapter lie apart, and make no sentence."""
    stream = [row for row in every if row.language == best.language]
    own, at = {row.id for row in rows}, stream.index(best)
    first = last = at
    while first > 0 and stream[first - 1].id in own:
        first -= 1
    while last + 1 < len(stream) and stream[last + 1].id in own:
        last += 1
    return stream[first : last + 1]


def _best_part(text: str, topic: Topic) -> str:
    """The sentences around the most telling one that fit the limit; a longer sentence is cut at a word."""
    parts = sentences(text)
    best = max(range(len(parts)), key=lambda index: (topic.weight(parts[index]), -index))
    if len(parts[best]) > QUOTE_LIMIT:
        return _cut(parts[best], topic)
    first = last = best
    while last + 1 < len(parts) and len(" ".join(parts[first : last + 2])) <= QUOTE_LIMIT:
        last += 1
    return " ".join(parts[first : last + 1])


def _cut(text: str, topic: Topic) -> str:
    """At most QUOTE_LIMIT characters of `text` from a word's start to a word's end, where the topic is densest."""
    pieces = text.split(" ")
    best, best_weight = "", -1.0
    for first in range(len(pieces)):
        end, length = first, -1
        while end < len(pieces) and length + 1 + len(pieces[end]) <= QUOTE_LIMIT:
            length += 1 + len(pieces[end])
            end += 1
        window = " ".join(pieces[first:end])
        weight = topic.weight(window)
        if weight > best_weight:
            best, best_weight = window, weight
        if end == len(pieces):
            break
    return best or text[:QUOTE_LIMIT]
