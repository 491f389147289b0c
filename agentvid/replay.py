"""A stored question asked again, with the model's recorded replies and this library as it is now, and what differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from agentvid.budget import INTERRUPTED, Budget
from agentvid.errors import AgentvidError, LibraryError
from agentvid.graph import AskContext, ask
from agentvid.models.cassette import Call, Cassette
from agentvid.trace import SHAPING_SETTINGS, read_trace, versions
from agentvid.types import Answer, Json, Usage

if TYPE_CHECKING:
    from agentvid.library import Library

#: What no two runs share.
_RUN_OF_ITS_OWN = frozenset({"trace_id", "usage.seconds"})
_ABSENT = "(absent)"


@dataclass(frozen=True, slots=True)
class Replay:
    """`answer` is None where the run ended in `error`. `changes`: what is not as it was when the trace was made.

    `differences`: `{"path", "recorded", "replayed"}` of every value of the answer that is not the same.
    """

    trace_id: str
    answer: Answer | None
    error: str
    changes: tuple[str, ...]
    differences: tuple[Json, ...]

    @property
    def is_same(self) -> bool:
        return not self.differences

    def to_json(self) -> Json:
        return {
            "trace_id": self.trace_id,
            "same": self.is_same,
            "changes": list(self.changes),
            "differences": list(self.differences),
            "answer": self.answer.to_json() if self.answer else None,
            "error": self.error,
        }


def replay(library: Library, reference: str) -> Replay:
    """What `Library.replay` does."""
    document = read_trace(library.catalogue.directory, reference)
    name = f"trace {document['trace_id']}"
    try:
        calls = [Call.from_json(call) for call in document["model_calls"]]
        cassette = Cassette.of_calls(name, calls, document["model"])
        recorded = {"error": document["error"]} if "error" in document else document["result"]
        changes = tuple(_changes(library, document))
        context = _context(library, document, cassette)
        question, choices = document["question"], document["choices"]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        hint = "only traces of this version and later can be replayed"
        raise LibraryError(f"{name} does not hold what a replay needs: {error}", hint=hint) from None
    try:
        answer, failure = ask(question, context, choices=choices), ""
    except AgentvidError as error:
        answer, failure = None, str(error)
    replayed: Json = {"error": failure} if answer is None else answer.to_json()
    if ("error" in recorded) != (answer is None):
        # One of the two is no answer: every value of the other would be listed.
        outcomes = [document.get("error") or document["answer"], failure or replayed["answer"]]
        found: tuple[Json, ...] = ({"path": "answer", "recorded": outcomes[0], "replayed": outcomes[1]},)
    else:
        found = tuple(differences(recorded, replayed))
    return Replay(document["trace_id"], answer, failure, changes, found)


def differences(recorded: Json, replayed: Json) -> Iterator[Json]:
    """`{"path", "recorded", "replayed"}` for every value that is not the same, but ids and times of runs."""
    old, new = dict(_values(recorded)), dict(_values(replayed))
    for path in dict.fromkeys([*old, *new]):
        before, after = old.get(path, _ABSENT), new.get(path, _ABSENT)
        if before != after and path not in _RUN_OF_ITS_OWN:
            yield {"path": path, "recorded": before, "replayed": after}


def _context(library: Library, document: Json, cassette: Cassette) -> AskContext:
    """The stored question's, limited to those of its videos that are still there. Nothing is stored."""
    known = {video.id: video for video in library.catalogue.videos()}
    scope = {video_id: known[video_id] for video_id in document["scope"] if video_id in known}
    context = library.ask_context(
        list(scope),
        document["model"],
        Budget(**document["budget"]),
        cassette,
        verify=document["verify"],
        learned_before=document["trace_id"],
    )
    earlier = document["turns"] if document["thread"] or document["turns"] else None
    context.tools.ledger.spend(Usage(**document.get("captioned", {})))  # captions that were made then are there now
    context = replace(context, earlier=earlier, is_scope_kept=document.get("is_scope_kept", False))
    return replace(context, tools=replace(context.tools, scope=scope), library=None, deepen=None)


def _changes(library: Library, document: Json) -> Iterator[str]:
    for video_id, fingerprint in document["fingerprints"].items():
        now = library.catalogue.fingerprint(video_id)
        if now is None:
            yield f"video {video_id} is not in the library any more"
        elif now != fingerprint:
            yield f"video {video_id} was indexed anew"
    if document.get("result", {}).get("stopped") == INTERRUPTED:
        yield "the run was interrupted"
    for setting in SHAPING_SETTINGS:
        before, after = document["settings"][setting], getattr(library.settings, setting)
        if before != after:
            yield f"{setting} was {before!r} and is {after!r}"
    for package, version in versions().items():
        if document["versions"].get(package) != version:
            yield f"{package} was {document['versions'].get(package)} and is {version}"


def _values(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """(path, leaf) of a JSON document: ("claims[0].text", "...")."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _values(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and value:
        for number, inner in enumerate(value):
            yield from _values(inner, f"{path}[{number}]")
    else:
        yield path, value
