"""`score_options`: how well each option of a multiple choice is supported by evidence of its own.

Every option is searched with the question and alone, as Goldfish (Ataallah et al. 2024) puts the options into the
query; then what all options share is taken away, so that only what tells them apart decides. The best few places count,
not the best alone: an option that is right is told more than once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agentvid.errors import ToolError
from agentvid.tools.base import ToolContext
from agentvid.tools.scope import filled, where
from agentvid.types import Moment
from agentvid.words import content_words, rarity

MAX_OPTIONS = 20
_DEPTH = 8
#: So many of the nearest places count.
_PLACES = 3
#: Weights of the signals, each between 0 and 1: a conditional logit over 250 questions each of the dev halves of
#: PororoQA, NExT-GQA and STAR, rounded. Fitted on two of them it answers the third 1 to 2 points better than by hand.
_TOGETHER, _ALONE, _OWN_WORDS, _SHARED_PLACE = 1.0, 0.7, 0.1, 0.1
#: Evidence inside `near` counts so much besides.
_NEAR = 0.7


def score_options(
    context: ToolContext,
    *,
    question: str,
    options: list[str],
    video: str | None = None,
    within: Moment | None = None,
    near: Moment | None = None,
) -> list[float]:
    """One number per option, in their order: how much better its evidence is than the other options'; sums to 0.

    Args:
        question: the question without its options
        options: 2 to 20 texts
        video: id, title or file name; without it all videos of the question
        within: only evidence that overlaps this moment
        near: evidence that overlaps this moment counts twice

    Raises:
        ToolError: an argument is not allowed, or lies outside of the question's scope.
    """
    if not 2 <= len(options) <= MAX_OPTIONS:
        raise ToolError(f"{len(options)} options are not allowed; allowed: 2 to {MAX_OPTIONS}")
    place = where(context, video=video, within=within)
    close = where(context, video=video, within=near) if near is not None else None
    asked = context.retriever.search(filled("question", question), k=_DEPTH, where=place)
    found = []
    for option in options:
        text = filled("option", option)
        together = context.retriever.search(f"{question} {text}", k=_DEPTH, where=place)
        alone = context.retriever.search(text, k=_DEPTH, where=place)
        found.append((together, alone, context.retriever.search(text, k=_DEPTH, where=close) if close else []))
    seen = [*asked, *(moment for lists in found for moments in lists for moment in moments)]
    context.ledger.record(seen)
    own_words = _own_words(options)
    weights = rarity({w for own in own_words for w in own}, [frozenset(content_words(m.text)) for m in seen])
    totals = [
        _TOGETHER * _nearness(together)
        + _ALONE * _nearness(alone)
        + _OWN_WORDS * _best_share(own, [*together, *alone], weights)
        + _SHARED_PLACE * _best_share(own, asked, weights)
        + _NEAR * (_nearness(inside) + _best_share(own, inside, weights)) / 2
        for (together, alone, inside), own in zip(found, own_words, strict=True)
    ]
    mean = sum(totals) / len(totals)
    return [total - mean for total in totals]


def _own_words(options: Sequence[str]) -> list[frozenset[str]]:
    """Per option, its content words that not all options have."""
    found = [frozenset(content_words(option)) for option in options]
    shared = frozenset.intersection(*found)
    return [words - shared for words in found]


def _nearness(moments: Sequence[Moment]) -> float:
    """The mean of the best cosines; 0 where no embedding took part."""
    best = sorted((m.similarity for m in moments if m.similarity is not None), reverse=True)[:_PLACES]
    return sum(best) / len(best) if best else 0.0


def _best_share(wanted: frozenset[str], moments: Sequence[Moment], weights: Mapping[str, float]) -> float:
    """The largest part of the wanted words, by how rare they are, that one moment holds; 0 if none is wanted."""
    total = sum(weights[word] for word in wanted)
    if not total:
        return 0.0
    return max((sum(weights[w] for w in wanted & set(content_words(m.text))) / total for m in moments), default=0.0)
