"""YouCook2 (Zhou et al., AAAI 2018) with speech: the steps of cooking videos, and what the cook says.

Licence: research use. File: dvc_gt.json, as published with TimeChat (Ren et al., CVPR 2024), where it is called
metrics/dvc/example_gt_file.json.

Rows are the recognised sentences, queries the step captions with their `segments` in seconds. Sentences have no
seconds: two time tokens say in which 99th of the video they start and end (floored, as in Vid2Seq). Sentences that
start in the same 99th share it in equal parts; each ends where the next one starts or its last 99th is over.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agentvid.evaluate.sets.builder import SetBuilder
from agentvid.evaluate.types import AnnotatedSet
from agentvid.types import SPEECH

#: A time t of a video of length d has the token floor(99 t / d).
_BINS = 99
_SENTENCE = re.compile(r"<time_token_(\d+)>\s*<time_token_(\d+)>([^<]*)")


def read(directory: Path) -> AnnotatedSet:
    """What the cooks say, searched with the captions of what they do."""
    entries = json.loads((directory / "dvc_gt.json").read_text(encoding="utf-8"))["annotations"]
    videos = {entry["image_id"].removesuffix(".mp4"): entry for entry in entries}
    builder = SetBuilder({video: entry["duration"] for video, entry in videos.items()})
    for video, entry in videos.items():
        for start, end, sentence in _spoken(entry):
            builder.add_row(video, start, end, sentence, track=SPEECH)
        captions = [caption for _, _, caption in _SENTENCE.findall(entry["caption"])]
        # Of unequal numbers nobody knows which time belongs to which step.
        if len(captions) == len(entry["segments"]):
            for (start, end), caption in zip(entry["segments"], captions, strict=True):
                builder.add_query(video, start, end, caption)
    return builder.build()


def _spoken(entry: dict[str, Any]) -> Iterator[tuple[float, float, str]]:
    """(start seconds, end seconds, sentence), in the order of time and without overlap."""
    sentences = sorted(
        ((int(first), int(last), text) for first, last, text in _SENTENCE.findall(entry["asr_text"])),
        key=lambda sentence: sentence[0],
    )
    sharing = Counter(first for first, _, _ in sentences)
    seen: Counter[int] = Counter()
    starts: list[float] = []
    for first, _, _ in sentences:
        starts.append(first + seen[first] / sharing[first])
        seen[first] += 1
    bin_seconds = entry["duration"] / _BINS
    for (_, last, text), start, next_start in zip(sentences, starts, [*starts[1:], _BINS], strict=False):
        yield start * bin_seconds, min(last + 1, next_start) * bin_seconds, text
