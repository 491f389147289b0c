"""Question files, scores of answers, and runs of questions over a small library that is searched by words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentvid.config import Settings
from agentvid.errors import UsageError
from agentvid.evaluate.answers import Given, answer_scores, evidence_overlap
from agentvid.evaluate.metrics import Found
from agentvid.evaluate.qa import (
    Answered,
    Asker,
    RunFile,
    answer_all,
    choice_baselines,
    compare_with_run,
    mean_of_each,
    read_run,
    summary_json,
)
from agentvid.evaluate.questions import Posed, load_questions
from agentvid.evaluate.types import Question
from agentvid.library import Library
from agentvid.models.scripted import ScriptedChat
from agentvid.planners.llm import LLMPlanner
from agentvid.types import Span, Video

VIDEO = Video("a" * 64, "h", "talk", 100.0)
ROWS = {
    "kitchen": ["Anna kneads the rye dough", "the oven opens with a loud creak", "salt goes into the tomato soup"],
    "harbour": ["a red boat leaves the pier", "gulls cry over the water", "the anchor drops into the mud"],
}
QUESTIONS = [
    {"question": "What leaves the pier?", "video": "harbour", "choices": ["a red boat", "a blue tram"], "choice": 0},
    {"question": "What goes into the soup?", "video": "kitchen", "answer": ["salt", "pepper"], "start": 30, "end": 40},
    {"question": "Is the oven mentioned?", "video": "kitchen", "answer": "yes", "spans": [[15, 25]], "kind": "yes"},
]


def write_lines(file: Path, documents: list[Any]) -> Path:
    file.write_text("".join(json.dumps(document) + "\n" for document in documents), "utf-8")
    return file


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    folder = tmp_path_factory.mktemp("films")
    rows = [
        {"video": name, "duration": 60, "track": "speech", "start": 15.0 * at, "end": 15.0 * at + 10, "text": text}
        for name, texts in ROWS.items()
        for at, text in enumerate(texts)
    ]
    settings = Settings(library=folder, cache=folder, embed=False, index="numpy")
    with Library.open(folder / "library", settings=settings) as opened:
        assert not opened.import_file(write_lines(folder / "rows.jsonl", rows)).failed
        yield opened


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    return write_lines(tmp_path / "questions.jsonl", QUESTIONS)


# -- scores ----------------------------------------------------------------------------------------------------------


def posed(**fields: Any) -> Posed:
    return Posed(Question("who?", "talk", **fields), VIDEO)


def said(text: str, *spans: tuple[float, float], **fields: Any) -> Given:
    return Given(text, abstained=False, evidence=tuple(Found("talk", Span(*span)) for span in spans), **fields)


@pytest.mark.parametrize(
    ("text", "answers", "accuracy"),
    [
        ("At 0:12-0:15 the speech says: “It was Anna, who else.”", ("Anna",), 1),
        ("At 0:12-0:15 the speech says: “It was Annabel.”", ("Anna",), 0),
        ("3 in all: at 0:01-0:05; at 0:09-0:10", ("three",), 1),
        ("2 in all: at 0:03-0:04", ("three",), 0),
        ("At 0:03-0:04 nothing", ("3",), 0),
        ("Yes: at 0:12 the speech says: “no”", ("yes",), 1),
        ("No: at 0:12 the speech says: “yes”", ("yes",), 0),
        ("The Red  BOAT!", ("a red boat", "tram"), 1),
        ("the boat is red", ("red boat",), 0),
        ("", ("x",), 0),
        ("the", ("the",), 0),
    ],
)
def test_an_answer_is_right_if_it_holds_a_gold_answer(text: str, answers: tuple[str, ...], accuracy: float) -> None:
    assert answer_scores(said(text), posed(answers=answers))["accuracy"] == accuracy


def test_exact_and_f1_take_the_whole_answer_or_a_quote_of_it() -> None:
    scores = answer_scores(said("At 0:01 the speech says: “the red boat”"), posed(answers=("red boat", "tram")))
    assert (scores["exact"], scores["F1"]) == (1, 1)
    scores = answer_scores(said("red boats and a boat"), posed(answers=("red boat",)))
    assert scores["exact"] == 0
    assert scores["F1"] == pytest.approx(2 * 2 / (4 + 2))


def test_an_abstention_is_neither_right_nor_cited() -> None:
    scores = answer_scores(Given("red boat", abstained=True), posed(answers=("red boat",), spans=(Span(0, 5),)))
    assert scores == {
        "abstained": 1,
        "accuracy": 0,
        "exact": 0,
        "F1": 0,
        "mIoU": 0,
        "IoP": 0,
        "Acc@0.3": 0,
        "Acc@0.5": 0,
    }


def test_a_choice_must_be_right_under_every_rotation() -> None:
    asked = posed(choices=("x", "y"), choice="y", spans=(Span(0, 10),))
    scores = answer_scores(said("", (0, 10), choice="y", turns=("y", "y")), asked)
    assert (scores["accuracy"], scores["Acc@0.5"]) == (1, 1)
    scores = answer_scores(said("", (0, 10), choice="y", turns=("y", "x")), asked)
    assert (scores["accuracy"], scores["Acc@0.5"], scores["mIoU"]) == (0, 0, 1)
    assert answer_scores(said("", choice=None), asked)["accuracy"] == 0


def test_right_counts_with_evidence_that_overlaps_enough() -> None:
    asked = posed(answers=("boat",), spans=(Span(0, 10),))
    scores = answer_scores(said("boat", (0, 4)), asked)
    assert (scores["mIoU"], scores["IoP"], scores["Acc@0.3"], scores["Acc@0.5"]) == (0.4, 1, 1, 0)
    assert answer_scores(said("tram", (0, 10)), asked)["Acc@0.3"] == 0


def test_what_is_cited_of_another_video_counts_against_the_evidence() -> None:
    given_ = Given("boat", abstained=False, evidence=(Found("talk", Span(0, 10)), Found("other", Span(0, 10))))
    scores = answer_scores(given_, posed(answers=("boat",), spans=(Span(0, 10),)))
    assert (scores["mIoU"], scores["IoP"]) == (0.5, 0.5)


def test_each_gold_span_or_all_of_them_may_be_meant() -> None:
    gold = [Span(0, 10), Span(20, 30)]
    assert evidence_overlap([Span(0, 10)], gold) == (1, 1)
    assert evidence_overlap([Span(0, 10), Span(20, 30)], gold) == (1, 1)
    assert evidence_overlap([], gold) == (0, 0)


spans = st.lists(
    st.tuples(st.integers(0, 50), st.integers(1, 20)).map(lambda pair: Span(pair[0], pair[0] + pair[1])), max_size=4
)


@given(spans, spans.filter(bool), st.floats(0, 100))
def test_overlap_is_a_share_and_not_better_for_citing_elsewhere(
    cited: list[Span], gold: list[Span], elsewhere: float
) -> None:
    iou, iop = evidence_overlap(cited, gold, elsewhere_seconds=elsewhere)
    assert 0 <= iou <= iop + 1e-9 <= 1 + 2e-9
    assert iou <= evidence_overlap(cited, gold)[0]
    assert evidence_overlap(gold, gold)[0] == 1


def test_means_are_over_the_questions_that_have_the_metric() -> None:
    means = mean_of_each(
        [{"abstained": 0, "accuracy": 1}, {"abstained": 1, "accuracy": 0}, {"abstained": 0, "mIoU": 1}]
    )
    assert means == {"abstained": pytest.approx(1 / 3, abs=1e-6), "accuracy": 0.5, "mIoU": 1, "accuracy answered": 1}


# -- files -----------------------------------------------------------------------------------------------------------


def test_a_choice_is_its_words_or_its_number(library: Library, tmp_path: Path) -> None:
    line = {"question": "which?", "choices": ["x", "y"]}
    file = write_lines(tmp_path / "q.jsonl", [line | {"choice": "y"}, line | {"choice": 1}])
    assert {one.question.choice for one in load_questions(library, file)} == {"y"}


GOOD = {"question": "which?", "video": "harbour", "choices": ["x", "y"], "choice": 0}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("no json", "not JSON"),
        ("[]", "not an object"),
        (json.dumps(GOOD | {"question": ""}), "empty"),
        (json.dumps(GOOD | {"question": 4}), "no text"),
        (json.dumps(GOOD | {"choice": 2}), "choice 2 is none of 2"),
        (json.dumps(GOOD | {"choice": True}), "choice true"),
        (json.dumps(GOOD | {"choice": "z"}), "none of 2 choices"),
        (json.dumps(GOOD | {"choice": None}), "none of 2 choices"),
        (json.dumps(GOOD | {"choices": ["x"]}), "1 choices"),
        (json.dumps(GOOD | {"choices": ["x", "x"]}), "no two alike"),
        (json.dumps(GOOD | {"choices": "xy"}), "choices is no list"),
        (json.dumps(GOOD | {"choices": ["x", 3]}), "choices is no list"),
        (json.dumps(GOOD | {"spans": [[3, 1]]}), "not before"),
        (json.dumps(GOOD | {"start": 3}), "end is missing"),
        (json.dumps(GOOD | {"video": "habour"}), "habour"),
        (json.dumps(GOOD | {"video": 5}), "no text"),
        (json.dumps({"question": "who?", "video": "harbour"}), "nothing says what is right"),
        (json.dumps({"question": "who?", "answer": [""]}), "answer is no list"),
        (json.dumps({"question": "who?", "start": 0, "end": 5}), "the library holds 2"),
    ],
)
def test_a_bad_line_is_named(library: Library, tmp_path: Path, line: str, says: str) -> None:
    file = tmp_path / "q.jsonl"
    file.write_text(f"{json.dumps(GOOD)}\n\n{line}\n", "utf-8")
    with pytest.raises(UsageError) as caught:
        load_questions(library, file)
    assert "line 3" in str(caught.value)
    assert says in str(caught.value)


def test_a_written_question_is_read_back(library: Library, questions: Path, tmp_path: Path) -> None:
    first = [one.question for one in load_questions(library, questions)]
    again = write_lines(tmp_path / "again.jsonl", [question.to_json() for question in first])
    assert [one.question for one in load_questions(library, again)] == first


# -- runs ------------------------------------------------------------------------------------------------------------


def test_the_embedded_planner_is_asked_and_scored(library: Library, questions: Path) -> None:
    answered = list(answer_all(library, load_questions(library, questions), is_circular=True))
    document = summary_json("planner", answered)
    assert document["metrics"]["accuracy"] == 1
    assert document["metrics"]["IoP"] == 1
    assert document["failed"] == 0
    assert set(document["forms"]) == {"choice", "what_is", "is_mentioned"}
    assert document["kinds"]["yes"]["questions"] == 1
    assert document["cost"]["tool_calls"] > 0
    assert len(answered[0].given.turns) == 2
    assert not (library.catalogue.directory / "traces").exists()


def test_a_model_that_takes_the_first_option_is_found_out(library: Library, questions: Path) -> None:
    """Right as asked, wrong as soon as the options are rotated."""
    asked = load_questions(library, questions)[:1]
    context = library.question_context()
    program = 'hits = search(query="boat")\nanswer(kind="choice", value={!r}, evidence=hits)'
    chat = ScriptedChat(
        lambda system, user: program.format(json.loads(user.rpartition("Choices: ")[2].splitlines()[0])[0])
    )
    first = Asker(library, replace(context, planner=LLMPlanner(chat)))
    assert answer_scores(first(asked[0]), asked[0])["accuracy"] == 1
    rotated = first(asked[0], is_circular=True)
    assert rotated.turns == ("a red boat", "a blue tram")
    assert answer_scores(rotated, asked[0])["accuracy"] == 0
    assert rotated.usage.llm_calls == 2


def test_a_question_that_fails_is_an_abstention_with_its_error(library: Library, tmp_path: Path) -> None:
    line = {"question": "What is said at 0:05?", "answer": "dough"}
    (asked,) = load_questions(library, write_lines(tmp_path / "q.jsonl", [line]))
    (answered,) = answer_all(library, [asked])
    assert answered.given.abstained
    assert "which of 2 videos" in answered.given.error
    assert summary_json("planner", [answered])["failed"] == 1


def test_a_run_is_kept_as_it_goes_and_compares_equal(library: Library, questions: Path, tmp_path: Path) -> None:
    asked = load_questions(library, questions)
    answered: list[Answered] = []
    run = RunFile(tmp_path / "run.jsonl", questions)
    for one in answer_all(library, asked):
        answered.append(one)
        run.write(one)
        assert len((tmp_path / "run.jsonl").read_text().splitlines()) == len(answered)
    run.close()
    earlier = read_run(tmp_path / "run.jsonl")
    comparison = compare_with_run(answered, earlier, tmp_path / "run.jsonl")
    assert comparison.matched == len(asked)
    for name, difference in comparison.differences.items():
        assert (difference.here, difference.low, difference.high) == (difference.there, 0, 0), name
    wrong = [Answered(one.posed, Given("no", abstained=True), one.ms) for one in answered]
    assert compare_with_run(wrong, earlier, tmp_path / "run.jsonl").differences["accuracy"].there == 1
    other = [Answered(posed(answers=("x",)), Given("no", abstained=True), 1.0)]
    with pytest.raises(UsageError, match="none of these 1 questions"):
        compare_with_run(other, earlier, tmp_path / "run.jsonl")


@pytest.mark.parametrize("line", ["{}", '{"question": "q", "video": "v", "evidence": 3}', "nonsense"])
def test_a_bad_line_of_a_run_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "run.jsonl").write_text(line + "\n", "utf-8")
    with pytest.raises(UsageError, match="line 1"):
        read_run(tmp_path / "run.jsonl")


def test_baselines_look_at_no_video() -> None:
    asked = [posed(choices=("x", "a long option"), choice="x"), posed(choices=("x", "y", "zz", "w"), choice="zz")]
    found = choice_baselines(asked, None)
    assert [scores["accuracy"] for scores in found["random"]] == [0.5, 0.25]
    assert [scores["accuracy"] for scores in found["longest"]] == [0, 1]
    assert "blind" not in found
    assert choice_baselines([posed(answers=("x",))], None) == {}
