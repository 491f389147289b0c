"""Which hits `search` prints for people: those that add something. JSON has every one."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from agentvid.cli.finding import worth_showing
from agentvid.types import Hit, Moment, Span


@pytest.mark.parametrize(
    ("scores", "shown"),
    [
        ([0.8, 0.198, 0.00002, 0.0], 2),
        ([0.8, 0.0001, 0.01, 0.0004], 3),  # what was put off stands behind others, with more
        ([0.8, 0.1], 2),
        ([0.0004, 0.0001], 2),  # a reranker may find all of them unlikely
        ([], 0),
    ],
)
def test_hits_after_the_last_one_with_a_score_are_left_out(scores: Sequence[float], shown: int) -> None:
    hits = [Hit("v.mp4", Moment("v", Span(i, i + 1), score, "speech", "word")) for i, score in enumerate(scores)]
    assert worth_showing(hits) == hits[:shown]
