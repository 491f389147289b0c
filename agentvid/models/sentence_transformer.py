"""Any sentence-transformers model, by hub name or by path, on the best device there is.

Queries and documents go through `encode_query` and `encode_document`, so that a model's own prompts are applied.
Weights are read from safetensors only and no code of the model's repository runs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agentvid.errors import MissingDependency, ModelError
from agentvid.models.base import EmbeddingSpace, Vectors

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

#: Files of a local model that decide its vectors.
_DECISIVE = {".json", ".safetensors", ".txt", ".model"}


class SentenceTransformerEmbedder:
    """Embedder over a sentence-transformers model, loaded when it is first asked for something.

    `device` is "cpu", "cuda", "mps"...; None takes the fastest available.
    """

    def __init__(self, name: str, *, device: str | None = None) -> None:
        self._name = name
        self._device = device

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
        encodable = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
        vectors = encode(encodable, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False)
        return np.asarray(vectors, np.float32)

    @cached_property
    def _model(self) -> SentenceTransformer:
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
        except Exception as error:  # hub, file, format and device errors have no common base
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ModelError(f"the embedder {self._name!r} cannot be loaded: {reason}", hint=self._way_out()) from error

    def _way_out(self) -> str:
        if Path(self._name).exists():
            return "the folder must hold a sentence-transformers model with safetensors weights and no code of its own"
        return f"check the name and the network (once: `hf download {self._name}`), or use the embedder minilm"

    def _revision(self) -> str:
        folder = Path(self._name)
        if folder.is_dir():
            return _folder_hash(folder)
        config = getattr(self._model[0], "config", None) or getattr(self._model[0].auto_model, "config", None)
        commit = getattr(config, "_commit_hash", None)
        return str(commit)[:12] if commit else "unknown"


def _folder_hash(folder: Path) -> str:
    """The first 12 digits of a sha256 over names and contents of the files that decide a model's vectors."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix in _DECISIVE and path.is_file():
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            total.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode())
    return total.hexdigest()[:12]
