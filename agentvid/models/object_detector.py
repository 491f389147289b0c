"""Objects by phrase, by transformers: zero-shot object detection (OWL-ViT, OWLv2, Grounding DINO).

Weights are read from safetensors only and no code of the model's repository runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentvid.errors import MissingDependency
from agentvid.media.types import Image
from agentvid.models.hub import cached_commit, cannot_load, folder_hash, hub_name, load_whole

_KIND = "object model"


@dataclass(frozen=True, slots=True)
class Detection:
    """An object in a picture. `box` is left, top, right, bottom as shares of the picture's width and height."""

    label: str
    score: float
    box: tuple[float, float, float, float]


class ObjectDetector:
    """Raises MissingDependency, UsageError for a path that names no folder, ModelError if it cannot be loaded."""

    def __init__(self, model: str, *, device: str | None = None) -> None:
        self._source = hub_name(_KIND, model)
        self.name = model
        self._pipeline = self._load(device)
        folder = Path(self._source)
        commit = folder_hash(folder) if folder.is_dir() else cached_commit(self._source, ("config.json",))
        self.revision = commit or "unknown"

    def detect(self, image: Image, labels: Sequence[str], threshold: float) -> list[Detection]:
        """Objects of (height, width, 3) uint8 RGB whose score reaches `threshold`, surest first.

        Whatever the model raises comes through.
        """
        from PIL import Image as Pillow

        height, width = image.shape[:2]
        found = self._pipeline(Pillow.fromarray(image), candidate_labels=list(labels), threshold=threshold)
        return sorted(
            (Detection(str(one["label"]), float(one["score"]), _shares(one["box"], width, height)) for one in found),
            key=lambda detection: -detection.score,
        )

    def _load(self, device: str | None) -> Any:
        try:
            import torch
            from transformers import AutoModelForZeroShotObjectDetection, pipeline
        except ImportError as error:
            raise MissingDependency(
                f"the {_KIND} {self.name!r} needs transformers ({error})", hint='pip install "transformers>=5.3,<6"'
            ) from None
        try:
            return pipeline(
                "zero-shot-object-detection",
                model=load_whole((AutoModelForZeroShotObjectDetection,), self._source),
                tokenizer=self._source,
                image_processor=self._source,
                device=device or ("cuda" if torch.cuda.is_available() else "cpu"),
            )
        except Exception as error:  # hub, file, format and device errors have no common base
            raise cannot_load(
                _KIND,
                self._source,
                error,
                holds="a whole model for zero-shot object detection",
                otherwise="switch the track off: objects = ''",
            ) from error


def _shares(box: dict[str, int], width: int, height: int) -> tuple[float, float, float, float]:
    def share(value: float, whole: int) -> float:
        return round(min(max(value / whole, 0.0), 1.0), 4)

    return (
        share(box["xmin"], width),
        share(box["ymin"], height),
        share(box["xmax"], width),
        share(box["ymax"], height),
    )
