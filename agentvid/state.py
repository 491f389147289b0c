"""What travels between the nodes of the ask graph: JSON values only, so that any checkpointer can store it.

Live things (catalogue, models, ledger, clock) are in `AskContext` and never enter the state.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypedDict

from agentvid.composers.base import Draft
from agentvid.errors import ProgramError, ToolError
from agentvid.planners.base import Turn
from agentvid.types import Answer, Claim, Coverage, Evidence, Gap, Json, Moment, Observation, Span, Usage


class AskState(TypedDict, total=False):
    """One question on its way through the graph; every key is set by the node named beside it."""

    turns: Annotated[list[Json], operator.add]  # start, cite: the thread's questions, the last one is this
    question: str  # start: complete in itself, whatever was asked
    wording: str  # start: as the user put it
    understood: str  # start: how a question that says only half was understood, "" for one that says all
    place: Json  # start: video id and span where alone to look, {} for the whole scope
    chosen: list[str]  # start: the video ids that the user chose, none for all
    choices: list[str]  # start, or plan when the question holds them
    scope: list[str]  # start: video ids, frozen before any text of a video is read
    route: str  # route: "lookup" or "loop"
    program: str  # route, plan
    form: str  # route, plan: id of the question form, "" for a free program
    focus: list[str]  # route, plan: the phrases that the question is about
    planner: str  # route, plan
    tried: list[Json]  # execute: every program with its error, "" if it ran
    steps: list[Json]  # execute: typed steps of the last program
    asked: dict[str, int]  # execute: every tool call, and how many programs made it
    outcome: Json  # execute: kind, value, evidence; {} if nothing ran through
    feedback: Json  # execute, check: what was wrong, for the planner; {} if nothing
    replans: int  # check
    stopped: str  # plan, check: why no further program is tried, "" if it was not needed
    draft: Json  # compose
    answer: Json  # cite
    again: bool  # cite: whether to plan anew, as the answer is not confident enough
    asks: int  # cite: how often the question was answered
    counters: Json  # cite: what it cost


def unplanned() -> AskState:
    """A question before its first node: nothing is tried, found or answered."""
    return {
        "route": "",
        "program": "",
        "form": "",
        "focus": [],
        "planner": "",
        "tried": [],
        "steps": [],
        "asked": {},
        "outcome": {},
        "feedback": {},
        "replans": 0,
        "again": False,
        "asks": 0,
        "answer": {},
    }


def place_to_json(video_id: str, span: Span) -> Json:
    return {"video_id": video_id, "start": span.start_seconds, "end": span.end_seconds}


def place_from_json(data: Mapping[str, Any]) -> tuple[str, Span]:
    return data["video_id"], Span(data["start"], data["end"])


def error_to_json(error: ProgramError | ToolError) -> Json:
    return {
        "message": str(error),
        "fragment": getattr(error, "fragment", ""),
        "allowed": getattr(error, "allowed", ""),
        "hint": error.hint,
    }


def error_from_json(data: Mapping[str, Any]) -> ProgramError:
    return ProgramError(
        data["message"], fragment=data.get("fragment", ""), allowed=data.get("allowed", ""), hint=data.get("hint", "")
    )


def moment_to_json(moment: Moment) -> Json:
    return {
        "video_id": moment.video_id,
        "start": moment.span.start_seconds,
        "end": moment.span.end_seconds,
        "score": moment.score,
        "track": moment.track,
        "text": moment.text,
        "similarity": moment.similarity,
        "ranks": dict(moment.ranks),
        "observation_ids": list(moment.observation_ids),
    }


def moment_from_json(data: Mapping[str, Any]) -> Moment:
    return Moment(
        data["video_id"],
        Span(data["start"], data["end"]),
        data["score"],
        data["track"],
        data["text"],
        data["similarity"],
        data["ranks"],
        tuple(data["observation_ids"]),
    )


def look_to_json(video_id: str, seen: Observation) -> Json:
    """What a vision model said of frames, with the model, the question, and which frames it was shown."""
    return {
        "video_id": video_id,
        **seen.span.to_json(),
        "text": seen.text,
        "confidence": seen.confidence,
        "model": seen.provenance.model,
        **seen.provenance.parameters,
        "input_hash": seen.provenance.input_hash,
    }


def draft_to_json(draft: Draft) -> Json:
    return {
        "claims": [claim.to_json() for claim in draft.claims],
        "evidence": [_evidence_to_json(item) for item in draft.evidence],
        "confidence": draft.confidence,
        "statement": draft.statement,
        "reason": draft.reason,
        "choice": draft.choice,
        "numbers": list(draft.numbers),
        "notes": list(draft.notes),
        "whole": list(draft.whole),
    }


def draft_from_json(data: Mapping[str, Any]) -> Draft:
    return Draft(
        claims=tuple(_claim_from_json(item) for item in data["claims"]),
        evidence=tuple(_evidence_from_json(item) for item in data["evidence"]),
        confidence=data["confidence"],
        statement=data["statement"],
        reason=data["reason"],
        choice=data["choice"],
        numbers=tuple(data["numbers"]),
        notes=tuple(data["notes"]),
        whole=tuple(data["whole"]),
    )


def turn_to_json(answer: Answer, *, standalone: str, videos: Sequence[str]) -> Json:
    """What the next question of a thread may refer to, and what people read of it later.

    `standalone`: the question made complete; `videos`: the ids that the user chose.
    """
    cited = [{"video_id": item.video_id, **item.span.to_json()} for item in answer.evidence]
    said = {"answer": answer.text, "abstained": answer.abstained}
    meant = {"understood": "" if standalone == answer.question else standalone, "videos": list(videos)}
    return {"question": answer.question, **meant, **said, "program": answer.program, "evidence": cited}


def turn_from_json(data: Mapping[str, Any]) -> Turn:
    """For a planner: without the answer, whose words are a video's."""
    cited = tuple((item["video_id"], Span(item["start"], item["end"])) for item in data["evidence"])
    # Threads of earlier versions tell less of their turns.
    understood, videos = data.get("understood", ""), tuple(data.get("videos", ()))
    return Turn(data["question"], data["program"], cited, understood, videos, data.get("abstained", False))


def answer_to_json(answer: Answer) -> Json:
    """As `Answer.to_json`, but with the evidence's ends and scores as exact as they are."""
    return {**answer.to_json(), "evidence": [_evidence_to_json(item) for item in answer.evidence]}


def answer_from_json(data: Mapping[str, Any], *, usage: Usage) -> Answer:
    """The answer of `answer_to_json`, with what it cost, which is known only at the end."""
    coverage = data["coverage"]
    gaps = tuple(Gap(g["video_id"], Span(g["start"], g["end"]), g["track"], g["reason"]) for g in coverage["gaps"])
    return Answer(
        question=data["question"],
        text=data["answer"],
        abstained=data["abstained"],
        confidence=data["confidence"],
        claims=tuple(_claim_from_json(item) for item in data["claims"]),
        evidence=tuple(_evidence_from_json(item) for item in data["evidence"]),
        coverage=Coverage(
            coverage["videos"], coverage["seconds"], tuple(coverage["tracks"]), tuple(coverage["missing"]), gaps
        ),
        usage=usage,
        choice=data["choice"],
        program=data["program"],
        stopped=data["stopped"],
        understood=data["understood"],
    )


def _evidence_to_json(item: Evidence) -> Json:
    # Public JSON is rounded to milliseconds; the state is not, so that nothing moves between two nodes.
    exact = {"start": item.span.start_seconds, "end": item.span.end_seconds, "score": item.score}
    return {**item.to_json(), **exact}


def _evidence_from_json(data: Mapping[str, Any]) -> Evidence:
    span = Span(data["start"], data["end"])
    return Evidence(data["id"], data["video"], data["video_id"], span, data["track"], data["quote"], data["score"])


def _claim_from_json(data: Mapping[str, Any]) -> Claim:
    return Claim(data["text"], tuple(data["evidence"]), data["verdict"])
