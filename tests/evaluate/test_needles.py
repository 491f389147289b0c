"""Needles lie where the questions say, the same seed makes them again, and the embedded planner finds them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from statistics import fmean

import pytest

from agentvid.config import Settings
from agentvid.errors import UsageError
from agentvid.evaluate.answers import answer_scores
from agentvid.evaluate.needles import Haystack, make_needles, read_texts, write_text, write_video
from agentvid.evaluate.qa import answer_all
from agentvid.evaluate.questions import load_questions
from agentvid.library import Library


def accuracies(library: Library, questions: Path) -> dict[str, float]:
    """Per kind of question, the share that is right under every rotation of its options."""
    found: dict[str, list[float]] = {}
    for one in answer_all(library, load_questions(library, questions), is_circular=True):
        scores = answer_scores(one.given, one.posed)
        found.setdefault(one.posed.question.kind, []).append(scores["accuracy"])
    return {kind: fmean(scores) for kind, scores in found.items()}


def told(haystack: Haystack, words: str) -> list[str]:
    return [text for _, text in haystack.said if words in text]


def test_needles_of_text_are_found_ordered_and_counted(tmp_path: Path) -> None:
    made = make_needles(hours=0.5, each=5, seed=3)
    document = write_text(made, tmp_path)
    with Library.open(tmp_path / "library", settings=Settings(cache=tmp_path)) as library:
        assert not library.import_file(Path(document["file"])).failed
        found = accuracies(library, Path(document["questions_file"]))
    assert set(found) == {"retrieval", "order", "count"}
    assert all(accuracy >= 0.95 for accuracy in found.values()), found


@pytest.mark.slow
def test_needles_of_a_rendered_video_are_read_and_measured(tmp_path: Path) -> None:
    document = write_video(make_needles(hours=0.5, each=5, seed=3, is_shown=True), tmp_path)
    with Library.open(tmp_path / "library", settings=Settings(cache=tmp_path)) as library:
        assert not library.add([document["file"]]).failed
        found = accuracies(library, Path(document["questions_file"]))
    assert {"slide", "colour count", "colour order"} <= set(found)
    assert all(accuracy >= 0.95 for accuracy in found.values()), found


def test_every_needle_lies_where_its_question_says() -> None:
    made = make_needles(hours=0.5, each=6)
    assert Counter(question.kind for question in made.questions) == {"retrieval": 6, "order": 6, "count": 6}
    at = dict(made.said)
    for question in made.questions:
        assert question.choice in question.choices
        assert len(set(question.choices)) == len(question.choices)
        texts = [at[span] for span in question.spans]
        if question.kind == "count":
            assert len(texts) == int(question.choice) == len(told(made, texts[0]))
        elif question.kind == "retrieval":
            assert question.choice in texts[0]
        else:
            names = [text.removeprefix("Somebody has just seen the ").rstrip(".") for text in texts]
            assert question.choice in (names[0], ", ".join(names))


def test_the_same_seed_makes_the_same_needles() -> None:
    assert make_needles(seed=5) == make_needles(seed=5)
    assert make_needles(seed=5) != make_needles(seed=6)


def test_needles_hide_in_texts_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "talk.jsonl"
    file.write_text(json.dumps({"video": "talk", "start": 0, "end": 5, "text": "the harbour at dawn"}) + "\n", "utf-8")
    made = make_needles(hours=0.5, each=2, texts=read_texts(file))
    assert len(told(made, "the harbour at dawn")) > len(made.said) / 2


@pytest.mark.parametrize(
    ("hours", "each", "is_shown"),
    [
        (0, 1, False),
        (float("nan"), 1, False),
        (1e9, 1, False),
        (1, 0, False),
        (1, 51, False),
        (0.01, 10, False),
        (0.1, 1, True),
    ],
)
def test_what_does_not_fit_is_refused(hours: float, each: int, is_shown: bool) -> None:
    with pytest.raises(UsageError, match="allowed"):
        make_needles(hours=hours, each=each, is_shown=is_shown)


def test_as_many_questions_as_are_allowed_can_be_made() -> None:
    assert len(make_needles(hours=2, each=50).questions) == 150


def test_files_that_exist_stay_as_they_are(tmp_path: Path) -> None:
    made = make_needles(hours=0.5, each=1)
    write_text(made, tmp_path)
    with pytest.raises(UsageError, match="exists"):
        write_text(made, tmp_path)


def test_a_haystack_without_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "empty.jsonl"
    file.write_text('{"video": "talk"}\n', "utf-8")
    with pytest.raises(UsageError, match="text"):
        read_texts(file)
