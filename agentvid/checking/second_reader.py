"""A language model reads the cited rows again and may take verdicts back; it can never give one.

What it says counts only with words that stand in the rows it was shown: a verdict without a verbatim quote is ignored,
so that neither a careless model nor a text that gives it orders decides by itself. The rows stand between two lines of
a random marker, as in the composer's prompt. Probe, prediction and blind answer follow VideoHallucer (Wang et al.,
arXiv 2406.16338): ask the opposite too, predict and explain before believing, see what is answered without the video.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from agentvid.checking.rules import Reading, is_telling, squeeze
from agentvid.errors import ModelError
from agentvid.models.base import ChatModel
from agentvid.prompts import render
from agentvid.text import clean_text
from agentvid.types import Observation, Usage
from agentvid.untrusted import Fence, quoted
from agentvid.words import words

MAX_STATEMENTS, MAX_ROWS, ROW_CHARACTERS, STATEMENT_CHARACTERS = 20, 120, 600, 600
MAX_REPLY_CHARACTERS = 50_000
VERDICTS = ("yes", "no", "unknown")
_SYSTEM = "You check statements about videos against quoted lines. You reply with one JSON object."
_AGAIN = "\n\nYour last reply was not usable ({problem}). Reply with the JSON object only."
_OBJECT = re.compile(r"\{.*\}", re.DOTALL)

Parsed = TypeVar("Parsed")


@dataclass(frozen=True, slots=True)
class Opinion:
    """What the model says of one statement, "yes", "no" or "unknown", by words that are really there."""

    verdict: str
    quote: str


@dataclass(frozen=True, slots=True)
class Prediction:
    """The model's own answer; `quotes` are those of its words that stand in the rows."""

    answer: str
    choice: str | None
    quotes: tuple[str, ...] = ()


class SecondReader:
    """Asks `chat`; `usage` counts its calls."""

    def __init__(self, chat: ChatModel) -> None:
        self._chat = chat
        self.usage = Usage()

    @property
    def name(self) -> str:
        return self._chat.name

    def entail(self, statements: Sequence[str], readings: Sequence[Reading]) -> dict[int, Opinion]:
        """By the statement's place in `statements` (the first 20 are asked), the opinions that count.

        Raises ModelError if the model cannot be reached or gives no usable reply twice.
        """
        asked, rows = statements[:MAX_STATEMENTS], _rows(readings)
        fence = Fence()
        prompt = render(
            "entail",
            statements="\n".join(f"s{n} {quoted(text, limit=STATEMENT_CHARACTERS)}" for n, text in enumerate(asked, 1)),
            rows=fence.wrap(_lines(rows)),
            marker=fence.marker,
        )
        return self._ask(prompt, lambda data: _opinions(data, len(asked), rows))

    def predict(self, question: str, choices: Sequence[str], readings: Sequence[Reading]) -> Prediction:
        """The model's answer from the rows alone. Raises ModelError as `entail`."""
        rows, fence = _rows(readings), Fence()
        shown = fence.wrap(_lines(rows))
        prompt = render("predict", **_asked(question, choices), rows=shown, marker=fence.marker)
        return self._ask(prompt, lambda data: _prediction(data, choices, rows))

    def blind(self, question: str, choices: Sequence[str]) -> Prediction:
        """The model's answer without any evidence. Raises ModelError as `entail`."""
        return self._ask(render("blind", **_asked(question, choices)), lambda data: _prediction(data, choices, ()))

    def _ask(self, prompt: str, read: Callable[[Mapping[str, Any]], Parsed]) -> Parsed:
        problem = ""
        for _ in range(2):
            reply = self._chat.reply(_SYSTEM, prompt + (_AGAIN.format(problem=problem) if problem else ""))
            self.usage = replace(
                self.usage,
                llm_calls=self.usage.llm_calls + 1,
                input_tokens=self.usage.input_tokens + reply.input_tokens,
                output_tokens=self.usage.output_tokens + reply.output_tokens,
            )
            try:
                return read(_object(reply.text))
            except ModelError as error:
                problem = str(error)
        raise ModelError(f"{self.name} gave no usable reply: {problem}")


def _rows(readings: Sequence[Reading]) -> tuple[Observation, ...]:
    """The rows of all readings, each once, the first MAX_ROWS."""
    return tuple({row.id: row for reading in readings for row in reading.rows}.values())[:MAX_ROWS]


def _lines(rows: Sequence[Observation]) -> list[str]:
    return [
        f"{row.span.start_seconds:.1f}-{row.span.end_seconds:.1f} {clean_text(row.track, limit=40)}: "
        f"{quoted(row.text, limit=ROW_CHARACTERS)}"
        for row in rows
    ]


def _asked(question: str, choices: Sequence[str]) -> dict[str, str]:
    return {"question": question, "choices": json.dumps(list(choices), ensure_ascii=False) if choices else "none"}


def _object(reply: str) -> Mapping[str, Any]:
    found = _OBJECT.search(reply[:MAX_REPLY_CHARACTERS])
    try:
        data = json.loads(found.group()) if found else None
    except (ValueError, RecursionError) as error:
        raise ModelError(f"it is not JSON: {type(error).__name__}") from None
    if not isinstance(data, dict):
        raise ModelError("it is not a JSON object")
    return data


def _opinions(data: Mapping[str, Any], count: int, rows: Sequence[Observation]) -> dict[int, Opinion]:
    entries = data.get("verdicts")
    if not isinstance(entries, list):
        raise ModelError("it has no list of verdicts")
    found: dict[int, Opinion] = {}
    for entry in entries:
        if not isinstance(entry, dict) or entry.get("verdict") not in VERDICTS:
            raise ModelError(f"a verdict is none of {', '.join(VERDICTS)}")
        number = str(entry.get("id", "")).removeprefix("s")
        quote = entry.get("quote")
        if number.isdecimal() and 1 <= int(number) <= count and isinstance(quote, str) and _is_there(quote, rows):
            found.setdefault(int(number) - 1, Opinion(entry["verdict"], squeeze(quote)))
    return found


def _prediction(data: Mapping[str, Any], choices: Sequence[str], rows: Sequence[Observation]) -> Prediction:
    answer, choice, quotes = data.get("answer"), data.get("choice"), data.get("quotes", [])
    if not isinstance(answer, str) or not isinstance(quotes, list) or (choice is not None and choice not in choices):
        raise ModelError("it has no answer, or its choice is none of the choices")
    there = tuple(squeeze(quote) for quote in quotes if isinstance(quote, str) and _is_there(quote, rows))
    return Prediction(clean_text(answer, limit=STATEMENT_CHARACTERS), choice, there)


def _is_there(quote: str, rows: Sequence[Observation]) -> bool:
    """True for telling words that stand in one row just so."""
    found = squeeze(quote)
    return any(map(is_telling, words(found))) and any(found in squeeze(row.text) for row in rows)
