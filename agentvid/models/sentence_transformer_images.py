"""Any sentence-transformers model of images and texts (CLIP, SigLIP and later ones), by hub name or by path.

Pictures and queries come to lie in one space (Radford et al., CLIP, arXiv 2103.00020). Weights are read from
safetensors only and no code of the model's repository runs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agentvid.egress import OPEN, Outlet
from agentvid.errors import MissingDependency, ModelError
from agentvid.models.base import EmbeddingSpace, Image, Vectors, encodable
from agentvid.models.hub import cached_commit, cannot_load, folder_hash, hub_name

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_KIND = "frame embedder"
#: Pictures that go through the model at once, by device: what a GPU of 8 GB holds of large models, and two cores.
_BATCH = {"cuda": 64, "cpu": 8}
_NEEDS = ("text", "image")


class SentenceTransformerImages:
    """FrameEmbedder over a sentence-transformers model, loaded when it is first asked for something.

    `name` is a model of the Hugging Face hub, or a folder when it begins with ".", "/" or "~" or exists.
    `device` is "cpu", "cuda", "mps"...; None takes the fastest available. Safe to share between threads.
    Raises UsageError if a path names no folder.
    """

    def __init__(self, name: str, *, device: str | None = None, outlet: Outlet = OPEN) -> None:
        self._name = hub_name(_KIND, name)
        self._device = device
        self._outlet = outlet
        self._using = threading.RLock()  # threads load one model and take turns

    @property
    def name(self) -> str:
        return self._name

    @property
    def revision(self) -> str:
        """The commit in the hub's cache, or a hash of the folder's files; "" before the first download."""
        folder = Path(self._name)
        if folder.is_dir():
            return folder_hash(folder)
        try:
            return cached_commit(self._repository, ("modules.json", "config.json"))
        except ImportError:
            return ""

    @property
    def _repository(self) -> str:
        return self._name if "/" in self._name else f"sentence-transformers/{self._name}"

    @cached_property
    def space(self) -> EmbeddingSpace:
        """Raises MissingDependency, ModelError if the model cannot be loaded or takes no images."""
        with self._using:
            dimension = self._model.get_embedding_dimension() or self._encode(self._model.encode, ["width"]).shape[1]
        return EmbeddingSpace(self._name, self.revision, int(dimension), "frames")

    def encode(self, images: Sequence[Image]) -> Vectors:
        """(len(images), dimension) float32, rows L2-normalised. Raises as `space` does."""
        from PIL import Image as Picture

        return self._vectors(lambda model: model.encode, [Picture.fromarray(image) for image in images])

    def encode_query(self, texts: Sequence[str]) -> Vectors:
        """(len(texts), dimension) float32, rows L2-normalised. Raises as `space` does."""
        return self._vectors(lambda model: model.encode_query, [encodable(text) for text in texts])

    def _vectors(
        self, method: Callable[[SentenceTransformer], Callable[..., Any]], inputs: Sequence[object]
    ) -> Vectors:
        if not inputs:
            return np.empty((0, self.space.dimension), np.float32)
        with self._using:
            try:
                vectors = self._encode(method(self._model), inputs)
            except (MissingDependency, ModelError):
                raise
            except Exception as error:  # memory, shapes and tokenizers have no common base
                reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
                raise ModelError(
                    f"the {_KIND} {self._name!r} failed: {reason[:300]}", hint="choose another model"
                ) from error
        if not np.isfinite(vectors).all():
            raise ModelError(f"the {_KIND} {self._name!r} gives vectors that are no numbers", hint="choose another")
        return vectors

    def _encode(self, encode: Callable[..., Any], inputs: Sequence[object]) -> Vectors:
        size = _BATCH.get(self._model.device.type, _BATCH["cpu"])
        vectors = encode(
            list(inputs), batch_size=size, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
        )
        return np.asarray(vectors, np.float32)

    @cached_property
    def _model(self) -> SentenceTransformer:
        self._outlet.fetch(_KIND, self._name, self._name if Path(self._name).exists() else self._repository)
        try:
            import PIL  # noqa: F401 - without it a model says that it takes no images
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise MissingDependency(
                f"the {_KIND} {self._name!r} needs sentence-transformers and Pillow ({error})",
                hint='pip install "agentvid[frames]"',
            ) from None
        try:
            model = SentenceTransformer(
                self._name, device=self._device, trust_remote_code=False, model_kwargs={"use_safetensors": True}
            )
            takes = [kind for kind in _NEEDS if model.supports(kind)]
        except Exception as error:  # hub, file, format and device errors have no common base
            raise cannot_load(
                _KIND,
                self._name,
                error,
                holds="a model of images and texts that sentence-transformers reads",
                otherwise="leave the setting frame_embedder empty",
                repository=self._repository,
            ) from error
        if len(takes) < len(_NEEDS):
            raise ModelError(
                f"the {_KIND} {self._name!r} takes {' and '.join(takes) or 'neither'}; needed: images and texts",
                hint="name a CLIP-like model, such as sentence-transformers/clip-ViT-B-32",
            )
        return model
