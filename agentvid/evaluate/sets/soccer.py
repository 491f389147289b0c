"""Soccer commentary: the words of television (SoccerNet-Echoes) and written live captions (MatchTime).

Gautam et al., "SoccerNet-Echoes", 2024 (speech recognised by Whisper, some of it translated); Rao et al., "MatchTime",
EMNLP 2024 (captions of SoccerNet-Caption). Licence: none given with the files.
Files: asr/ and, if there, distractors/ with `*_asr.json` (flat, or in their folders league/season/game/half), and
matchtime_captions.csv, which MatchTime calls inference_result/sample.csv.

Rows are the recognised sentences of one half, which is one video; halves in distractors/ have no queries. Queries are
the human captions, with players and teams masked as published: they are shared by many moments and name none. A
caption has one time, in seconds of its half: ten seconds on both sides of it are its span.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

from agentvid.evaluate.sets.builder import SetBuilder
from agentvid.evaluate.types import AnnotatedSet
from agentvid.types import SPEECH

_SLACK_SECONDS = 10.0


def read(directory: Path) -> AnnotatedSet:
    """The commentaries of all halves, searched with the captions of some."""
    halves = {**_halves(directory / "asr"), **_halves(directory / "distractors")}
    builder = SetBuilder(
        {video: max((end for _, end, _ in spoken), default=0.0) for video, spoken in halves.items()},
    )
    for video, spoken in halves.items():
        for start, end, sentence in spoken:
            builder.add_row(video, start, end, sentence, track=SPEECH)
    with (directory / "matchtime_captions.csv").open(encoding="utf-8", newline="") as file:
        for caption in csv.DictReader(file):
            match = f"{caption['game']}__{caption['half']}_asr".replace(" ", "_")
            video = next((name for name in halves if name.endswith(match)), "")
            at = float(caption["timestamp"])
            builder.add_query(video, at - _SLACK_SECONDS, at + _SLACK_SECONDS, caption["anonymized"])
    return builder.build()


def _halves(folder: Path) -> dict[str, list[tuple[float, float, str]]]:
    """Name of a half -> its sentences as (start seconds, end seconds, text)."""
    halves = {}
    for path in sorted(folder.rglob("*_asr.json")):
        # The path names the match whether its folders were kept or written into the file's name.
        name = "__".join(path.relative_to(folder).with_suffix("").parts).replace(" ", "_")
        halves[name] = list(json.loads(path.read_text(encoding="utf-8"))["segments"].values())
    return halves
