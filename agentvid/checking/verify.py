"""The whole check of a draft: rules first, then a second reader and probes, which may only take away.

`standard`: the rules of `agentvid.answer`; with a chat model each statement in own words is read again by it.
`strict`: also the paired probe, by rules and by the model, and with a model a prediction with its explanation and a
blind answer. What strict asked for and could not be done is said in the notes, which join the coverage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from agentvid.answer import Checked, Rejected, check_answer, open_again, own_words
from agentvid.checking.conflicts import find_conflicts
from agentvid.checking.counterparts import better_question, better_twin, opposite
from agentvid.checking.numbers import numbers_in
from agentvid.checking.rules import Reading, squeeze, stated_words
from agentvid.checking.second_reader import Opinion, Prediction, SecondReader
from agentvid.checking.statements import statements_of
from agentvid.composers.base import Draft
from agentvid.errors import ModelError
from agentvid.models.base import ChatModel, Embedder
from agentvid.tools.base import ToolContext
from agentvid.tools.rows import rows_at
from agentvid.types import Claim, Usage, Verdict
from agentvid.words import stem, words

#: A model's own answer from the same rows that differs leaves this part of the confidence.
DOUBT = 0.5
#: A blind answer is the same if it has this part of what a claim states and the question does not.
SAME_WORDS = 0.6


@dataclass(frozen=True, slots=True)
class Verification:
    """`checked` is what may be published; `trust` (0 to 1) is a factor of its confidence."""

    checked: Checked
    trust: float = 1.0
    notes: tuple[str, ...] = ()
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True)
class _Statement:
    """A statement in own words: of which claim, and with what it was read again."""

    claim: int
    text: str
    own: str
    readings: tuple[Reading, ...]


def verify(
    draft: Draft,
    *,
    question: str,
    choices: Sequence[str],
    context: ToolContext,
    embedder: Embedder | None = None,
    chat: ChatModel | None = None,
    is_strict: bool = False,
) -> Verification:
    """Check a draft; a model that fails costs its part of the check, never the answer."""
    asked = " ".join([question, *choices])
    checked = check_answer(draft, question=asked, context=context, embedder=embedder)
    if not checked.claims:
        return Verification(checked)
    notes: list[str] = []
    trust, usage = 1.0, Usage()
    if is_strict:
        checked = _probed(checked, question, context)
    if chat is not None:
        reader = SecondReader(chat)
        try:
            checked = _read_again(checked, draft, context, reader, is_strict)
            if is_strict and checked.claims:
                trust, notes = _second_answer(checked, draft, question, choices, context, reader)
        except ModelError as error:
            notes.append(f"checking: {error}; claims were checked by rules alone")
        usage = reader.usage
    elif is_strict:
        notes.append(
            "checking: predicting the answer anew and the blind check need an LLM: add --model provider:name; "
            "the paired probe was made by rules"
        )
    return Verification(_with_conflicts(checked, context), trust, tuple(notes), usage)


def _opened(checked: Checked, context: ToolContext) -> Mapping[str, Reading]:
    return {
        item.id: Reading.of(item, rows_at(context, item.video_id, item.span, item.track)) for item in checked.evidence
    }


def _statements(checked: Checked, context: ToolContext) -> list[_Statement]:
    """What the claims say in words of their own; quotes alone are true by being there."""
    readings, found = _opened(checked, context), []
    for number, claim in enumerate(checked.claims):
        cited = tuple(readings[name] for name in claim.evidence)
        for text in statements_of(claim.text):
            if stated_words(own := own_words(text, cited)):
                found.append(_Statement(number, text, own, cited))
    return found


def _without(checked: Checked, dropped: Mapping[int, tuple[Verdict, str]]) -> Checked:
    """Without the claims at these places, and without evidence that nothing cites any more unless nothing is left."""
    claims = tuple(claim for number, claim in enumerate(checked.claims) if number not in dropped)
    cited = {name for claim in claims for name in claim.evidence}
    evidence = tuple(item for item in checked.evidence if not claims or item.id in cited)
    rejected = [Rejected(checked.claims[number].text, *why) for number, why in sorted(dropped.items())]
    return Checked(claims, evidence, (*checked.rejected, *rejected))


def _probed(checked: Checked, question: str, context: ToolContext) -> Checked:
    """The paired probe by rules: of statements in own words, and of the question where a claim only quotes."""
    dropped: dict[int, tuple[Verdict, str]] = {}
    stated = _statements(checked, context)
    for statement in stated:
        units = [unit for reading in statement.readings for unit in reading.units]
        if twin := better_twin(statement.own, units):
            dropped[statement.claim] = "unsupported", f"its evidence shows as well: {twin[:160]}"
    speaking = {statement.claim for statement in stated}
    readings = _opened(checked, context)
    for number, claim in enumerate(checked.claims):
        units = [unit for name in claim.evidence for unit in readings[name].quoted]
        if number not in speaking and (twin := better_question(question, units)):
            dropped[number] = "contradicted", f"its evidence answers another question: {twin[:160]}"
    return _without(checked, dropped)


def _read_again(checked: Checked, draft: Draft, context: ToolContext, reader: SecondReader, is_strict: bool) -> Checked:
    """What the model denies or does not find shown, by words of the rows, is dropped; nothing is ever added.

    Raises ModelError.
    """
    statements = [one for one in _statements(checked, context) if not _is_computed(one, draft)]
    if not statements:
        return checked
    readings = list({reading.evidence.id: reading for one in statements for reading in one.readings}.values())
    opinions = reader.entail([one.text for one in statements], readings)
    dropped = {statements[number].claim: why for number, one in opinions.items() if (why := _lowered(one))}
    if is_strict:
        twins = reader.entail([opposite(one.text) for one in statements], readings)
        for number, opinion in twins.items():
            if opinion.verdict == "yes":
                reason = f"{reader.name} finds the opposite shown as well, by “{opinion.quote[:120]}”"
                dropped.setdefault(statements[number].claim, ("unsupported", reason))
    return _without(checked, dropped)


def _is_computed(statement: _Statement, draft: Draft) -> bool:
    """True if it states a number that the program computed: no row can show it."""
    read = {number for reading in statement.readings for unit in reading.units for number in unit.numbers}
    return bool((numbers_in(statement.own) - read) & {float(number) for number in draft.numbers})


def _lowered(opinion: Opinion) -> tuple[Verdict, str] | None:
    if opinion.verdict == "no":
        return "contradicted", f"read again, “{opinion.quote[:120]}” speaks against it"
    if opinion.verdict == "unknown":
        return "unsupported", f"read again, not even “{opinion.quote[:120]}” shows it"
    return None


def _second_answer(
    checked: Checked,
    draft: Draft,
    question: str,
    choices: Sequence[str],
    context: ToolContext,
    reader: SecondReader,
) -> tuple[float, list[str]]:
    """Predict, explain, check; then answer blindly. What is left of the confidence, and what the user must know.

    Raises ModelError.
    """
    # From everything that was found, not only from what the claims chose to cite.
    predicted = reader.predict(question, choices, list(open_again(draft.evidence, context)[0].values()))
    blind = reader.blind(question, choices)
    notes = []
    if blind.answer and _is_same(blind, checked.claims, draft.choice, question):
        notes.append(f"blind check: {reader.name} gives the same answer without looking at any video")
    if not predicted.quotes:
        notes.append(f"checking: {reader.name} explained no answer of its own by words of the evidence")
        return 1.0, notes
    if draft.choice and predicted.choice and predicted.choice != draft.choice:
        notes.append(f"checking: asked anew, {reader.name} chooses “{predicted.choice}” from the same evidence")
        return DOUBT, notes
    if not any(_bears(predicted, item.quote) for item in checked.evidence):
        notes.append(f"checking: asked anew, {reader.name} explains its answer by other words: “{predicted.quotes[0]}”")
        return DOUBT, notes
    return 1.0, notes


def _bears(predicted: Prediction, quote: str) -> bool:
    """True if the model explains its answer by words of this quote."""
    return any(found in squeeze(quote) or squeeze(quote) in found for found in predicted.quotes)


def _is_same(blind: Prediction, claims: Sequence[Claim], choice: str | None, question: str) -> bool:
    if choice:
        return blind.choice == choice
    asked = {stem(word) for word in words(question)}
    said = {stem(word) for word in words(blind.answer)}
    for claim in claims:
        telling = {stem(word) for word in stated_words(claim.text)} - asked
        if telling and len(telling & said) >= SAME_WORDS * len(telling):
            return True
    return False


def _with_conflicts(checked: Checked, context: ToolContext) -> Checked:
    """With a claim for every disagreement of tracks in the seconds cited."""
    cited = {name for claim in checked.claims for name in claim.evidence}
    conflicts = find_conflicts([item for item in checked.evidence if item.id in cited], context)
    if not conflicts:
        return checked
    evidence = {item.id: item for item in checked.evidence} | {one.other.id: one.other for one in conflicts}
    claims = (*checked.claims, *(conflict.claim for conflict in conflicts))
    return replace(checked, claims=claims, evidence=tuple(evidence.values()))
