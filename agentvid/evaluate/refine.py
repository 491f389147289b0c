"""`agentvid examples refine`: a bank of examples gets better on questions whose answers are known.

After VURF's refinement of in-context examples (arXiv 2403.14743): a program is written without any example, repaired by
feedback until it runs and answers rightly, brought into the form of the bank, and kept only if the bank scores no worse
with it. One half of the questions makes the examples, the other half, which never does, judges them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from agentvid.errors import ModelError, ProgramError, ToolError, UsageError
from agentvid.evaluate.answers import Given, answer_scores
from agentvid.evaluate.qa import Asker
from agentvid.evaluate.questions import Posed
from agentvid.planners.bank import ExampleBank, Form, fits, parse_examples
from agentvid.planners.base import Plan, Planner, PlanRequest
from agentvid.planners.example_files import entry_of, example_like, example_of, joined, write_examples
from agentvid.planners.exemplar import ExemplarPlanner
from agentvid.planners.llm import LLMPlanner
from agentvid.planners.slots import plain_question
from agentvid.types import Json
from agentvid.words import FUNCTION_WORDS, words

if TYPE_CHECKING:
    from agentvid.graph import AskContext
    from agentvid.library import Library

FAMILY = "refined"
#: So often a program that ran but answered wrongly goes back; so many forms are tried without a model, each also on so
#: many other questions that ask in the same way.
FEEDBACK_ROUNDS, ALTERNATIVES, SIBLINGS = 2, 24, 4
#: Evidence that overlaps the gold seconds this much is right, where a question has no answer to compare.
RIGHT_IOU = 0.3
_SHOWN, _SPANS = 300, 5

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Half:
    """Questions and how many of them were answered rightly with the bank as it was, and as it is."""

    questions: int
    before: int
    after: int

    def to_json(self) -> Json:
        share = {"before": self.before / self.questions, "after": self.after / self.questions}
        return {"questions": self.questions, **{name: round(value, 4) for name, value in share.items()}}


@dataclass(frozen=True, slots=True)
class Refined:
    """The examples that were kept, and how the two halves of the questions fare with them.

    `tried`: questions of the refining half that were answered wrongly. `rejected`: examples that scored no better
    there, or worse in the other half.
    """

    kept: tuple[Form, ...]
    refining: Half
    held_out: Half
    tried: int
    rejected: int

    def to_json(self) -> Json:
        return {
            "kept": [form.id for form in self.kept],
            "rejected": self.rejected,
            "tried": self.tried,
            "refining": self.refining.to_json(),
            "held_out": self.held_out.to_json(),
        }


def refine(library: Library, posed: Sequence[Posed], *, progress: Progress | None = None) -> Refined:
    """New examples for the library's bank, by its model or, without one, by the other forms of the bank.

    Raises UsageError for fewer than two questions, ModelError if the model fails for good.
    """
    refining, held_out = halves(posed)
    told = progress or (lambda stage, done, total: None)
    score = _Scorer(library, told)
    before, before_held = score.bank((), refining), score.bank((), held_out)
    wrong = [one for one, right in zip(refining, before, strict=True) if not right]
    candidates: dict[str, Form] = {}
    for number, one in enumerate(wrong, 1):
        told("refining", number, len(wrong))
        # An example of a question before it may serve this one too.
        if candidates and score.bank(list(candidates.values()), [one])[0]:
            continue
        if form := score.example(one, [other for other in wrong if other is not one]):
            candidates[form.id] = form
    kept, after, after_held = _kept(list(candidates.values()), score, refining, held_out, before, before_held)
    return Refined(
        tuple(kept),
        Half(len(refining), sum(before), sum(after)),
        Half(len(held_out), sum(before_held), sum(after_held)),
        len(wrong),
        len(candidates) - len(kept),
    )


def halves(posed: Sequence[Posed]) -> tuple[list[Posed], list[Posed]]:
    """Two halves of equal size, by the hash of what is asked: the same questions, the same halves."""
    if len(posed) < 2:
        raise UsageError(f"{len(posed)} question is not enough to refine examples; allowed: 2 or more, better 20")
    ranked = sorted(posed, key=lambda one: hashlib.sha256(repr(one.question).encode()).digest())
    return ranked[::2], ranked[1::2]


def is_right(given: Given, posed: Posed) -> bool:
    """A right answer; for a question of which only the seconds are known, evidence that overlaps them."""
    scores = answer_scores(given, posed)
    return scores["accuracy"] == 1.0 if "accuracy" in scores else scores.get("mIoU", 0.0) >= RIGHT_IOU


def write_bank(path: Path, base: Sequence[Form], refined: Refined) -> None:
    """A bank file of the examples that `base`, a file's, had, and the new ones. Raises UsageError."""
    forms = {form.id: form for form in (*base, *refined.kept)}
    write_examples(path, [entry_of(form) for form in forms.values()])


def _kept(
    candidates: Sequence[Form],
    score: _Scorer,
    refining: Sequence[Posed],
    held_out: Sequence[Posed],
    before: list[bool],
    before_held: list[bool],
) -> tuple[list[Form], list[bool], list[bool]]:
    """All candidates together if no half gets worse by them; else one after the other, those that make none worse."""
    kept: list[Form] = []
    best, best_held = before, before_held
    together = [list(candidates)] if len(candidates) > 1 else []
    for added in [*together, *([form] for form in candidates)]:
        after = score.bank([*added, *kept], refining)
        if sum(after) <= sum(best):
            continue  # of no use in the half that it came from
        after_held = score.bank([*added, *kept], held_out)
        if sum(after_held) >= sum(best_held):
            kept, best, best_held = [*added, *kept], after, after_held
        if len(kept) == len(candidates):
            break
    return kept, best, best_held


class _Scorer:
    """Asks questions with one bank or another, or with a program that is given."""

    def __init__(self, library: Library, progress: Progress) -> None:
        self._library = library
        self._progress = progress
        self._bank = library.bank
        # An empty bank would leave the embedded planner nothing; an LLM gets no example.
        self._without = library.question_context(bank=ExampleBank((), self._bank.classes))

    def bank(self, added: Sequence[Form], posed: Sequence[Posed]) -> list[bool]:
        """Per question whether it is answered rightly with these forms before the library's own."""
        asker = Asker(self._library, self._library.question_context(bank=joined(self._bank, added)))
        found = []
        for number, one in enumerate(posed, 1):
            self._progress(f"asking with {len(added)} new examples", number, len(posed))
            found.append(is_right(asker(one), one))
        return found

    def _about(self, posed: Posed) -> str:
        """The longest run of the question's words that is said or shown in its video in one piece; "" if none is."""
        asked, catalogue = words(posed.question.question), self._library.catalogue
        videos = [posed.video] if posed.video else catalogue.videos()
        told = [f" {' '.join(words(row.text))} " for video in videos for row in catalogue.observations(video.id)]
        for length in range(len(asked), 0, -1):
            for start in range(len(asked) - length + 1):
                run = asked[start : start + length]
                if {run[0], run[-1]} & FUNCTION_WORDS:
                    continue
                phrase = " ".join(run)
                if any(f" {phrase} " in text for text in told):
                    return phrase
        return ""

    def example(self, posed: Posed, others: Sequence[Posed]) -> Form | None:
        """An example by which the question is answered rightly, None if none was found."""
        question, about = posed.question, self._about(posed)
        if not isinstance(self._without.planner, LLMPlanner):
            return self._borrowed(posed, about, others)
        program = self._written(posed, self._without.planner)
        if not program:
            return None
        return _form(example_of(question.question, question.choices, program, family=FAMILY, about=about))

    def _written(self, posed: Posed, planner: LLMPlanner) -> str:
        """Written without examples; repaired as in any question until it runs, then by its answer."""
        notes = _Noting(planner)
        given = self._ask(posed, notes)
        for _ in range(FEEDBACK_ROUNDS):
            if is_right(given, posed):
                return notes.program
            try:
                plan = planner.repair(notes.request, notes.program, _feedback(given, posed))
            except (ModelError, ProgramError, ToolError):
                return ""
            notes.first = plan
            given = self._ask(posed, notes)
        return notes.program if is_right(given, posed) else ""

    def _borrowed(self, posed: Posed, about: str, others: Sequence[Posed]) -> Form | None:
        """The question's example with the program of the nearest other form that answers it rightly.

        One choice of four is right by chance: of several programs the one counts that also answers most of `others`
        that ask in the same way.
        """
        context = self._library.question_context()
        assert isinstance(context.planner, ExemplarPlanner)
        request, question = Asker(self._library, context).request(posed), posed.question
        best: tuple[int, Form | None] = (-1, None)
        for plan in context.planner.alternatives(request, about or question.question, ALTERNATIVES):
            if not is_right(self._ask(posed, _Noting(context.planner, plan)), posed):
                continue
            like = self._bank.by_id[plan.form_id]
            form = _form(example_like(question.question, question.choices, like, family=FAMILY, about=about))
            if form is None:
                continue
            alike = [one for one in others if fits(form, plain_question(one.question.question))][:SIBLINGS]
            right = sum(self.bank([form], alike)) if alike else 0
            best = max(best, (right, form), key=lambda pair: pair[0])
            if right == len(alike):
                break
        return best[1]

    def _ask(self, posed: Posed, planner: _Noting) -> Given:
        # No shortcut and no second try with other examples: it is this planner's programs that are judged.
        settings = self._without.settings.model_copy(update={"max_asks": 1})
        context: AskContext = replace(self._without, planner=planner, shortcut=None, settings=settings)
        return Asker(self._library, context)(posed)


def _form(entry: Json | None) -> Form | None:
    return parse_examples([entry])[0] if entry else None


class _Noting:
    """A planner that begins with the plan `first`, if there is one, and keeps the last request and program."""

    def __init__(self, planner: Planner, first: Plan | None = None) -> None:
        self._planner = planner
        self.first = first
        self.program = ""
        self.request = PlanRequest("")

    @property
    def name(self) -> str:
        return self._planner.name

    def plan(self, request: PlanRequest) -> Plan:
        first, self.first = self.first, None
        return self._kept(request, first or self._planner.plan(request))

    def repair(self, request: PlanRequest, program: str, error: ProgramError | ToolError) -> Plan:
        return self._kept(request, self._planner.repair(request, program, error))

    def _kept(self, request: PlanRequest, plan: Plan) -> Plan:
        self.request, self.program = request, plan.program
        return plan


def _feedback(given: Given, posed: Posed) -> ProgramError:
    """What was wrong with an answer, as the planner is told what is wrong with a program."""
    question = posed.question
    said = given.error or ("it found nothing" if given.abstained else given.choice or given.text)
    right = []
    if gold := question.choice or " or ".join(question.answers):
        right.append(f"the answer {gold!r}")
    if question.spans:
        seconds = ", ".join(f"{span.start_seconds:.1f}-{span.end_seconds:.1f}" for span in question.spans[:_SPANS])
        right.append(f"evidence in the seconds {seconds}")
    return ProgramError(
        f"the program ran, but its answer is wrong: {said[:_SHOWN]}",
        allowed=f"a program that finds out {' and '.join(right)} and would find out the same of other things",
        hint="never write the answer into the program; look in another way, with another tool or order",
    )
