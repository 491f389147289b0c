"""QMSum (Zhong et al., NAACL 2021): questions about meetings, with the turns that answer them.

Licence: MIT. File: val.jsonl, one meeting a line; line 1 becomes the video qmsum_val_1.

Rows are the turns as "speaker: words", long ones in several rows; queries are the specific questions with their
`relevant_text_span`s, whose last turn is included. The set has no times: turns follow each other at the pace of speech.
Marks of the transcribers such as {vocalsound} are taken out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

from agentvid.evaluate.sets.builder import SetBuilder
from agentvid.evaluate.sets.pace import spoken_clock
from agentvid.evaluate.types import AnnotatedSet
from agentvid.types import SPEECH

_MOST_WORDS = 40
_MARK = re.compile(r"\{[^}]*\}")
_SENTENCE_END = re.compile(r"(?<=[.?!])\s+")


def read(directory: Path) -> AnnotatedSet:
    """The turns of the meetings, searched with the specific questions about them."""
    lines = (directory / "val.jsonl").read_text(encoding="utf-8").split("\n")
    meetings = {f"qmsum_val_{number}": json.loads(line) for number, line in enumerate(lines, 1) if line.strip()}
    turns = {video: list(map(turn, meeting["meeting_transcripts"])) for video, meeting in meetings.items()}
    clocks = {video: spoken_clock(words for _, words in spoken) for video, spoken in turns.items()}
    builder = SetBuilder({video: clock[-1] for video, clock in clocks.items()})
    for video, clock in clocks.items():
        for (speaker, words), start, end in zip(turns[video], clock, clock[1:], strict=False):
            for piece_start, piece_end, text in _pieces(speaker, words, start, end):
                builder.add_row(video, piece_start, piece_end, text, track=SPEECH)
        for question in meetings[video]["specific_query_list"]:
            for first, last in _ranges(question):
                if 0 <= first <= last < len(clock) - 1:
                    builder.add_query(video, clock[first], clock[last + 1], question["query"])
    return builder.build()


def turn(said: dict[str, Any]) -> tuple[str, str]:
    """Speaker and words of a turn."""
    return said["speaker"].strip(), " ".join(_MARK.sub(" ", said["content"]).split())


def _ranges(question: dict[str, Any]) -> Iterator[tuple[int, int]]:
    """First and last turn of each answer; they are written as texts."""
    for first, last in question["relevant_text_span"]:
        yield int(first), int(last)


def _pieces(speaker: str, turn: str, start_seconds: float, end_seconds: float) -> Iterator[tuple[float, float, str]]:
    """A turn as (start seconds, end seconds, text) of bearable length; the first names the speaker."""
    pieces = _split(turn)
    words_before = [0, *accumulate(map(len, pieces))]
    for index, piece in enumerate(pieces):
        begin, end = (words / words_before[-1] for words in words_before[index : index + 2])
        text = " ".join(piece) if index else f"{speaker}: {' '.join(piece)}"
        seconds = end_seconds - start_seconds
        yield start_seconds + begin * seconds, start_seconds + end * seconds, text


def _split(turn: str) -> list[list[str]]:
    """The words of a turn in pieces of at most _MOST_WORDS, cut between sentences where that is possible."""
    pieces: list[list[str]] = []
    for sentence in _SENTENCE_END.split(turn):
        words = sentence.split()
        if pieces and len(pieces[-1]) + len(words) <= _MOST_WORDS:
            pieces[-1] += words
        else:
            pieces += [words[at : at + _MOST_WORDS] for at in range(0, len(words), _MOST_WORDS)]
    return pieces
