"""The embedded composer: answers made of verbatim quotes in fixed sentence forms, one form per kind of outcome.

It never rephrases what a video says. Below the threshold it abstains and shows the nearest moments instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath

from agentvid.composers.base import ComposeRequest, Draft, is_number
from agentvid.composers.desk import (
    ABSTAIN_BELOW,
    EXHAUSTIVE,
    SURE_SUMMARY,
    UNSURE_OF_NO_ROW,
    Desk,
    claim,
    quoted,
    sentence,
    when,
)
from agentvid.composers.quotes import MIN_TELLING_WORDS, Topic, confidence, observations_under, one_run_a_place
from agentvid.composers.speakers import Speakers, introductions
from agentvid.text import clean_text, instant, shown_name, timestamp
from agentvid.tools.intervals import by_video
from agentvid.tools.read import read
from agentvid.tools.rows import rows_at, to_moment
from agentvid.tools.telling import most_telling
from agentvid.types import LOOK, OCR, SPEECH, Claim, Evidence, Moment, Video
from agentvid.words import content_words

MAX_QUOTES, MAX_LISTED, MAX_SUMMARY = 3, 20, 5
#: Of a chapter so much is quoted.
CHAPTER_CHARACTERS = 120
#: What was said is an answer to "who" only in so far as somebody may know the words.
UNNAMED_SPEAKER = 0.2
#: Who says a name may be one of several who speak.
NAMED_ALOUD = 0.6
#: No row of a track does not mean that nothing of the kind is in the video, unless everything was read for it.
SURE_OF_NO_ROW = {OCR: 0.9}
#: Where one row states what another one denies, neither is sure.
TOLD_BOTH_WAYS = 0.5
#: What the detector of cuts is worth: its F1 on edited footage (docs/performance.md, B3).
SURE_OF_CUTS = 0.98
_DETECTED = "Cuts are found by a detector that is right about 98 of 100 of them; a few may be missing or too many."


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
        desk = Desk(request, topic)
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


def _what(desk: Desk, certainty: float) -> Draft:
    found = desk.request.evidence
    if found[0].track == LOOK:
        return desk.say(found, MAX_QUOTES, certainty)
    told = desk.quotes(desk.best(found), MAX_QUOTES)
    if desk.request.kind == "what":
        told = list(dict.fromkeys(one for item in told for one in (item, *desk.next_quotes(item))))
    return desk.draft([claim(desk.says(item), item) for item in told], certainty)


def _in_order(desk: Desk, certainty: float) -> Draft:
    """Moments as the program ordered them: first, last, nth, before, after, between."""
    return desk.say(desk.request.evidence, MAX_QUOTES, certainty)


def _list(desk: Desk, certainty: float) -> Draft:
    if not desk.request.evidence:
        return desk.negative("None")
    found = desk.quotes(desk.request.evidence, MAX_LISTED)
    claims = [claim(desk.says(item), item) for item in found]
    number = len(desk.request.evidence)
    if claims and number > MAX_LISTED:
        claims.insert(0, claim(f"{_total(desk, number)}; the first {len(found)} are shown", *found))
    draft = desk.draft(claims, certainty)
    return replace(draft, numbers=(*draft.numbers, float(number)))


def _total(desk: Desk, number: float) -> str:
    """How many, as far as the list could hold them."""
    is_cut = desk.examined is not None and desk.examined.left > 0
    return f"{number:g} or more in all" if is_cut else f"{number:g} in all"


def _count(desk: Desk, certainty: float) -> Draft:
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
    total = claim(f"{_total(desk, number)}{more}: {shown}", *found)
    return desk.draft([total, *(claim(desk.says(item), item) for item in found[:MAX_QUOTES])], certainty)


def _yes_no(desk: Desk, certainty: float) -> Draft:
    verdict = "Yes" if desk.request.value is True else "No"
    if not desk.request.evidence:
        return desk.negative(verdict)
    if verdict == "Yes" and not desk.holds_every_word():
        return replace(desk.abstain(certainty), reason="no row says so in words; the nearest are shown")
    found = desk.quotes(desk.request.evidence, MAX_QUOTES)
    claims = [claim(desk.says(item), item) for item in found]
    if claims:
        claims[0] = Claim(f"{verdict}: {desk.says(found[0])}", claims[0].evidence)
    return desk.draft(claims, certainty)


def _asserted(desk: Desk, certainty: float) -> Draft:
    """Whether it is so as rows say it: by one that states it what `value` says, by one that denies it the opposite."""
    is_so = desk.request.value is True
    if not desk.request.evidence:
        return desk.negative("No" if is_so else "Yes")
    stating, denying = desk.told_both_ways()
    if not stating and not denying:
        return replace(desk.abstain(certainty), reason="no row says so in words; the nearest are shown")
    found = desk.quotes(stating or denying, MAX_QUOTES)
    claims = [claim(desk.says(item), item) for item in found]
    if claims:
        verdict = "Yes" if is_so is bool(stating) else "No"
        claims[0] = Claim(f"{verdict}: {desk.says(found[0])}", claims[0].evidence)
    against = desk.quotes(denying, 1) if stating else []
    claims += [claim(f"but {desk.says(item)}", item) for item in against if item not in found]
    draft = desk.draft(claims, certainty)
    return replace(draft, confidence=min(draft.confidence, TOLD_BOTH_WAYS)) if against else draft


def _shots(desk: Desk, certainty: float) -> Draft:
    return _detected(desk, certainty, "shot")


def _cuts(desk: Desk, certainty: float) -> Draft:
    return _detected(desk, certainty, "cut")


def _detected(desk: Desk, certainty: float, what: str) -> Draft:
    """How many shots or cuts, and when they begin, by the measurements there; `value`: their seconds, in time order."""
    times = desk.request.value if isinstance(desk.request.value, tuple) else ()
    found = desk.quotes(desk.request.evidence, MAX_LISTED)
    shown = [at for at in times if any(item.span.start_seconds <= at < item.span.end_seconds for item in found)]
    shown = shown[:MAX_LISTED]
    total = f"{len(times)} {what}{'' if len(times) == 1 else 's'}{desk.of_video(found)}"
    more = f"; the first {len(shown)} are" if len(shown) < len(times) else ""
    listed = f"{more} at {', '.join(map(instant, shown))}" if shown else ""
    draft = desk.draft([claim(f"{total}{listed}", *found)] if found else [], certainty)
    return replace(
        draft,
        confidence=min(draft.confidence, SURE_OF_CUTS),
        statement=_DETECTED if draft.claims else draft.statement,
        numbers=(*draft.numbers, float(len(times)), float(len(shown))),
    )


def _order(desk: Desk, certainty: float) -> Draft:
    found = desk.quotes(desk.request.evidence, MAX_LISTED)
    claims = [claim(("First, " if i == 0 else "Then, ") + desk.says(item), item) for i, item in enumerate(found)]
    if claims and isinstance(desk.request.value, str):
        claims[0] = Claim(f"“{desk.request.value}” comes first: {desk.says(found[0])}", claims[0].evidence)
    return desk.draft(claims, certainty)


def _duration(desk: Desk, certainty: float) -> Draft:
    found = desk.quotes(desk.request.evidence, MAX_LISTED)
    value = desk.request.value
    if not found or not is_number(value):
        return desk.abstain(certainty)
    total = claim(f"{value:.1f} seconds: {'; '.join(desk.where(item) for item in found)}", *found)
    return desk.draft([total, *(claim(desk.says(item), item) for item in found[:MAX_QUOTES])], certainty)


def _choice(desk: Desk, certainty: float) -> Draft:
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
    claims = [claim(f"“{value}” fits best: {desk.says(item)}", item) for item in whole]
    draft = desk.draft(claims, certainty, choice=value)
    return replace(draft, evidence=tuple(whole), whole=tuple(item.id for item in whole)) if draft.claims else draft


def _moment_of(item: Evidence, moments: Sequence[Moment]) -> Moment:
    """The first moment out of which a quote was taken."""
    return next(m for m in moments if m.video_id == item.video_id and m.span.intersection(item.span) == item.span)


def _who(desk: Desk, certainty: float) -> Draft:
    """What is said, and who the rows name as its speakers; words alone do not tell whose they are."""
    context, speakers = desk.request.context, Speakers(desk.request.context)
    if desk.topic.is_empty and not any(moment.observation_ids for moment in desk.request.evidence):
        return _who_in_each(desk, speakers, certainty)
    best = asked = desk.best(desk.request.evidence)
    if desk.topic.is_empty:
        # Whoever speaks there is asked for: one quote of each.
        told = [(speakers.of(moment.video_id, observations_under(context, moment)), moment) for moment in best]
        best = list({names: moment for names, moment in reversed(told) if names}.values())[::-1] or best
        names = [name for found, _ in told for name in found]
        draft = desk.say(best, MAX_QUOTES, certainty)
    else:
        draft = desk.say(best, MAX_QUOTES, certainty)
        names = [name for item in draft.evidence for name in speakers.of(item.video_id, desk.rows_of(item))]
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


def _who_in_each(desk: Desk, speakers: Speakers, certainty: float) -> Draft:
    """Who speaks in whole videos: of each the names that its rows hold, with the first row that names one."""
    context, videos = desk.request.context, list(by_video(desk.request.evidence))
    claims, lines, sure = [], [], SURE_SUMMARY
    for video_id in videos[:MAX_LISTED]:
        rows = rows_at(context, video_id, context.scope[video_id].span, SPEECH)
        labelled = [(name, row) for row in rows for name in speakers.of(video_id, [row])]
        sure = min(sure, SURE_SUMMARY if labelled else NAMED_ALOUD)
        told = labelled or introductions(rows)
        row = read(context, within=to_moment(video_id, [told[0][1]]), track=SPEECH) if told else []
        for item in desk.quotes(row, 1):
            names = list(dict.fromkeys(name for name, _ in told))[:MAX_LISTED]
            claims.append(claim(desk.says(item), item))
            lines.append(f"{', '.join(names)}{desk.of_video([item])}")
    if not claims:
        return Draft(reason="no row names who speaks in any of the videos")
    silent = len(videos) - len(claims)
    rest = f"; {silent} further with speech: no row that was looked at names anyone" if silent else ""
    draft = desk.draft(claims, certainty)
    return replace(draft, statement=f"Named: {'; '.join(lines)}{rest}.", confidence=min(draft.confidence, sure))


def _introduced(desk: Desk, moments: Sequence[Moment]) -> Draft | None:
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


def _which(desk: Desk, certainty: float) -> Draft:
    """Which of the things that the question names, with what shows it."""
    found = desk.quotes(desk.request.evidence, MAX_QUOTES)
    claims = [claim(desk.says(item), item) for item in found]
    if claims and isinstance(desk.request.value, str):
        claims[0] = Claim(f"“{desk.request.value}”: {desk.says(found[0])}", claims[0].evidence)
    return desk.draft(claims, certainty)


def _compare(desk: Desk, certainty: float) -> Draft:
    """One claim per video, in the order of the evidence, each with how many moments it has."""
    groups = by_video(desk.request.evidence)
    claims = []
    for moments in sorted(groups.values(), key=len, reverse=True):
        found = desk.quotes(moments, MAX_QUOTES)
        if found:
            times = "once" if len(moments) == 1 else f"{len(moments)} times"
            # The name stands inside the sentence, where no capital changes it.
            name = shown_name(found[0].video)
            claims.append(claim(f"{times} in {name}: {when(found[0])} {quoted(found[0])}", *found))
    draft = desk.draft(claims, certainty)
    return replace(draft, numbers=(*draft.numbers, *(float(len(moments)) for moments in groups.values())))


def _summary(desk: Desk, certainty: float) -> Draft:
    """The rows that together hold most of what all of them say, at most MAX_SUMMARY, by video and time."""
    moments = sorted(desk.request.evidence, key=lambda m: (m.video_id, m.span))
    # Scraps of screen text of one or two words summarise nothing.
    moments = [m for m in moments if len(content_words(m.text)) >= MIN_TELLING_WORDS] or moments
    return desk.say(most_telling(moments, MAX_SUMMARY), MAX_SUMMARY, certainty)


def _chapters(desk: Desk, certainty: float) -> Draft:
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
            claims.append(claim(f"{head} {quoted(item, CHAPTER_CHARACTERS)}", item))
    desk.evidence = list(whole.values())
    draft = desk.draft(claims, certainty)
    told = len({item.video_id for item in desk.evidence})
    videos = len(desk.request.context.scope)
    parts = [f"Of {videos} videos {told} are told of" if videos > 1 else ""]
    if (left := len(desk.request.evidence) - len(shown)) > 0 and draft.claims:
        parts.append(f"{left} further chapters are not shown; ask of one video, or of a part of it")
    statement = "; ".join(filter(None, parts))
    draft = replace(draft, whole=tuple(whole))
    return replace(draft, statement=f"{sentence(statement)}." if statement and draft.claims else draft.statement)


def _title(desk: Desk, chapter: Moment, quote: str) -> str:
    """ " (stream, cipher)": the words of a chapter's title that a quote of it bears out, "" without any."""
    sections = desk.request.context.catalogue.sections(chapter.video_id)
    title = next((part.title for part in sections if part.level == "chapter" and part.span == chapter.span), "")
    told = set(content_words(quote))
    kept = [word for word in title.split(", ") if word and set(content_words(word)) <= told]
    return f" ({', '.join(kept)})" if len(kept) > 1 else ""


def _videos(desk: Desk, _: float) -> Draft:
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


_FORMS: Mapping[str, Callable[[Desk, float], Draft]] = {
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
#: The kind that tells which videos there are.
CATALOGUE = "videos"
KINDS = tuple(_FORMS)
