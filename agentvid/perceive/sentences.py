"""Where sentences end: in a line of text, and as spans over rows of the track `speech`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from agentvid.types import SPEECH, Observation, Span

#: A silence this long ends a sentence that has no full stop.
PAUSE_SECONDS = 1.5
#: Speech without punctuation is cut at a row's end after this long.
LONGEST_SENTENCE_SECONDS = 15.0

_SENTENCE_END = re.compile(r"[.?!…؟۔।]+[\"'”’»)\]]*(?=\s|$)|[。！？]+[」』”’）]*")
_ABBREVIATION = re.compile(r"(?:^|[\s(])(?:[A-HJ-Z]|[A-Za-z](?:\.[A-Za-z])+|Mr|Mrs|Ms|Dr|St|Prof|vs|etc|No|Fig|Eq)\.$")


def ends_sentence(text: str) -> bool:
    """Whether `text` ends with the end of a sentence."""
    ends = _ends(text.rstrip())
    return bool(ends) and ends[-1] == len(text.rstrip())


def sentences(observations: Sequence[Observation]) -> list[Span]:
    """Spans of sentences, in order, without overlap, from the source of `speech` that has most text.

    A sentence ends at its punctuation, at a pause of 1.5 s, and at the end of a cue after 15 s. Inside a cue, time is
    shared out by characters.
    """
    volume: Counter[tuple[str, str]] = Counter()
    for observation in observations:
        if observation.track == SPEECH:
            volume[_voice(observation)] += len(observation.text)
    if not volume:
        return []
    chosen = max(volume, key=lambda voice: (volume[voice], voice))
    lines = sorted(
        (row for row in observations if row.track == SPEECH and _voice(row) == chosen), key=lambda row: row.span
    )
    return list(_sentence_spans(lines))


def _voice(observation: Observation) -> tuple[str, str]:
    return observation.language, observation.provenance.input_hash


def _sentence_spans(lines: Sequence[Observation]) -> Iterator[Span]:
    begin = end = lines[0].span.start_seconds
    for line in lines:
        if line.span.start_seconds - end > PAUSE_SECONDS:
            if begin < end:
                yield Span(begin, end)
            begin = line.span.start_seconds
        # An overlapping cue may not turn time back.
        start = max(line.span.start_seconds, end)
        if line.span.end_seconds <= start:
            continue
        for position in _ends(line.text):
            cut = start + (line.span.end_seconds - start) * position / len(line.text)
            if begin < cut:
                yield Span(begin, cut)
            begin = cut
        end = line.span.end_seconds
        if end - begin > LONGEST_SENTENCE_SECONDS:
            yield Span(begin, end)
            begin = end
    if begin < end:
        yield Span(begin, end)


def _ends(text: str) -> list[int]:
    """Positions just behind each sentence end in `text`."""
    ends = []
    for match in _SENTENCE_END.finditer(text):
        following = text[match.end() :].lstrip()[:1]
        is_dot = match[0] == "."
        if is_dot and (following.islower() or _ABBREVIATION.search(text[max(0, match.start() - 12) : match.end()])):
            continue
        ends.append(match.end())
    return ends
