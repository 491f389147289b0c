"""Model calls as a file: recorded once with a provider, replayed offline ever after, for tests of what users build.

    with Cassette.recording("bread.jsonl") as cassette:
        library.ask("What is said about bread?", model="openai:NAME", cassette=cassette)
    with Cassette.replaying("bread.jsonl") as cassette:
        library.ask("What is said about bread?", cassette=cassette)

A call is found by the hash of its prompt, so that a changed prompt is told and never answered by chance. One JSON line
holds one call, or one system prompt that several calls share. Keys of providers are masked in all of it.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import math
import os
import re
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from agentvid.errors import CassetteMiss, ModelError, UsageError
from agentvid.models.base import ChatModel, Reply, Shape, reply_aloud
from agentvid.models.failures import masked
from agentvid.types import Json

FORMAT = 1
#: Lines that fence text of videos are new in every call; they say nothing about what was asked.
_MARKER = re.compile(r"<<[0-9a-f]{16,64}>>")
_SHOWN = 120


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a model: what it was asked, and its reply or how it failed. Without texts `key` names the prompt."""

    key: str
    model: str
    reply: Reply | None = None
    error: str = ""
    hint: str = ""
    system: str = ""
    user: str = ""

    def to_json(self) -> Json:
        """The call without its prompt."""
        if self.reply is None:
            return {"call": self.key, "model": self.model, "error": masked(self.error), "hint": masked(self.hint)}
        return {
            "call": self.key,
            "model": self.model,
            "reply": masked(self.reply.text),
            "input_tokens": self.reply.input_tokens,
            "output_tokens": self.reply.output_tokens,
            **({"note": masked(self.reply.note)} if self.reply.note else {}),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any], *, system: str = "") -> Call:
        """Raises KeyError, TypeError or ValueError for what is no call."""
        key, model, user = str(data["call"]), str(data["model"]), str(data.get("user", ""))
        if "error" in data:
            return cls(key, model, None, str(data["error"]), str(data.get("hint", "")), system, user)
        if not isinstance(data["reply"], str):
            raise TypeError("a reply is a text")
        note = str(data.get("note", ""))
        reply = Reply(data["reply"], int(data["input_tokens"]), int(data["output_tokens"]), note)
        return cls(key, model, reply, system=system, user=user)


def prompt_key(system: str, user: str) -> str:
    """Names a prompt; the random markers in it do not count."""
    text = f"{plain_markers(system)}\0{plain_markers(user)}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def plain_markers(text: str) -> str:
    return _MARKER.sub("<<marker>>", text)


class RecordingChat:
    """Asks `chat` and appends each call to `calls`."""

    def __init__(self, chat: ChatModel, calls: list[Call]) -> None:
        self.timeout_seconds: float = getattr(chat, "timeout_seconds", math.inf)
        self.speaks: bool = getattr(chat, "speaks", False)
        self._chat = chat
        self._calls = calls

    @property
    def name(self) -> str:
        return self._chat.name

    def reply(
        self, system: str, user: str, shape: Shape | None = None, *, tell: Callable[[str], None] | None = None
    ) -> Reply:
        """As the chat model's; a failure is recorded too."""
        key = prompt_key(system, user)
        try:
            reply = reply_aloud(self._chat, system, user, shape, tell=tell)
        except ModelError as error:
            self._calls.append(Call(key, self.name, None, str(error), error.hint, system, user))
            raise
        self._calls.append(Call(key, self.name, reply, system=system, user=user))
        return reply


class ReplayingChat:
    """Gives the recorded reply of each prompt, of equal prompts in their order. Nothing is sent anywhere."""

    timeout_seconds = 0.0

    def __init__(self, name: str, calls: Sequence[Call], source: str) -> None:
        self._name = name
        self._calls = list(calls)
        self._unused = list(calls)
        self._source = source
        self._asked = 0
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return self._name

    def reply(self, system: str, user: str, shape: Shape | None = None) -> Reply:
        """What was recorded, whatever the shape: the prompt says what is wanted.

        Raises CassetteMiss for a prompt that was not recorded, ModelError where the recorded call failed."""
        with self._lock:
            self._asked += 1
            key = prompt_key(system, user)
            call = next((call for call in self._unused if call.key == key), None)
            if call is None:
                raise self._miss(key, system, user)
            self._unused.remove(call)
        if call.reply is None:
            raise ModelError(call.error, hint=call.hint)
        return call.reply

    def _miss(self, key: str, system: str, user: str) -> CassetteMiss:
        where = f"{self._source}: model call {self._asked} was not recorded"
        hint = "the library, the question or agentvid's prompts changed; if that is right, record again"
        if times := sum(call.key == key for call in self._calls):
            return CassetteMiss(f"{where}: prompt {key} was recorded {times} times and is asked once more", hint=hint)
        prompt = plain_markers(f"{system}\n{user}")
        known = [plain_markers(f"{call.system}\n{call.user}") for call in self._unused if call.user]
        if not known:
            return CassetteMiss(f"{where}: prompt {key} is not among {len(self._unused)} that are left", hint=hint)
        return CassetteMiss(f"{where}: the prompt {key} changed: {_change(_nearest(prompt, known), prompt)}", hint=hint)


class Cassette:
    """A file of model calls, open for recording or for replaying; a context manager."""

    def __init__(self, path: Path, calls: list[Call], *, model: str = "", is_recording: bool = False) -> None:
        self.path = path
        self.calls = calls
        self.model = model
        self.is_recording = is_recording
        self._replaying: dict[str, ReplayingChat] = {}

    @classmethod
    def recording(cls, path: str | Path) -> Cassette:
        """Written when it is closed, whole or not at all.

        Raises UsageError if something other than a cassette is there, or the directory is not.
        """
        path = Path(path)
        if path.is_dir() or not path.parent.is_dir():
            raise UsageError(f"{path} cannot be written", hint="name a file in a directory that exists")
        if path.exists() and path.stat().st_size:
            try:
                cls.replaying(path)
            except UsageError:
                hint = "name another file; only a cassette is written over"
                raise UsageError(f"{path} exists and is not a cassette", hint=hint) from None
        return cls(path, [], is_recording=True)

    @classmethod
    def replaying(cls, path: str | Path) -> Cassette:
        """Raises UsageError if there is no such file, or it is damaged."""
        path = Path(path)
        try:
            lines = path.read_text("utf-8").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{path} cannot be read as a cassette: {error}", hint="make one with --record") from None
        return cls(path, list(_read(path, lines)), model=_header(path, lines)["model"])

    @classmethod
    def of_calls(cls, name: str, calls: Sequence[Call], model: str) -> Cassette:
        """For replaying calls that were kept elsewhere; errors call it `name`."""
        return cls(Path(name), list(calls), model=model)

    def chat(self, name: str, load: Callable[[], ChatModel]) -> ChatModel:
        """The model `name`: `load()` with a recorder before it, or its recorded calls.

        Raises UsageError if the cassette holds calls, but none of that model.
        """
        if self.is_recording:
            self.model = self.model or name
            return RecordingChat(load(), self.calls)
        calls = [call for call in self.calls if call.model == name]
        if self.calls and not calls:
            known = ", ".join(sorted({call.model for call in self.calls}))
            raise UsageError(f"{self.path} holds no call of {name!r}; recorded: {known}", hint="leave the model out")
        # One for all questions: equal prompts of several questions are several calls.
        return self._replaying.setdefault(name, ReplayingChat(name, calls, str(self.path)))

    def close(self) -> None:
        """Write what was recorded. Raises UsageError if that fails."""
        if not self.is_recording:
            return
        text = "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in _lines(self.model, self.calls))
        temporary = ""
        try:
            handle, temporary = tempfile.mkstemp(prefix=".cassette-", dir=self.path.parent)
            with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
            os.replace(temporary, self.path)
        except OSError as error:
            if temporary:
                Path(temporary).unlink(missing_ok=True)
            raise UsageError(f"{self.path} cannot be written: {error}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # A run that failed must not replace a cassette that works.
        if kind is None:
            self.close()


def _lines(model: str, calls: Iterable[Call]) -> Iterable[Json]:
    """The header, then every call after the system prompt that it is the first to use."""
    yield {"cassette": FORMAT, "model": model}
    seen: set[str] = set()
    for call in calls:
        name = prompt_key(call.system, "")
        if name not in seen:
            seen.add(name)
            yield {"system": name, "text": masked(plain_markers(call.system))}
        yield {**call.to_json(), "system": name, "user": masked(plain_markers(call.user))}


def _read(path: Path, lines: Sequence[str]) -> Iterable[Call]:
    systems: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            data = json.loads(line)
            if number == 1:
                continue
            if "call" in data:
                yield Call.from_json(data, system=systems.get(data.get("system", ""), ""))
            else:
                systems[data["system"]] = str(data["text"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            reason = f"{type(error).__name__}: {error}"
            hint = "make one with --record"
            raise UsageError(f"{path}, line {number}: not a cassette: {reason:.120}", hint=hint) from None


def _header(path: Path, lines: Sequence[str]) -> Json:
    try:
        data = json.loads(lines[0])
        if data["cassette"] == FORMAT and isinstance(data["model"], str):
            return dict(data)
        reason = f"format {data['cassette']!r:.20}; allowed: {FORMAT}"
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}"
    raise UsageError(f"{path}, line 1: not a cassette: {reason:.120}", hint="make one with --record")


def _nearest(prompt: str, known: Sequence[str]) -> str:
    """The recorded prompt that shares most lines with `prompt`."""
    lines = set(prompt.splitlines())
    return max(known, key=lambda other: len(lines & set(other.splitlines())))


def _change(old: str, new: str) -> str:
    """The first lines that differ: "- as recorded" and "+ as asked"."""
    changed = [
        line
        for line in difflib.unified_diff(old.splitlines(), new.splitlines(), "", "", lineterm="", n=0)
        if not line.startswith(("---", "+++", "@@"))
    ]
    firsts = [next((line for line in changed if line.startswith(sign)), "") for sign in "-+"]
    shown = [f"{line[0]} {line[1:].strip()[:_SHOWN]!r}" for line in firsts if line]
    return f"{' '.join(shown)} ({len(changed)} lines differ)"
