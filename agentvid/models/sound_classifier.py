"""What can be heard, by transformers: audio classification with the model's own labels, or CLAP with labels given.

Weights are read from safetensors only and no code of the model's repository runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from agentvid.egress import OPEN, Outlet
from agentvid.errors import ModelError
from agentvid.models.base import Samples
from agentvid.models.hub import cached_commit, cannot_load, folder_hash, hub_name, load_whole, needs_transformers

_KIND = "sound model"
#: Says that a label is a sound, which is how CLAP was trained.
_TEMPLATE = "This is a sound of {}."


class SoundClassifier:
    """Scores of labels for a window of sound.

    `labels` empty: those that the model was trained on (as the Audio Spectrogram Transformer's 527 of AudioSet);
    else any phrases, and a CLAP model. Raises MissingDependency, UsageError for a path that names no folder,
    ModelError if the model cannot be loaded, or has no labels of its own and none are given.
    """

    def __init__(
        self, model: str, labels: Sequence[str] = (), *, device: str | None = None, outlet: Outlet = OPEN
    ) -> None:
        self._source = hub_name(_KIND, model)
        self.name = model
        self._labels = tuple(labels)
        task = "zero-shot-audio-classification" if labels else "audio-classification"
        outlet.fetch(_KIND, self.name, self._source)
        self._pipeline = self._load(task, device)
        #: Samples a second that the model wants.
        self.rate = int(self._pipeline.feature_extractor.sampling_rate)
        folder = Path(self._source)
        commit = folder_hash(folder) if folder.is_dir() else cached_commit(self._source, ("config.json",))
        self.revision = commit or "unknown"

    def scores(self, samples: Samples) -> dict[str, float]:
        """Label -> 0 to 1 for (n,) float32 mono samples at `rate` a second. Whatever the model raises comes through."""
        if self._labels:
            found = self._pipeline(samples, candidate_labels=list(self._labels), hypothesis_template=_TEMPLATE)
        else:
            # Events overlap: a sigmoid for each label, unless the model was trained to choose a single one.
            found = self._pipeline({"raw": samples, "sampling_rate": self.rate}, top_k=None, **self._function())
        scores = {str(entry["label"]): float(entry["score"]) for entry in found}
        if not all(np.isfinite(score) and 0.0 <= score <= 1.0 for score in scores.values()):
            raise ModelError(f"the {_KIND} {self.name!r} gave scores out of 0..1", hint="choose another model")
        return scores

    def _function(self) -> dict[str, str]:
        config = self._pipeline.model.config
        single = config.problem_type == "single_label_classification"
        return {"function_to_apply": "softmax" if single else "sigmoid"}

    def _tokenizer(self) -> Any:
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(self._source, trust_remote_code=False) if self._labels else None

    def _load(self, task: str, device: str | None) -> Any:
        try:
            import torch
            from transformers import AutoFeatureExtractor, AutoModel, AutoModelForAudioClassification, pipeline
        except ImportError as error:
            raise needs_transformers(_KIND, self.name, error) from None
        try:
            return pipeline(
                task,
                model=load_whole((AutoModel if self._labels else AutoModelForAudioClassification,), self._source),
                feature_extractor=AutoFeatureExtractor.from_pretrained(self._source, trust_remote_code=False),
                tokenizer=self._tokenizer(),
                device=device or ("cuda" if torch.cuda.is_available() else "cpu"),
            )
        except Exception as error:  # hub, file, format and device errors have no common base
            what = "CLAP model, as labels are given," if self._labels else "model for audio classification"
            raise cannot_load(
                _KIND, self._source, error, holds=f"a whole {what}", otherwise="switch the track off: sound = ''"
            ) from error
