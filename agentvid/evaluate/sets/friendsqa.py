"""FriendsQA (Yang and Choi, SIGDIAL 2019): questions about dialogues of a TV series, with the utterances that answer.

Licence: Apache-2.0. File: friendsqa_dev.json.

Rows are the utterances as "speaker: words" and the stage notes, queries are the questions, also the paraphrased ones;
each answer's utterance is a gold span, for an answer that is a speaker the utterance of that speaker. The set has no
times: utterances follow each other at the pace of speech. Questions come with the words that answer them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from agentvid.evaluate.sets.builder import SetBuilder
from agentvid.evaluate.sets.pace import spoken_clock
from agentvid.evaluate.types import AnnotatedSet
from agentvid.types import SPEECH

#: The published key has the colon; an answer's `utterance_id` counts from 0. Every scene has one dialogue.
_UTTERANCES = "utterances:"
_NOTE = "#NOTE#"


def read(directory: Path) -> AnnotatedSet:
    """The utterances of the dialogues, searched with the questions."""
    scenes = json.loads((directory / "friendsqa_dev.json").read_text(encoding="utf-8"))["data"]
    dialogues = {scene["title"]: scene["paragraphs"][0] for scene in scenes}
    clocks = {
        video: spoken_clock(utterance["utterance"] for utterance in dialogue[_UTTERANCES])
        for video, dialogue in dialogues.items()
    }
    builder = SetBuilder({video: clock[-1] for video, clock in clocks.items()})
    for video, dialogue in dialogues.items():
        clock = clocks[video]
        for start, end, utterance in zip(clock, clock[1:], dialogue[_UTTERANCES], strict=False):
            builder.add_row(video, start, end, _line(utterance), track=SPEECH)
        for question in dialogue["qas"]:
            timed = [answer for answer in question["answers"] if 0 <= answer["utterance_id"] < len(clock) - 1]
            times = [(clock[answer["utterance_id"]], clock[answer["utterance_id"] + 1]) for answer in timed]
            for start, end in times:
                builder.add_query(video, start, end, question["question"])
            builder.add_question(
                video,
                question["question"],
                times,
                answers=[answer["answer_text"] for answer in timed],
                kind=next(iter(question["question"].lower().split()), ""),
            )
    return builder.build()


def _line(utterance: dict[str, Any]) -> str:
    """An utterance as text, "" if nothing is said in it."""
    words = utterance["utterance"].strip()
    speakers = ", ".join(speaker for speaker in utterance["speakers"] if speaker != _NOTE)
    return f"{speakers}: {words}" if speakers and words else words
