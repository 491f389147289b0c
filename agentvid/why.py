"""Why an answer says what it says, and what it does not say: read off the trace of its run."""

from __future__ import annotations

from agentvid.errors import UsageError
from agentvid.types import Json


def why(document: Json, claim: int | None = None) -> Json:
    """What stands behind the answer of a trace, or behind its claim number `claim`, from 1.

    `{"question", "answer", "confidence", "claims": [{"number", "text", "verdict", "evidence": [...]}], "dropped":
    [{"text", "verdict", "reason"}], "programs": [{"program", "error"}], "planner", "form", "verify", "stopped",
    "missing", "gaps"}`. `dropped`: what was drafted and did not hold. A failed run has `error` and no claims.

    Raises UsageError for a number that no claim has.
    """
    result = document.get("result") or {}
    evidence = {item["id"]: item for item in result.get("evidence", [])}
    claims = [
        {**told, "number": number, "evidence": [evidence[name] for name in told["evidence"] if name in evidence]}
        for number, told in enumerate(result.get("claims", []), 1)
    ]
    if claim is not None:
        if not 1 <= claim <= len(claims):
            allowed = f"allowed: 1 to {len(claims)}" if claims else "the answer makes none"
            raise UsageError(f"{claim} is no claim of this answer; {allowed}")
        claims = [claims[claim - 1]]
    coverage = result.get("coverage", {})
    return {
        "question": document["question"],
        "answer": document.get("answer", ""),
        "error": document.get("error", ""),
        "confidence": result.get("confidence"),
        "claims": claims,
        "dropped": document.get("rejected", []),
        "programs": document.get("programs", []),
        "planner": document.get("planner", ""),
        "form": document.get("form", ""),
        "verify": document.get("verify", ""),
        "stopped": result.get("stopped", ""),
        "missing": coverage.get("missing", []),
        "gaps": coverage.get("gaps", []),
    }
