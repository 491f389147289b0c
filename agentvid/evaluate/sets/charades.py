"""Charades and Charades-STA: thirty-second videos of people at home, with timed actions and timed sentences.

Sigurdsson et al., "Hollywood in Homes", ECCV 2016 (non-commercial research use); Gao et al., "TALL: Temporal Activity
Localization via Language Query", ICCV 2017. Files as published with 2D-TAN.

Rows are the actions of Charades_v1_train.csv in the words of Charades_v1_classes.txt ("Holding some clothes"). Queries
are the sentences of charades_sta_train.txt, whose spans were derived from those actions.
"""

from __future__ import annotations

import csv
from pathlib import Path

from agentvid.evaluate.sets.builder import SetBuilder
from agentvid.evaluate.types import AnnotatedSet

ACTIONS_FILE, CLASSES_FILE = "Charades_v1_train.csv", "Charades_v1_classes.txt"


def read(directory: Path) -> AnnotatedSet:
    """The actions of the training videos, searched with the sentences of Charades-STA."""
    builder = builder_with_actions(directory)
    for line in (directory / "charades_sta_train.txt").read_text(encoding="utf-8").splitlines():
        place, mark, sentence = line.partition("##")
        if mark and len(fields := place.split()) == 3:
            builder.add_query(fields[0], float(fields[1]), float(fields[2]), sentence)
    return builder.build()


def builder_with_actions(directory: Path) -> SetBuilder:
    """A builder that knows the training videos and has their actions as rows."""
    classes = _read_classes(directory / CLASSES_FILE)
    with (directory / ACTIONS_FILE).open(encoding="utf-8", newline="") as file:
        videos = [(line["id"], line["length"], line["actions"]) for line in csv.DictReader(file, restval="")]
    builder = SetBuilder({video: float(length) for video, length, _ in videos if length})
    for video, _, actions in videos:
        for action in actions.split(";"):
            if len(fields := action.split()) == 3:
                builder.add_row(video, float(fields[1]), float(fields[2]), classes.get(fields[0], ""))
    return builder


def _read_classes(path: Path) -> dict[str, str]:
    """Class id -> its words, from lines such as "c000 Holding some clothes"."""
    lines = (line.partition(" ") for line in path.read_text(encoding="utf-8").splitlines())
    return {name: words for name, _, words in lines}
