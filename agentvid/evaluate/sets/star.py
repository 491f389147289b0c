"""STAR: questions about interactions, sequences, predictions and feasibility in Charades videos.

Wu et al., "STAR: A Benchmark for Situated Reasoning in Real-World Videos", NeurIPS Datasets and Benchmarks 2021
(Apache-2.0), as the table star_val_queries.csv of TraveLER. Charades: see charades.py.

Rows are the actions of Charades; its two files are read from the same folder or, if they are not there, from the
folder `charades` beside it. Queries are the questions; the span is the situation that a question is about. Predictions
ask for what comes next, so that what they show is the time before it. Questions have the set's four answers to choose
from and its type.
"""

from __future__ import annotations

import ast
import csv
from pathlib import Path

from agentvid.evaluate.sets.charades import ACTIONS_FILE, builder_with_actions
from agentvid.evaluate.types import AnnotatedSet


def read(directory: Path) -> AnnotatedSet:
    """The actions of Charades, searched with the questions of STAR."""
    is_together = (directory / ACTIONS_FILE).exists()
    builder = builder_with_actions(directory if is_together else directory.parent / "charades")
    with (directory / "star_val_queries.csv").open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file, restval=""):
            if line["start"] and line["end"]:
                video = line["video_name"].removesuffix(".mp4")
                start, end = float(line["start"]), float(line["end"])
                builder.add_query(video, start, end, line["query"])
                builder.add_question(
                    video,
                    line["query"],
                    [(start, end)],
                    choices=[str(choice) for choice in ast.literal_eval(line["possible_answers"])],
                    right=int(line["answer"]),
                    kind=line["query_type"],
                )
    return builder.build()
