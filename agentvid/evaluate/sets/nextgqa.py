"""NExT-GQA: questions about everyday videos, with the spans that show their answers.

Xiao et al., "Can I Trust Your Answer? Visually Grounded Video Question Answering", CVPR 2024 (MIT). Captions, one per
second, were written by a vision-language model for VideoAgent (Wang et al., ECCV 2024; its README says MIT).

Rows are the captions of nextqa_allcaps_1fps.zip; the caption of second i is about [i, i+1). Queries are the questions
of nextgqa_val.csv (upstream: nextgqa/val.csv), with all spans that gsub_val.json gives them; questions have the
five answers to choose from besides, and the set's type: CW and CH why and how, TN, TC and TP after, while and before.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from agentvid.evaluate.sets.builder import SetBuilder
from agentvid.evaluate.types import AnnotatedSet

_CAPTIONS_SUFFIX = "_cap.json"
_CHOICES = 5


def read(directory: Path) -> AnnotatedSet:
    """Captions of each second, searched with questions."""
    grounding: dict[str, Any] = json.loads((directory / "gsub_val.json").read_text(encoding="utf-8"))
    builder = SetBuilder({video: float(entry["duration"]) for video, entry in grounding.items()})
    _add_captions(builder, directory / "nextqa_allcaps_1fps.zip")
    with (directory / "nextgqa_val.csv").open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file, restval=""):
            video = line["video_id"]
            times = grounding.get(video, {}).get("location", {}).get(line["qid"], ())
            for start, end in times:
                builder.add_query(video, start, end, line["question"])
            choices = [line[f"a{number}"] for number in range(_CHOICES)]
            right = choices.index(line["answer"]) if line["answer"] in choices else -1
            if times:
                builder.add_question(video, line["question"], times, choices=choices, right=right, kind=line["type"])
    return builder.build()


def _add_captions(builder: SetBuilder, path: Path) -> None:
    with ZipFile(path) as archive:
        for name in sorted(archive.namelist()):
            if name.endswith(_CAPTIONS_SUFFIX):
                video = name.rpartition("/")[2].removesuffix(_CAPTIONS_SUFFIX)
                for second, caption in json.loads(archive.read(name)).items():
                    builder.add_row(video, int(second), int(second) + 1, caption)
