"""Any sentence-transformers model, by hub name or by path, on the best device there is.

Queries and documents go through `encode_query` and `encode_document`, so that a model's own prompts are applied.
The transformer's weights are read from safetensors only and no code of the model's repository runs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agentvid.egress import OPEN, Outlet
from agentvid.errors import MissingDependency, ModelError
from agentvid.models.base import EmbeddingSpace, Vectors, encodable
from agentvid.models.hub import cached_commit, cannot_load, folder_hash, hub_name

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class SentenceTransformerEmbedder:
    """Embedder over a sentence-transformers model, loaded when it is first asked for something.

    `name` is a model of the Hugging Face hub, or a folder when it begins with ".", "/" or "~" or exists.
    `device` is "cpu", "cuda", "mps"...; None takes the fastest available.
    Raises UsageError if a path names no folder.
    """

    def __init__(self, name: str, *, device: str | None = None, outlet: Outlet = OPEN) -> None:
        self._name = hub_name("embedder", name)
        self._device = device
        self._outlet = outlet

    @cached_property
    def space(self) -> EmbeddingSpace:
        """The model's name, its revision (hub commit, or a hash of the folder's files) and dimension.

        Raises MissingDependency, ModelError if the model cannot be loaded.
        """
        dimension = self._model.get_embedding_dimension()
        if dimension is None:
            dimension = self._model.encode(["dimension"], show_progress_bar=False).shape[1]
        return EmbeddingSpace(self._name, self._revision(), dimension)

    def encode_query(self, texts: Sequence[str]) -> Vectors:
        """(len(texts), dimension) float32, rows L2-normalised. Raises as `space` does."""
        return self._encode(self._model.encode_query, texts)

    def encode_document(self, texts: Sequence[str]) -> Vectors:
        """(len(texts), dimension) float32, rows L2-normalised. Raises as `space` does."""
        return self._encode(self._model.encode_document, texts)

    def _encode(self, encode: Callable[..., Any], texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.empty((0, self.space.dimension), np.float32)
        readable = [encodable(text) for text in texts]
        vectors = encode(readable, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False)
        return np.asarray(vectors, np.float32)

    @cached_property
    def _model(self) -> SentenceTransformer:
        cache = os.environ.get("SENTENCE_TRANSFORMERS_HOME")
        self._outlet.fetch("embedder", self._name, self._repository, cache=cache)
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise MissingDependency(
                f"the embedder {self._name!r} needs sentence-transformers ({error})",
                hint='pip install "sentence-transformers>=6,<7"',
            ) from None
        try:
            return SentenceTransformer(
                self._name, device=self._device, trust_remote_code=False, model_kwargs={"use_safetensors": True}
            )
        except Exception as error:
            raise cannot_load(
                "embedder",
                self._name,
                error,
                holds="a sentence-transformers model",
                otherwise="use the embedder minilm",
            ) from error

    @property
    def _repository(self) -> str:
        is_whole = "/" in self._name or Path(self._name).exists()
        return self._name if is_whole else f"sentence-transformers/{self._name}"

    def _revision(self) -> str:
        folder = Path(self._name)
        if folder.is_dir():
            return folder_hash(folder)
        # sentence-transformers lets this variable move its share of the cache.
        cache = os.environ.get("SENTENCE_TRANSFORMERS_HOME")
        commit = cached_commit(self._repository, ("modules.json", "config.json"), cache)
        if not commit:
            raise ModelError(f"the embedder {self._name!r} was loaded, but the hub's cache does not tell its revision")
        return commit
