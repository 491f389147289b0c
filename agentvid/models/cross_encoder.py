"""Any sentence-transformers cross-encoder, by hub name or by path, on the best device there is.

It reads a query and a text together and gives one number, of which the sigmoid is the probability of relevance.
The transformer's weights are read from safetensors only and no code of the model's repository runs.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from agentvid.egress import OPEN, Outlet
from agentvid.errors import MissingDependency, ModelError
from agentvid.models.base import Probabilities, encodable
from agentvid.models.hub import cannot_load, hub_name

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

_TEXT_ONLY = {"text", "message"}


class CrossEncoderReranker:
    """Reranker over a cross-encoder with one output, loaded when it is first asked for something.

    `name` is a model of the Hugging Face hub, or a folder when it begins with ".", "/" or "~" or exists.
    `device` is "cpu", "cuda", "mps"...; None takes the fastest available. Safe to share between threads.
    Raises UsageError if a path names no folder.
    """

    def __init__(self, name: str, *, device: str | None = None, outlet: Outlet = OPEN) -> None:
        self._name = hub_name("reranker", name)
        self._device = device
        self._outlet = outlet
        self._using = threading.Lock()  # threads load one model and take turns

    @property
    def name(self) -> str:
        return self._name

    def relevance(self, query: str, texts: Sequence[str]) -> Probabilities:
        """(len(texts),) probabilities, 0 to 1; what exceeds the model's longest input is cut off.

        Raises MissingDependency, ModelError if the model cannot be loaded, is of another kind or gives no number.
        """
        if not texts:
            return np.empty(0)
        pairs = [(encodable(query), encodable(text)) for text in texts]
        with self._using:
            found = np.asarray(self._model.predict(pairs, show_progress_bar=False), np.float64)
        if not np.isfinite(found).all():
            raise self._unfit("gives values that are no numbers")
        return found

    @cached_property
    def _model(self) -> CrossEncoder:
        self._outlet.fetch("reranker", self._name, self._repository)
        try:
            from sentence_transformers import CrossEncoder
            from torch.nn import Sigmoid
        except ImportError as error:
            raise MissingDependency(
                f"the reranker {self._name!r} needs sentence-transformers ({error})",
                hint='pip install "sentence-transformers>=6,<7"',
            ) from None
        try:
            model = CrossEncoder(
                self._name,
                device=self._device,
                trust_remote_code=False,
                model_kwargs={"use_safetensors": True},
                activation_fn=Sigmoid(),  # many models are saved with the identity, and would give log-odds
            )
        except Exception as error:
            raise cannot_load(
                "reranker",
                self._name,
                error,
                holds="a cross-encoder",
                otherwise="search without a reranker",
                repository=self._repository,
            ) from error
        self._check(model)
        return model

    @property
    def _repository(self) -> str:
        is_whole = "/" in self._name or Path(self._name).exists()
        return self._name if is_whole else f"cross-encoder/{self._name}"

    def _check(self, model: CrossEncoder) -> None:
        """Raises ModelError unless the model gives one trained number per pair of texts."""
        if model.num_labels != 1:
            raise self._unfit(f"gives {model.num_labels} numbers for each text; needed: 1")
        if _has_new_head(model):
            raise self._unfit("was not trained to compare a query with a text: it has no output layer")
        # Such a model opens a text that looks like the address of a picture, and videos' texts are only data.
        if not _TEXT_ONLY.issuperset(model.modalities):
            raise self._unfit("reads more than text")

    def _unfit(self, what: str) -> ModelError:
        return ModelError(
            f"the reranker {self._name!r} {what}",
            hint="use a cross-encoder for ranking texts, as cross-encoder/ms-marco-MiniLM-L6-v2",
        )


def _has_new_head(model: CrossEncoder) -> bool:
    """Whether loading has put a random output layer on a model of another kind, an embedder for example."""
    if getattr(model[0], "transformer_task", "") != "sequence-classification":
        return False
    return not any(name.endswith("ForSequenceClassification") for name in model.config.architectures or ())
