"""The embedded composer: answers made of verbatim quotes in fixed sentence forms, one form per kind of outcome.

It never rephrases what a video says. Below the threshold it abstains and shows the nearest moments instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import PurePath
from statistics import fmean

from agentvid.composers.base import ComposeRequest, Draft, is_number
from agentvid.composers.examined import Examined, examined
from agentvid.composers.quotes import (
    MIN_TELLING_WORDS,
    QUOTE_LIMIT,
    Topic,
    belief,
    confidence,
    observations_under,
    one_run_a_place,
    probability,
    quote,
)
from agentvid.composers.speakers import Speakers, introductions
from agentvid.text import clean_text, instant, time_range, timestamp
from agentvid.tools.agreement import agreements, is_question
from agentvid.tools.base import Shortfall
from agentvid.tools.intervals import by_video
from agentvid.tools.missing import unread
from agentvid.tools.read import read
from agentvid.tools.rows import rows_at
from agentvid.tools.search import search
from agentvid.tools.telling import most_telling
from agentvid.types import (
    CAPTION,
    FACT,
    FRAME,
    LOOK,
    OCR,
    SOUND,
    SPEECH,
    Claim,
    Evidence,
    Moment,
    Observation,
    Span,
    Video,
)
from agentvid.words import content_words, sentences, telling_part

#: Below this an answer abstains. Measured with all-MiniLM-L6-v2 on TutorialVQA transcripts and PororoQA descriptions:
#: 160 questions of their own videos: 22 abstained; 160 of other videos: 151 abstained, 4 said "No: nothing".
ABSTAIN_BELOW = 0.42
MAX_QUOTES, MAX_LISTED, MAX_SUMMARY, MAX_NEAREST, MAX_NEXT = 3, 20, 5, 3, 2
#: What follows within so many seconds goes on with what was said.
NEXT_SECONDS = 12.0
#: Of a chapter so much is quoted.
CHAPTER_CHARACTERS = 120
#: What was said is an answer to "who" only in so far as somebody may know the words.
UNNAMED_SPEAKER = 0.2
#: Who says a name may be one of several who speak.
NAMED_ALOUD = 0.6
#: Rows picked out are no surer summary than this, whatever they say; measured facts tell little of what happens.
SURE_SUMMARY, SURE_BY_FACTS = 0.8, 0.3
#: "The action items": rows that are near to such a question, which names nothing to compare them with.
SURE_BY_NEARNESS = 0.3
#: No row of a track does not mean that nothing of the kind is in the video, unless everything was read for it.
SURE_OF_NO_ROW = {OCR: 0.9}
UNSURE_OF_NO_ROW = 0.5
#: Where one row states what another one denies, neither is sure.
TOLD_BOTH_WAYS = 0.5
#: What the detector of cuts is worth: its F1 on edited footage (docs/performance.md, B3).
SURE_OF_CUTS = 0.98
_DETECTED = "Cuts are found by a detector that is right about 98 of 100 of them; a few may be missing or too many."
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


class ExtractiveComposer:
    """Composes without an LLM."""

    name = "extractive"

    def compose(self, request: ComposeRequest) -> Draft:
        request = replace(request, evidence=one_run_a_place(request.evidence))
        topic = Topic(request.focus, request.context.ledger.moments)
        certainty = confidence(topic, request.context.ledger.moments)
        if seen := tuple(moment for moment in request.evidence if moment.track == LOOK):
            # It was said in answer to the question, whether or not it repeats its words.
            request, certainty = replace(request, evidence=seen), max(certainty, *(moment.score for moment in seen))
        desk = _Desk(request, topic)
        form = _FORMS.get(request.kind, _what)
        if request.kind == CATALOGUE and not request.stopped:
            return form(desk, 1.0)
        if not request.evidence and not request.stopped and (short := request.context.ledger.shortfall):
            return desk.fall_short(short)
        if request.kind in EXHAUSTIVE and not request.evidence and not request.stopped:
            return form(desk, certainty)
        # Whoever gives choices wants the best of them; how sure it is stands in the confidence.
        is_sure = certainty >= ABSTAIN_BELOW or request.kind == "choice"
        # Without an outcome the moments found so far may still hold the words asked for.
        if not request.evidence or not is_sure:
            return desk.abstain(certainty)
        return form(desk, certainty)


class _Desk:
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
        claim, told = " ".join(self.request.focus), self.request.evidence
        if seen := [moment for moment in told if moment.track in (LOOK, FRAME)]:
            return seen, []  # what was seen has no words of its own
        found = [set(agreements(claim, [moment.text])) for moment in told]
        stating = [moment for moment, said in zip(told, found, strict=True) if "yes" in said]
        denying = [moment for moment, said in zip(told, found, strict=True) if "no" in said and "yes" not in said]
        if not stating and not denying:
            # It may take several sentences to say it.
            stated = [(moment, " ".join(s for s in sentences(moment.text) if not is_question(s))) for moment in told]
            stating = [m for m, text in stated if min(self.topic.coverage(text), default=0.0) >= _EVERY_WORD]
        return stating, denying

    def where(self, item: Evidence) -> str:
        return f"{self.of_video([item])} {_at(item)}".lstrip()

    def of_video(self, items: Sequence[Evidence]) -> str:
        """ " in talk.mp4", "" where there is only one video."""
        return f" in {PurePath(items[0].video).name}" if self._names and items else ""

    def says(self, item: Evidence) -> str:
        return f"{self.where(item)} {_quoted(item)}"

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
        return self.draft([_claim(self.says(item), item) for item in self.quotes(moments, limit)], certainty)

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
        named = f"“{', '.join(map(telling_part, self.request.focus))}”" if self.request.focus else "the question"
        denial = f"{statement}: nothing matching {named} was found in any passage of {seen.where}{seen.unread}"
        sure = (1.0 - certainty) * seen.share * (UNSURE_OF_NO_ROW if lacking else 1.0)
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
        rows = [row for item in self.evidence for row in _rows_of(self, item)]
        return fmean(row.confidence for row in rows) if rows else 1.0

    def _told(self) -> float:
        """How surely the quotes sum up what was found: half as surely where they leave nearly all of it out."""
        share = min(1.0, len(self.evidence) / max(1, len(self.request.evidence)))
        return SURE_SUMMARY * (1 + share) / 2

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


def _at(item: Evidence) -> str:
    return f"at {time_range(item.span.start_seconds, item.span.end_seconds)}"


def _quoted(item: Evidence, limit: int = QUOTE_LIMIT) -> str:
    track = _SAYS.get(item.track, f"the {item.track} track says")
    shown = item.quote if len(item.quote) <= limit else item.quote[: limit + 1].rpartition(" ")[0] or item.quote[:limit]
    return f"{track}: “{shown}”{'' if shown == item.quote else ' …'}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _claim(text: str, *cited: Evidence) -> Claim:
    return Claim(_sentence(text), tuple(dict.fromkeys(item.id for item in cited)))


def _what(desk: _Desk, certainty: float) -> Draft:
    found = desk.request.evidence
    if found[0].track == LOOK:
        return desk.say(found, MAX_QUOTES, certainty)
    told = desk.quotes(desk.best(found), MAX_QUOTES)
    if desk.request.kind == "what":
        told = list(dict.fromkeys(one for item in told for one in (item, *desk.next_quotes(item))))
    return desk.draft([_claim(desk.says(item), item) for item in told], certainty)


def _in_order(desk: _Desk, certainty: float) -> Draft:
    """Moments as the program ordered them: first, last, nth, before, after, between."""
    return desk.say(desk.request.evidence, MAX_QUOTES, certainty)


def _list(desk: _Desk, certainty: float) -> Draft:
    if not desk.request.evidence:
        return desk.negative("None")
    found = desk.quotes(desk.request.evidence, MAX_LISTED)
    claims = [_claim(desk.says(item), item) for item in found]
    number = len(desk.request.evidence)
    if claims and number > MAX_LISTED:
        claims.insert(0, _claim(f"{_total(desk, number)}; the first {len(found)} are shown", *found))
    draft = desk.draft(claims, certainty)
    return replace(draft, numbers=(*draft.numbers, float(number)))


def _total(desk: _Desk, number: float) -> str:
    """How many, as far as the list could hold them."""
    is_cut = desk.examined is not None and desk.examined.left > 0
    return f"{number:g} or more in all" if is_cut else f"{number:g} in all"


def _count(desk: _Desk, certainty: float) -> Draft:
    number = desk.request.value
    if not desk.request.evidence:
        return desk.negative("0")
    found = desk.quotes(desk.request.evidence, MAX_LISTED)
    if not found or not is_number(number):
        return _list(desk, certainty)
    shown = "; ".join(desk.where(item) for item in found)
    more = ""
    if number > len(found):
        is_cut = len(desk.request.evidence) > MAX_LISTED
        more = f"; the first {len(found)} are" if is_cut else ", some of them in the same moment"
    total = _claim(f"{_total(desk, number)}{more}: {shown}", *found)
    return desk.draft([total, *(_claim(desk.says(item), item) for item in found[:MAX_QUOTES])], certainty)


def _yes_no(desk: _Desk, certainty: float) -> Draft:
    verdict = "Yes" if desk.request.value is True else "No"
    if not desk.request.evidence:
        return desk.negative(verdict)
    if verdict == "Yes" and not desk.holds_every_word():
        return replace(desk.abstain(certainty), reason="no row says so in words; the nearest are shown")
    found = desk.quotes(desk.request.evidence, MAX_QUOTES)
    claims = [_claim(desk.says(item), item) for item in found]
    if claims:
        claims[0] = Claim(f"{verdict}: {desk.says(found[0])}", claims[0].evidence)
    return desk.draft(claims, certainty)


def _asserted(desk: _Desk, certainty: float) -> Draft:
    """Whether it is so as rows say it: by one that states it what `value` says, by one that denies it the opposite."""
    is_so = desk.request.value is True
    if not desk.request.evidence:
        return desk.negative("No" if is_so else "Yes")
    stating, denying = desk.told_both_ways()
    if not stating and not denying:
        return replace(desk.abstain(certainty), reason="no row says so in words; the nearest are shown")
    found = desk.quotes(stating or denying, MAX_QUOTES)
    claims = [_claim(desk.says(item), item) for item in found]
    if claims:
        verdict = "Yes" if is_so is bool(stating) else "No"
        claims[0] = Claim(f"{verdict}: {desk.says(found[0])}", claims[0].evidence)
    against = desk.quotes(denying, 1) if stating else []
    claims += [_claim(f"but {desk.says(item)}", item) for item in against if item not in found]
    draft = desk.draft(claims, certainty)
    return replace(draft, confidence=min(draft.confidence, TOLD_BOTH_WAYS)) if against else draft


def _shots(desk: _Desk, certainty: float) -> Draft:
    return _detected(desk, certainty, "shot")


def _cuts(desk: _Desk, certainty: float) -> Draft:
    return _detected(desk, certainty, "cut")


def _detected(desk: _Desk, certainty: float, what: str) -> Draft:
    """How many shots or cuts, and when they begin, by the measurements there; `value`: their seconds, in time order."""
    times = desk.request.value if isinstance(desk.request.value, tuple) else ()
    found = desk.quotes(desk.request.evidence, MAX_LISTED)
    shown = [at for at in times if any(item.span.start_seconds <= at < item.span.end_seconds for item in found)]
    shown = shown[:MAX_LISTED]
    total = f"{len(times)} {what}{'' if len(times) == 1 else 's'}{desk.of_video(found)}"
    more = f"; the first {len(shown)} are" if len(shown) < len(times) else ""
    listed = f"{more} at {', '.join(map(instant, shown))}" if shown else ""
    draft = desk.draft([_claim(f"{total}{listed}", *found)] if found else [], certainty)
    return replace(
        draft,
        confidence=min(draft.confidence, SURE_OF_CUTS),
        statement=_DETECTED if draft.claims else draft.statement,
        numbers=(*draft.numbers, float(len(times)), float(len(shown))),
    )


def _order(desk: _Desk, certainty: float) -> Draft:
    found = desk.quotes(desk.request.evidence, MAX_LISTED)
    claims = [_claim(("First, " if i == 0 else "Then, ") + desk.says(item), item) for i, item in enumerate(found)]
    if claims and isinstance(desk.request.value, str):
        claims[0] = Claim(f"“{desk.request.value}” comes first: {desk.says(found[0])}", claims[0].evidence)
    return desk.draft(claims, certainty)


def _duration(desk: _Desk, certainty: float) -> Draft:
    found = desk.quotes(desk.request.evidence, MAX_LISTED)
    value = desk.request.value
    if not found or not is_number(value):
        return desk.abstain(certainty)
    total = _claim(f"{value:.1f} seconds: {'; '.join(desk.where(item) for item in found)}", *found)
    return desk.draft([total, *(_claim(desk.says(item), item) for item in found[:MAX_QUOTES])], certainty)


def _choice(desk: _Desk, certainty: float) -> Draft:
    """The option that the program found best, by its text or its number from 0, with the quote nearest to it."""
    value, choices = desk.request.value, desk.request.choices
    if is_number(value) and 0 <= int(value) < len(choices):
        value = choices[int(value)]
    # A program's texts are cleaned; the answer gives the choice as the user wrote it.
    value = {clean_text(choice): choice for choice in choices}.get(clean_text(str(value)))
    if value is None:
        return desk.abstain(certainty)
    option = Topic([value, *desk.request.focus], desk.request.context.ledger.moments)
    ranked = sorted(desk.request.evidence, key=lambda m: (-option.weight(m.text), -(m.similarity or 0.0), -m.score))
    found = desk.quotes(ranked, 1)
    # The option is true of the moment, of which the quote is one sentence: the moment is what is cited.
    whole = [replace(item, span=_moment_of(item, ranked).span) for item in found]
    claims = [_claim(f"“{value}” fits best: {desk.says(item)}", item) for item in whole]
    draft = desk.draft(claims, certainty, choice=value)
    return replace(draft, evidence=tuple(whole), whole=tuple(item.id for item in whole)) if draft.claims else draft


def _moment_of(item: Evidence, moments: Sequence[Moment]) -> Moment:
    """The first moment out of which a quote was taken."""
    return next(m for m in moments if m.video_id == item.video_id and m.span.intersection(item.span) == item.span)


def _who(desk: _Desk, certainty: float) -> Draft:
    """What is said, and who the rows name as its speakers; words alone do not tell whose they are."""
    context, speakers = desk.request.context, Speakers(desk.request.context)
    best = asked = desk.best(desk.request.evidence)
    if desk.topic.is_empty:
        # Whoever speaks there is asked for: one quote of each.
        told = [(speakers.of(moment.video_id, observations_under(context, moment)), moment) for moment in best]
        best = list({names: moment for names, moment in reversed(told) if names}.values())[::-1] or best
        names = [name for found, _ in told for name in found]
        draft = desk.say(best, MAX_QUOTES, certainty)
    else:
        draft = desk.say(best, MAX_QUOTES, certainty)
        names = [name for item in draft.evidence for name in speakers.of(item.video_id, _rows_of(desk, item))]
    if not draft.claims:
        return draft
    if not names and desk.topic.is_empty and (introduced := _introduced(desk, asked)):
        return introduced
    if not names:
        sure = min(draft.confidence, UNNAMED_SPEAKER)
        return replace(draft, statement="No row that was found names who speaks.", confidence=sure)
    listed = ", ".join(list(dict.fromkeys(names))[:MAX_LISTED])
    # A name at every row that was found is surer than one that the others may go on with.
    share = sum(bool(speakers.of(m.video_id, observations_under(context, m))) for m in asked) / len(asked)
    sure = min(draft.confidence, SURE_SUMMARY * (1 + share) / 2)
    number = len(dict.fromkeys(names))
    heard = f"{number} who speak" if number > 1 else "who speaks"
    return replace(draft, statement=f"The rows name {heard}: {listed}.", confidence=sure)


def _introduced(desk: _Desk, moments: Sequence[Moment]) -> Draft | None:
    """Who say their names themselves, with the words in which they do; None if nobody does."""
    told = [
        (name, moment)
        for moment in moments
        for name, _ in introductions(observations_under(desk.request.context, moment))
    ]
    if not told:
        return None
    desk.evidence = []
    draft = desk.say([moment for _, moment in told], MAX_QUOTES, SURE_SUMMARY)
    listed = ", ".join(dict.fromkeys(name for name, _ in told))
    return replace(
        draft, statement=f"Named by their own words: {listed}.", confidence=min(draft.confidence, NAMED_ALOUD)
    )


def _rows_of(desk: _Desk, item: Evidence) -> list[Observation]:
    """The rows whose words a quote holds."""
    rows = rows_at(desk.request.context, item.video_id, item.span, item.track)
    return [row for row in rows if row.text in item.quote or item.quote in row.text]


def _which(desk: _Desk, certainty: float) -> Draft:
    """Which of the things that the question names, with what shows it."""
    found = desk.quotes(desk.request.evidence, MAX_QUOTES)
    claims = [_claim(desk.says(item), item) for item in found]
    if claims and isinstance(desk.request.value, str):
        claims[0] = Claim(f"“{desk.request.value}”: {desk.says(found[0])}", claims[0].evidence)
    return desk.draft(claims, certainty)


def _compare(desk: _Desk, certainty: float) -> Draft:
    """One claim per video, in the order of the evidence, each with how many moments it has."""
    groups = by_video(desk.request.evidence)
    claims = []
    for moments in sorted(groups.values(), key=len, reverse=True):
        found = desk.quotes(moments, MAX_QUOTES)
        if found:
            times = "once" if len(moments) == 1 else f"{len(moments)} times"
            # The name stands inside the sentence, where no capital changes it.
            name = PurePath(found[0].video).name
            claims.append(_claim(f"{times} in {name}: {_at(found[0])} {_quoted(found[0])}", *found))
    draft = desk.draft(claims, certainty)
    return replace(draft, numbers=(*draft.numbers, *(float(len(moments)) for moments in groups.values())))


def _summary(desk: _Desk, certainty: float) -> Draft:
    """The rows that together hold most of what all of them say, at most MAX_SUMMARY, by video and time."""
    moments = sorted(desk.request.evidence, key=lambda m: (m.video_id, m.span))
    # Scraps of screen text of one or two words summarise nothing.
    moments = [m for m in moments if len(content_words(m.text)) >= MIN_TELLING_WORDS] or moments
    return desk.say(most_telling(moments, MAX_SUMMARY), MAX_SUMMARY, certainty)


def _chapters(desk: _Desk, certainty: float) -> Draft:
    """A line for each chapter, up to a page; of several videos as many of each, those that last longest."""
    groups = by_video(desk.request.evidence)
    share = max(1, MAX_LISTED // len(groups))
    shown: list[Moment] = []
    for moments in list(groups.values())[:MAX_LISTED]:
        longest = sorted((m for m in moments if m.observation_ids), key=lambda m: -m.span.duration_seconds)[:share]
        shown += sorted(longest, key=lambda m: m.span)
    whole: dict[str, Evidence] = {}
    claims = []
    for moment in shown:
        if (item := desk.quote(moment)) and item.id not in whole:
            whole[item.id] = item = replace(item, span=moment.span)
            head = f"{desk.where(item)}{_title(desk, moment, item.quote)}"
            claims.append(_claim(f"{head} {_quoted(item, CHAPTER_CHARACTERS)}", item))
    desk.evidence = list(whole.values())
    draft = desk.draft(claims, certainty)
    told = len({item.video_id for item in desk.evidence})
    videos = len(desk.request.context.scope)
    parts = [f"Of {videos} videos {told} are told of" if videos > 1 else ""]
    if (left := len(desk.request.evidence) - len(shown)) > 0 and draft.claims:
        parts.append(f"{left} further chapters are not shown; ask of one video, or of a part of it")
    statement = "; ".join(filter(None, parts))
    draft = replace(draft, whole=tuple(whole))
    return replace(draft, statement=f"{_sentence(statement)}." if statement and draft.claims else draft.statement)


def _title(desk: _Desk, chapter: Moment, quote: str) -> str:
    """ " (stream, cipher)": the words of a chapter's title that a quote of it bears out, "" without any."""
    sections = desk.request.context.catalogue.sections(chapter.video_id)
    title = next((part.title for part in sections if part.level == "chapter" and part.span == chapter.span), "")
    told = set(content_words(quote))
    kept = [word for word in title.split(", ") if word and set(content_words(word)) <= told]
    return f" ({', '.join(kept)})" if len(kept) > 1 else ""


def _videos(desk: _Desk, _: float) -> Draft:
    """Which videos the catalogue names, with their lengths and tracks: a statement about it, which no row could show.

    `value`: seconds, or the track that was asked for.
    """
    request, context = desk.request, desk.request.context
    chosen = list(by_video(request.evidence))
    known = {one.video.id: one for one in context.catalogue.summaries()}
    lines = [_catalogued(context.scope[video_id], known[video_id].tracks) for video_id in chosen[:MAX_LISTED]]
    more = f"; and {len(chosen) - len(lines)} more" if len(chosen) > len(lines) else ""
    total, value, sure = len(context.scope), request.value, 1.0
    head = f"{len(chosen)} of {total} video{'s' if total != 1 else ''}"
    if is_number(value):
        head = f"{value:.1f} seconds ({timestamp(value)}) in {head}" if total > 1 else f"{value:.1f} seconds"
    statement = f"{head}{': ' if lines else ''}{'; '.join(lines)}{more}. So says the catalogue of what was indexed"
    if isinstance(value, str):
        name = clean_text(value, limit=40)
        statement += f", by the rows of the track {name}"
        if any(not known[video_id].tracks.get(value) for video_id in chosen):
            sure = SURE_OF_NO_ROW.get(value, UNSURE_OF_NO_ROW)
            statement += "; no row does not mean that there is none in the video"
    return Draft(confidence=sure, statement=f"{statement}.", numbers=request.numbers)


def _catalogued(video: Video, tracks: Mapping[str, int]) -> str:
    held = ", ".join(clean_text(track, limit=40) for track in sorted(tracks)) or "nothing to read"
    return f"{clean_text(PurePath(video.name).name, limit=120)} ({timestamp(video.duration_seconds)}; {held})"


_FORMS: Mapping[str, Callable[[_Desk, float], Draft]] = {
    "what": _what,
    "when": _what,
    "excerpt": _in_order,
    "chapters": _chapters,
    "asserted": _asserted,
    "shots": _shots,
    "cuts": _cuts,
    "list": _list,
    "count": _count,
    "yes_no": _yes_no,
    "order": _order,
    "duration": _duration,
    "which": _which,
    "who": _who,
    "choice": _choice,
    "compare": _compare,
    "summary": _summary,
    "videos": _videos,
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
#: The kind that tells which videos there are.
CATALOGUE = "videos"
#: Kinds whose programs scan everything, so that finding nothing is itself an answer.
EXHAUSTIVE = frozenset({"count", "yes_no", "asserted", "list"})
KINDS = tuple(_FORMS)
