"""`score_options`: how well each option of a multiple choice is supported by evidence of its own.

Every option is searched with the question and alone, as Goldfish (Ataallah et al. 2024) puts the options into the
query; then what all options share is taken away, so that only what tells them apart decides.
"""

from __future__ import annotations

from collections.abc import Sequence

from agentvid.errors import ToolError
from agentvid.tools.base import ToolContext
from agentvid.tools.scope import filled, where
from agentvid.types import Moment
from agentvid.words import content_words

MAX_OPTIONS = 20
_DEPTH = 8
#: Weights of the signals, each between 0 and 1; chosen by hand, alike on PororoQA and NExT-QA (random: 0.20).
_TOGETHER, _ALONE, _OWN_WORDS, _SHARED_PLACE = 1.0, 0.5, 0.4, 0.6


def score_options(
    context: ToolContext,
    *,
    question: str,
    options: list[str],
    video: str | None = None,
    within: Moment | None = None,
) -> list[float]:
    """One number per option, in their order: how much better its evidence is than the other options'; sums to 0.

    Args:
        question: the question without its options
        options: 2 to 20 texts
        video: id, title or file name; without it all videos of the question
        within: only evidence that overlaps this moment

    Raises:
        ToolError: an argument is not allowed, or lies outside of the question's scope.
    """
    if not 2 <= len(options) <= MAX_OPTIONS:
        raise ToolError(f"{len(options)} options are not allowed; allowed: 2 to {MAX_OPTIONS}")
    place = where(context, video=video, within=within)
    asked = context.retriever.search(filled("question", question), k=_DEPTH, where=place)
    totals = [0.0] * len(options)
    own_words = _own_words(options)
    for position, option in enumerate(options):
        text = filled("option", option)
        together = context.retriever.search(f"{question} {text}", k=_DEPTH, where=place)
        alone = context.retriever.search(text, k=_DEPTH, where=place)
        context.ledger.record([*together, *alone])
        totals[position] = (
            _TOGETHER * _nearest(together)
            + _ALONE * _nearest(alone)
            + _OWN_WORDS * _best_share(own_words[position], [*together, *alone])
            + _SHARED_PLACE * _best_share(own_words[position], asked)
        )
    context.ledger.record(asked)
    mean = sum(totals) / len(totals)
    return [total - mean for total in totals]


def _own_words(options: Sequence[str]) -> list[frozenset[str]]:
    """Per option, its content words that not all options have."""
    found = [frozenset(content_words(option)) for option in options]
    shared = frozenset.intersection(*found)
    return [words - shared for words in found]


def _nearest(moments: Sequence[Moment]) -> float:
    """The best cosine; 0 where no embedding took part."""
    return max((moment.similarity for moment in moments if moment.similarity is not None), default=0.0)


def _best_share(wanted: frozenset[str], moments: Sequence[Moment]) -> float:
    """The largest part of the wanted words that one moment holds; 0 if there is nothing to want."""
    if not wanted:
        return 0.0
    return max((len(wanted & set(content_words(m.text))) / len(wanted) for m in moments), default=0.0)
