"""TutorialVQA (Colas et al., LREC 2020): questions about Photoshop tutorials, answered by a range of sentences.

Licence: CC BY-NC 4.0. Files: videos.json, train.json, dev.json.

Rows are the transcript's sentences, queries the questions of both splits; a question that several people asked of one
video is one query with all their answers, but as many questions, each answered by its span alone. Answer ranges include
their last sentence. The set gives times only for some ranges ("segments"); they anchor a clock that between them
advances with the words spoken.
"""

from __future__ import annotations

import json
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from agentvid.evaluate.sets.builder import SetBuilder
from agentvid.evaluate.sets.pace import WORDS_PER_SECOND
from agentvid.evaluate.types import AnnotatedSet
from agentvid.types import SPEECH

_QUESTION_FILES = ("train.json", "dev.json")


def read(directory: Path) -> AnnotatedSet:
    """The sentences of the tutorials, searched with the questions of both splits."""
    videos = {video["video_id"]: video for video in _load(directory / "videos.json")}
    clocks = {name: _sentence_clock(video) for name, video in videos.items()}
    builder = SetBuilder({name: clock[-1] for name, clock in clocks.items()})
    for name, clock in clocks.items():
        for start, end, sentence in zip(clock, clock[1:], videos[name]["transcript"], strict=False):
            builder.add_row(name, start, end, sentence, track=SPEECH)
    for split in _QUESTION_FILES:
        for entry in _load(directory / split):
            clock = clocks.get(entry["video_id"], [])
            first, last = int(entry["answer_start"]), int(entry["answer_end"])
            if 0 <= first <= last < len(clock) - 1:
                builder.add_query(entry["video_id"], clock[first], clock[last + 1], entry["question"])
                builder.add_question(entry["video_id"], entry["question"], [(clock[first], clock[last + 1])])
    return builder.build()


def _sentence_clock(video: dict[str, Any]) -> list[float]:
    """Seconds at which each sentence starts, then the video's end: n sentences give n + 1 times, never falling."""
    words_before = [0, *accumulate(max(1, len(sentence.split())) for sentence in video["transcript"])]
    anchors = _anchors(video, len(words_before) - 1)
    anchor_words = [words_before[sentence] for sentence in anchors]
    anchor_seconds = list(anchors.values())
    # What is said after the last anchor has no time: it goes on at the pace so far.
    pace = anchor_words[-1] / anchor_seconds[-1] if anchor_seconds[-1] > 0 else WORDS_PER_SECOND
    if words_before[-1] > anchor_words[-1]:
        anchor_seconds.append(anchor_seconds[-1] + (words_before[-1] - anchor_words[-1]) / pace)
        anchor_words.append(words_before[-1])
    return [float(seconds) for seconds in np.interp(words_before, anchor_words, anchor_seconds)]


def _anchors(video: dict[str, Any], sentences: int) -> dict[int, float]:
    """Sentence index -> seconds at which it starts, both rising, from the video's timed segments; 0 -> 0 is first."""
    known: dict[int, float] = {}
    for segment in video["segments"]:
        indexes, times = segment["sentence_indexes"], segment["timestamps"]
        first, last = int(indexes["start"]), int(indexes["end"])
        start_seconds, end_seconds = float(times["start"]), float(times["end"])
        if 0 <= first <= last < sentences and 0 <= start_seconds < end_seconds:
            known[first] = start_seconds
            known.setdefault(last + 1, end_seconds)  # a start says it better: the end leaves out the pause
    rising = {0: 0.0}
    for sentence in sorted(known):
        if sentence > 0 and known[sentence] > max(rising.values()):
            rising[sentence] = known[sentence]
    return rising


def _load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
