"""What a model must offer. One Protocol per kind; one file per implementation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from agentvid.types import Json

Vectors = NDArray[np.float32]
Probabilities = NDArray[np.float64]
#: (height, width, 3) uint8 RGB, upright.
Image = NDArray[np.uint8]
SpaceKind = Literal["text", "frames"]


@dataclass(frozen=True, slots=True)
class EmbeddingSpace:
    """Vectors are comparable only inside one space."""

    model: str
    revision: str
    dimension: int
    #: What has vectors in it. A model of images and texts may serve both, in two spaces.
    kind: SpaceKind = "text"

    @property
    def key(self) -> str:
        return f"{self.model}@{self.revision}/{self.dimension}" + (" frames" if self.kind == "frames" else "")


@dataclass(frozen=True, slots=True)
class FrameVectors:
    """Vectors of frames: (n, dimension) float32, L2-normalised, in the order of the rows that name the frames."""

    space: EmbeddingSpace
    vectors: Vectors


class Embedder(Protocol):
    """Text to vectors. Queries and documents are encoded apart: many models put different prompts before them."""

    @property
    def space(self) -> EmbeddingSpace: ...

    def encode_query(self, texts: Sequence[str]) -> Vectors:
        """(len(texts), dimension) float32, rows L2-normalised."""
        ...

    def encode_document(self, texts: Sequence[str]) -> Vectors:
        """(len(texts), dimension) float32, rows L2-normalised."""
        ...


class FrameEmbedder(Protocol):
    """Pictures and texts to vectors of one space, so that a text finds the pictures that show what it says."""

    @property
    def name(self) -> str: ...

    @property
    def revision(self) -> str:
        """What decides the vectors beside the name; known without loading the model, "" where that cannot be."""
        ...

    @property
    def space(self) -> EmbeddingSpace:
        """Of the kind "frames"."""
        ...

    def encode(self, images: Sequence[Image]) -> Vectors:
        """(len(images), dimension) float32, rows L2-normalised."""
        ...

    def encode_query(self, texts: Sequence[str]) -> Vectors:
        """(len(texts), dimension) float32, rows L2-normalised."""
        ...


class Reranker(Protocol):
    """Reads a query and a text together and tells how well the text answers it."""

    @property
    def name(self) -> str: ...

    def relevance(self, query: str, texts: Sequence[str]) -> Probabilities:
        """(len(texts),) probabilities, 0 to 1, that each text is what the query asks for."""
        ...


@dataclass(frozen=True, slots=True)
class Reply:
    """What a chat model said and what it cost in tokens (0 where the provider does not tell).

    `note`: what was done otherwise than asked, for the trace; "" for nothing.
    """

    text: str
    input_tokens: int = 0
    output_tokens: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a reply should look like, for models that can be held to it; the prompt asks for it in words too.

    `schema`: a JSON schema with a title, for providers that decode by one. `grammar`: what is wanted itself, without
    JSON around it, as a Lark grammar for models that run in this process.
    """

    schema: Json
    grammar: str


def encodable(text: str) -> str:
    """`text` with lone surrogates (undecodable bytes of a command line) replaced: tokenizers take UTF-8 only."""
    return text.encode("utf-8", "replace").decode("utf-8")


class ChatModel(Protocol):
    """A model that answers one prompt.

    One that also has `timeout_seconds` promises to end within them by itself.
    """

    @property
    def name(self) -> str: ...

    def reply(self, system: str, user: str, shape: Shape | None = None) -> Reply:
        """The reply, in this shape if the model can be held to one; else it is whatever text the model writes.

        Raises ModelError when the provider fails after its retries.
        """
        ...


@runtime_checkable
class SpeakingChat(Protocol):
    """A chat model that can be heard while it writes, if `speaks`: `tell` gets the pieces of its reply, in order.

    A reply that fails and is asked for again is told once at most, perhaps not to its end.
    """

    @property
    def speaks(self) -> bool: ...

    def reply(
        self, system: str, user: str, shape: Shape | None = None, *, tell: Callable[[str], None] | None = None
    ) -> Reply: ...


def reply_aloud(
    chat: ChatModel, system: str, user: str, shape: Shape | None = None, *, tell: Callable[[str], None] | None = None
) -> Reply:
    """What `chat` replies, told while it is written by a model that can be heard. Raises as `ChatModel.reply`."""
    if tell is not None and isinstance(chat, SpeakingChat) and chat.speaks:
        return chat.reply(system, user, shape, tell=tell)
    return chat.reply(system, user, shape)


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded image as a model gets it. `media_type` is "image/jpeg" or "image/png"; sizes are in pixels."""

    data: bytes
    media_type: str
    width: int
    height: int


class VisionModel(Protocol):
    """A model that answers one prompt with images in it. `revision` is "" where a provider does not tell it."""

    @property
    def name(self) -> str: ...

    @property
    def revision(self) -> str: ...

    def look(self, system: str, parts: Sequence[str | Picture]) -> Reply:
        """The answer to texts and pictures in this order. Raises ModelError as `ChatModel.reply`."""
        ...


Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Word:
    """A word as it is written, punctuation included, and when it is said: seconds on the clock of the video.

    `text` begins with a space where one stands before the word; if no word does, all are taken to have one.
    """

    start_seconds: float
    end_seconds: float
    text: str
    confidence: float = 1.0

    def later(self, seconds: float) -> Word:
        return Word(self.start_seconds + seconds, self.end_seconds + seconds, self.text, self.confidence)


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said: words in the order of their times, and the language as a BCP 47 tag, "" if it is not known."""

    words: tuple[Word, ...]
    language: str = ""


class Recognizer(Protocol):
    """Speech to words.

    `parameters` is all else that decides its words: settings of the decoder, JSON.
    """

    @property
    def name(self) -> str: ...

    @property
    def revision(self) -> str: ...

    @property
    def parameters(self) -> Json: ...

    def recognize(self, samples: Samples, start_seconds: float) -> Transcript:
        """What is said in (n,) float32 mono samples in [-1, 1] at 16,000 a second, at most 30 s, from `start_seconds`.

        Raises ModelError if the model fails.
        """
        ...
