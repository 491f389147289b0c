"""Claims cut into single statements, each of which must hold by itself."""

from __future__ import annotations

import re
from collections.abc import Callable

from agentvid.words import FUNCTION_WORDS, words

#: A part joined by a bare "and" is a statement of its own if it says so much; "red and blue light" is not two.
MIN_JOINED_WORDS = 3
_QUOTED = re.compile(r'"[^"]*"|“[^”]*”')
_SENTENCE_END = re.compile(r"(?<=[.!?…。！？])\s+(?=\S)")
_CLAUSE = re.compile(r"\s*;\s+|,\s+(?=(?:and|but|while|whereas|although|though|yet)\b)", re.IGNORECASE)
_JOINED = re.compile(r"\s+(?=(?:and|but)\s)", re.IGNORECASE)
_CONNECTIVE = re.compile(r"^(?:and|but|while|whereas|although|though|yet)\s+", re.IGNORECASE)
#: Stands for a quote while a text is cut; no clean text holds private characters.
_MASK = "\ue000{}\ue001"


def sentences_of(text: str) -> list[str]:
    """The sentences of a claim; what stands in quotes is never cut."""
    return _cut(text, lambda masked: _SENTENCE_END.split(masked))


def statements_of(text: str) -> list[str]:
    """The single statements of a claim: its sentences, their clauses, and long parts joined by "and" or "but"."""
    return _cut(text, _statements)


def _statements(masked: str) -> list[str]:
    clauses = [clause for sentence in _SENTENCE_END.split(masked) for clause in _CLAUSE.split(sentence)]
    return [_CONNECTIVE.sub("", part) for clause in clauses for part in _joined(clause)]


def _joined(clause: str) -> list[str]:
    """Cut at a bare "and" or "but" wherever both sides say enough."""
    first, *rest = _JOINED.split(clause)
    parts = [first]
    for part in rest:
        if min(_content(parts[-1]), _content(part)) >= MIN_JOINED_WORDS:
            parts.append(part)
        else:
            parts[-1] = f"{parts[-1]} {part}"
    return parts


def _content(text: str) -> int:
    return sum(word not in FUNCTION_WORDS for word in words(text))


def _cut(text: str, cutter: Callable[[str], list[str]]) -> list[str]:
    quotes = [match.group() for match in _QUOTED.finditer(text)]
    numbers = iter(range(len(quotes)))
    masked = _QUOTED.sub(lambda _: _MASK.format(next(numbers)), text)
    parts = []
    for part in cutter(masked):
        for number, quoted in enumerate(quotes):
            part = part.replace(_MASK.format(number), quoted)
        if part.strip():
            parts.append(part.strip())
    return parts
