"""`agentvid eval qa`: are questions answered rightly, with the seconds that show it, and at what cost?"""

from __future__ import annotations

import json
import math
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agentvid.errors import AgentvidError, MissingDependency, UsageError
from agentvid.evaluate.answers import Given, answer_scores
from agentvid.evaluate.bootstrap import Difference, compare
from agentvid.evaluate.metrics import Scores
from agentvid.evaluate.queries import read_jsonl
from agentvid.evaluate.questions import Posed
from agentvid.evaluate.runs import Comparison
from agentvid.planners.base import PlanRequest
from agentvid.planners.exemplar import ExemplarPlanner
from agentvid.tools import working_tools
from agentvid.tools.base import Ledger
from agentvid.types import Json

if TYPE_CHECKING:
    from agentvid.graph import AskContext
    from agentvid.library import Library
    from agentvid.models.base import Embedder

_HINT = "give a file that --output of the same command wrote"
_COSTS = ("seconds", "steps", "tool_calls", "llm_calls", "input_tokens", "output_tokens")


@dataclass(frozen=True, slots=True)
class Answered:
    """A question with what was answered and how many milliseconds that took, all rotations together."""

    posed: Posed
    given: Given
    ms: float


def answer_all(library: Library, posed: Sequence[Posed], *, is_circular: bool = False) -> Iterator[Answered]:
    """Ask every question of its video, or of the library; one that fails is an abstention with its error.

    With `is_circular` a multiple choice is asked once for every rotation of its options. No trace is kept.
    Raises MissingDependency for what no question can do without.
    """
    ask = Asker(library)
    for one in posed:
        started = time.perf_counter()
        given = ask(one, is_circular=is_circular)
        yield Answered(one, given, 1000 * (time.perf_counter() - started))


class Asker:
    """Asks questions with one planner and one model, and keeps no traces of them."""

    def __init__(self, library: Library, context: AskContext | None = None) -> None:
        self._context = context or library.question_context()
        self._scope = self._context.tools.scope

    def __call__(self, posed: Posed, *, is_circular: bool = False) -> Given:
        choices = posed.question.choices
        turns = [choices[at:] + choices[:at] for at in range(len(choices) if is_circular else 1)] or [()]
        form = self._form(posed)
        try:
            answers = [self._ask(posed, turn) for turn in turns]
        except MissingDependency:
            raise
        except AgentvidError as error:
            return Given("", abstained=True, form=form, error=f"{type(error).__name__}: {error}")
        given = Given.from_answer(answers[0], form=form)
        if not is_circular:
            return given
        costs = {name: sum(getattr(answer.usage, name) for answer in answers) for name in _COSTS}
        return replace(given, turns=tuple(a.choice for a in answers), usage=replace(given.usage, **costs))

    def _ask(self, posed: Posed, choices: Sequence[str]) -> Any:
        from agentvid.graph import ask

        tools = replace(self._context.tools, scope=self._scope_of(posed), ledger=Ledger())
        return ask(posed.question.question, replace(self._context, tools=tools), choices=choices)

    def request(self, posed: Posed) -> PlanRequest:
        """What a planner is asked, without what is in the videos."""
        question, videos = posed.question, tuple(self._scope_of(posed).values())
        return PlanRequest(question.question, question.choices, videos, tools=working_tools(self._context.tools))

    def _scope_of(self, posed: Posed) -> Mapping[str, Any]:
        return {posed.video.id: posed.video} if posed.video else self._scope

    def _form(self, posed: Posed) -> str:
        """The embedded planner's form: which sorts of questions go wrong is worth knowing whoever plans."""
        embedded = self._context.shortcut or self._context.planner
        try:
            return embedded.plan(self.request(posed)).form_id if isinstance(embedded, ExemplarPlanner) else ""
        except AgentvidError:
            return ""


# -- baselines of multiple choice -------------------------------------------------------------------------------------


def choice_baselines(posed: Sequence[Posed], embedder: Embedder | None) -> dict[str, list[Scores]]:
    """Per baseline its accuracy on every multiple choice of `posed`, without looking at any video.

    "random": what chance would have. "longest": the longest option. "blind": the option nearest to the question by the
    library's embedder; left out where there is none.
    """
    asked = [one.question for one in posed if one.question.choice]
    found: dict[str, list[Scores]] = {
        "random": [{"accuracy": 1 / len(question.choices)} for question in asked],
        "longest": [{"accuracy": float(max(q.choices, key=len) == q.choice)} for q in asked],
    }
    if embedder is not None:
        found["blind"] = []
        for question in asked:
            vectors = embedder.encode_query([question.question, *question.choices])
            nearest = int(np.argmax(vectors[1:] @ vectors[0]))
            found["blind"].append({"accuracy": float(question.choices[nearest] == question.choice)})
    return found if asked else {}


# -- as JSON ----------------------------------------------------------------------------------------------------------


def summary_json(name: str, answered: Sequence[Answered]) -> Json:
    """`{"name", "metrics", "cost", "ms", "kinds", "forms", "failed"}`; a metric is the mean of those who have it."""
    scores = [answer_scores(one.given, one.posed) for one in answered]
    middle, high = np.percentile([one.ms for one in answered], [50, 95])
    return {
        "name": name,
        "metrics": mean_of_each(scores),
        "cost": {cost: round(_mean([getattr(one.given.usage, cost) for one in answered]), 4) for cost in _COSTS},
        "ms": {"p50": round(float(middle), 2), "p95": round(float(high), 2)},
        "kinds": _grouped(answered, scores, lambda one: one.posed.question.kind),
        "forms": _grouped(answered, scores, lambda one: one.given.form),
        "failed": sum(bool(one.given.error) for one in answered),
    }


def baseline_json(name: str, scores: Sequence[Scores]) -> Json:
    return {
        "name": name, "metrics": mean_of_each(scores), "cost": None, "ms": None, "kinds": {}, "forms": {}, "failed": 0,
    }  # fmt: skip


def mean_of_each(scores: Sequence[Scores]) -> dict[str, float]:
    """The mean of each metric over the questions that have it, and "accuracy answered" over those not abstained."""
    columns: dict[str, list[float]] = defaultdict(list)
    for one in scores:
        for metric, value in one.items():
            columns[metric].append(value)
        if "accuracy" in one and not one.get("abstained", 0.0):
            columns["accuracy answered"].append(one["accuracy"])
    return {metric: round(_mean(values), 6) for metric, values in columns.items()}


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _grouped(answered: Sequence[Answered], scores: Sequence[Scores], key: Callable[[Answered], str]) -> Json:
    """Per group `{"questions", "metrics"}`, the largest first; {} if there are no groups."""
    groups: dict[str, list[Scores]] = defaultdict(list)
    for one, score in zip(answered, scores, strict=True):
        if name := key(one):
            groups[name].append(score)
    largest = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    return {name: {"questions": len(members), "metrics": mean_of_each(members)} for name, members in largest}


# -- runs and comparisons ---------------------------------------------------------------------------------------------


class RunFile:
    """Writes each answer as it comes, so that an interrupted run keeps what was done.

    Raises UsageError if the file cannot be written.
    """

    def __init__(self, file: Path, questions: Path) -> None:
        if file.resolve() == questions.resolve():
            raise UsageError(f"{file} is the question file, and would be lost", hint="choose another --output")
        try:
            self._opened = file.open("w", encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{file} cannot be written: {error.strerror}", hint="choose another --output") from None

    def write(self, one: Answered) -> None:
        question = one.posed.question
        line = question.to_json() | {"video": one.posed.gold_video} | one.given.to_json()
        line |= {"gold": list(question.answers), "gold_choice": question.choice, "ms": round(one.ms, 3)}
        self._opened.write(json.dumps(line) + "\n")
        self._opened.flush()

    def close(self) -> None:
        self._opened.close()


Key = tuple[str, str, tuple[str, ...]]


def read_run(file: Path) -> dict[tuple[Key, int], Given]:
    """((question, video, choices), how many same ones came before) -> what was answered.

    Raises UsageError for an unreadable file or a line that no run wrote.
    """
    lines: dict[tuple[Key, int], Given] = {}
    seen: Counter[Key] = Counter()
    for number, document in read_jsonl(file, hint=_HINT):
        try:
            key = (str(document["question"]), str(document["video"]), tuple(document.get("choices", ())))
            given = Given.from_json(document)
        except (KeyError, TypeError, ValueError, UsageError) as error:
            raise UsageError(f"{file} line {number} is no line of a run: {error}", hint=_HINT) from None
        lines[key, seen[key]] = given
        seen[key] += 1
    return lines


def compare_with_run(answered: Sequence[Answered], earlier: Mapping[tuple[Key, int], Given], file: Path) -> Comparison:
    """Both scored against today's gold. Raises UsageError if they have no question in common."""
    seen: Counter[Key] = Counter()
    here: list[Scores] = []
    there: list[Scores] = []
    for one in answered:
        key = (one.posed.question.question, one.posed.gold_video, one.posed.question.choices)
        given = earlier.get((key, seen[key]))
        seen[key] += 1
        if given is not None:
            here.append(answer_scores(one.given, one.posed))
            there.append(answer_scores(given, one.posed))
    if not here:
        raise UsageError(f"{file} has none of these {len(answered)} questions", hint=_HINT)
    return Comparison(str(file), len(here), differences(here, there))


def differences(here: Sequence[Scores], there: Sequence[Scores]) -> dict[str, Difference]:
    """Each metric over the questions that have it; metrics of the same questions are resampled together."""
    rows_of = {
        metric: tuple(at for at, scores in enumerate(here) if metric in scores)
        for metric in dict.fromkeys(name for scores in here for name in scores)
    }
    found: dict[str, Difference] = {}
    for rows in dict.fromkeys(rows_of.values()):
        metrics = [metric for metric, own in rows_of.items() if own == rows]
        found |= compare(_only(here, rows, metrics), _only(there, rows, metrics))
    return found


def _only(scores: Sequence[Scores], rows: Iterable[int], metrics: Sequence[str]) -> list[Scores]:
    return [{metric: scores[row][metric] for metric in metrics} for row in rows]
