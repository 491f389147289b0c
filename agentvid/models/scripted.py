"""Models that need no weights and answer by rule: for tests, examples and offline demonstrations.

`HashEmbedder` places texts by their words, `WordReranker` counts the words of the query, `ScriptedChat` gives prepared
replies and keeps the prompts it saw.
"""

from __future__ import annotations

import hashlib
import math
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml

from agentvid.errors import ModelError, UsageError
from agentvid.models.base import EmbeddingSpace, Probabilities, Reply, Shape, Vectors

_PIECE = re.compile(r"\s*\S+")
_WORD = re.compile(r"\w+")


class HashEmbedder:
    """Feature hashing of words (Weinberger et al., 2009): texts that share words have a higher cosine.

    Deterministic across processes and machines. Raises UsageError if `dimension` is not positive.
    """

    def __init__(self, dimension: int = 64) -> None:
        if dimension < 1:
            raise UsageError(f"dimension {dimension} is not allowed; allowed: 1 or more")
        self._space = EmbeddingSpace("hash", "1", dimension)

    @property
    def space(self) -> EmbeddingSpace:
        return self._space

    def encode_query(self, texts: Sequence[str]) -> Vectors:
        """(len(texts), dimension) float32, rows L2-normalised."""
        vectors = np.zeros((len(texts), self._space.dimension), np.float32)
        for vector, text in zip(vectors, texts, strict=True):
            for word in _WORD.findall(text.casefold()) or [""]:
                digest = hashlib.sha256(word.encode("utf-8", "replace")).digest()
                vector[int.from_bytes(digest[:8], "big") % len(vector)] += 1.0 if digest[8] & 1 else -1.0
            if not vector.any():  # words of opposite sign met in one place
                vector[0] = 1.0
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors

    def encode_document(self, texts: Sequence[str]) -> Vectors:
        """The same as `encode_query`."""
        return self.encode_query(texts)


class WordReranker:
    """Relevance is the share of the query's words that a text holds; 0 for a query without words."""

    name = "words"

    def relevance(self, query: str, texts: Sequence[str]) -> Probabilities:
        """(len(texts),) shares, 0 to 1."""
        wanted = set(_WORD.findall(query.casefold()))
        held = [len(wanted & set(_WORD.findall(text.casefold()))) for text in texts]
        return np.array(held, np.float64) / max(len(wanted), 1)


class Prompt(NamedTuple):
    """One call that a scripted chat model received."""

    system: str
    user: str


@dataclass(frozen=True, slots=True)
class Line:
    """One prepared reply; `when`, if given, must occur in the prompt."""

    reply: str
    when: str = ""


class ScriptedChat:
    """A chat model that follows a script and records its prompts in `calls`.

    A call takes the first line not used yet whose `when` occurs in the prompt, so replies without `when` come in order.
    A function takes (system, user) and returns the reply. Token counts are numbers of words.
    """

    def __init__(self, replies: Sequence[str | Line] | Callable[[str, str], str], *, name: str = "scripted") -> None:
        self.calls: list[Prompt] = []
        self._name = name
        self.speaks = True
        #: Prepared replies come at once; a function may take its time.
        self.timeout_seconds = math.inf if callable(replies) else 0.0
        self._answer = replies if callable(replies) else None
        lines = () if callable(replies) else replies
        self._unused = [Line(line) if isinstance(line, str) else line for line in lines]
        self._length = len(self._unused)
        self._lock = threading.Lock()

    @classmethod
    def from_file(cls, path: Path) -> ScriptedChat:
        """Read a YAML or JSON list of replies: texts, or mappings with `reply` and an optional `when`.

        Raises UsageError if the file cannot be read or is not such a list.
        """
        try:
            content = yaml.safe_load(path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            reason = " ".join(str(error).split())
            raise UsageError(f"the script {path} cannot be read: {reason}", hint="give scripted:FILE") from None
        if not isinstance(content, list):
            raise UsageError(f"the script {path} is not a list of replies", hint="begin every reply with `- `")
        return cls([_line(path, number, entry) for number, entry in enumerate(content, 1)], name=f"scripted:{path}")

    @property
    def name(self) -> str:
        return self._name

    def reply(
        self, system: str, user: str, shape: Shape | None = None, *, tell: Callable[[str], None] | None = None
    ) -> Reply:
        """The next line, whatever the shape, told word by word.

        Raises ModelError when no line of the script is left for this prompt.
        """
        with self._lock:
            self.calls.append(Prompt(system, user))
            text = self._answer(system, user) if self._answer else self._next(f"{system}\n{user}")
        if tell:
            for word in _PIECE.findall(text):
                tell(word)
        return Reply(text, input_tokens=len(system.split()) + len(user.split()), output_tokens=len(text.split()))

    def _next(self, prompt: str) -> str:
        for position, line in enumerate(self._unused):
            if line.when in prompt:
                return self._unused.pop(position).reply
        raise ModelError(
            f"{self._name}: call {len(self.calls)} has no reply; {len(self._unused)} of {self._length} lines unused",
            hint="add a reply to the script, or check the `when:` of the unused ones",
        )


def _line(path: Path, number: int, entry: Any) -> Line:
    if isinstance(entry, str):
        return Line(entry)
    if isinstance(entry, dict) and set(entry) <= {"reply", "when"} and "reply" in entry:
        reply, when = entry["reply"], entry.get("when", "")
        if isinstance(reply, str) and isinstance(when, str):
            return Line(reply, when)
    raise UsageError(
        f"the script {path}, reply {number}: {entry!r:.80} is not a reply",
        hint="allowed: a text, or a mapping with `reply: text` and, if wanted, `when: text`",
    )
