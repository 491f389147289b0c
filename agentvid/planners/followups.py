"""What a question of a conversation means that says only half of it: "and after that?", "what about coal?".

The half that is missing comes from the turns before: their questions, as they were understood, and the spans that they
cited. No word of a video is read. What comes out is a question that is complete in itself, with where to look, and a
sentence that tells the user so; where nothing earlier fits, a sentence that says that. A question that is complete
already is left alone. Deterministic.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

from agentvid.planners import slots
from agentvid.planners.base import Turn
from agentvid.text import clean_text, time_range
from agentvid.types import Span, Video
from agentvid.words import FUNCTION_WORDS, words

#: Cited spans so near to the first one are one place: an excerpt of three rows is cited as three spans.
_SAME_PLACE_SECONDS = 30.0
#: "There" and "then" reach a little further than the words that were quoted.
_AROUND_SECONDS = 5.0
#: Of a shorter span nothing would be left between two rounded times.
_SHORT_SECONDS = 0.05
_MOST_PHRASE_WORDS, _LISTED = 6, 5
#: Who says only half does not say so much.
_MOST_CHARACTERS = 500

#: The phrases that a question is about, for which others can stand: the slots of its form.
Phrases = Callable[[str], Sequence[str]]
Place = tuple[Video, Span]


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A question made complete.

    `place`: where alone to look, if it is not the whole scope. `videos`: the ids that replace the scope, none if it
    stays. `said`: how it was understood, for the user. `problem`: why it was not; then nothing else is set.
    """

    question: str = ""
    place: tuple[str, Span] | None = None
    videos: tuple[str, ...] = ()
    said: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Topic:
    """The phrase that a question is about. `is_clause`: with its verb, as in "When does *the train leave*?"."""

    question: str
    phrase: str
    is_clause: bool

    @classmethod
    def of(cls, question: str, phrase: str) -> Topic:
        verb = r"(?:do|does|did|how (?:is|are|was|were|can|to))"
        if not re.search(rf"\b{verb} (?:(?:the|an?) )?{re.escape(phrase)}(?!\w)", question, re.IGNORECASE):
            return cls(question, phrase, is_clause=False)
        # Of two words the first one can only be the subject.
        subject = re.fullmatch(r"((?:(?:the|an?) )?(?!(?:the|an?) )\w+) \w+", phrase)
        return cls(question, subject[1], is_clause=False) if subject else cls(question, phrase, is_clause=True)


class NothingFits(Exception):
    """Nothing that was asked before can be meant; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """What was asked before, the last turn last; the videos in scope, and all that could be named."""

    turns: Sequence[Turn]
    scope: Sequence[Video]
    known: Sequence[Video]
    phrases: Phrases

    def place(self) -> Place:
        """What "that" points at: the first span that the last turn cited, and its neighbours.

        A follow-up that found nothing leaves the place where it was.
        """
        self.last()
        turn = next((turn for turn in reversed(self.turns) if not (turn.abstained and turn.understood)), self.turns[0])
        if turn.abstained or not turn.cited:
            raise NothingFits("the answer before it cited nothing that could be meant")
        video_id, span = turn.cited[0]
        video = next((video for video in self.scope if video.id == video_id), None)
        if video is None:
            raise NothingFits("the video that the answer before it cited is not among those of this question")
        return video, _grown(span, [other for cited, other in turn.cited if cited == video_id])

    def last(self) -> Turn:
        if not self.turns:
            raise NothingFits("nothing was asked before it in this conversation")
        return self.turns[-1]

    def topic(self) -> Topic:
        """What the last turn that is about just one thing is about."""
        self.last()
        for turn in reversed(self.turns):
            if topic := self.topic_of(turn):
                return topic
        raise NothingFits("no question before it is about one thing that could be meant")

    def topic_of(self, turn: Turn) -> Topic | None:
        """The one thing that a turn is about, None if it is about a time or several."""
        found = [phrase for phrase in self.phrases(turn.standalone) if _occurs(phrase, turn.standalone)]
        return Topic.of(turn.standalone, found[0]) if len(found) == 1 else None

    def other(self) -> Video:
        """What "the other video" names: the only other one in scope, else in the library, else among those cited."""
        last = self.last()
        cited = [video_id for video_id, _ in last.cited[:1]] if not last.abstained else []
        current = [*cited, *(last.videos if len(last.videos) == 1 else ())][:1]
        if not current:
            raise NothingFits("the answer before it is not about one video")
        named = {video_id for turn in self.turns for video_id, _ in turn.cited}
        for videos in (self.scope, self.known, [video for video in self.known if video.id in named]):
            others = [video for video in videos if video.id != current[0]]
            if len(others) == 1:
                return others[0]
        known = ", ".join(_name(video) for video in self.known[:_LISTED]) or "none"
        raise NothingFits(f"there is not just one other video (there are: {known})")

    def repeated(self) -> str:
        """The last question, for other videos. Raises NothingFits if it is about a time of one of them."""
        question, _ = slots.take_video(slots.plain_question(self.last().standalone), self.known)
        if _CLOCK.search(question):
            raise NothingFits("the question before it is about a time of one video")
        return _sentence(question)


def understand(question: str, conversation: Conversation) -> FollowUp | None:
    """What a follow-up means; None for a question that stands alone."""
    if len(question) > _MOST_CHARACTERS:
        return None
    asked = _plain(question)
    has_quotes = bool(slots.quoted_phrases(question))
    for pattern, resolve in _KINDS:
        found = pattern.fullmatch(asked.removeprefix("and ")) or pattern.fullmatch(asked)
        if not found or (has_quotes and resolve is not _instead):
            continue
        try:
            if understood := resolve(found, conversation):
                return understood
        except NothingFits as nothing:
            said = clean_text(question, limit=80)
            return FollowUp(problem=f"“{said}” goes on with something, but {nothing}; ask it in full")
    return None


# -- kinds of follow-ups: what they become ----------------------------------------------------------------------------


def _after(found: re.Match[str], talk: Conversation) -> FollowUp:
    video, span = talk.place()
    return _at(f"What {_verb(found)} after {_clock(span.end_seconds, math.floor)}", (video, span))


def _before(found: re.Match[str], talk: Conversation) -> FollowUp:
    video, span = talk.place()
    return _at(f"What {_verb(found)} before {_clock(span.start_seconds, math.ceil)}", (video, span))


def _when(_: re.Match[str], talk: Conversation) -> FollowUp:
    place = talk.place()
    topic = talk.topic_of(talk.last())
    if topic is None:
        return _at(f"What is said {_between(place[1])}", place)
    return _within(f"When {'does' if topic.is_clause else 'is'} {topic.phrase}?", place, "that")


def _who(_: re.Match[str], talk: Conversation) -> FollowUp:
    video, span = talk.place()
    return _at(f"Who is talking at {_clock(span.start_seconds, math.ceil)}", (video, span))


def _describe(_: re.Match[str], talk: Conversation) -> FollowUp:
    place = talk.place()
    return _at(f"What happens {_between(place[1])}", place)


def _more(_: re.Match[str], talk: Conversation) -> FollowUp:
    return _read_as(f"What is said about {talk.topic().phrase}?")


def _there(found: re.Match[str], talk: Conversation) -> FollowUp:
    rest = _joined(found)
    if set(words(rest)) <= FUNCTION_WORDS | _GENERIC:
        return _describe(found, talk)
    video, span = talk.place()
    start = max(0.0, span.start_seconds - _AROUND_SECONDS)
    around = Span(start, max(span.end_seconds, min(span.end_seconds + _AROUND_SECONDS, video.duration_seconds)))
    return _within(_sentence(rest), (video, around), found["there"])


def _same_video(found: re.Match[str], talk: Conversation) -> FollowUp:
    video, _ = talk.place()
    return _in_video(_sentence(_joined(found)), video, found["there"])


def _other_video(found: re.Match[str], talk: Conversation) -> FollowUp:
    rest = _joined(found)
    return _in_video(_sentence(rest) if rest else talk.repeated(), talk.other(), found["there"])


def _named_video(found: re.Match[str], talk: Conversation) -> FollowUp | None:
    video = slots.find_video(found["name"], talk.known)
    return _in_video(talk.repeated(), video, "") if video else None


def _nth(found: re.Match[str], talk: Conversation) -> FollowUp:
    topic, number = talk.topic(), found["n"].lower()
    if number == "next":
        earlier = _ORDINAL.search(talk.last().standalone)
        number = _NUMBERS[min((slots.parse_ordinal(earlier.group()) or 1) if earlier else 1, len(_NUMBERS) - 1)]
    asked = f"does {topic.phrase}" if topic.is_clause else f"is {topic.phrase} mentioned"
    return _read_as(f"When {asked} for the {number} time?")


def _how_often(_: re.Match[str], talk: Conversation) -> FollowUp:
    topic = talk.topic()
    return _read_as(f"How often {f'does {topic.phrase}' if topic.is_clause else f'is {topic.phrase} mentioned'}?")


def _in_stretch(found: re.Match[str], talk: Conversation) -> FollowUp | None:
    """The same question about another part of the video: "and in the first two minutes?"."""
    if slots.take_span(f"asked {found['stretch']}")[1] is None or not talk.turns:
        return None
    video = talk.scope[0] if len(talk.scope) == 1 else talk.place()[0]
    question, _ = slots.take_video(slots.plain_question(talk.last().standalone), talk.known)
    question, _ = slots.take_span(question)
    return _read_as(_sentence(f"{question} {found['stretch']} in {_reference(video)}"))


def _instead(found: re.Match[str], talk: Conversation) -> FollowUp | None:
    """The same question about something else."""
    phrase = found["x"].strip(" ,")
    is_phrase = len(phrase.split()) <= _MOST_PHRASE_WORDS and bool(set(words(phrase)) - FUNCTION_WORDS)
    if not is_phrase or _NO_PHRASE.match(phrase) or not talk.turns:
        return None
    topic = talk.topic()
    if topic.is_clause:
        return _read_as(f"What is said about {phrase}?")
    return _read_as(re.sub(_as_words(topic.phrase), lambda _: phrase, topic.question, count=1, flags=re.IGNORECASE))


def _pronoun(found: re.Match[str], talk: Conversation) -> FollowUp | None:
    """ "How often is it mentioned?": it says nothing but what is asked of something."""
    rest = set(words(_joined(found))) - FUNCTION_WORDS
    if not rest or not rest <= _GENERIC or not talk.turns:
        return None
    return _substituted(found, talk.topic().phrase)


def _object(found: re.Match[str], talk: Conversation) -> FollowUp | None:
    """ "Who invented it?": a thing, if the question before is about one."""
    topic = talk.topic_of(talk.last()) if talk.turns else None
    return _substituted(found, topic.phrase) if topic and not topic.is_clause else None


# -- what they look like ----------------------------------------------------------------------------------------------

_THAT = r"(?:that|this|it)"
_KIND_OF_PLACE = r"(?:scene|part|moment|shot|passage|section|place|point|stretch|time|picture|slide|frame)"
_SCENE = rf"(?:that|this|the same) {_KIND_OF_PLACE}"
_VIDEO = r"(?:video|clip|film|movie|recording|footage|episode|lecture|talk|file|one)"
_BE = r"(?:is|was|are|were)"
_RIGHT = r"(?:(?:right|just|directly|immediately|shortly) )?"
_ABOUT = r"(?:(?:what|how) about )?"
_HAPPENS = (
    r"(?:what )?(?:(?:happens|happened|comes|came|follows|followed|is said|was said|is shown|was shown"
    r"|(?:do|did|does) (?:they|he|she|it) (?:say|do)) )?"
)
_NUMBERS = "first second third fourth fifth sixth seventh eighth ninth tenth".split()
_NTH = rf"(?:\d{{1,3}}(?:st|nd|rd|th)|{'|'.join(_NUMBERS)}|last|next)"

#: The more telling first. Each may begin with "and", the last one must.
_KINDS = tuple(
    (re.compile(pattern, re.IGNORECASE), resolve)
    for pattern, resolve in (
        (rf"{_ABOUT}{_HAPPENS}(?:next|then|afterwards?|{_RIGHT}after(?: {_THAT}| {_SCENE})?)", _after),
        (rf"what {_BE} next|what follows|go on|continue", _after),
        (rf"{_ABOUT}{_HAPPENS}(?:previously|earlier|{_RIGHT}before(?: {_THAT}| {_SCENE})?)", _before),
        (rf"(?:exactly )?when(?: exactly)? (?:{_BE}|does|did) {_THAT}(?: {_KIND_OF_PLACE})?"
         r"(?: (?:happen|said|mentioned|shown|exactly))*", _when),
        (rf"(?:at )?(?:what|which) (?:time|second|minute)(?: exactly)?(?: {_BE} {_THAT})?", _when),
        (rf"(?:exactly )?(?:when|where)(?: exactly)?|where (?:exactly )?{_BE} {_THAT}(?: exactly)?", _when),
        (rf"who (?:says?|said|{_BE} saying|tells?|told|mentions?|mentioned) (?:us )?(?:{_THAT}|so)", _who),
        (rf"who {_BE} (?:that|(?:speaking|talking) (?:there|then))|whose words {_BE} (?:that|those)", _who),
        (rf"(?:describe|summari[sz]e|what (?:happens|happened|{_BE} (?:shown|said)) in) (?:that|{_SCENE})", _describe),
        (r"(?:tell me )?more(?: (?:about|on|of) (?:that|this|it))?", _more),
        (r"what (?:else|(?:else )?(?:is|was|do they|did they) (?:said|say)) about (?:that|this|it|them)", _more),
        (rf"{_ABOUT}(?:(?:in|from|for|on) )?(?P<there>the other {_VIDEO})", _other_video),
        (rf"(?P<before>.+?),? (?:in|from) (?P<there>the other {_VIDEO})", _other_video),
        (rf"{_ABOUT}(?:(?:in|from|for) )?(?P<name>\S.*)", _named_video),
        (rf"{_ABOUT}(?P<stretch>(?:in|during|within|between|from|after|since|before|until|up to) .+)", _in_stretch),
        (r"(?:exactly )?how (?:often|many times)(?: exactly| in all| in total| altogether)?", _how_often),
        (rf"{_ABOUT}(?:when (?:is|was) )?the (?P<n>{_NTH})(?: (?:time|one|mention|occurrence))?", _nth),
        (rf"(?P<before>.+?),? (?:in|from) (?P<there>(?:that|the same) {_VIDEO})", _same_video),
        (rf"(?:in|from) (?P<there>(?:that|the same) {_VIDEO}),? (?P<after>.+)", _same_video),
        (rf"(?P<before>.+?),? (?:in|during|at|on|within) (?P<there>{_SCENE})(?P<after> .+)?", _there),
        (rf"(?:in|during|at|on|within) (?P<there>{_SCENE}),? (?P<after>.+)", _there),
        # Not "how many are there", nor "is anybody there".
        (rf"(?P<before>(?!.*\b{_BE} (?:\w+ )?there$).+?),? (?P<there>there|then)", _there),
        (r"(?:what|how) about (?P<x>.+)", _instead),
        (r"(?P<before>(?:how (?:often|many times|long)|when|where|is|was|are|were|does|did|do)\b(?: \w+)*?)"
         r" (?P<it>it|that|this|they|them)\b(?P<after> .+)?", _pronoun),
        (rf"(?P<before>(?:who|how|why|when|where|what|which)\b.* (?!{_BE}|in)\w+) (?P<it>it|them)", _object),
        (r"and (?P<x>.+)", _instead),
    )
)  # fmt: skip
_ORDINAL = re.compile(rf"\b{_NTH}\b", re.IGNORECASE)
_CLOCK = re.compile(r"\b\d+:\d\d")
#: What begins so is no phrase that could stand for another one.
_NO_PHRASE = re.compile(
    r"(?:in|on|at|from|for|with|without|by|to|of|when|where|who|what|which|why|how|if|is|are|was|were|do|does|did|can"
    r"|could|should|would|will|has|have|had|it|that|this|there|then|you|we|they|he|she|i|tell|show|find|give|list"
    r"|explain|describe|count)\b",
    re.IGNORECASE,
)
#: Verbs and adverbs that say nothing about which thing is meant.
_GENERIC = frozenset(
    "mention mentioned mentions said say says shown show shows seen see appear appears happen happens happened occur"
    " occurs occurred take takes last lasts come comes talked talk discussed explained again else elsewhere exactly"
    " time times often many long once ever also too up".split()
)
_LEAD = re.compile(r"(?:and|but|so|ok(?:ay)?|well|also|now|please)\b[ ,]*", re.IGNORECASE)


# -- helpers ----------------------------------------------------------------------------------------------------------


def _plain(question: str) -> str:
    """In one line, without closing marks; "and" stands for all words that people go on with."""
    asked = clean_text(question).strip(" ?!.…,")
    rest = asked
    while (lead := _LEAD.match(rest)) and lead.end() < len(rest):
        rest = rest[lead.end() :]
    return rest if rest == asked else f"and {rest}"


def _joined(found: re.Match[str]) -> str:
    """What stands around the phrase that points at something."""
    parts = (found.groupdict().get(name) or "" for name in ("before", "after"))
    return " ".join(" ".join(parts).split()).strip(" ,")


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}?"


def _verb(found: re.Match[str]) -> str:
    return "is said" if re.search(r"\bsa(?:id|y)\b", found.group(), re.IGNORECASE) else "happens"


def _grown(span: Span, others: Sequence[Span]) -> Span:
    """The span with all others that begin or end near it, one after the other."""
    for other in sorted(others, key=lambda other: abs(other.start_seconds - span.start_seconds)):
        gap = max(other.start_seconds - span.end_seconds, span.start_seconds - other.end_seconds)
        if gap <= _SAME_PLACE_SECONDS:
            span = span.hull(other)
    return span


def _at(text: str, place: Place, phrase: str = "that") -> FollowUp:
    """The times stand in the question itself."""
    video, _ = place
    return _told(FollowUp(f"{text} in {_reference(video)}?", videos=(video.id,)), phrase, place)


def _within(question: str, place: Place, phrase: str) -> FollowUp:
    video, span = place
    return _told(FollowUp(question, place=(video.id, span), videos=(video.id,)), phrase, place)


def _in_video(question: str, video: Video, phrase: str) -> FollowUp:
    meant = f"“{phrase}” = {_name(video)}; " if phrase else ""
    return FollowUp(question, videos=(video.id,), said=f"{meant}read as: {question} ({_name(video)})")


def _substituted(found: re.Match[str], phrase: str) -> FollowUp:
    """The question with a phrase in the place of its pronoun."""
    question = _sentence(f"{found['before']} {phrase}{found.groupdict().get('after') or ''}")
    return FollowUp(question, said=f"“{found['it']}” = {phrase}; read as: {question}")


def _read_as(question: str) -> FollowUp:
    return FollowUp(question, said=f"read as: {question}")


def _told(understood: FollowUp, phrase: str, place: Place) -> FollowUp:
    video, span = place
    where = f"{_name(video)} {time_range(span.start_seconds, span.end_seconds)}"
    return replace(understood, said=f"“{phrase}” = {where}; read as: {understood.question}")


def _name(video: Video) -> str:
    return clean_text(PurePath(video.name).name, limit=120)


def _reference(video: Video) -> str:
    """A name that a question may hold."""
    return name if _PLAIN_NAME.fullmatch(name := _name(video)) else video.id


_PLAIN_NAME = re.compile(r"[\w.-]+(?: [\w.-]+){0,5}")


def _between(span: Span) -> str:
    """Rounded inwards: what only touches the span is no part of it."""
    is_short = span.duration_seconds < _SHORT_SECONDS
    inwards = (math.floor, math.ceil) if is_short else (math.ceil, math.floor)
    start, end = map(_clock, (span.start_seconds, span.end_seconds), inwards)
    return f"between {start} and {end}"


def _clock(seconds: float, rounded: Callable[[float], int]) -> str:
    """ "1:35.25": to the hundredth of a second, up or down."""
    hundredths = rounded(round(seconds * 100, 3))
    minutes, rest = divmod(hundredths, 6_000)
    text = f"{minutes // 60}:{minutes % 60:02d}" if minutes >= 60 else f"{minutes}"
    fraction = f".{rest % 100:02d}" if rest % 100 else ""
    return f"{text}:{rest // 100:02d}{fraction}"


def _occurs(phrase: str, question: str) -> bool:
    return len(re.findall(_as_words(phrase), question, re.IGNORECASE)) == 1


def _as_words(phrase: str) -> str:
    return rf"(?<!\w){re.escape(phrase)}(?!\w)"
