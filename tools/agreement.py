"""Whether texts show a statement, by their words alone: strict, so that "yes" and "no" can be relied upon."""

from __future__ import annotations

import re
from collections.abc import Iterable, Set
from typing import Literal

from agentvid.tools.words import contains_phrase, quoted_phrases
from agentvid.words import NEGATIONS, content_words, sentences, stem, topic_words, words

Agreement = Literal["yes", "no", "unknown"]

_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
#: "One" is seldom meant as a number.
_IN_WORDS = {word: str(number) for number, word in enumerate(_NUMBERS) if number != 1}

#: What one clause denies, another may state: "I don't know, but the door is open".
_CLAUSE = re.compile(r"[,;:]|\b(?:and|but|because|although|though|while|so)\b", re.IGNORECASE)
#: A negation reaches over so many words: "no sign of any door".
_REACH = 4
_CLOSING = " \"'”’)]"


def agreements(statement: str, texts: Iterable[str]) -> list[Agreement]:
    """What each sentence of some texts makes of a statement, or of a question that yes or no would answer.

    Only a sentence that has all its quoted phrases and all its content words but numbers says anything, and no question
    does: "no" if just one of the two is negated, or if the sentence has numbers and not those of the statement;
    "unknown" if it has none; else "yes". Of two neighbours that say nothing each, what they say together counts:
    sentences run over rows.
    """
    parts = [part for text in texts for part in sentences(text)]
    found = [_agreement(statement, part) for part in parts]
    silent = [
        at for at in range(len(parts) - 1) if found[at] == found[at + 1] == "unknown" and not is_question(parts[at])
    ]
    return [*found, *(_agreement(statement, f"{parts[at]} {parts[at + 1]}") for at in silent)]


def agreed(found: Iterable[Agreement]) -> Agreement:
    """ "yes" or "no" if that is what all say that say anything."""
    said = set(found) - {"unknown"}
    return said.pop() if len(said) == 1 else "unknown"


def _agreement(statement: str, text: str) -> Agreement:
    asked, held = _counted(statement), _counted(text)
    wanted = [word for word in topic_words([statement]) if word not in _IN_WORDS and not word.isdecimal()]
    if not (wanted or asked) or not set(wanted) <= set(content_words(text)) or is_question(text):
        return "unknown"
    if not all(contains_phrase(text, phrase) for phrase in quoted_phrases(statement)):
        return "unknown"
    if not asked <= held:
        return "no" if wanted and held else "unknown"
    is_denied = any(_is_denied(clause, set(wanted)) for clause in _CLAUSE.split(text))
    return "yes" if _is_negated(statement) == is_denied else "no"


def is_question(sentence: str) -> bool:
    """True for what is asked, and so neither said nor denied."""
    return sentence.rstrip(_CLOSING).endswith(("?", "？"))


def _counted(text: str) -> set[str]:
    """The whole numbers of a text, in digits or, up to twelve, in words."""
    return {_IN_WORDS.get(word, word) for word in words(text) if word in _IN_WORDS or word.isdecimal()}


def _is_negated(text: str) -> bool:
    return bool(NEGATIONS & set(words(text)))


def _is_denied(clause: str, wanted: Set[str]) -> bool:
    """True if a negation stands among the wanted stems of a clause or shortly before them."""
    found = words(clause)
    places = [at for at, word in enumerate(found) if stem(word) in wanted]
    return bool(places) and not NEGATIONS.isdisjoint(found[max(0, places[0] - _REACH) : places[-1] + 1])
