"""The LLM planner: a prompt whose beginning never changes, and the nearest question forms as examples.

A program that does not check or run goes back with the offending text, what is allowed and near names (VURF's feedback
loop, arXiv 2403.14743). What strangers wrote, titles for example, stands inside a fence (`agentvid.untrusted`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from agentvid.errors import ProgramError, ToolError
from agentvid.models.base import ChatModel, Embedder
from agentvid.planners.base import Plan, PlanRequest
from agentvid.planners.exemplar import ExampleBank, load_bank
from agentvid.planners.packs import listed
from agentvid.planners.replies import program_in
from agentvid.planners.routes import described
from agentvid.planners.slots import literal, split_choices
from agentvid.prompts import render
from agentvid.text import clean_text
from agentvid.tools import load_tools
from agentvid.tools.base import Tool
from agentvid.tools.program import LANGUAGE_RULES, check_program, describe
from agentvid.trace import prompt_hash
from agentvid.types import Usage
from agentvid.untrusted import inert

EXAMPLES = 6
#: A part of an error that is sent back; lists of what is allowed are long.
FEEDBACK_CHARACTERS = 2_000


class LLMPlanner:
    """Plans with a chat model. `prompts` names what was sent by hash, for the trace."""

    def __init__(self, chat: ChatModel, *, embedder: Embedder | None = None, bank: ExampleBank | None = None) -> None:
        self._chat = chat
        self._embedder = embedder
        self._bank = bank or load_bank()
        self.prompts: dict[str, str] = {}

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
            problem=request.fence.wrap(
                [
                    f"The part at fault: {_told(getattr(error, 'fragment', '') or 'the whole program')}",
                    f"The problem: {_told(str(error))}",
                    f"Allowed there: {_told(getattr(error, 'allowed', '') or 'see the rules')}",
                    *([f"What may help: {_told(error.hint)}"] if error.hint else []),
                ]
            ),
            marker=request.fence.marker,
        )
        return self._ask(request, repair)

    def _ask(self, request: PlanRequest, repair: str) -> Plan:
        question, inline = split_choices(request.question)
        choices = request.choices or inline
        system = render("plan_system", **self._prefix, examples=self._examples(question))
        asked = question if not choices else f"{question}\nChoices: {literal(choices)}"
        shown = request.look() if request.look else listed(request.videos)
        user = render("plan_user", videos=request.fence.wrap(shown), question=asked, marker=request.fence.marker)
        user = f"{user}\n\n{repair}" if repair else user
        self.prompts = {"plan_system": prompt_hash(system), "plan_user": prompt_hash(user)}
        reply = self._chat.reply(system, user)
        usage = Usage(llm_calls=1, input_tokens=reply.input_tokens, output_tokens=reply.output_tokens)
        return Plan(program_in(reply.text, self._check), focus=(question,), choices=choices, usage=usage)

    @cached_property
    def _tools(self) -> Mapping[str, Tool]:
        return load_tools()

    def _check(self, program: str) -> object:
        return check_program(program, self._tools)

    @cached_property
    def _prefix(self) -> Mapping[str, str]:
        """What stands before the examples in every prompt, byte by byte the same, so that providers cache it."""
        return {"rules": LANGUAGE_RULES.strip(), "tools": describe(self._tools).strip(), "routes": described()}

    def _examples(self, question: str) -> str:
        """The nearest forms as question and program, the slots still open: `$x` stands for a text in quotes."""
        found = self._bank.nearest(question, EXAMPLES, self._embedder)
        shown = []
        for near in found:
            asked = near.example.text.replace("<", "").replace(">", "")
            shown.append(f"Question: {asked}\n{near.form.program.replace('$where', '').strip()}")
        return "\n\n".join(shown)


def _told(text: str) -> str:
    """A part of an error: it may name titles, and texts that a program took out of a video."""
    return inert(clean_text(text, limit=FEEDBACK_CHARACTERS))
