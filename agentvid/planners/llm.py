"""The LLM planner: a prompt whose beginning never changes, and the nearest question forms as examples.

A program that does not check or run goes back with the offending text, what is allowed and near names (VURF's feedback
loop, arXiv 2403.14743). Only ids, titles and durations of videos are told: no text from inside a video reaches a
planner's prompt.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property

from agentvid.errors import ProgramError, ToolError
from agentvid.models.base import ChatModel, Embedder
from agentvid.planners.base import Plan, PlanRequest, Turn
from agentvid.planners.exemplar import ExampleBank, load_bank
from agentvid.planners.slots import literal, split_choices
from agentvid.prompts import render
from agentvid.text import clean_text, timestamp
from agentvid.tools import load_tools
from agentvid.tools.program import LANGUAGE_RULES, describe
from agentvid.trace import prompt_hash
from agentvid.types import Usage

EXAMPLES, MAX_LISTED_VIDEOS, TITLE_CHARACTERS, MAX_TURNS = 6, 50, 120, 20
_OTHERWISE = "These programs led to an answer that is not sure. Write one that looks in another way:"
_FENCE = re.compile(r"```[ \t]*[a-zA-Z]*[ \t]*\n(.*?)```", re.DOTALL)


class LLMPlanner:
    """Plans with a chat model. `prompts` names what was sent by hash, for the trace."""

    def __init__(self, chat: ChatModel, *, embedder: Embedder | None = None, bank: ExampleBank | None = None) -> None:
        self._chat = chat
        self._embedder = embedder
        self._bank = bank or load_bank()
        self.prompts: dict[str, str] = {}
        self._last_system = (("", 0), "")

    @property
    def name(self) -> str:
        return f"llm:{self._chat.name}"

    def plan(self, request: PlanRequest) -> Plan:
        """Raises ModelError if the model fails."""
        return self._ask(request, "")

    def repair(self, request: PlanRequest, program: str, error: ProgramError | ToolError) -> Plan:
        """Raises ModelError if the model fails."""
        repair = render(
            "repair",
            program=program.strip(),
            fragment=getattr(error, "fragment", "") or "the whole program",
            problem=str(error),
            allowed=getattr(error, "allowed", "") or error.hint or "see the rules",
        )
        return self._ask(request, repair)

    def _ask(self, request: PlanRequest, repair: str) -> Plan:
        question, inline = split_choices(request.question)
        choices = request.choices or inline
        system = self._system(question, skip=request.attempt)
        asked = question if not choices else f"{question}\nChoices: {literal(choices)}"
        user = render("plan_user", videos=_listed(request), question=_told(request.turns) + asked)
        otherwise = "\n\n".join([_OTHERWISE, *map(str.strip, request.tried)]) if request.tried and not repair else ""
        # Last, because it is all that changes from one request to the next.
        balance = render("balance", balance=request.balance) if request.balance else ""
        user = "\n\n".join(part for part in (user, otherwise, repair, balance) if part)
        self.prompts = {"plan_system": prompt_hash(system), "plan_user": prompt_hash(user)}
        reply = self._chat.reply(system, user)
        usage = Usage(llm_calls=1, input_tokens=reply.input_tokens, output_tokens=reply.output_tokens)
        return Plan(program_in(reply.text), focus=(question,), choices=choices, usage=usage)

    def _system(self, question: str, *, skip: int) -> str:
        """The system prompt, which the repairs of one attempt share."""
        if self._last_system[0] != (question, skip):
            examples = self._examples(question, skip=skip)
            self._last_system = ((question, skip), render("plan_system", **self._prefix, examples=examples))
        return self._last_system[1]

    @cached_property
    def _prefix(self) -> Mapping[str, str]:
        """What stands before the examples in every prompt, byte by byte the same, so that providers cache it."""
        return {"rules": LANGUAGE_RULES.strip(), "tools": describe(load_tools()).strip()}

    def _examples(self, question: str, *, skip: int = 0) -> str:
        """The nearest forms as question and program, the slots still open: `$x` stands for a text in quotes.

        `skip`: so many sets of examples were shown before; the next ones come now (VideoICL, arXiv 2412.02186).
        """
        found = self._bank.nearest(question, EXAMPLES * (skip + 1), self._embedder)[EXAMPLES * skip :]
        shown = []
        for near in found:
            asked = near.example.text.replace("<", "").replace(">", "")
            shown.append(f"Question: {asked}\n{near.form.program.replace('$where', '').strip()}")
        return "\n\n".join(shown)


def program_in(reply: str) -> str:
    """The program of a reply: what stands in its first fence, or all of it; at most 20,000 characters."""
    fenced = _FENCE.search(reply)
    return (fenced.group(1) if fenced else reply).strip()[:20_000] + "\n"


def _told(turns: Sequence[Turn]) -> str:
    """The thread up to "Question: ", each turn as it stood in the prompt before: a prompt only grows at its end."""
    told = []
    for turn in turns[-MAX_TURNS:]:
        cited = [f"{video[:16]} {span.start_seconds:.1f}-{span.end_seconds:.1f}" for video, span in turn.cited]
        program = turn.program.strip() or "none"
        told.append(f"{turn.question}\n{program}\nCited: {', '.join(cited) or 'nothing'}\n\nQuestion: ")
    return "".join(told)


def _listed(request: PlanRequest) -> str:
    """One line per video: id, length and title, which strangers wrote and which is quoted and cut therefore."""
    lines = []
    for video in request.videos[:MAX_LISTED_VIDEOS]:
        title = literal(clean_text(video.title, limit=TITLE_CHARACTERS))
        lines.append(f"{video.id[:16]} ({timestamp(video.duration_seconds)}) {title}")
    more = len(request.videos) - len(lines)
    return "\n".join([*lines, f"and {more} more"] if more > 0 else lines)
