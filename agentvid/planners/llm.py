"""The LLM planner: a prompt whose beginning never changes, and the nearest question forms as examples.

A program that does not check or run goes back with the offending text, what is allowed and near names (VURF's feedback
loop, arXiv 2403.14743). What strangers wrote, titles for example, stands inside a fence (`agentvid.untrusted`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agentvid.errors import ProgramError, ToolError
from agentvid.models.base import ChatModel, Embedder, Shape
from agentvid.planners.bank import ExampleBank, load_bank
from agentvid.planners.base import Plan, PlanRequest, Turn
from agentvid.planners.packs import listed
from agentvid.planners.replies import program_in
from agentvid.planners.routes import described, plan_schema
from agentvid.planners.slots import literal, split_choices
from agentvid.prompts import render
from agentvid.text import clean_text
from agentvid.tools.base import Tool
from agentvid.tools.program import LANGUAGE_RULES, check_program, describe
from agentvid.tools.program.grammar import program_grammar
from agentvid.trace import prompt_hash
from agentvid.types import Usage
from agentvid.untrusted import Fenced, inert

EXAMPLES, MAX_TURNS = 6, 20
#: A part of an error that is sent back; lists of what is allowed are long.
FEEDBACK_CHARACTERS = 2_000
_OTHERWISE = "These programs led to an answer that is not sure. Write one that looks in another way:"


class LLMPlanner:
    """Plans with a chat model. `prompts` names what was sent by hash, for the trace."""

    def __init__(self, chat: ChatModel, *, embedder: Embedder | None = None, bank: ExampleBank | None = None) -> None:
        self._chat = chat
        self._embedder = embedder
        self._bank = bank or load_bank()
        self.prompts: dict[str, str] = {}
        self._last_system: tuple[tuple[str, int, frozenset[str]], str] = (("", 0, frozenset()), "")
        self._last_shown: tuple[tuple[str, str], Fenced] = (("", ""), Fenced())

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
        system = self._system(question, request)
        asked = question if not choices else f"{question}\nChoices: {literal(choices)}"
        shown = self._shown(question, request)
        asked = _thread(request.turns) + asked
        user = render("plan_user", videos=shown, question=asked, marker=request.fence.marker)
        otherwise = "\n\n".join([_OTHERWISE, *map(str.strip, request.tried)]) if request.tried and not repair else ""
        # Last, because it is all that changes from one request to the next.
        balance = render("balance", balance=request.balance) if request.balance else ""
        user = "\n\n".join(part for part in (user, otherwise, repair, balance) if part)
        self.prompts = {"plan_system": prompt_hash(system), "plan_user": prompt_hash(user)}
        reply = self._chat.reply(system, user, _shape(request.tools))
        usage = Usage(llm_calls=1, input_tokens=reply.input_tokens, output_tokens=reply.output_tokens)
        program = program_in(reply.text, lambda program: check_program(program, request.tools))
        return Plan(program, focus=(question,), choices=choices, usage=usage, note=reply.note)

    def _shown(self, question: str, request: PlanRequest) -> Fenced:
        """What is in the videos; looking takes longer than all the rest of a prompt, so a run looks once."""
        run = (question, request.fence.marker)
        if self._last_shown[0] != run:
            self._last_shown = run, request.fence.wrap(request.look() if request.look else listed(request.videos))
        return self._last_shown[1]

    def _system(self, question: str, request: PlanRequest) -> str:
        """The system prompt, which the repairs of one attempt share."""
        made_for = (question, request.attempt, frozenset(request.tools))
        if self._last_system[0] != made_for:
            examples = self._examples(question, request)
            prefix = _prefix(request.tools)
            self._last_system = (made_for, render("plan_system", **prefix, examples=examples))
        return self._last_system[1]

    def _examples(self, question: str, request: PlanRequest) -> str:
        """The nearest forms as question and program, the slots still open: `$x` stands for a text in quotes.

        Every attempt is shown other ones than those before it (VideoICL, arXiv 2412.02186).
        """
        skip = request.attempt
        found = self._bank.nearest(question, EXAMPLES * (skip + 1), self._embedder)[EXAMPLES * skip :]
        shown = []
        for near in found:
            asked = near.example.text.replace("<", "").replace(">", "")
            program = near.form.program_with(request.tools)
            shown.append(f"Question: {asked}\n{program.replace('$where', '').strip()}")
        return "\n\n".join(shown)


def _prefix(tools: Mapping[str, Tool]) -> Mapping[str, str]:
    """What stands before the examples in every prompt with these tools, byte by byte the same: providers cache it."""
    return {"rules": LANGUAGE_RULES.strip(), "tools": describe(tools).strip(), "routes": described(tools)}


def _shape(tools: Mapping[str, Tool]) -> Shape:
    return Shape(plan_schema(), program_grammar(tools))


def _told(text: str) -> str:
    """A part of an error: it may name titles, and texts that a program took out of a video."""
    return inert(clean_text(text, limit=FEEDBACK_CHARACTERS))


def _thread(turns: Sequence[Turn]) -> str:
    """The thread up to "Question: ", each turn as it stood in the prompt before: a prompt only grows at its end."""
    told = []
    for turn in turns[-MAX_TURNS:]:
        cited = [f"{video[:16]} {span.start_seconds:.1f}-{span.end_seconds:.1f}" for video, span in turn.cited]
        program = turn.program.strip() or "none"
        told.append(f"{turn.question}\n{program}\nCited: {', '.join(cited) or 'nothing'}\n\nQuestion: ")
    return "".join(told)
