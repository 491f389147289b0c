"""ActivityNet Captions, the two validation files: two people described the same YouTube videos, each on their own.

Krishna et al., "Dense-Captioning Events in Videos", ICCV 2017; files as published with 2D-TAN (MIT), where val_1.json
is called val.json and val_2.json test.json. Machine captions: Iashin and Rahtu, "A Better Use of Audio-Visual Cues:
Dense Video Captioning with Bi-modal Transformer", BMVC 2020 (MIT), where they are captioning_results_val_1_e26.json.

`human`: rows are the sentences of val_1.json. `machine`: rows are what the Bi-modal Transformer wrote about the
segments of val_1 (bmt_machine_captions_val_1.json). Queries of both are the sentences of val_2.json. A sentence is
about one event; events overlap, and some last as long as their video.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from agentvid.evaluate.sets.builder import SetBuilder
from agentvid.evaluate.types import AnnotatedSet


def read_human(directory: Path) -> AnnotatedSet:
    """What the first annotator wrote, searched with what the second wrote."""
    first, second = _load(directory / "val_1.json"), _load(directory / "val_2.json")
    builder = _builder(first, second)
    for video, entry in first.items():
        for (start, end), sentence in zip(entry["timestamps"], entry["sentences"], strict=False):
            builder.add_row(video, start, end, sentence)
    return builder.build()


def read_machine(directory: Path) -> AnnotatedSet:
    """What a captioning model wrote, searched with what the second annotator wrote."""
    captions = _load(directory / "bmt_machine_captions_val_1.json")["results"]
    builder = _builder(_load(directory / "val_1.json"), _load(directory / "val_2.json"))
    for video, entries in captions.items():
        for entry in sorted(entries, key=lambda entry: entry["timestamp"]):
            start, end = entry["timestamp"]
            builder.add_row(video, start, end, entry["sentence"])
    return builder.build()


def _load(path: Path) -> dict[str, Any]:
    entries: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return entries


def _builder(first: dict[str, Any], second: dict[str, Any]) -> SetBuilder:
    """A builder that knows the videos of both annotators and has the second one's sentences as its queries."""
    builder = SetBuilder({video: float(entry["duration"]) for video, entry in (first | second).items()})
    for video, entry in second.items():
        for (start, end), sentence in zip(entry["timestamps"], entry["sentences"], strict=False):
            builder.add_query(video, start, end, sentence)
    return builder
