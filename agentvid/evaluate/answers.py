"""What one answer is worth against what is known of the right one. Every score is per question and lies in 0 to 1.

Text is compared as SQuAD does (Rajpurkar et al., EMNLP 2016): lower case, without articles and punctuation. Evidence is
scored as CG-Bench does (Chen et al., 2024): the cited spans, at most five, taken together against the gold spans, and
right and well cited at once; IoP, the share of what is cited that is right, after NExT-GQA (Xiao et al., CVPR 2024).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agentvid.evaluate.metrics import Found, Scores
from agentvid.evaluate.questions import Posed
from agentvid.evaluate.types import Question
from agentvid.tools.intervals import intersection, total_seconds
from agentvid.types import Answer, Json, Span, Usage
from agentvid.words import NUMBER_WORDS, words

CITED = 5
ACCURACY_IOUS = (0.3, 0.5)
_ARTICLES = frozenset(("a", "an", "the"))
_CLOCK = re.compile(r"(?<![\d:])\d{1,3}:\d{2}(?::\d{2})?(?:\.\d{1,3})?(?![\d:])")
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Given:
    """What was answered to one question, and at what cost.

    `turns`: the option taken under each rotation of the options, the first unrotated, if they were rotated. `form`: the
    question form that the embedded planner sees in it. `error`: why there is no answer, "" if there is one.
    """

    text: str
    abstained: bool
    choice: str | None = None
    confidence: float = 0.0
    evidence: tuple[Found, ...] = ()
    usage: Usage = field(default_factory=Usage)
    turns: tuple[str | None, ...] = ()
    form: str = ""
    error: str = ""

    @classmethod
    def from_answer(cls, answer: Answer, *, turns: Sequence[str | None] = (), form: str = "") -> Given:
        # What an abstention shows are the nearest moments, not evidence of an answer.
        cited = () if answer.abstained else tuple(Found(item.video, item.span, item.score) for item in answer.evidence)
        return cls(
            answer.text, answer.abstained, answer.choice, answer.confidence, cited, answer.usage, tuple(turns), form
        )

    def to_json(self) -> Json:
        return {
            "answer": self.text,
            "abstained": self.abstained,
            "choice": self.choice,
            "confidence": round(self.confidence, 4),
            "evidence": [found.to_json() for found in self.evidence],
            "usage": self.usage.to_json(),
            "turns": list(self.turns),
            "form": self.form,
            "error": self.error,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Given:
        """Raises KeyError, TypeError, ValueError or UsageError where `data` is not what `to_json` gives."""
        evidence = tuple(
            Found(str(item["video"]), Span(float(item["start"]), float(item["end"])), float(item["score"]))
            for item in data["evidence"]
        )
        turns = tuple(data.get("turns", ()))
        usage = Usage(**data["usage"])
        return cls(
            str(data["answer"]), bool(data["abstained"]), data["choice"], float(data["confidence"]), evidence, usage,
            turns, str(data.get("form", "")), str(data.get("error", "")),
        )  # fmt: skip


def answer_scores(given: Given, posed: Posed) -> Scores:
    """The scores that this question allows.

    "abstained": always. "accuracy": with a right choice, 1 if it was taken, under every rotation if there were some;
    with gold answers, 1 if the answer holds one of them. "exact" and "F1": with gold answers, the whole answer, or a
    quote of it, against the nearest of them. "mIoU" and "IoP": with gold spans. "Acc@t": with both, right with cited
    evidence that reaches IoU t.
    """
    question = posed.question
    scores = {"abstained": float(given.abstained)}
    if question.choice:
        taken = given.turns or (given.choice,)
        scores["accuracy"] = float(all(choice == question.choice for choice in taken))
    elif question.answers:
        scores |= _text_scores(given, question)
    if question.spans:
        first = given.evidence[:CITED]
        cited = [found.span for found in first if found.video == posed.gold_video]
        elsewhere = sum(found.span.duration_seconds for found in first if found.video != posed.gold_video)
        iou, iop = evidence_overlap(cited, question.spans, elsewhere_seconds=elsewhere)
        scores |= {"mIoU": iou, "IoP": iop}
        if "accuracy" in scores:
            reached = {least: float(iou >= least - _ROUNDING) for least in ACCURACY_IOUS}
            scores |= {f"Acc@{least}": scores["accuracy"] * hit for least, hit in reached.items()}
    return scores


def evidence_overlap(
    cited: Sequence[Span], gold: Sequence[Span], *, elsewhere_seconds: float = 0.0
) -> tuple[float, float]:
    """(IoU, IoP) of the cited spans together, and what is cited of other videos, against the best of the gold spans.

    One gold span or all of them together, whichever fits better: some sets mean each, others all.
    """
    if not cited:
        return 0.0, 0.0
    seconds, best_iou, best_iop = total_seconds(cited) + elsewhere_seconds, 0.0, 0.0
    for target in [*([span] for span in gold), list(gold)]:
        shared = total_seconds(intersection(cited, target))
        best_iou = max(best_iou, shared / (total_seconds([*cited, *target]) + elsewhere_seconds))
        best_iop = max(best_iop, shared / seconds)
    return best_iou, best_iop


def _text_scores(given: Given, question: Question) -> Scores:
    if given.abstained:
        return {"accuracy": 0.0, "exact": 0.0, "F1": 0.0}
    said = _normalised(given.text)
    quotes = re.findall(r"“([^”]*)”", given.text)
    wholes = [said, *map(_normalised, quotes)]
    golds = [gold for answer in question.answers if (gold := _normalised(answer))] or [[]]
    return {
        "accuracy": float(any(_holds(said, gold) for gold in golds)),
        "exact": float(any(whole == gold for whole in wholes for gold in golds)),
        "F1": max(_f1(whole, gold) for whole in wholes for gold in golds),
    }


def _normalised(text: str) -> list[str]:
    """Words of an answer without its own times, articles and number words: "At 0:12, three cats" -> at, 3, cats."""
    return [str(NUMBER_WORDS.get(word, word)) for word in words(_CLOCK.sub(" ", text)) if word not in _ARTICLES]


def _holds(said: Sequence[str], gold: Sequence[str]) -> bool:
    """True if `gold` stands in `said` in one piece; a "yes" or "no" must be how the answer begins."""
    if not gold or list(gold) in (["yes"], ["no"]):
        return bool(gold) and list(said[:1]) == list(gold)
    return any(list(said[at : at + len(gold)]) == list(gold) for at in range(len(said) - len(gold) + 1))


def _f1(said: Sequence[str], gold: Sequence[str]) -> float:
    shared = sum((Counter(said) & Counter(gold)).values())
    return 2 * shared / (len(said) + len(gold)) if shared else 0.0
