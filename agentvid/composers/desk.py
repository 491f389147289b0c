"""The desk of the embedded composer: it numbers evidence as it is quoted, says where it is, and drafts claims of it.

How surely the evidence bears an answer is weighed here, once for all forms of answers, which are in `extractive.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from statistics import fmean

from agentvid.composers.base import ComposeRequest, Draft
from agentvid.composers.examined import Examined, examined
from agentvid.composers.quotes import QUOTE_LIMIT, Topic, belief, confidence, one_run_a_place, probability, quote
from agentvid.text import shown_name, time_range
from agentvid.tools.agreement import agreements, is_question
from agentvid.tools.base import Shortfall
from agentvid.tools.intervals import by_video
from agentvid.tools.missing import unread
from agentvid.tools.read import read
from agentvid.tools.rows import rows_at
from agentvid.tools.search import search
from agentvid.types import CAPTION, FACT, FRAME, LOOK, OCR, SOUND, SPEECH, Claim, Evidence, Moment, Observation, Span
from agentvid.words import sentences, telling_part

#: Below this an answer abstains. Measured with all-MiniLM-L6-v2 on TutorialVQA transcripts and PororoQA descriptions:
#: 160 questions of their own videos: 22 abstained; 160 of other videos: 151 abstained, 4 said "No: nothing".
ABSTAIN_BELOW = 0.42
MAX_NEAREST, MAX_NEXT = 3, 2
#: What follows within so many seconds goes on with what was said.
NEXT_SECONDS = 12.0
#: Rows picked out are no surer summary than this, whatever they say; measured facts tell little of what happens.
SURE_SUMMARY, SURE_BY_FACTS = 0.8, 0.3
#: "The action items": rows that are near to such a question, which names nothing to compare them with.
SURE_BY_NEARNESS = 0.3
#: What is measured has limits below which it is not told.
SURE_OF_NO_FACT = 0.8
#: A track that was not read for everything may have missed what is asked for.
UNSURE_OF_NO_ROW = 0.5
_EVERY_WORD = 0.999
#: A further quote is worth showing if it is believed nearly as much as the best.
_NEARLY = 0.8
_FACTS_ONLY = "No speech, text on screen or caption tells what happens there; only the pictures were measured."
_SAYS: Mapping[str, str] = {
    SPEECH: "the speech says",
    OCR: "the screen shows",
    CAPTION: "the caption says",
    FACT: "the frames show",
    LOOK: "the frames show",
    # No word tells what they show: a model of pictures and texts found them alike.
    FRAME: "the frames match best",
}
#: Kinds that only repeat what rows say: no surer than these are.
READ_OFF = frozenset({"excerpt", "summary", "chapters", "list", "count", "shots", "cuts"})
SUMMARIES = frozenset({"summary", "chapters"})
#: Kinds that tell what happens, which measured facts hardly do.
TELLING = frozenset({"excerpt", "summary", "chapters"})
#: What is only heard is told by no other track; what is only seen may be.
LISTENING = frozenset({SPEECH, SOUND})
#: Kinds that may hold what a search ranked, rather than what stands at a time.
FOUND = frozenset({"what", "when", "summary", "compare"})
#: Kinds whose programs scan everything, so that finding nothing is itself an answer.
EXHAUSTIVE = frozenset({"count", "yes_no", "asserted", "list"})


class Desk:
    """Numbers the evidence as it is quoted and knows how to say where it is."""

    def __init__(self, request: ComposeRequest, topic: Topic) -> None:
        self.request = request
        self.topic = topic
        self.evidence: list[Evidence] = []
        self._names = len(request.context.scope) > 1

    def quote(self, moment: Moment) -> Evidence | None:
        """The moment's evidence; the same words at the same seconds, or a part of them, are numbered once."""
        found = quote(self.request.context, moment, self.topic, f"e{len(self.evidence) + 1}")
        if found is None:
            return None
        for known in self.evidence:
            if _tells_the_same(known, found):
                return known
        self.evidence.append(found)
        return found

    def quotes(self, moments: Sequence[Moment], limit: int) -> list[Evidence]:
        found: dict[str, Evidence] = {}
        for moment in moments:
            if len(found) == limit:
                break
            if item := self.quote(moment):
                found[item.id] = item
        return list(found.values())

    def best(self, moments: Sequence[Moment]) -> list[Moment]:
        """The most believed moments, best first, without those far behind; in their given order for no topic."""
        if self.topic.is_empty:
            return list(moments)
        scored = [(max((belief(s, m) for s in self.topic.coverage(m.text)), default=0.0), m) for m in moments]
        scored.sort(key=lambda pair: (-pair[0], -pair[1].score))
        return [moment for certainty, moment in scored if certainty >= _NEARLY * scored[0][0]]

    def next_quotes(self, item: Evidence) -> list[Evidence]:
        """What is said after a quote that only repeats the question: "Here are the ingredients."."""
        context, end = self.request.context, item.span.end_seconds
        after = context.scope[item.video_id].span.intersection(Span(end, end + NEXT_SECONDS))
        if after is None or not self.topic.repeats(item.quote):
            return []
        return self.quotes(read(context, within=Moment(item.video_id, after), track=item.track), MAX_NEXT)

    def holds_every_word(self) -> bool:
        """True if each phrase of the question stands, all its words near each other, in what is to be cited."""
        if any(moment.track in (LOOK, FRAME) for moment in self.request.evidence):
            return True  # what was seen has no words of its own
        told = [self.topic.coverage(moment.text) for moment in self.request.evidence]
        return all(max(shares, default=0.0) >= _EVERY_WORD for shares in zip(*told, strict=True))

    def told_both_ways(self) -> tuple[list[Moment], list[Moment]]:
        """The moments that state in words what is asked, and those that deny it; a question does neither."""
        asserted, told = " ".join(self.request.focus), self.request.evidence
        if seen := [moment for moment in told if moment.track in (LOOK, FRAME)]:
            return seen, []  # what was seen has no words of its own
        found = [set(agreements(asserted, [moment.text])) for moment in told]
        stating = [moment for moment, said in zip(told, found, strict=True) if "yes" in said]
        denying = [moment for moment, said in zip(told, found, strict=True) if "no" in said and "yes" not in said]
        if not stating and not denying:
            # It may take several sentences to say it.
            stated = [(moment, " ".join(s for s in sentences(moment.text) if not is_question(s))) for moment in told]
            stating = [m for m, text in stated if min(self.topic.coverage(text), default=0.0) >= _EVERY_WORD]
        return stating, denying

    def where(self, item: Evidence) -> str:
        return f"{self.of_video([item])} {when(item)}".lstrip()

    def of_video(self, items: Sequence[Evidence]) -> str:
        """ " in talk.mp4", "" where there is only one video."""
        return f" in {shown_name(items[0].video)}" if self._names and items else ""

    def says(self, item: Evidence) -> str:
        return f"{self.where(item)} {quoted(item)}"

    def draft(self, claims: Sequence[Claim], certainty: float, *, choice: str | None = None) -> Draft:
        """With `claims`; a program without words to quote abstains."""
        if not claims:
            return self.abstain(certainty)
        sure = probability(certainty, self.topic)
        if self.topic.is_empty and self.request.kind in READ_OFF:
            sure = min(sure, self._legible(), self._told() if self.request.kind in SUMMARIES else 1.0)
        if self.topic.is_empty and self.request.kind in FOUND and any(map(_is_nearest, self.request.evidence)):
            sure = min(sure, SURE_BY_NEARNESS)
        statement = completeness(self.request, self.examined)
        if self.request.kind in TELLING and all(item.track == FACT for item in self.evidence):
            sure, statement = min(sure, SURE_BY_FACTS), statement or _FACTS_ONLY
        return Draft(
            tuple(claims),
            tuple(self.evidence),
            sure,
            statement=statement,
            choice=choice,
            numbers=self.request.numbers,
            notes=(self.examined.note,) if self.examined and self.examined.note else (),
        )

    def say(self, moments: Sequence[Moment], limit: int, certainty: float) -> Draft:
        """A claim for each of the first `limit` quotes: where it is, and its words."""
        return self.draft([claim(self.says(item), item) for item in self.quotes(moments, limit)], certainty)

    def negative(self, statement: str) -> Draft:
        """Nothing was found: say so with what was examined, unless something near the question is there after all.

        Where nothing was looked at in full, or there was nothing to read, nothing can be denied either.
        """
        nearest, seen = self._nearest(), self.examined
        certainty = 0.0 if self.topic.is_empty else confidence(self.topic, nearest)
        lacking = unread(self.request.context, by_rows=True)
        if seen is None or not seen.share or LISTENING & lacking.keys():
            return self.abstain(certainty)
        if certainty >= ABSTAIN_BELOW:
            reason = f"no passage of {seen.where} is surely about it, but some come near{seen.unread}"
            return replace(self.abstain(certainty), reason=reason)
        # A form without an open phrase names what it looks for in its program.
        scanned = dict.fromkeys(scan.query.strip('"') for scan in self.request.context.ledger.scans)
        asked = self.request.focus or tuple(filter(None, scanned))
        named = f"“{', '.join(map(telling_part, asked))}”" if asked else "the question"
        denial = f"{statement}: nothing matching {named} was found in any passage of {seen.where}{seen.unread}"
        sure = min(1.0 - certainty, 1.0 if self.request.focus else SURE_OF_NO_FACT) * seen.share
        sure *= UNSURE_OF_NO_ROW if lacking else 1.0
        return Draft(confidence=sure, statement=f"{'; '.join([denial, *lacking.values()])}.", numbers=(0.0,))

    def _nearest(self) -> list[Moment]:
        """What comes nearest to the question among everything found; looked for, if no tool has found anything."""
        found = list(self.request.evidence or one_run_a_place(self.request.context.ledger.moments))
        if not found and self.request.focus and self.request.context.scope:
            found = search(self.request.context, query=" ".join(self.request.focus), k=MAX_NEAREST)
        return self.best(found) if found else []

    def abstain(self, certainty: float) -> Draft:
        nearest = self._nearest()
        self.quotes(nearest, MAX_NEAREST)
        reason = self.request.stopped or (
            "nothing in the videos matches the question well enough"
            if self.evidence
            else "nothing in the videos matches the question"
        )
        if not self.request.stopped and (lacking := unread(self.request.context)):
            reason = "; ".join([reason, *lacking.values()])
        sure = probability(min(certainty, ABSTAIN_BELOW), self.topic) if self.evidence else 0.0
        return Draft((), tuple(self.evidence), sure, reason=reason)

    def fall_short(self, short: Shortfall) -> Draft:
        """There are fewer than the question counts to: says how many, and shows the last of them."""
        groups = by_video(short.found)
        most = max(map(len, groups.values()))
        number = f"{abs(short.wanted)}{' from the end' if short.wanted < 0 else ''}"
        found = f"only {most} {'was' if most == 1 else 'were'} found{' in one video' if len(groups) > 1 else ''}"
        self.quotes(short.found[-MAX_NEAREST:], MAX_NEAREST)
        return Draft((), tuple(self.evidence), reason=f"there is no number {number}: {found}")

    def _legible(self) -> float:
        """0..1: how surely what is quoted was heard or read aright, on average; of a time nothing else is in doubt."""
        rows = [row for item in self.evidence for row in self.rows_of(item)]
        return fmean(row.confidence for row in rows) if rows else 1.0

    def _told(self) -> float:
        """How surely the quotes sum up what was found: half as surely where they leave nearly all of it out."""
        share = min(1.0, len(self.evidence) / max(1, len(self.request.evidence)))
        return SURE_SUMMARY * (1 + share) / 2

    def rows_of(self, item: Evidence) -> list[Observation]:
        """The rows whose words a quote holds."""
        rows = rows_at(self.request.context, item.video_id, item.span, item.track)
        return [row for row in rows if row.text in item.quote or item.quote in row.text]

    @cached_property
    def examined(self) -> Examined | None:
        """What exhaustive scans looked at."""
        return examined(self.request.context)


def _tells_the_same(one: Evidence, other: Evidence) -> bool:
    """Whether two quotes of overlapping seconds are one, or one is a part of the other."""
    is_one_place = (one.video_id, one.track) == (other.video_id, other.track) and one.span.overlaps(other.span)
    return is_one_place and (one.quote in other.quote or other.quote in one.quote)


def completeness(request: ComposeRequest, seen: Examined | None) -> str:
    """What a count, a list, or a yes or no that was found by looking everywhere rests on; "" for other answers."""
    return seen.sentence(request.evidence) if seen is not None and request.kind in EXHAUSTIVE else ""


def _is_nearest(moment: Moment) -> bool:
    """True of words that a search ranked."""
    return moment.similarity is not None and moment.track != FACT


def when(item: Evidence) -> str:
    return f"at {time_range(item.span.start_seconds, item.span.end_seconds)}"


def quoted(item: Evidence, limit: int = QUOTE_LIMIT) -> str:
    track = _SAYS.get(item.track, f"the {item.track} track says")
    shown = item.quote if len(item.quote) <= limit else item.quote[: limit + 1].rpartition(" ")[0] or item.quote[:limit]
    return f"{track}: “{shown}”{'' if shown == item.quote else ' …'}"


def sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def claim(text: str, *cited: Evidence) -> Claim:
    return Claim(sentence(text), tuple(dict.fromkeys(item.id for item in cited)))
