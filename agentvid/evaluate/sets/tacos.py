"""TACoS: kitchen videos, each described from start to end ten to twenty times (train.json and val.json of 2D-TAN).

Regneri et al., "Grounding Action Descriptions in Videos", TACL 2013; files as published with 2D-TAN (MIT).

The sentences of a video are its descriptions one after another; nothing marks where one ends, but there time jumps
back. Every second description (first, third...) becomes rows, the others become queries, so that nobody's words are
searched with the same person's. Times are frames in the files, and seconds through the entry's `fps`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agentvid.evaluate.sets.builder import SetBuilder
from agentvid.evaluate.types import AnnotatedSet

FILES = ("train.json", "val.json")


def read(directory: Path) -> AnnotatedSet:
    """Half of the descriptions of each video, searched with the sentences of the other half."""
    videos: dict[str, Any] = {}
    for name in FILES:
        videos |= json.loads((directory / name).read_text(encoding="utf-8"))
    builder = SetBuilder({video: entry["num_frames"] / entry["fps"] for video, entry in videos.items()})
    for video, entry in videos.items():
        numbers = _description_numbers([start for start, _ in entry["timestamps"]])
        for number, (start, end), sentence in zip(numbers, entry["timestamps"], entry["sentences"], strict=False):
            add = builder.add_query if number % 2 else builder.add_row
            add(video, start / entry["fps"], end / entry["fps"], sentence)
    return builder.build()


def _description_numbers(starts: list[float]) -> Iterator[int]:
    """For each sentence, by its start, the number of its description, from 0.

    People also go back a little to tell what happened meanwhile: only a jump over more than half of what the
    description has passed so far begins the next one.
    """
    number, first = 0, starts[0] if starts else 0.0
    furthest = first
    for start in starts:
        if start < furthest and start <= (first + furthest) / 2:
            number, first, furthest = number + 1, start, start
        furthest = max(furthest, start)
        yield number
