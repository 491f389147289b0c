"""Objects by phrase, by transformers: zero-shot object detection (OWL-ViT, OWLv2, Grounding DINO).

Weights are read from safetensors only and no code of the model's repository runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentvid.egress import OPEN, Outlet
from agentvid.media.types import Image
from agentvid.models.hub import cached_commit, cannot_load, folder_hash, hub_name, load_whole, needs_transformers

_KIND = "object model"
#: Boxes of one label that share this much of their union are one object.
_SAME_OBJECT = 0.5
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Detection:
    """An object in a picture. `box` is left, top, right, bottom as shares of the picture's width and height."""

    label: str
    score: float
    box: Box


class ObjectDetector:
    """Raises MissingDependency, UsageError for a path that names no folder, ModelError if it cannot be loaded."""

    def __init__(self, model: str, *, device: str | None = None, outlet: Outlet = OPEN) -> None:
        self._source = hub_name(_KIND, model)
        self.name = model
        outlet.fetch(_KIND, self.name, self._source)
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
        detections = [Detection(str(o["label"]), float(o["score"]), _shares(o["box"], width, height)) for o in found]
        return _distinct(sorted(detections, key=lambda detection: -detection.score))

    def _load(self, device: str | None) -> Any:
        try:
            import torch
            from transformers import AutoImageProcessor, AutoModelForZeroShotObjectDetection, AutoTokenizer, pipeline
        except ImportError as error:
            raise needs_transformers(_KIND, self.name, error) from None
        try:
            return pipeline(
                "zero-shot-object-detection",
                model=load_whole((AutoModelForZeroShotObjectDetection,), self._source),
                tokenizer=AutoTokenizer.from_pretrained(self._source, trust_remote_code=False),
                image_processor=AutoImageProcessor.from_pretrained(self._source, trust_remote_code=False),
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


def _distinct(detections: Sequence[Detection]) -> list[Detection]:
    """Those that no surer one of the same label overlaps by half: these models see one thing many times."""
    kept: list[Detection] = []
    for detection in detections:
        same = [other for other in kept if other.label == detection.label]
        if all(_overlap(detection.box, other.box) < _SAME_OBJECT for other in same):
            kept.append(detection)
    return kept


def _overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(width, 0.0) * max(height, 0.0)
    union = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)) - shared
    return shared / union if union > 0 else 1.0


def _shares(box: dict[str, int], width: int, height: int) -> Box:
    def share(value: float, whole: int) -> float:
        return round(min(max(value / whole, 0.0), 1.0), 4)

    return (
        share(box["xmin"], width),
        share(box["ymin"], height),
        share(box["xmax"], width),
        share(box["ymax"], height),
    )
