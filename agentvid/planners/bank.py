"""The bank of question forms: example questions with slots, and the program that answers what fits one of them.

A form matches when its literal words stand in the question in their order and its slots hold what they must. The rarer
its words are in the bank, the more a match says about the question.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from agentvid.errors import UsageError
from agentvid.models.base import Embedder, Vectors
from agentvid.planners import slots
from agentvid.types import LOOK
from agentvid.words import words

_SLOT = re.compile(r"\{(\w+)\}")
_ARTICLE = r"(?:(?:the|an?|any|some|this|that|these|those|my|our|your)\s+)?"
_ARTICLES = frozenset(("the", "a", "an"))
_ORDINAL = r"\d{1,3}(?:st|nd|rd|th)|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth"
_SLOT_PATTERNS = {
    "n": _ORDINAL,
    "name": r"[^\s,]+(?:\s[^\s,]+){0,4}?",
    "count": r"\w+",
    "track": r"[^\s,]+(?:\s[^\s,]+){0,3}",
    "sound": r"[^\s,]+(?:\s[^\s,]+){0,4}",
    "hue": r"[^\s,]+(?:\s[^\s,]+){0,2}",
    "device": r"(?:[^\s,]+\s){0,3}?[^\s,]+?",
}
_TYPED_SLOTS = frozenset(("time", "n", "count", "video", "name", "device", "track", "sound", "hue"))
_QUOTE_MARK = "\ue000"
#: The tool that measures frames without a model.
_ASSESS = "assess"


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
    def telling(self) -> tuple[str, ...]:
        """The literal words and, as `{time}` and the like, the slots that not every phrase fits."""
        typed = (slot_kind(slot) for slot in self.slots)
        return (*self.literals, *(f"{{{kind}}}" for kind in typed if kind not in ("phrase", "name", "device")))

    def fit(self, masked: str) -> dict[str, str] | None:
        """The text of each slot in a question whose quotes are masked; None if it does not fit word for word."""
        # Compiling is what costs, so that only what may match is compiled, and kept.
        fitting = _compiled(self.pattern).fullmatch(masked)
        return None if fitting is None else fitting.groupdict()

    @property
    def masked(self) -> str:
        return _SLOT.sub("something", self.text)


@dataclass(frozen=True, slots=True)
class Form:
    """A family of questions that one program answers.

    Where frames can be looked at, `seeing` answers them, if there is one: by a model, or measured if that is what its
    program calls. Where several videos are in scope and the question names none, `everywhere`.
    """

    id: str
    family: str
    is_lookup: bool
    examples: tuple[Example, ...]
    program: str
    seeing: str = ""
    everywhere: str = ""

    @property
    def takes_choices(self) -> bool:
        return "$choices" in self.program

    def program_with(self, tools: Container[str], *, is_one_video: bool = True) -> str:
        """The program for a run that has these tools, about one video or all in scope."""
        if self.everywhere and not is_one_video:
            return self.everywhere
        return self.seeing if self.seeing and self.eye in tools else self.program

    @property
    def eye(self) -> str:
        """The tool with which `seeing` looks at frames."""
        return _ASSESS if f"{_ASSESS}(" in self.seeing else LOOK


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
        count = Counter(word for form in forms for word in {w for e in form.examples for w in e.telling})
        self.weights = {word: math.log(1 + len(self.forms) / seen) for word, seen in count.items()}
        self._encoded: dict[str, dict[str, Vectors]] = {}

    @cached_property
    def by_id(self) -> Mapping[str, Form]:
        return {form.id: form for form in self.forms}

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        """Every word that the forms themselves know, folded: none of them is a word of a video that was mistyped."""
        return frozenset(word for name in (*self.weights, *self.classes) for word in words(name.replace("_", " ")))

    def weight(self, example: Example) -> float:
        """How telling a match is; a slot that only a time, an ordinal or a video fits tells like a word."""
        return sum(self.weights[word] for word in example.telling)

    @cached_property
    def _flat(self) -> tuple[tuple[Form, Example], ...]:
        return tuple((form, example) for form in self.forms for example in form.examples)

    @cached_property
    def _by_word(self) -> Mapping[str, tuple[int, ...]]:
        """Numbers of the examples that need a word, each under its rarest one; "" for those that need none."""
        found: dict[str, list[int]] = {}
        for number, (_, example) in enumerate(self._flat):
            rarest = max(example.required, key=lambda word: (self.weights[word], word), default="")
            found.setdefault(rarest, []).append(number)
        return {word: tuple(numbers) for word, numbers in found.items()}

    def candidates(self, present: frozenset[str]) -> list[tuple[Form, Example]]:
        """The examples whose plain words are all `present`, in the order of the bank."""
        numbers = sorted(number for word in ("", *present) for number in self._by_word.get(word, ()))
        return [self._flat[number] for number in numbers if self._flat[number][1].required <= present]

    @cached_property
    def _shares(self) -> tuple[Mapping[str, int], NDArray[np.float32], NDArray[np.float32]]:
        """(column of each literal word, (examples, words) share of an example's literal weight that the word has,
        (examples,) that weight)."""
        columns = {word: column for column, word in enumerate(sorted(self.weights))}
        table = np.zeros((len(self._flat), len(columns)), np.float32)
        totals = np.zeros(len(self._flat), np.float32)
        for row, (_, example) in enumerate(self._flat):
            totals[row] = sum(self.weights[word] for word in example.literals)
            for word in example.literals:
                table[row, columns[word]] += self.weights[word] / totals[row]
        return columns, table, totals

    def nearest(self, question: str, k: int, embedder: Embedder | None = None) -> list[Near]:
        """The k forms nearest to the question, best first, each with its nearest example."""
        return self.judge(question, self.resembling(question, max(k, 16)), embedder)[:k]

    def resembling(self, question: str, k: int) -> list[Near]:
        """The k forms of which the question has the largest share of an example's literal weight, largest first.

        Of equal shares the one of more weight is nearer: "which {x}" is in every question with a "which".
        """
        columns, table, totals = self._shares
        present = self.fold(question) | ({","} if "," in question else set())  # a literal of its own, but no word
        known = [columns[word] for word in sorted(present) if word in columns]
        shares = table[:, known].sum(axis=1).round(4)
        best: dict[str, Near] = {}
        for row in np.lexsort((-totals, -shares)):
            form, example = self._flat[int(row)]
            if form.id not in best:
                best[form.id] = Near(min(1.0, float(shares[row])), form, example)
                if len(best) == k:
                    break
        return list(best.values())

    def judge(self, question: str, found: Sequence[Near], embedder: Embedder | None) -> list[Near]:
        """`found` by the mean of word containment and cosine, best first; by containment alone without an embedder."""
        if embedder is None or not found:
            return list(found)
        vector = embedder.encode_query([question])[0]
        cosines = self._vectors(embedder, [near.example for near in found]) @ vector
        judged = [
            replace(near, similarity=(near.similarity + max(0.0, float(cosine))) / 2)
            for near, cosine in zip(found, cosines, strict=True)
        ]
        return sorted(judged, key=lambda near: -near.similarity)

    def _vectors(self, embedder: Embedder, examples: Sequence[Example]) -> Vectors:
        """(examples, dimension); each example is encoded once for each embedder."""
        known = self._encoded.setdefault(str(embedder.space), {})
        missing = [example for example in dict.fromkeys(examples) if example.text not in known]
        if missing:
            vectors = embedder.encode_query([example.masked for example in missing])
            known.update((example.text, vector) for example, vector in zip(missing, vectors, strict=True))
        return np.stack([known[example.text] for example in examples])

    def fold(self, question: str) -> frozenset[str]:
        """The question's words, each also under the name of its class."""
        found = words(question)
        return frozenset(found) | {self.classes[word] for word in found if word in self.classes}


@lru_cache(maxsize=1)
def load_bank() -> ExampleBank:
    """The bank that ships in `prompts/programs.yaml`."""
    return parse_bank((files("agentvid.prompts") / "programs.yaml").read_text("utf-8"))


def parse_bank(text: str) -> ExampleBank:
    """Read forms from YAML text: `words` (class -> members) and `forms` (id, family, route, examples, program, seeing,
    everywhere).

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


def parse_examples(entries: Sequence[Mapping[str, Any]]) -> list[Form]:
    """Forms that use no word classes. Raises UsageError."""
    return [_parse_form(entry, {}) for entry in entries]


def _parse_form(entry: Mapping[str, Any], classes: Mapping[str, tuple[str, ...]]) -> Form:
    if entry["route"] not in ("lookup", "program"):
        raise UsageError(f"form {entry['id']!r}: route {entry['route']!r}; allowed: lookup, program")
    examples = tuple(compile_example(str(text), classes) for text in entry["examples"])
    program, seeing, everywhere = (str(entry.get(key, "")).strip() for key in ("program", "seeing", "everywhere"))
    return Form(
        entry["id"],
        entry["family"],
        entry["route"] == "lookup",
        examples,
        f"{program}\n",
        seeing and f"{seeing}\n",
        everywhere and f"{everywhere}\n",
    )


def compile_example(text: str, classes: Mapping[str, tuple[str, ...]]) -> Example:
    """Literal words match themselves or a member of the class they name (`<say>`); slots match phrases."""
    parts: list[str] = []
    literals: list[str] = []
    named: list[str] = []
    required: set[str] = set()
    tokens = text.split()
    for place, token in enumerate(tokens):
        slot = _SLOT.fullmatch(token)
        if token in _ARTICLES and place + 1 < len(tokens):
            continue  # who types in a hurry leaves it out
        if slot:
            named.append(slot.group(1))
            article = _ARTICLE if place and tokens[place - 1] in _ARTICLES else ""
            parts.append(f"{article}(?P<{slot.group(1)}>{_SLOT_PATTERNS.get(_without_number(slot.group(1)), '.+?')})")
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


def fits(form: Form, question: str) -> bool:
    """True if the question, without politeness, fits one of the form's examples word for word, whatever its slots."""
    masked, _ = mask_quotes(question)
    return any(example.fit(masked) is not None for example in form.examples)


def mask_quotes(question: str) -> tuple[str, list[str]]:
    """Each quoted phrase becomes one unbreakable word, so that "A and B" in quotes is one phrase."""
    quotes = slots.quoted_phrases(question)
    masked = re.sub(r"\s*,", " ,", re.sub(r"(?<=\w)['’]s\b", " 's", question))
    for number, quote in enumerate(quotes):
        masked = re.sub(r".?" + re.escape(quote) + r".?", f" {_QUOTE_MARK}{number}{_QUOTE_MARK} ", masked, count=1)
    return " ".join(masked.split()), quotes


def unmask(text: str, quotes: Sequence[str]) -> str:
    for number, quote in enumerate(quotes):
        text = text.replace(f"{_QUOTE_MARK}{number}{_QUOTE_MARK}", quote)
    return text.replace(" 's", "'s").replace(" ,", ",").strip(" ,.;:")


def slot_kind(slot: str) -> str:
    """The kind of a slot is its name without digits; all names but these hold a phrase."""
    name = _without_number(slot)
    return name if name in _TYPED_SLOTS else "phrase"


def _without_number(slot: str) -> str:
    return slot.rstrip("0123456789")
