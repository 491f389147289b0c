"""Does the evidence say what a statement says? Rules of words, numbers, names and negation, and similarity of meaning.

They read the rows of the catalogue under the cited span, not the composer's memory of them, and tell which rows bear
the statement out. Nothing here calls a language model.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from agentvid.checking.numbers import CLOCK, NUMBER_WORDS, numbers_in
from agentvid.models.base import Embedder
from agentvid.text import parse_timestamp
from agentvid.types import Evidence, Observation, Verdict
from agentvid.words import FUNCTION_WORDS, NEGATIONS, sentences, stem, words

#: A statement is supported if its evidence shares this part of its words, or its meaning by this cosine.
MIN_SHARED_WORDS = 0.6
MIN_COSINE = 0.6
#: What bears a statement out stands in at most so many neighbouring sentences.
MAX_RUN = 6
#: Words of our own sentence forms: they say where and how something was found, not what.
FORM_WORDS = frozenset(
    stem(word)
    for word in """after all answer appear appears at before best between caption captions chapter comes count cut cuts
    disagree during earlier ends evidence fact facts first fits found frame frames from hour hours in last lasts later
    length less long longer longest match matches mention mentioned mentions minute minutes moment
    moments more name names nearest negation next no none nothing number occurrence occurrences ocr of on on-screen
    once only option order said same say says scene screen second seconds shortest show shown shows sound
    sounds speech starting starts summary text then third time times together total track tracks twice until
    video videos visible while yes""".split()
)

#: A word with a capital and the one after it; each may end one pair and begin the next.
_CAPITAL = re.compile(r"(?<!\w)([A-Z][\w'’-]*)(?=\W+([\w'’]+))")

#: Rows of one piece of evidence, from the first to the last, both counted.
Rows = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Unit:
    """One sentence of one row, as the rules see it."""

    row: int
    text: str
    stems: frozenset[str]
    numbers: frozenset[float]
    is_negated: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """One piece of evidence, opened again: the rows of its track under its span, in time order."""

    evidence: Evidence
    rows: tuple[Observation, ...]
    units: tuple[Unit, ...]

    @classmethod
    def of(cls, evidence: Evidence, rows: Sequence[Observation]) -> Reading:
        units = [_unit(number, text) for number, row in enumerate(rows) for text in sentences(row.text) or [row.text]]
        return cls(evidence, tuple(rows), tuple(units))

    @property
    def text(self) -> str:
        """The words of all rows, single spaces."""
        return squeeze(" ".join(row.text for row in self.rows))

    @property
    def quoted(self) -> list[Unit]:
        """The units of the rows that hold the quote."""
        first, last = self.rows_of_quote()
        return [unit for unit in self.units if first <= unit.row <= last]

    def rows_of_quote(self) -> Rows:
        """The fewest neighbouring rows whose words hold the quote; all rows, if it is not among them."""
        texts, wanted = [squeeze(row.text) for row in self.rows], squeeze(self.evidence.quote)
        for length in range(1, len(texts) + 1):
            for first in range(len(texts) - length + 1):
                if wanted in " ".join(texts[first : first + length]):
                    return first, first + length - 1
        return 0, len(texts) - 1


@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict with its reason; `support`: by evidence id the rows that bear a statement's own words out."""

    verdict: Verdict
    reason: str = ""
    support: Mapping[str, Rows] = field(default_factory=dict)


def judge_statement(
    own: str, readings: Sequence[Reading], question: str, numbers: Sequence[float], embedder: Embedder | None
) -> Finding:
    """The verdict on what a statement says in its own words, quotes taken out; from the strictest rule to the softest.

    `numbers` were computed by the program.
    """
    if fault := _time_fault(own, readings):
        return Finding("contradicted", fault)
    own = re.sub(r"^\s*(?:yes|no)\b[\s,:.]*", "", own, flags=re.IGNORECASE)
    stated = stated_words(own)
    said = numbers_in(own)
    runs = {reading.evidence.id: _best_run(stated, said, reading) for reading in readings}
    support = {name: (units[0].row, units[-1].row) for name, units in runs.items() if units and stated}
    # Where no word is shared, the meaning may be: that of what was quoted.
    read = [unit for units in runs.values() for unit in units] or [unit for r in readings for unit in r.quoted]
    return (
        _number_fault(said, read, question, numbers, len(readings))
        or _word_fault(own, stated, read, question, embedder)
        or Finding("supported", support=support)
    )


def squeeze(text: str) -> str:
    """`text` with single spaces."""
    return " ".join(text.split())


def stated_words(own: str) -> list[str]:
    """Folded words that state something: no function words, none of our sentence forms, no numbers."""
    return [
        word
        for word in words(CLOCK.sub(" ", own))
        if word not in FUNCTION_WORDS
        and stem(word) not in FORM_WORDS
        and word not in NUMBER_WORDS
        and not word[0].isdigit()
    ]


def is_negated(text: str) -> bool:
    return not NEGATIONS.isdisjoint(words(text))


def names_in(text: str) -> list[str]:
    """Folded words written with a capital inside a sentence: people, places, products."""
    found = re.findall(r"(?<=[^\W_A-Z] |[,;] )([A-Z][\w'’-]+)", text)
    return [part for name in found for part in words(name) if is_telling(part)]


def is_telling(word: str) -> bool:
    """True for a folded word that says what, not how or where it was found."""
    return word not in FUNCTION_WORDS and stem(word) not in FORM_WORDS


def _unit(row: int, text: str) -> Unit:
    found = words(text)
    return Unit(
        row,
        text,
        frozenset(map(stem, found)),
        frozenset(numbers_in(text)),
        not NEGATIONS.isdisjoint(found),
    )


def _best_run(stated: Sequence[str], said: Iterable[float], reading: Reading) -> Sequence[Unit]:
    """The shortest of the runs of units that share most with a statement; empty if none shares a word or a number."""
    wanted, numbers = {stem(word) for word in stated}, set(said)
    hits = [(wanted & unit.stems, numbers & unit.numbers) for unit in reading.units]
    best, best_key = (0, 0), (0, 0)
    for first, hit in enumerate(hits):
        if not any(hit):
            continue
        seen: set[str] = set()
        counted: set[float] = set()
        for last in range(first, min(first + MAX_RUN, len(hits))):
            seen, counted = seen | hits[last][0], counted | hits[last][1]
            key = (len(seen) + len(counted), first - last)
            if key > best_key:
                best, best_key = (first, last + 1), key
    return reading.units[best[0] : best[1]]


def _time_fault(own: str, readings: Sequence[Reading]) -> str:
    """Every M:SS must be the start or end of a cited span, cut to whole seconds or tenths, or lie in it."""
    spans = [reading.evidence.span for reading in readings]
    for match in CLOCK.finditer(own):
        seconds = parse_timestamp(match.group())
        # Tenths are cut outwards, whole seconds down.
        slack = 0.1 if "." in match.group() else 0.0
        bounds = [(span.start_seconds - slack, span.end_seconds + slack) for span in spans]
        if not any(
            (start if slack else int(start)) <= seconds <= (end if slack else int(end)) for start, end in bounds
        ):
            return f"its evidence is not at {match.group()}"
    return ""


def _number_fault(
    said: set[float], read: Sequence[Unit], question: str, numbers: Sequence[float], cited: int
) -> Finding | None:
    """A number must have been read, asked or computed; times are judged apart."""
    seen = {number for unit in read for number in unit.numbers}
    known = seen | numbers_in(question) | {round(n, 3) for n in numbers} | {round(n, 1) for n in numbers}
    known |= {float(round(n)) for n in numbers} | {float(cited)}
    for number in sorted(said - known):
        kind: Verdict = "contradicted" if seen else "unsupported"
        return Finding(kind, f"the number {number:g} was neither read nor computed")
    return None


def _word_fault(
    own: str, stated: Sequence[str], read: Sequence[Unit], question: str, embedder: Embedder | None
) -> Finding | None:
    """What a statement says in its own words must be in its evidence or mean the same."""
    if not stated:
        return None
    wanted = {stem(word) for word in stated}
    most = max((len(wanted & unit.stems) for unit in read), default=0)
    # The sentence that says most of it decides: its neighbours may deny something else.
    bearing = [unit for unit in read if len(wanted & unit.stems) == most]
    if bearing and all(unit.is_negated != is_negated(own) for unit in bearing):
        return Finding("contradicted", "it negates what its evidence states, or the other way round")
    known = {name for unit in read for name in unit.stems}
    asked = {stem(word) for word in words(question)}
    strange = [word for word in [*names_in(own), *_subject(own, bearing)] if stem(word) not in known | asked]
    if strange:
        return Finding("unsupported", f"its evidence does not name {strange[0]}")
    # A claim that only repeats the question says nothing that the evidence could support.
    shared = sum(stem(word) in known for word in stated) / len(stated)
    if shared >= MIN_SHARED_WORDS or (shared > 0 and all(stem(word) in known | asked for word in stated)):
        return None
    if embedder is not None and read:
        vectors = embedder.encode_document([own, " ".join(unit.text for unit in read)])
        if float(vectors[0] @ vectors[1]) >= MIN_COSINE:
            return None
    return Finding("unsupported", "its words are not in its evidence")


def _subject(own: str, bearing: Sequence[Unit]) -> list[str]:
    """The word that begins a statement, where the evidence has another one with a capital and goes on the same.

    "Marta waters the field" and "Today Pedro waters the field": at a sentence's start any word has a capital.
    """
    found = words(own)[:2]
    if len(found) < 2 or not is_telling(found[0]) or not re.match(r"\W*[A-Z]", own):
        return []
    rest = {stem(word) for word in stated_words(own)[1:]}
    for unit in bearing:
        pairs = [[*words(name), *words(after)] for name, after in _CAPITAL.findall(unit.text)]
        if rest <= unit.stems and any(pair[1:] == found[1:] and is_telling(pair[0]) for pair in pairs if pair):
            return found[:1]
    return []
