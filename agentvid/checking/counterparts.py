"""The paired probe without a language model: does the evidence bear out an altered statement just as well?

VideoHallucer (Wang et al., arXiv 2406.16338) asks every question together with a hallucinated twin. Here the twins are
made by rule: another number or name that the evidence holds, two of them exchanged, a strange word replaced by the one
that the evidence has in its place, the opposite. A statement whose twin fits as well is not shown by its evidence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import combinations, pairwise

from agentvid.checking.numbers import numbers_in
from agentvid.checking.rules import Unit, is_negated, is_telling, stated_words
from agentvid.words import FUNCTION_WORDS, stem, words

#: Two words of a statement stand together in a sentence that has at most one telling word between them.
_NEAR = 2
_DIGITS = re.compile(r"\d+(?:[.,]\d+)*")
_CAPITAL = re.compile(r"(?<!\w)[A-Z][\w'’-]*")
_PASSIVE = re.compile(r"\bby\b", re.IGNORECASE)


def better_twin(statement: str, units: Sequence[Unit]) -> str:
    """The first altered form of `statement` that `units` bear out as well or better, "" if there is none."""
    own = _support(statement, units)
    return next((twin for unit in units for twin in _twins(statement, unit) if 0 < own <= _support(twin, units)), "")


def better_question(question: str, units: Sequence[Unit]) -> str:
    """A form of `question` with another number or name that `units` answer better, "" if there is none.

    Quotes that answer "does Marta paint 5 barrels" with "Pedro paints 7 barrels" answer another question.
    """
    own = _support(question, units)
    twins = (twin for unit in units for twin in (*_other_numbers(question, unit), *_other_names(question, unit)))
    return next((twin for twin in twins if 0 < own < _support(twin, units)), "")


def opposite(statement: str) -> str:
    """What a language model is asked beside a statement."""
    return f"It is not true that {statement[:1].lower()}{statement[1:]}"


def _twins(statement: str, unit: Unit) -> Iterator[str]:
    yield from _other_numbers(statement, unit)
    yield from _other_names(statement, unit)
    yield from _exchanged(statement, unit)
    yield from _in_its_place(statement, unit)


def _other_numbers(statement: str, unit: Unit) -> Iterator[str]:
    for match in _DIGITS.finditer(statement):
        for other in dict.fromkeys(_DIGITS.findall(unit.text)):
            if other != match.group():
                yield statement[: match.start()] + other + statement[match.end() :]


def _other_names(statement: str, unit: Unit) -> Iterator[str]:
    names = [name for name in dict.fromkeys(_CAPITAL.findall(unit.text)) if _is_name(name)]
    for match in _CAPITAL.finditer(statement):
        if not _is_name(match.group()):
            continue
        for other in names:
            if stem(words(other)[0]) not in {stem(word) for word in words(statement)}:
                yield statement[: match.start()] + other + statement[match.end() :]


def _is_name(word: str) -> bool:
    return bool(found := words(word)) and is_telling(found[0])


def _exchanged(statement: str, unit: Unit) -> Iterator[str]:
    """Two numbers, or two names, in each other's place; "B was hit by A" says what "A hit B" says."""
    is_turned = bool(_PASSIVE.search(statement)) != bool(_PASSIVE.search(unit.text))
    for pattern in (_DIGITS,) if is_turned else (_DIGITS, _CAPITAL):
        found = [match for match in pattern.finditer(statement) if pattern is _DIGITS or _is_name(match.group())]
        for one, two in combinations(found, 2):
            if one.group() != two.group():
                between = statement[one.end() : two.start()]
                yield f"{statement[: one.start()]}{two.group()}{between}{one.group()}{statement[two.end() :]}"


def _in_its_place(statement: str, unit: Unit) -> Iterator[str]:
    """A word that the evidence does not have, replaced by the one between the same neighbours there."""
    own, read = stated_words(statement), [word for word in words(unit.text) if word not in FUNCTION_WORDS]
    matcher = SequenceMatcher(None, [stem(word) for word in own], [stem(word) for word in read], autojunk=False)
    for kind, start, end, there, until in matcher.get_opcodes():
        is_framed = start > 0 and end < len(own)
        if kind == "replace" and end - start == until - there == 1 and is_framed and stem(own[start]) not in unit.stems:
            yield re.sub(rf"\b{re.escape(own[start])}\b", read[there], statement, count=1, flags=re.IGNORECASE)


def _support(statement: str, units: Sequence[Unit]) -> float:
    """0..1: the share of telling words, and of neighbouring pairs in their order, that one sentence holds; 0 where it
    denies what the statement says."""
    wanted = _tokens(statement)
    if not wanted:
        return 0.0
    return max((_share(wanted, unit) for unit in units if unit.is_negated == is_negated(statement)), default=0.0)


def _share(wanted: Sequence[str], unit: Unit) -> float:
    read = _tokens(unit.text)
    known = set(read)
    single = sum(word in known for word in wanted) / len(wanted)
    near = {(read[at], other) for at in range(len(read)) for other in read[at + 1 : at + 1 + _NEAR]}
    pairs = list(pairwise(wanted))
    return (single + sum(pair in near for pair in pairs) / len(pairs)) / 2 if pairs else single


def _tokens(text: str) -> list[str]:
    """Content words as stems and numbers by value, in order; units like "minutes" tell which number is meant."""
    found = []
    for word in words(text):
        if word[0].isdigit():
            found += [f"{number:g}" for number in numbers_in(word)]
        elif word not in FUNCTION_WORDS:
            found.append(stem(word))
    return found
