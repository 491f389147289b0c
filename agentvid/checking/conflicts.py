"""Tracks that contradict each other in the same seconds: both sides are shown, whichever the answer took.

Subtitles, screen and captions come from different hands. Two of their sentences contradict each other if they tell of
the same thing and differ in a number with the same unit, in a name, or in that one denies it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise

from agentvid.checking.numbers import numbers_in
from agentvid.checking.rules import Reading, Unit, is_telling
from agentvid.text import time_range
from agentvid.tools.base import ToolContext
from agentvid.tools.intervals import hull
from agentvid.tools.rows import rows_at, to_moment
from agentvid.types import FACT, Claim, Evidence, Moment
from agentvid.words import stem, words

MAX_SHOWN = 3
#: Two sentences tell of the same thing if they share so many telling words and this part of the shorter one's.
MIN_SHARED, MIN_SHARE = 2, 0.5
#: A negation says less about what it denies: more must agree.
MIN_SHARED_NEGATED, MIN_SHARE_NEGATED = 3, 0.75


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two pieces of evidence for the same seconds and what they disagree on: "number", "name" or "negation"."""

    one: Evidence
    other: Evidence
    what: str

    @property
    def claim(self) -> Claim:
        sides = "; ".join(_side(item) for item in (self.one, self.other))
        return Claim(f"The tracks disagree on a {self.what}: {sides}", (self.one.id, self.other.id))


def find_conflicts(cited: Sequence[Evidence], context: ToolContext) -> list[Conflict]:
    """At most three conflicts of cited evidence with other tracks of its video; new evidence is recorded as read."""
    numbers = (int(item.id[1:]) for item in cited if item.id[1:].isdecimal())
    number = max(numbers, default=0)
    found: list[Conflict] = []
    for item in cited:
        for moment, what in _against(item, context):
            known = next((one for one in (*cited, *(c.other for c in found)) if _is_same(one, moment)), None)
            if known is None:
                number += 1
                known = Evidence(
                    f"e{number}", item.video, item.video_id, moment.span, moment.track, moment.text, item.score
                )
                context.ledger.record([moment])
            if len(found) < MAX_SHOWN and not any({c.one.id, c.other.id} == {item.id, known.id} for c in found):
                found.append(Conflict(item, known, what))
    return found


def _against(item: Evidence, context: ToolContext) -> Iterator[tuple[Moment, str]]:
    """Rows of other tracks in the same seconds that contradict the quote."""
    rows = rows_at(context, item.video_id, item.span)
    own = Reading.of(item, [row for row in rows if row.track == item.track]).quoted
    quoted = [unit for unit in own if unit.text in item.quote or item.quote in unit.text] or own
    for row in rows:
        if row.track in (item.track, FACT):
            continue
        units = Reading.of(item, [row]).units
        what = next((what for one in quoted for other in units if (what := contradiction(one, other))), "")
        if what:
            span = hull([row.span]).intersection(context.scope[item.video_id].span)
            if span is not None:
                yield to_moment(item.video_id, [row]), what


def contradiction(one: Unit, other: Unit) -> str:
    """What two sentences disagree on, "" if they do not contradict each other."""
    mine, theirs = _telling(one.text), _telling(other.text)
    shared, least = len(set(mine) & set(theirs)), min(len(set(mine)), len(set(theirs)))
    if shared >= MIN_SHARED_NEGATED and shared >= MIN_SHARE_NEGATED * least and one.is_negated != other.is_negated:
        return "negation"
    if shared < MIN_SHARED or shared < MIN_SHARE * least:
        return ""
    if any(not counts & _counts(other.text).get(unit, counts) for unit, counts in _counts(one.text).items()):
        return "number"
    return "name" if _other_name(one.text, other.text) else ""


def _telling(text: str) -> list[str]:
    return [stem(word) for word in words(text) if is_telling(word) and not word[0].isdigit()]


def _counts(text: str) -> dict[str, set[float]]:
    """By unit, the word after a number, the numbers that stand before it."""
    tokens = words(text)
    found: dict[str, set[float]] = {}
    for word, after in pairwise(tokens):
        if numbers := numbers_in(word):
            found.setdefault(stem(after), set()).update(numbers)
    return found


def _other_name(one: str, other: str) -> bool:
    """True if, between the same words, one text has a name with a capital where the other has another one."""
    mine, theirs = re.findall(r"[\w'’-]+", one), re.findall(r"[\w'’-]+", other)
    matcher = SequenceMatcher(None, [w.casefold() for w in mine], [w.casefold() for w in theirs], autojunk=False)
    for kind, start, end, there, until in matcher.get_opcodes():
        if kind != "replace" or end - start != 1 or until - there != 1 or end == len(mine) or until == len(theirs):
            continue
        pair = (mine[start], theirs[there])
        if all(word[0].isupper() and not word.isupper() and is_telling(word.casefold()) for word in pair):
            return True
    return False


def _is_same(item: Evidence, moment: Moment) -> bool:
    is_place = (item.video_id, item.track) == (moment.video_id, moment.track) and item.span.overlaps(moment.span)
    return is_place and (item.quote in moment.text or moment.text in item.quote)


def _side(item: Evidence) -> str:
    place = time_range(item.span.start_seconds, item.span.end_seconds)
    return f"at {place} {item.track} says “{item.quote}”"
