"""The embedded planner: the nearest question form of `prompts/programs.yaml`, its slots filled from the question.

VURF (arXiv 2403.14743) shows an LLM question -> program examples; here the nearest example is executed itself.
A form matches when its literal words stand in the question in their order and its slots hold what they must (a time,
an ordinal, a video in scope, any phrase). The form whose literal words are rarest in the bank wins: it says most
about the question. A question that fits none word for word takes the form that is nearest by words and embedding,
if it is near enough, else the form without literal words, which looks for the question itself.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from string import Template

from agentvid.errors import ModelError, ProgramError, ToolError, UsageError
from agentvid.models.base import Embedder
from agentvid.planners import slots
from agentvid.planners.bank import Example, ExampleBank, Form, Near, load_bank, mask_quotes, slot_kind, unmask
from agentvid.planners.base import Plan, PlanRequest
from agentvid.types import Span, Video
from agentvid.words import FUNCTION_WORDS, words

#: An unaligned form must reach this mean of word containment and cosine, and is then worth this share of its weight.
NEAREST_SIMILARITY, MIN_CONTAINMENT = 0.72, 0.7
#: Without an embedder word containment alone must reach this.
MIN_CONTAINMENT_ALONE = 0.9
NEAREST_SHARE = 0.65
MAX_ALIGNED_CHARACTERS = 1_000
#: A slot with one of these asks for more than one retrieval.
_CONNECTORS = frozenset("before after while until then during between first last both every each than".split())
_UNSEEN = (
    "this asks for what is to be seen, and only text and measured facts were looked at; "
    "choose a model that looks at frames with --vision provider:model"
)
#: "Does the bell ever ring" asks what "does the bell ring" asks.
_EVER = re.compile(r"\s+ever\b", re.IGNORECASE)
#: A video's id, and a stretch of it.
Place = tuple[str, Span]
#: Longer than any video.
_WHOLE = Span(0, 86_400)
_LEADING_ARTICLE = re.compile(r"^(?:the|an?)\s+(?=\S)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Match:
    """A form with the slot texts that a question gave it; of several, the heaviest is meant."""

    form: Form
    texts: Mapping[str, str]
    weight: float

    @property
    def phrases(self) -> tuple[str, ...]:
        """What the question is about."""
        return tuple(text for name, text in self.texts.items() if slot_kind(name) in ("phrase", "name"))


@dataclass(frozen=True, slots=True)
class _Reading:
    """A question without its choices and the one video that it names; `matches`: forms that it fits, best first.

    `place`: where alone it is asked, because the conversation or its last words say so.
    """

    question: str
    choices: tuple[str, ...]
    video: Video | None
    matches: Sequence[Match]
    place: Place | None = None


class ExemplarPlanner:
    """Plans without an LLM. Deterministic; `embedder` may be None."""

    name = "exemplar"

    def __init__(self, embedder: Embedder | None = None, bank: ExampleBank | None = None) -> None:
        self._embedder = embedder
        self._bank = bank or load_bank()

    @property
    def bank(self) -> ExampleBank:
        return self._bank

    def plan(self, request: PlanRequest) -> Plan:
        """The best form, or after `tried` programs the next best.

        Raises UsageError when the question gives a time but several videos are in scope and none is named, ModelError
        when every form that fits was tried.
        """
        read = self._read(request)
        for match in read.matches:
            program = _fill(match, request, read)
            if program not in request.tried:
                break
        else:
            raise ModelError("every form that fits the question was tried", hint="name an LLM with --model")
        # What the question is about does not change with the form: a looser one must not seem surer.
        focus = read.matches[0].phrases
        simple = match.form.is_lookup and not any(set(words(text)) & _CONNECTORS for text in focus)
        unseen = match.form.seeing and match.form.eye not in request.tools
        unseen = unseen and any(video.paths for video in request.videos)
        return Plan(program, match.form.id, simple, focus, read.choices, note=_UNSEEN if unseen else "")

    def _read(self, request: PlanRequest) -> _Reading:
        """The question without its choices, politeness and video, and the forms that it fits."""
        question, choices = _without_choices(request)
        question = slots.plain_question(question)
        question = question if slots.quoted_phrases(question) else _EVER.sub("", question)
        rest, video = slots.take_video(question, request.videos)
        # "More often in A than in B" ends with the name of a video, and does not mean that alone.
        if video and (naming := self._naming(question, request.videos, bool(choices))):
            return _Reading(question, choices, None, [naming], request.place)
        matches = self._matches(rest, request.videos, bool(choices), is_again=bool(request.tried))
        read = _Reading(rest, choices, video, matches, request.place)
        return read if request.place else self._narrowed(read, request)

    def _narrowed(self, read: _Reading, request: PlanRequest) -> _Reading:
        """Without the times that the question begins or ends with, where it is better read so."""
        rest, stretch = slots.take_span(read.question)
        if stretch is None:
            return read
        matches = self._matches(rest, request.videos, bool(read.choices), is_again=bool(request.tried))
        if not _is_better_narrowed(read.matches[0], matches[0]):
            return read
        place = _place(_named(read.video, None, request.videos), stretch)
        return replace(read, question=rest, matches=matches, place=place)

    def phrases(self, question: str, videos: Sequence[Video]) -> tuple[str, ...]:
        """The phrases that a question is about: what the form that fits it best word for word leaves open."""
        stem, choices = slots.split_choices(question)
        stem, _ = slots.take_video(slots.plain_question(stem), videos)
        return self._heaviest(stem, videos, bool(choices)).phrases

    def weight(self, question: str, videos: Sequence[Video]) -> float:
        """How much of a question without choices the form says that fits it best word for word."""
        return self._heaviest(slots.plain_question(question), videos, has_choices=False).weight

    def _heaviest(self, question: str, videos: Sequence[Video], has_choices: bool) -> Match:
        return max(self._aligned(*mask_quotes(question), videos, has_choices), key=lambda match: match.weight)

    def alternatives(self, request: PlanRequest, about: str, k: int) -> list[Plan]:
        """Programs of the k forms nearest to the question that need no more than `about`, a phrase of it.

        For trying out, likeliest first: not all will fit.
        """
        question, choices = _without_choices(request)
        question, video = slots.take_video(slots.plain_question(question), request.videos)
        found = self._bank.nearest(question, len(self._bank.forms), self._embedder)
        fitting = [one for one in found if one.form.takes_choices == bool(choices) and {*one.example.slots} <= {"x"}]
        plans: dict[str, Plan] = {}
        for one in fitting[:k]:
            match = Match(one.form, {"x": about}, 0.0)
            program = _fill(match, request, _Reading(question, choices, video, [match], request.place))
            plans.setdefault(program, Plan(program, one.form.id, choices=choices))
        return list(plans.values())

    def repair(self, request: PlanRequest, program: str, error: ProgramError | ToolError) -> Plan:
        """An example has nothing to try again with: raises ModelError."""
        raise ModelError(
            f"the program of the question's form failed: {error}",
            hint="name an LLM with --model provider:name to plan this question",
        )

    def _naming(self, question: str, videos: Sequence[Video], has_choices: bool) -> Match | None:
        """The best fit among the forms that name videos themselves ("more often in A than in B"), None if none fits."""
        masked, quotes = mask_quotes(question)
        aligned = self._aligned(masked, quotes, videos, has_choices)
        naming = [match for match in aligned if any(slot_kind(slot) == "video" for slot in match.texts)]
        return max(naming, key=lambda match: match.weight, default=None)

    def _matches(
        self, question: str, videos: Sequence[Video], has_choices: bool, *, is_again: bool = False
    ) -> list[Match]:
        """The best match, and behind it, where it is asked again, the others, heaviest first."""
        masked, quotes = mask_quotes(question)
        aligned = list(self._aligned(masked, quotes, videos, has_choices))
        best = max(aligned, key=lambda match: match.weight)
        # Encoding costs more than all the rest: only what could win is compared by meaning.
        near_forms = self._bank.resembling(question, 16)
        rivals = [
            near for near in near_forms if near.form.takes_choices == has_choices and self._rivals(near, best, question)
        ]
        least = NEAREST_SIMILARITY if self._embedder else MIN_CONTAINMENT_ALONE
        for near in self._bank.judge(question, rivals, self._embedder):
            worth = self._bank.weight(near.example) * near.similarity * NEAREST_SHARE
            if near.similarity >= least and worth > best.weight:
                texts = {"x": self._remainder(question, near.example)}
                best = Match(near.form, texts, worth)
                break
        others = sorted(aligned, key=lambda match: -match.weight) if is_again else []
        return [best, *others]

    def _rivals(self, near: Near, best: Match, question: str) -> bool:
        """True if the form could beat an aligned one: it asks in the same way ("when", "how many", "is"), has one slot,
        and weight enough even at similarity 1.
        """
        # A word said twice ("what did {x} do") would count twice for one in the question.
        is_plain = len(set(near.example.literals)) == len(near.example.literals)
        is_simple = is_plain and set(near.example.slots) == {"x"} and near.similarity >= MIN_CONTAINMENT
        asks_alike = bool(near.example.literals[:1]) and near.example.literals[0] in self._bank.fold(
            question.split(" ")[0]
        )
        return is_simple and asks_alike and self._bank.weight(near.example) * NEAREST_SHARE > best.weight

    def _aligned(
        self, masked: str, quotes: Sequence[str], videos: Sequence[Video], has_choices: bool
    ) -> Iterator[Match]:
        """Every example that the question fits word for word."""
        is_long = len(masked) > MAX_ALIGNED_CHARACTERS
        for form, example in self._bank.candidates(frozenset(words(masked))):
            # No one asks at such length: it is looked for as it is.
            if form.takes_choices != has_choices or (is_long and example.literals):
                continue
            if (aligned := example.fit(masked)) is None:
                continue
            texts = {name: unmask(text, quotes) for name, text in aligned.items()}
            if subject := texts.pop("subject", ""):
                texts["x"] = f"{subject} {texts['x']}"
            if all(_holds(name, text, videos) for name, text in texts.items()):
                if looked_for := texts.pop("sound", "") or texts.pop("hue", ""):
                    texts["x"] = looked_for
                yield Match(form, texts, self._bank.weight(example))

    def _remainder(self, question: str, example: Example) -> str:
        """The question's words that are neither the example's nor function words, in order; all, if none is left."""
        literal = set(example.literals)
        kept = [
            word
            for word in question.split()
            if (w := " ".join(words(word))) not in FUNCTION_WORDS and not {w, self._bank.classes.get(w, w)} & literal
        ]
        return " ".join(kept) or question


def _without_choices(request: PlanRequest) -> tuple[str, tuple[str, ...]]:
    """The question, and the choices that were given with it or stand in it."""
    question, inline = slots.split_choices(request.question)
    return question, request.choices or inline


def _is_better_narrowed(whole: Match, rest: Match) -> bool:
    """True if a question is better read without the times that it ends with, and answered in that part alone.

    "How many cuts are there in the first minute": no form has a place for the times. "Is there text after 1:00": one
    has, and takes "there text" for a phrase, where another knows all the other words.
    """
    has_times = any(slot_kind(slot) == "time" for slot in whole.texts)
    return not has_times or bool(whole.phrases and not rest.phrases)


def _holds(slot: str, text: str, videos: Sequence[Video]) -> bool:
    kind = slot_kind(slot)
    if kind == "time":
        return slots.parse_time(text) is not None
    if kind == "n":
        return slots.parse_ordinal(text) is not None
    if kind == "count":
        return slots.parse_count(text) is not None
    if kind == "video":
        return slots.find_video(text, videos) is not None
    if kind == "track":
        return slots.parse_track(text) is not None
    if kind == "sound":
        return slots.is_sound(text)
    if kind == "hue":
        return slots.is_colour(text)
    return bool(text)


def _fill(match: Match, request: PlanRequest, read: _Reading) -> str:
    """The form's program with every placeholder as a literal. `$where` narrows a tool call to the named video."""
    videos, video = request.videos, read.video
    values = {name: _value(name, text, videos) for name, text in match.texts.items()}
    values |= {f"{name}_exact": slots.literal(f'"{_without_article(text)}"') for name, text in match.texts.items()}
    values |= {"choices": slots.literal(list(read.choices)), "question": slots.literal(read.question)}
    is_one_video = bool(video or read.place) or len(videos) < 2
    program = Template(match.form.program_with(request.tools, is_one_video=is_one_video))
    values["where"] = f", video={slots.literal(video.id)}" if video else ""
    if read.place:
        values["where"] = f", within={_span_text(*read.place)}"
    wanted = set(program.get_identifiers())
    if "video" in wanted - set(values):
        values["video"] = slots.literal(_named(video, read.place, videos).id)
    if "whole" in wanted:
        values["whole"] = _span_text(*(read.place or (_named(video, None, videos).id, _WHOLE)))
    return program.substitute(values)


def _named(video: Video | None, place: Place | None, videos: Sequence[Video]) -> Video:
    """The video that the question is about. Raises UsageError where it could be any of several."""
    placed = next((one for one in videos if place and one.id == place[0]), None)
    if named := video or placed or (videos[0] if len(videos) == 1 else None):
        return named
    raise UsageError(
        f"the question does not say which of {len(videos)} videos it means",
        hint="name one with --video NAME, or end the question with `in NAME`",
    )


def _place(video: Video, stretch: slots.Stretch) -> Place:
    """A stretch as a place in a video; one that lies behind its end stays there, so that the program can say so."""
    start, end = stretch
    start = max(0.0, video.duration_seconds + start) if start < 0 else start
    return video.id, Span(start, max(start + 1, video.duration_seconds) if math.isinf(end) else end)


def _span_text(video_id: str, span: Span) -> str:
    start, end = slots.literal(span.start_seconds), slots.literal(span.end_seconds)
    return f"span(start={start}, end={end}, video={slots.literal(video_id)})"


def _value(slot: str, text: str, videos: Sequence[Video]) -> str:
    kind = slot_kind(slot)
    if kind == "time":
        return slots.literal(slots.parse_time(text) or 0.0)
    if kind == "n":
        return slots.literal(slots.parse_ordinal(text) or 1)
    if kind == "count":
        return slots.literal(slots.parse_count(text) or 1)
    if kind == "video":
        found = slots.find_video(text, videos)
        return slots.literal(found.id if found else text)
    if kind == "track":
        return slots.literal(slots.parse_track(text) or text)
    return slots.literal(_without_article(text))


def _without_article(text: str) -> str:
    """Counting "the mill" letter by letter would miss "this mill"."""
    return _LEADING_ARTICLE.sub("", text)
