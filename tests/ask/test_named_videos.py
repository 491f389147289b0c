"""A video can be named by a word of its file name, where the question says that it means a video."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from agentvid.graph import AskContext, ask
from agentvid.indexes.catalogue import Catalogue
from agentvid.planners.exemplar import ExemplarPlanner
from agentvid.planners.named_videos import name_videos
from agentvid.planners.wording import read_question
from agentvid.tools.base import ToolContext
from agentvid.types import Video


def _video(name: str) -> Video:
    return Video(name, name, name, 60.0, (f"/films/{name}",))


LECTURE, HARBOUR, BUNNY, PASTA = (
    _video(name) for name in ("lecture_on_graphs.mp4", "harbour-2019.mp4", "big_buck_bunny.webm", "pasta.mp4")
)
SHELF = (LECTURE, HARBOUR, BUNNY, PASTA)


@pytest.mark.parametrize(
    ("question", "video", "read_as"),
    [
        ("What is shown in the lecture?", LECTURE, "What is shown in the video?"),
        ("how long is the harbour clip", HARBOUR, "how long is the video"),
        ("Summarize harbour clip", HARBOUR, "Summarize the video"),
        ("Is the lecture bright?", LECTURE, "Is the video bright?"),
        ("Does the lecture mention trees?", LECTURE, "Does the video mention trees?"),
        (
            "What text is on screen at 1:20 in the graphs lecture?",
            LECTURE,
            "What text is on screen at 1:20 in the video?",
        ),
        ("What happens in Big Buck Bunny?", BUNNY, "What happens in the video?"),
        ("big buck bunny: what happens?", BUNNY, "in the video, what happens?"),
        ("What is cooked in the pasta video?", PASTA, "What is cooked in the video?"),
        (
            "In the lecture, what is at the end of the lecture?",
            LECTURE,
            "In the video, what is at the end of the video?",
        ),
        ("Does harbour-2019.mp4 mention ships?", HARBOUR, "Does the video mention ships?"),
        ("who directed big_buck_bunny", BUNNY, "who directed the video"),
    ],
)
def test_a_word_of_a_name_names_the_video(question: str, video: Video, read_as: str) -> None:
    named = name_videos(question, SHELF)
    assert named is not None
    assert (named.question, named.videos) == (read_as, (video.id,))
    assert video.id in named.said


@pytest.mark.parametrize(
    "question",
    [
        "When is the pasta drained?",
        "What do they say about graphs?",
        "What is put in the pasta?",
        "What happens in the video?",
        "What is said in the first clip?",
        "When is the lecturer shown?",
        "Who enters the lecture hall?",
        "Do they say that lecture notes are graded?",
        'Who says "we saw it in the lecture"?',
        "Which lecture mentions trees?",
        "What is shown in lecture_on_graphs.mp4?",
        "Does only pasta.mp4 mention salt?",
        "Is pasta.mp4 longer than harbour-2019.mp4?",
        "Which video is longer than pasta.mp4?",
        "Which one is it? A) the lecture B) the harbour clip",
    ],
)
def test_anything_else_is_what_the_question_is_about(question: str) -> None:
    assert name_videos(question, SHELF) is None


def test_the_ending_of_a_name_is_no_mistyped_word(
    tmp_path: Path, import_video: Callable[..., None], tools_for: Callable[..., ToolContext]
) -> None:
    with Catalogue.open(tmp_path / "library") as catalogue:
        rows = {
            "tides": [("speech", 0, 4, "The moon pulls the sea.")],
            "telescope": [("speech", 0, 4, "The Webb telescope is large, and Webb is the name of a man.")],
        }
        import_video(catalogue, tmp_path / "rows.jsonl", rows)
        tools = tools_for(of=catalogue)
        scope = {video.id: replace(video, paths=(f"/films/{video.title}.webm",)) for video in tools.scope.values()}
        asked = "Compare tides.webm and telescope.webm"
        read = read_question(asked, ExemplarPlanner(), replace(tools, scope=scope), None)
    assert (read.question, read.said) == (asked, "")


def test_a_word_that_two_names_hold_names_none() -> None:
    assert name_videos("What is shown in the lecture?", (LECTURE, _video("lecture_on_trees.mp4"), PASTA)) is None


def test_of_several_each_is_written_out() -> None:
    named = name_videos("Is the harbour clip longer than the lecture?", SHELF)
    assert named is not None
    assert named.question == "Is harbour-2019.mp4 longer than lecture_on_graphs.mp4?"
    assert set(named.videos) == {LECTURE.id, HARBOUR.id}


def test_the_answer_keeps_to_the_named_video_and_says_so(context_for: Callable[..., AskContext]) -> None:
    answer = ask("What does the cook clip say about carbon dioxide?", context_for())
    assert answer.coverage.videos == 1
    assert "cook.mp4" in answer.understood
    assert {item.video for item in answer.evidence} <= {"cook.mp4"}
