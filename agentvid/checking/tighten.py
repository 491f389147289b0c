"""Boundary tightening: evidence shrinks to the rows that bear out the claims which cite it, never beyond its span."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from agentvid.checking.rules import Finding, Reading, Rows, squeeze
from agentvid.tools.intervals import hull
from agentvid.types import Claim

#: Longer words of rows are left to the quote that was cut from them.
MAX_QUOTE_CHARACTERS = 280

Holds = Callable[[Claim, Mapping[str, Reading]], bool]


def tighten(
    claims: Sequence[tuple[Claim, Finding]], readings: Mapping[str, Reading], holds: Holds, whole: Collection[str] = ()
) -> dict[str, Reading]:
    """`readings` with spans and quotes cut to what the claims need; `holds` judges a claim by the evidence given.

    Those that `whole` names stay as they are: their claims are about all of the moment. A cut after which a claim would
    not hold any more, because it states the old times or quotes more, is not made.
    """
    tightened = dict(readings)
    for name, reading in readings.items():
        citing = [(claim, finding) for claim, finding in claims if name in claim.evidence]
        needed = [_rows_needed(claim, finding, reading) for claim, finding in citing]
        if not needed or name in whole:
            continue
        smaller = _cut(reading, (min(first for first, _ in needed), max(last for _, last in needed)))
        trial = {**tightened, name: smaller}
        if smaller.evidence != reading.evidence and all(holds(claim, trial) for claim, _ in citing):
            tightened = trial
    return tightened


def _rows_needed(claim: Claim, finding: Finding, reading: Reading) -> Rows:
    """The rows that hold what a claim says in its own words; those of the quote, if it repeats it or says no words."""
    support = finding.support.get(reading.evidence.id)
    if support is None or reading.evidence.quote in claim.text:
        return reading.rows_of_quote()
    return support


def _cut(reading: Reading, needed: Rows) -> Reading:
    rows = reading.rows[needed[0] : needed[1] + 1]
    evidence = reading.evidence
    span = hull([row.span for row in rows]).intersection(evidence.span) or evidence.span
    held = squeeze(" ".join(row.text for row in rows))
    if squeeze(evidence.quote) in held:
        return Reading.of(replace(evidence, span=span), rows)
    if len(held) > MAX_QUOTE_CHARACTERS:
        return reading
    return Reading.of(replace(evidence, span=span, quote=held), rows)
