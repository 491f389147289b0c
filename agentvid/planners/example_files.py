"""Example banks of users' own: files in the form of `prompts/programs.yaml`, checked, written, and made from programs.

A program that worked becomes an example by its question's own words: what it looks for and the question names becomes a
slot (VURF's refined examples, arXiv 2403.14743, are kept as they are; a slot lets one serve questions like it).
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence, Set
from functools import cache
from pathlib import Path
from string import Template
from typing import Any

import yaml

from agentvid.errors import ProgramError, UsageError
from agentvid.planners import slots
from agentvid.planners.bank import ExampleBank, Form, fits, load_bank, parse_bank
from agentvid.tools import load_tools
from agentvid.tools.program import check_program
from agentvid.types import Json
from agentvid.words import FUNCTION_WORDS, words

_HINT = "`agentvid examples check FILE` lists every fault"
_KEYS = ("id", "family", "route", "examples", "program", "seeing", "everywhere")
_NAMES = ("x", "a", "b", "c", "d")
#: What a template or a pattern would read as its own.
_MARKS = re.compile(r"[{}<>$]")
_MAX_NAME, _MAX_QUESTION = 24, 300


def read_examples(path: Path) -> list[Form]:
    """The forms of a file. Raises UsageError if it cannot be read, naming its first fault."""
    text = _read(path)
    if faults := list(faults_of(text)):
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise UsageError(f"{path}: {faults[0]}{more}", hint=_HINT)
    return list(parse_bank(text).forms)


def check_examples(path: Path) -> list[str]:
    """One line for every fault of a file, none if it is right. Raises UsageError if it cannot be read."""
    return list(faults_of(_read(path)))


def faults_of(text: str) -> Iterator[str]:
    """What is wrong with a bank: of its form, of its examples, of its programs as the checker sees them."""
    try:
        data: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        yield f"not YAML: {' '.join(str(error).split())}"
        return
    if not isinstance(data, dict) or not isinstance(data.get("forms"), list):
        yield "no list of forms; allowed: a mapping with `forms` and, if wanted, `words`"
        return
    classes = data.get("words", {})
    if not isinstance(classes, dict):
        yield "words is no mapping; allowed: a class and its members, as `say: say says said`"
        return
    seen: set[str] = set()
    for number, entry in enumerate(data["forms"], 1):
        name = f"form {number}"
        if isinstance(entry, dict) and isinstance(entry.get("id"), str) and entry["id"]:
            name = f"form {entry['id']!r}"
            if entry["id"] in seen:
                yield f"{name}: the id is used twice; ids are unique"
            seen.add(entry["id"])
        yield from (f"{name}: {fault}" for fault in _faults_of_form(entry, classes))


def _faults_of_form(entry: Any, classes: Mapping[str, Any]) -> Iterator[str]:
    if not isinstance(entry, dict):
        yield f"no mapping; allowed: {', '.join(_KEYS)}"
        return
    if unknown := sorted(set(map(str, entry)) - set(_KEYS)):
        yield f"unknown {', '.join(unknown)}; allowed: {', '.join(_KEYS)}"
    others = ("examples", "seeing", "everywhere")
    texts = [key for key in _KEYS if key not in others and not isinstance(entry.get(key), str)]
    examples = entry.get("examples")
    if not isinstance(examples, list) or not examples or not all(isinstance(one, str) and one for one in examples):
        texts.append("examples")
    if texts:
        yield f"{', '.join(texts)} missing or no text; examples is a list of texts"
        return
    try:
        (form,) = parse_bank(yaml.safe_dump({"words": dict(classes), "forms": [entry]})).forms
    except (UsageError, re.error) as error:
        yield str(error)
        return
    for program in filter(None, (form.program, form.seeing, form.everywhere)):
        try:
            check_program(_with_samples(form, program), load_tools())
        except (ValueError, KeyError) as error:
            allowed = "$ and the name of a slot, $where, $whole, $choices"
            yield f"a placeholder of the program is wrong: {error}; allowed: {allowed}"
        except ProgramError as error:
            yield str(error)


def _with_samples(form: Form, program: str) -> str:
    """The program with something of the right type in every place; raises KeyError for one that no example fills."""
    whole = 'span(start=0, end=86400, video="v")'
    values = {"where": "", "whole": whole, "choices": '["a", "b"]', "question": '"q"', "video": '"v"'}
    for slot in set.intersection(*(set(example.slots) for example in form.examples)) - {"subject"} | {"x"}:
        number = slot.rstrip("0123456789") in ("time", "n", "count")
        values |= {slot: "1" if number else '"x"', f"{slot}_exact": '"x"'}
    return Template(program).substitute(values)


def write_examples(path: Path, entries: Sequence[Json]) -> None:
    """Write a bank whole or not at all. Raises UsageError if it cannot be written."""
    text = yaml.dump({"forms": list(entries)}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1_000)
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(prefix=".examples-", dir=path.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise UsageError(f"{path} cannot be written: {error.strerror}", hint="name a file in a directory") from None


def entry_of(form: Form) -> Json:
    """A form as it stands in a file."""
    entry: Json = {"id": form.id, "family": form.family, "route": "lookup" if form.is_lookup else "program"}
    entry |= {"examples": [example.text for example in form.examples], "program": form.program}
    return entry | _others(form)


class _Dumper(yaml.SafeDumper):
    """Programs as blocks, line by line."""


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None),
)


# -- a program becomes an example -------------------------------------------------------------------------------------


def example_of(question: str, choices: Sequence[str], program: str, *, family: str, about: str = "") -> Json | None:
    """The example that asks `question` and is answered by `program`; None if it would not be one of the user's words.

    `about`: a phrase of the question; like what the program looks for, and what the choices name, it becomes a slot.

    Every text in the program must be made of words of the question, or be one that the shipped examples use too (kinds,
    tracks): neither a word of a video nor an answer may come back in the prompts of other questions.
    """
    asked, inline = slots.split_choices(question)
    choices = list(choices or inline)
    asked = slots.plain_question(asked)
    if len(asked) > _MAX_QUESTION or _MARKS.search(asked) or "$" in program or not words(asked):
        return None
    try:
        tree = ast.parse(program)
    except SyntaxError:
        return None
    if any(isinstance(node, ast.Name) and len(node.id) > _MAX_NAME for node in ast.walk(tree)):
        return None
    changes = _Changes(program)
    placed = _place_choices(tree, choices, changes)
    videos = _leave_videos_out(tree, changes)
    if videos is None:
        return None
    texts = _own_texts(tree, asked, placed | videos, changes)
    if texts is None:
        return None
    pattern = _without_names(_with_slots(asked, texts, changes), _specific(about, choices))
    return _entry(family, asked, pattern, f"{changes.text}\n")


def _place_choices(tree: ast.Module, choices: Sequence[str], changes: _Changes) -> set[ast.AST]:
    """Puts `$choices` for the list of them; returns the texts that stand in it."""
    lists = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.List)
        and choices
        and [getattr(one, "value", None) for one in node.elts] == list(choices)
    ]
    for node in lists:
        changes.put(node, "$choices")
    return {text for node in lists for text in node.elts}


def _leave_videos_out(tree: ast.Module, changes: _Changes) -> set[ast.AST] | None:
    """Leaves out every `video="..."`; returns their texts, None if one cannot be left out: it is a first argument."""
    texts: set[ast.AST] = set()
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        for keyword in call.keywords:
            if keyword.arg == "video" and isinstance(keyword.value, ast.Constant):
                if keyword is call.keywords[0] and not call.args:
                    return None
                changes.leave_out(keyword)
                texts.add(keyword.value)
    return texts


def _own_texts(tree: ast.Module, asked: str, settled: Set[ast.AST], changes: _Changes) -> list[ast.Constant] | None:
    """Texts of the question's words, for which slots may stand; None if another one is neither settled nor shipped.

    Puts `$question` for one that is the question itself.
    """
    known, found = set(words(asked)), []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        if node in settled or node.value in _shipped_texts():
            continue
        if slots.plain_question(node.value) == asked:
            changes.put(node, "$question")
        elif set(words(node.value)) <= known:
            found.append(node)
        else:
            return None
    return found


def example_like(question: str, choices: Sequence[str], form: Form, *, family: str, about: str) -> Json | None:
    """The example that asks `question` and is answered as `form`, with `about` in its slot; None if it is none."""
    asked, inline = slots.split_choices(question)
    asked = slots.plain_question(asked)
    if len(asked) > _MAX_QUESTION or _MARKS.search(asked):
        return None
    pattern = _tokens(asked)
    if "$x" in form.program:
        pattern, times = _place_of(about).subn("{x}", pattern, count=1)
        if not about or not times:
            return None
    pattern = _without_names(pattern, _specific(about, choices or inline))
    return _entry(family, asked, pattern, form.program, _others(form))


def _specific(about: str, choices: Sequence[str]) -> frozenset[str]:
    return frozenset(words(" ".join([about, *choices]))) - FUNCTION_WORDS


def _others(form: Form) -> Json:
    """Its programs for other runs, as far as it has some."""
    return {key: value for key, value in (("seeing", form.seeing), ("everywhere", form.everywhere)) if value}


def _entry(family: str, asked: str, pattern: str, program: str, others: Json | None = None) -> Json | None:
    """A form of one example, named by its content; None if it says nothing of its own, or is wrong."""
    entry: Json = {"id": "", "family": family, "route": "program", "examples": [pattern], "program": program}
    entry |= others or {}
    entry["id"] = f"{family}-{hashlib.sha256(json.dumps(entry).encode()).hexdigest()[:12]}"
    (form,) = parse_bank(yaml.safe_dump({"forms": [entry]})).forms
    has_words = bool(form.examples[0].literals)
    return (
        entry if has_words and not list(faults_of(yaml.safe_dump({"forms": [entry]}))) and fits(form, asked) else None
    )


def _with_slots(asked: str, texts: Sequence[ast.Constant], changes: _Changes) -> str:
    """The question with a slot for every phrase that the program looks for, the longest first."""
    pattern = _tokens(asked)
    free = list(_NAMES)
    named: dict[str, str] = {}
    for node in sorted(texts, key=lambda node: -len(str(node.value))):
        text = str(node.value)
        phrase = text.strip('"')
        key = phrase.casefold()
        if key not in named:
            shorter, times = (
                _place_of(phrase).subn("{" + free[0] + "}", pattern, count=1) if free and phrase else (pattern, 0)
            )
            if not times:
                continue
            named[key], pattern = free.pop(0), shorter
        changes.put(node, f"${named[key]}_exact" if text != phrase else f"${named[key]}")
    return pattern


def _tokens(asked: str) -> str:
    """As examples are written: in small letters, commas and 's apart."""
    return " ".join(re.sub(r"\s*,", " ,", re.sub(r"(?<=\w)['’]s\b", " 's", asked.lower())).split())


def _place_of(phrase: str) -> re.Pattern[str]:
    return re.compile(rf"""(?<![\w{{])["“']?{re.escape(phrase)}["”']?(?![\w}}])""", re.IGNORECASE)


def _without_names(pattern: str, specific: Set[str]) -> str:
    """What the pattern still names of `specific`, with what joins these words, as one more slot."""
    tokens = pattern.split(" ")
    at = [place for place, token in enumerate(tokens) if specific & set(words(token))]
    free = next((name for name in _NAMES if "{" + name + "}" not in pattern), "")
    if not at or not free:
        return pattern
    between = {word for token in tokens[at[0] : at[-1] + 1] for word in words(token)}
    if any(token.startswith("{") for token in tokens[at[0] : at[-1]]) or not between <= specific | FUNCTION_WORDS:
        return pattern
    return " ".join([*tokens[: at[0]], "{" + free + "}", *tokens[at[-1] + 1 :]])


class _Changes:
    """A program text with some of its parts replaced, by the places that Python's parser gives them (bytes)."""

    def __init__(self, program: str) -> None:
        self._lines = [line.encode() for line in program.strip().split("\n")]
        self._made: list[tuple[int, int, int, int, str]] = []

    def put(self, node: ast.expr, text: str) -> None:
        self._made.append((node.lineno - 1, node.col_offset, *_end(node), text))

    def leave_out(self, keyword: ast.keyword) -> None:
        """An argument and the comma before it; the question's video comes in its place, if it names one."""
        line, column = keyword.lineno - 1, keyword.col_offset
        before = self._lines[line][:column].rstrip()
        if before.endswith(b","):
            self._made.append((line, len(before) - 1, *_end(keyword), "$where"))

    @property
    def text(self) -> str:
        lines = list(self._lines)
        for first, start, last, end, text in sorted(self._made, reverse=True):
            lines[first : last + 1] = [lines[first][:start] + text.encode() + lines[last][end:]]
        return b"\n".join(lines).decode()


def _end(node: ast.expr | ast.keyword) -> tuple[int, int]:
    """(line from 0, byte in it) where the node ends."""
    return (node.end_lineno or node.lineno) - 1, node.end_col_offset or 0


@cache
def _shipped_texts() -> frozenset[str]:
    """Texts that programs of the shipped bank hold as they are: kinds, tracks, orders."""
    found = (re.findall(r'"([^"$\n]*)"', form.program + form.seeing + form.everywhere) for form in load_bank().forms)
    return frozenset(text for texts in found for text in texts)


def joined(bank: ExampleBank, forms: Sequence[Form]) -> ExampleBank:
    """The forms, then those of `bank`; of the same id the first counts."""
    added = {form.id for form in forms}
    return ExampleBank([*forms, *(form for form in bank.forms if form.id not in added)], bank.classes)


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read as an example bank: {error}", hint="name a YAML file") from None
