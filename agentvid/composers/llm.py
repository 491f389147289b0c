"""The LLM composer: claims as JSON from numbered quotes; what it may cite was chosen before it is asked.

The quotes, and what a program computed from them, are fenced (`agentvid.untrusted`). A reply that is not the asked-for
JSON is asked for once more; then the answer is composed from the quotes themselves and says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from agentvid.composers.aloud import ClaimWords
from agentvid.composers.base import ComposeRequest, Draft
from agentvid.composers.desk import completeness
from agentvid.composers.examined import examined
from agentvid.composers.extractive import CATALOGUE, ExtractiveComposer
from agentvid.composers.quotes import Topic, confidence, probability, quote
from agentvid.errors import ModelError
from agentvid.models.base import ChatModel, reply_aloud
from agentvid.prompts import render
from agentvid.text import clean_text
from agentvid.tools.program.values import to_json
from agentvid.trace import prompt_hash
from agentvid.types import Claim, Evidence, Usage
from agentvid.untrusted import inert, quoted

MAX_EVIDENCE, MAX_CLAIMS, MAX_REPLY_CHARACTERS, MAX_CLAIM_CHARACTERS = 20, 20, 50_000, 1_000
#: The result of a program may list a thousand texts; a quote is at most 280 characters.
MAX_RESULT_CHARACTERS, MAX_QUOTE_CHARACTERS = 4_096, 1_000
_SYSTEM = "You answer questions about videos from quoted evidence. You reply with one JSON object."
_OBJECT = re.compile(r"\{.*\}", re.DOTALL)


class LLMComposer:
    """Composes with a chat model. `prompts` names what was sent by hash, for the trace."""

    def __init__(self, chat: ChatModel) -> None:
        self._chat = chat
        self._embedded = ExtractiveComposer()
        self.prompts: dict[str, str] = {}

    @property
    def name(self) -> str:
        return f"llm:{self._chat.name}"

    def compose(self, request: ComposeRequest) -> Draft:
        """Raises nothing: what the evidence says is worth more than an error, and the notes tell of it."""
        topic = Topic(request.focus, request.context.ledger.moments)
        evidence = _numbered(request, topic)
        if request.stopped or not evidence or request.kind == CATALOGUE:
            return self._embedded.compose(request)
        prompt = _prompt(request, evidence)
        self.prompts = {"compose": prompt_hash(prompt)}
        usage = Usage()
        tell = ClaimWords(request.tell) if request.tell else None
        for attempt in (prompt, f"{prompt}\n\nYour last reply was not usable. Reply with the JSON object only."):
            try:
                reply = reply_aloud(self._chat, _SYSTEM, attempt, tell=tell)
            except ModelError as error:
                problem = f"{error} ({error.hint})" if error.hint else str(error)
                break
            usage = Usage(
                llm_calls=usage.llm_calls + 1,
                input_tokens=usage.input_tokens + reply.input_tokens,
                output_tokens=usage.output_tokens + reply.output_tokens,
            )
            try:
                claims, choice = _parse(reply.text, request.choices)
            except ModelError as error:
                problem = f"{self._chat.name} gave no usable reply: {error}"
                tell = None  # what was told of it cannot be taken back
                continue
            certainty = probability(confidence(topic, request.context.ledger.moments), topic)
            seen = examined(request.context)
            return Draft(
                claims,
                evidence,
                certainty,
                statement=completeness(request, seen) if claims else "",
                reason="" if claims else "the model found no answer in the evidence",
                choice=choice,
                numbers=request.numbers,
                notes=(seen.note,) if seen and seen.note else (),
                usage=usage,
            )
        note = f"composing: {problem}; the answer is made of quotes alone"
        draft = self._embedded.compose(request)
        return replace(draft, notes=(*draft.notes, note), usage=usage)


def _numbered(request: ComposeRequest, topic: Topic) -> tuple[Evidence, ...]:
    found: list[Evidence] = []
    for moment in request.evidence[:MAX_EVIDENCE]:
        item = quote(request.context, moment, topic, f"e{len(found) + 1}")
        if item is not None:
            found.append(item)
    return tuple(found)


def _prompt(request: ComposeRequest, evidence: Sequence[Evidence]) -> str:
    computed = json.dumps(to_json(request.value), ensure_ascii=False) if request.value is not None else "none"
    lines = [f"Computed result: {inert(clean_text(computed, limit=MAX_RESULT_CHARACTERS))}"]
    lines += [
        f"{item.id} [{item.span.start_seconds:.1f}-{item.span.end_seconds:.1f} s, video {item.video_id[:8]}, "
        f"{clean_text(item.track, limit=40)}] {quoted(item.quote, limit=MAX_QUOTE_CHARACTERS)}"
        for item in evidence
    ]
    fence = request.context.fence
    return render(
        "compose",
        question=request.question,
        choices=json.dumps(list(request.choices), ensure_ascii=False) if request.choices else "none",
        evidence=fence.wrap(lines),
        marker=fence.marker,
    )


def _parse(reply: str, choices: Sequence[str]) -> tuple[tuple[Claim, ...], str | None]:
    """Claims and choice of a reply. Raises ModelError that says what is wrong with it."""
    found = _OBJECT.search(reply[:MAX_REPLY_CHARACTERS])
    try:
        data = json.loads(found.group()) if found else None
    except (ValueError, RecursionError) as error:
        raise ModelError(f"the reply is not JSON: {type(error).__name__}") from None
    if not isinstance(data, dict) or not isinstance(data.get("claims"), list):
        raise ModelError("the reply is not an object with a list of claims")
    if data.get("abstain") is True:
        return (), None
    choice = data.get("choice")
    if choice is not None and choice not in choices:
        raise ModelError("its choice is none of the choices")
    return tuple(_claim(entry) for entry in data["claims"][:MAX_CLAIMS]), choice


def _claim(entry: Any) -> Claim:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("text"), str):
        raise ModelError("a claim is not an object with a text")
    cited = entry.get("evidence")
    if not isinstance(cited, list) or not all(isinstance(name, str) for name in cited):
        raise ModelError("a claim's evidence is not a list of numbers as e1")
    return Claim(entry["text"][:MAX_CLAIM_CHARACTERS], tuple(cited))
