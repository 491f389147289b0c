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
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from importlib.resources import files
from string import Template
from typing import Any

import yaml

from agentvid.errors import ModelError, ProgramError, ToolError, UsageError
from agentvid.models.base import Embedder
from agentvid.planners import slots
from agentvid.planners.base import Plan, PlanRequest
from agentvid.types import Video
from agentvid.words import FUNCTION_WORDS, words

#: An unaligned form must reach this mean of word containment and cosine, and is then worth this share of its weight.
NEAREST_SIMILARITY, MIN_CONTAINMENT = 0.72, 0.5
NEAREST_SHARE = 0.8
MAX_ALIGNED_CHARACTERS = 1_000
#: A slot with one of these asks for more than one retrieval.
_CONNECTORS = frozenset("before after while until then during between first last both every each than".split())
_SLOT = re.compile(r"\{(\w+)\}")
_ARTICLE = r"(?:(?:the|a|an|any|some)\s+)?"
_ORDINAL = r"\d{1,3}(?:st|nd|rd|th)|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth"
_SLOT_PATTERNS = {"n": _ORDINAL, "name": r"[^\s,]+(?:\s[^\s,]+){0,4}?", "count": r"\w+"}
_QUOTE_MARK = "\ue000"
#: "Does the bell ever ring" asks what "does the bell ring" asks.
_EVER = re.compile(r"\s+ever\b", re.IGNORECASE)
_LEADING_ARTICLE = re.compile(r"^(?:the|an?)\s+(?=\S)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Example:
    """One example question: its pattern, its literal words (class names or words) and the slots it fills.

    `required` are the words that no other can stand for: a question without them need not be tried.
    """

    text: str
    pattern: str
    literals: tuple[str, ...]
    slots: tuple[str, ...]
    required: frozenset[str]

    @property
    def masked(self) -> str:
        return _SLOT.sub("something", self.text)


@dataclass(frozen=True, slots=True)
class Form:
    """A family of questions that one program answers."""

    id: str
    family: str
    is_lookup: bool
    examples: tuple[Example, ...]
    program: str

    @property
    def takes_choices(self) -> bool:
        return "$choices" in self.program


@dataclass(frozen=True, slots=True)
class Match:
    """A form with the slot texts that a question gave it; of several, the heaviest is meant."""

    form: Form
    texts: Mapping[str, str]
    weight: float


@dataclass(frozen=True, slots=True)
class Near:
    """A form that a question resembles without fitting it word for word; `similarity` 0 to 1."""

    similarity: float
    form: Form
    example: Example


class ExampleBank:
    """The question forms, with the weight of every literal word: rare in the bank means telling."""

    def __init__(self, forms: Sequence[Form], classes: Mapping[str, str]) -> None:
        self.forms = tuple(forms)
        self.classes = classes
        count = Counter(word for form in forms for word in {w for e in form.examples for w in e.literals})
        self.weights = {word: math.log(1 + len(self.forms) / seen) for word, seen in count.items()}

    @cached_property
    def by_id(self) -> Mapping[str, Form]:
        return {form.id: form for form in self.forms}

    def weight(self, example: Example) -> float:
        """How telling a match is; a slot that only a time, an ordinal or a video fits tells as much as a rare word."""
        typed = sum(_kind(slot) not in ("phrase", "name") for slot in example.slots)
        return sum(self.weights[word] for word in example.literals) + typed * math.log(1 + len(self.forms))

    def containment(self, example: Example, question_words: frozenset[str]) -> float:
        """The share of the example's literal weight whose words are in the question, 0 to 1."""
        total = sum(self.weights[word] for word in example.literals)
        return sum(self.weights[w] for w in example.literals if w in question_words) / total if total else 0.0

    def nearest(self, question: str, k: int, embedder: Embedder | None = None) -> list[Near]:
        """The k forms nearest to the question, best first, each with its nearest example."""
        known = self.fold(question)
        found = []
        for form in self.forms:
            share, example = max(((self.containment(e, known), e) for e in form.examples), key=lambda pair: pair[0])
            found.append(Near(share, form, example))
        shortlist = sorted(found, key=lambda near: -near.similarity)[: max(k, 16)]
        return self.judge(question, shortlist, embedder)[:k]

    def judge(self, question: str, found: Sequence[Near], embedder: Embedder | None) -> list[Near]:
        """`found` by the mean of word containment and cosine, best first; by containment alone without an embedder."""
        if embedder is None or not found:
            return list(found)
        vectors = embedder.encode_query([question, *(near.example.masked for near in found)])
        cosines = vectors[1:] @ vectors[0]
        judged = [
            replace(near, similarity=(near.similarity + max(0.0, float(cosine))) / 2)
            for near, cosine in zip(found, cosines, strict=True)
        ]
        return sorted(judged, key=lambda near: -near.similarity)

    def fold(self, question: str) -> frozenset[str]:
        """The question's words, each also under the name of its class."""
        found = words(question)
        return frozenset(found) | {self.classes[word] for word in found if word in self.classes}


@lru_cache(maxsize=1)
def load_bank() -> ExampleBank:
    """The bank that ships in `prompts/programs.yaml`."""
    return parse_bank((files("agentvid.prompts") / "programs.yaml").read_text("utf-8"))


def parse_bank(text: str) -> ExampleBank:
    """Read forms from YAML text: `words` (class -> members) and `forms` (id, family, route, examples, program).

    Raises UsageError naming the form that is wrong.
    """
    try:
        # libyaml where PyYAML was built with it: ten times faster, and as safe.
        data: Any = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        classes = {name: tuple(str(members).split()) for name, members in data.get("words", {}).items()}
        forms = [_parse_form(entry, classes) for entry in data["forms"]]
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"example bank: {error}", hint="each form has id, family, route, examples, program") from None
    ids = Counter(form.id for form in forms)
    if repeated := [name for name, seen in ids.items() if seen > 1]:
        raise UsageError(f"example bank: form id {repeated[0]!r} is used twice; ids are unique")
    return ExampleBank(forms, {member: name for name, members in classes.items() for member in (*members, name)})


def _parse_form(entry: Mapping[str, Any], classes: Mapping[str, tuple[str, ...]]) -> Form:
    if entry["route"] not in ("lookup", "program"):
        raise UsageError(f"form {entry['id']!r}: route {entry['route']!r}; allowed: lookup, program")
    examples = tuple(compile_example(str(text), classes) for text in entry["examples"])
    return Form(entry["id"], entry["family"], entry["route"] == "lookup", examples, entry["program"].strip() + "\n")


def compile_example(text: str, classes: Mapping[str, tuple[str, ...]]) -> Example:
    """Literal words match themselves or a member of the class they name (`<say>`); slots match phrases."""
    parts: list[str] = []
    literals: list[str] = []
    named: list[str] = []
    required: set[str] = set()
    for token in text.split():
        slot = _SLOT.fullmatch(token)
        if slot:
            named.append(slot.group(1))
            parts.append(f"(?P<{slot.group(1)}>{_SLOT_PATTERNS.get(slot.group(1), '.+?')})")
            continue
        word = token.strip("<>")
        members = classes.get(word, (word,)) if token.startswith("<") else (word,)
        if token.startswith("<") and word not in classes:
            raise UsageError(f"example {text!r}: no word class {token}; known: {', '.join(sorted(classes))}")
        literals.append(word)
        if members == (word,) and word.isalnum():
            required.add(word)
        parts.append(_ARTICLE + "(?:" + "|".join(re.escape(m).replace("_", r"\s+") for m in members) + ")")
    return Example(text, r"\s+".join(parts), tuple(literals), tuple(named), frozenset(required))


@lru_cache(maxsize=2_048)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


class ExemplarPlanner:
    """Plans without an LLM. Deterministic; `embedder` may be None."""

    name = "exemplar"

    def __init__(self, embedder: Embedder | None = None, bank: ExampleBank | None = None) -> None:
        self._embedder = embedder
        self._bank = bank or load_bank()

    def plan(self, request: PlanRequest) -> Plan:
        """The best form, or after `tried` programs the next best.

        Raises UsageError when the question gives a time but several videos are in scope and none is named, ModelError
        when every form that fits was tried.
        """
        question, inline = slots.split_choices(request.question)
        choices = request.choices or inline
        question, video = slots.take_video(slots.plain_question(question), request.videos)
        question = question if slots.quoted_phrases(question) else _EVER.sub("", question)
        matches = self._matches(question, request.videos, bool(choices), is_again=bool(request.tried))
        for match in matches:
            program = _fill(match, question, choices, video, request.videos)
            if program not in request.tried:
                break
        else:
            raise ModelError("every form that fits the question was tried", hint="name an LLM with --model")
        # What the question is about does not change with the form: a looser one must not seem surer.
        focus = tuple(text for name, text in matches[0].texts.items() if _kind(name) in ("phrase", "name"))
        simple = match.form.is_lookup and not any(set(words(text)) & _CONNECTORS for text in focus)
        return Plan(program, match.form.id, simple, focus, choices)

    def repair(self, request: PlanRequest, program: str, error: ProgramError | ToolError) -> Plan:
        """An example has nothing to try again with: raises ModelError."""
        raise ModelError(
            f"the program of the question's form failed: {error}",
            hint="name an LLM with --model provider:name to plan this question",
        )

    def _matches(
        self, question: str, videos: Sequence[Video], has_choices: bool, *, is_again: bool = False
    ) -> list[Match]:
        """The best match, and behind it, where it is asked again, the others, heaviest first."""
        forms = [form for form in self._bank.forms if form.takes_choices == has_choices]
        masked, quotes = _mask_quotes(question)
        present = frozenset(words(masked))
        aligned = [match for form in forms for match in self._align(form, masked, present, quotes, videos)]
        best = max(aligned, key=lambda match: match.weight)
        # Encoding costs more than all the rest: only what could win is compared by meaning.
        rivals = [near for near in self._bank.nearest(question, 16) if near.form in forms and self._rivals(near, best)]
        for near in self._bank.judge(question, rivals, self._embedder):
            worth = self._bank.weight(near.example) * near.similarity * NEAREST_SHARE
            if near.similarity >= NEAREST_SIMILARITY and worth > best.weight:
                texts = {"x": self._remainder(question, near.example)}
                best = Match(near.form, texts, worth)
                break
        others = sorted(aligned, key=lambda match: -match.weight) if is_again else []
        return [best, *others]

    def _rivals(self, near: Near, best: Match) -> bool:
        """True if the form could beat an aligned one: it has one slot, and weight enough even at similarity 1."""
        is_simple = set(near.example.slots) == {"x"} and near.similarity >= MIN_CONTAINMENT
        return is_simple and self._bank.weight(near.example) * NEAREST_SHARE > best.weight

    def _align(
        self, form: Form, masked: str, present: frozenset[str], quotes: Sequence[str], videos: Sequence[Video]
    ) -> list[Match]:
        found = []
        # No one asks like that: a text of this length is looked for as it is.
        examples = (
            form.examples if len(masked) <= MAX_ALIGNED_CHARACTERS else [e for e in form.examples if not e.literals]
        )
        for example in examples:
            # Compiling is what costs, so that only what may match is compiled, and kept.
            if not example.required <= present or not (aligned := _compiled(example.pattern).fullmatch(masked)):
                continue
            texts = {name: _unmask(text, quotes) for name, text in aligned.groupdict().items()}
            if subject := texts.pop("subject", ""):
                texts["x"] = f"{subject} {texts['x']}"
            if all(_holds(name, text, videos) for name, text in texts.items()):
                found.append(Match(form, texts, self._bank.weight(example)))
        return found

    def _remainder(self, question: str, example: Example) -> str:
        """The question's words that are neither the example's nor function words, in order; all, if none is left."""
        literal = set(example.literals)
        kept = [
            word
            for word in question.split()
            if (w := " ".join(words(word))) not in FUNCTION_WORDS and not {w, self._bank.classes.get(w, w)} & literal
        ]
        return " ".join(kept) or question


def _mask_quotes(question: str) -> tuple[str, list[str]]:
    """Each quoted phrase becomes one unbreakable word, so that "A and B" in quotes is one phrase."""
    quotes = slots.quoted_phrases(question)
    masked = re.sub(r"\s*,", " ,", re.sub(r"(?<=\w)['’]s\b", " 's", question))
    for number, quote in enumerate(quotes):
        masked = re.sub(r".?" + re.escape(quote) + r".?", f" {_QUOTE_MARK}{number}{_QUOTE_MARK} ", masked, count=1)
    return " ".join(masked.split()), quotes


def _unmask(text: str, quotes: Sequence[str]) -> str:
    for number, quote in enumerate(quotes):
        text = text.replace(f"{_QUOTE_MARK}{number}{_QUOTE_MARK}", quote)
    return text.replace(" 's", "'s").replace(" ,", ",").strip(" ,.;:")


def _kind(slot: str) -> str:
    """The kind of a slot is its name without digits; all names but these hold a phrase."""
    name = slot.rstrip("0123456789")
    return name if name in ("time", "n", "count", "video", "name") else "phrase"


def _holds(slot: str, text: str, videos: Sequence[Video]) -> bool:
    kind = _kind(slot)
    if kind == "time":
        return slots.parse_time(text) is not None
    if kind == "n":
        return slots.parse_ordinal(text) is not None
    if kind == "count":
        return slots.parse_count(text) is not None
    if kind == "video":
        return slots.find_video(text, videos) is not None
    return bool(text)


def _fill(match: Match, question: str, choices: Sequence[str], video: Video | None, videos: Sequence[Video]) -> str:
    """The form's program with every placeholder as a literal. `$where` narrows a tool call to the named video."""
    program = Template(match.form.program)
    values = {name: _value(name, text, videos) for name, text in match.texts.items()}
    values |= {f"{name}_exact": slots.literal(f'"{_without_article(text)}"') for name, text in match.texts.items()}
    values |= {"choices": slots.literal(list(choices)), "question": slots.literal(question)}
    named = video or (videos[0] if len(videos) == 1 else None)
    values["where"] = f", video={slots.literal(video.id)}" if video else ""
    if "video" not in values and "video" in program.get_identifiers():
        if named is None:
            raise UsageError(
                f"the question does not say which of {len(videos)} videos it means",
                hint="name one with --video NAME, or end the question with `in NAME`",
            )
        values["video"] = slots.literal(named.id)
    return program.substitute(values)


def _value(slot: str, text: str, videos: Sequence[Video]) -> str:
    kind = _kind(slot)
    if kind == "time":
        return slots.literal(slots.parse_time(text) or 0.0)
    if kind == "n":
        return slots.literal(slots.parse_ordinal(text) or 1)
    if kind == "count":
        return slots.literal(slots.parse_count(text) or 1)
    if kind == "video":
        found = slots.find_video(text, videos)
        return slots.literal(found.id if found else text)
    return slots.literal(_without_article(text))


def _without_article(text: str) -> str:
    """Counting "the mill" letter by letter would miss "this mill"."""
    return _LEADING_ARTICLE.sub("", text)
