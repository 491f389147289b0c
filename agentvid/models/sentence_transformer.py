"""Any sentence-transformers model, by hub name or by path, on the best device there is.

Queries and documents go through `encode_query` and `encode_document`, so that a model's own prompts are applied.
The transformer's weights are read from safetensors only and no code of the model's repository runs.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agentvid.errors import MissingDependency, ModelError, UsageError
from agentvid.models.base import EmbeddingSpace, Vectors, encodable

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

#: Files of a local model that decide its vectors.
_DECISIVE = {".json", ".safetensors", ".txt", ".model"}


class SentenceTransformerEmbedder:
    """Embedder over a sentence-transformers model, loaded when it is first asked for something.

    `name` is a model of the Hugging Face hub, or a folder when it begins with ".", "/" or "~" or exists.
    `device` is "cpu", "cuda", "mps"...; None takes the fastest available.
    Raises UsageError if a path names no folder.
    """

    def __init__(self, name: str, *, device: str | None = None) -> None:
        self._name = str(Path(name).expanduser()) if name.startswith("~") else name
        self._device = device
        if self._name.startswith((".", "/")) and not Path(self._name).is_dir():
            raise UsageError(
                f"the embedder {name!r} is not a folder", hint="name an existing folder, or a model of a hub"
            )

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
        return _folder_hash(folder) if folder.is_dir() else _hub_commit(self._name)


def _hub_commit(name: str) -> str:
    """The first 12 digits of the commit that the hub's cache holds: the files lie in a folder named after it."""
    from huggingface_hub import try_to_load_from_cache

    repository = name if "/" in name else f"sentence-transformers/{name}"
    # sentence-transformers lets this variable move its share of the cache.
    cache = os.environ.get("SENTENCE_TRANSFORMERS_HOME")
    for file in ("modules.json", "config.json"):
        path = try_to_load_from_cache(repository, file, cache_dir=cache)
        if isinstance(path, str):
            return Path(path).parent.name[:12]
    raise ModelError(f"the embedder {name!r} was loaded, but the hub's cache does not tell its revision")


def _folder_hash(folder: Path) -> str:
    """The first 12 digits of a sha256 over names and contents of the files that decide a model's vectors."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix in _DECISIVE and path.is_file():
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            total.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode())
    return total.hexdigest()[:12]
