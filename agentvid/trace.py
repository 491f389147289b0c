"""The record of one ask: a JSON file per question in `<library>/traces`, named so that names sort by time.

A trace that cannot be written never costs the answer: the caller gets the reason as text and goes on.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import tempfile
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from agentvid.errors import LibraryError, NotFound, UsageError
from agentvid.types import Json

FORMAT, FOLDER = 1, "traces"
#: Names the newest trace.
LAST = "last"
#: Settings that shape an answer: a replay says where they changed.
SHAPING_SETTINGS = ("embedder", "embed", "reranker", "max_replans", "max_asks", "confident", "examples")
_ID = re.compile(r"[0-9A-Za-z-]{1,40}")
_LISTED = 5


def new_trace_id(now: datetime | None = None) -> str:
    """ "20261122T184212345-5f3a9c0d": UTC time to the millisecond, then 32 random bits."""
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    return f"{moment:%Y%m%dT%H%M%S}{moment.microsecond // 1000:03d}-{secrets.token_hex(4)}"


@cache
def versions() -> dict[str, str]:
    """Versions of the packages that shape an answer; "" for one that is not installed as a package."""
    found = {}
    for name in ("agentvid", "langgraph", "langchain-core", "numpy", "onnxruntime"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = ""
    return found


def prompt_hash(text: str) -> str:
    """Names a prompt in a trace without repeating it."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def write_trace(library: Path, trace_id: str, record: Json) -> str:
    """Write `<library>/traces/<trace_id>.json` whole or not at all; returns "" or why it was not written."""
    directory = library / FOLDER
    document = {"format": FORMAT, "trace_id": trace_id, "versions": versions(), **record}
    temporary = ""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        text = json.dumps(document, ensure_ascii=True, allow_nan=False, indent=1)
        handle, temporary = tempfile.mkstemp(prefix=".trace-", dir=directory)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, directory / f"{trace_id}.json")
    except (OSError, TypeError, ValueError) as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        return f"the trace was not written to {directory}: {error}"
    return ""


def trace_ids(library: Path) -> list[str]:
    """Every trace of the library, newest first."""
    return sorted((path.stem for path in (library / FOLDER).glob("*.json") if _ID.fullmatch(path.stem)), reverse=True)


def summary(document: Json) -> Json:
    """`{"trace_id", "question", "model", "outcome", "text", "seconds"}`; outcome: answered, abstained or failed."""
    result = document.get("result") or {}
    outcome = "failed" if "error" in document else "abstained" if result.get("abstained") else "answered"
    return {
        "trace_id": document.get("trace_id", ""),
        "question": document.get("question", ""),
        "model": document.get("model", ""),
        "outcome": outcome,
        "text": document.get("error") or document.get("answer", ""),
        "seconds": result.get("usage", {}).get("seconds", 0.0),
    }


def list_traces(library: Path, *, limit: int) -> list[Json]:
    """Summaries of the newest `limit` traces, newest first; a damaged one has the outcome "damaged"."""
    found = []
    for trace_id in trace_ids(library)[:limit]:
        try:
            found.append(summary(read_trace(library, trace_id)))
        except LibraryError as error:
            empty = {"question": "", "model": "", "seconds": 0.0}
            found.append({"trace_id": trace_id, "outcome": "damaged", "text": str(error), **empty})
    return found


def read_trace(library: Path, reference: str) -> Json:
    """The trace with this id, or the only one whose id begins so; "last" is the newest.

    Raises UsageError for text that is no id or fits several, NotFound if there is none, LibraryError if it is damaged.
    """
    if not _ID.fullmatch(reference):
        raise UsageError(f"{reference[:60]!r} is not a trace id; allowed: letters, digits and '-'")
    known = trace_ids(library)
    if reference == LAST:
        reference = known[0] if known else reference
    found = [reference] if reference in known else [name for name in known if name.startswith(reference)]
    if not found:
        recent = ", ".join(known[:_LISTED]) or "none"
        raise NotFound(f"no trace {reference!r} in {library / FOLDER}", hint=f"newest traces: {recent}")
    if len(found) > 1:
        shown = ", ".join(found[:_LISTED])
        raise UsageError(f"{reference!r} fits {len(found)} traces: {shown}", hint="give more of the id")
    path = library / FOLDER / f"{found[0]}.json"
    try:
        document = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise LibraryError(f"{path}: {error}", hint="this trace is damaged; delete the file") from None
    if not isinstance(document, dict):
        raise LibraryError(f"{path}: not a trace", hint="this trace is damaged; delete the file")
    return document
