"""PororoQA (Kim et al., IJCAI 2017): questions about episodes of a children's cartoon, each about one scene.

Licence: none given with the files. Files: descriptions.csv (episode, scene, description; no header), qa.json.

Rows are the descriptions, many of one scene, each text once; queries are the questions with their supporting scene,
to be answered by one of five sentences.
The set has no times, only the order of scenes: every scene lasts ten seconds.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

from agentvid.evaluate.sets.builder import SetBuilder
from agentvid.evaluate.types import AnnotatedSet

_SCENE_SECONDS = 10.0
_CHOICES = 5


def read(directory: Path) -> AnnotatedSet:
    """The descriptions of the scenes, searched with the questions."""
    episodes = _episodes(directory / "descriptions.csv")
    builder = SetBuilder(
        {video: max(scene for scene, _ in described) * _SCENE_SECONDS for video, described in episodes.items()}
    )
    for video, described in episodes.items():
        for scene, text in described:
            builder.add_row(video, *_times(scene), text)
    for question in json.loads((directory / "qa.json").read_text(encoding="utf-8"))["PororoQA"]:
        if scene := _scene_number(str(question["supporting_num"])):
            video, choices = question["video_name"], [question[f"answer{number}"] for number in range(_CHOICES)]
            builder.add_query(video, *_times(scene), question["question"])
            builder.add_question(
                video, question["question"], [_times(scene)], choices=choices, right=int(question["correct_idx"])
            )
    return builder.build()


def _episodes(path: Path) -> dict[str, dict[tuple[int, str], None]]:
    """Episode -> its (scene from 1, description) in the order of the file, each once."""
    episodes: dict[str, dict[tuple[int, str], None]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for fields in csv.reader(file):
            if len(fields) == 3 and fields[0] and (scene := _scene_number(fields[1])):
                episodes.setdefault(fields[0], {})[scene, fields[2]] = None
    return episodes


def _scene_number(text: str) -> int:
    """The number of a scene, from 1; 0 for a text that is none."""
    return int(text) if text.strip().isdecimal() else 0


def _times(scene: int) -> tuple[float, float]:
    return (scene - 1) * _SCENE_SECONDS, scene * _SCENE_SECONDS
