"""A clock for transcripts that come without times: utterances follow each other at the pace of speech."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate

#: Unhurried English: 150 words a minute.
WORDS_PER_SECOND = 2.5
#: "Yes." and "(nods)" take a moment too.
_SHORTEST_SECONDS = 0.5


def spoken_clock(utterances: Iterable[str]) -> list[float]:
    """The seconds at which each utterance starts, then the end of the last: one time more than utterances."""
    seconds = (max(len(utterance.split()) / WORDS_PER_SECOND, _SHORTEST_SECONDS) for utterance in utterances)
    return [0.0, *accumulate(seconds)]
