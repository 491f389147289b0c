"""What the speech recognisers have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from agentvid.errors import UsageError
from agentvid.models.base import Samples, Word

RATE = 16_000
MOST_SECONDS = 30.0


def needs_samples(samples: Samples) -> None:
    """Raises UsageError for anything but (n,) float32, n at least 1 and at most 30 s."""
    if samples.ndim != 1 or samples.dtype != np.float32 or not 0 < len(samples) <= MOST_SECONDS * RATE:
        raise UsageError(
            f"sound of shape {samples.shape} {samples.dtype}; allowed: 1 to {MOST_SECONDS * RATE:.0f} float32 samples"
        )


def words_of_tokens(tokens: Sequence[str], starts: Sequence[float], end_seconds: float) -> Iterator[Word]:
    """Pieces of words and when each begins -> words; a piece that begins with a space begins a word.

    A word ends where the next one begins, or half a second after its last piece: models of this kind tell no ends.
    """
    groups: list[tuple[float, float, str]] = []
    for token, start in zip(tokens, starts, strict=True):
        piece = token.replace("▁", " ")
        if groups and not piece.startswith(" "):
            begin, _, text = groups[-1]
            groups[-1] = begin, start, text + piece
        else:
            groups.append((start, start, piece))
    for index, (begin, last, text) in enumerate(groups):
        following = groups[index + 1][0] if index + 1 < len(groups) else end_seconds
        end = max(min(following, last + 0.5), begin + 0.01)
        if text.strip():
            yield Word(begin, end, text)


def shared_out(text: str, start_seconds: float, end_seconds: float) -> Iterator[Word]:
    """Words of a text of which only the times of the whole are known: time by characters, as cues are read."""
    parts = text.split()
    total = sum(len(part) + 1 for part in parts)
    begin = start_seconds
    for part in parts:
        end = begin + (end_seconds - start_seconds) * (len(part) + 1) / total
        yield Word(begin, end, f" {part}")
        begin = end


def language_named(name: str) -> str:
    """The code of a language that Whisper tells by its English name; a code stays one."""
    from transformers.models.whisper.tokenization_whisper import TO_LANGUAGE_CODE

    return str(TO_LANGUAGE_CODE.get(name.lower(), name.lower()))
