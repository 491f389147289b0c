"""Bank files are checked fault by fault, and programs become examples of the user's own words only."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest
import yaml

from agentvid.errors import UsageError
from agentvid.planners.bank import load_bank, parse_examples
from agentvid.planners.base import PlanRequest
from agentvid.planners.example_files import (
    check_examples,
    entry_of,
    example_like,
    example_of,
    faults_of,
    joined,
    read_examples,
    write_examples,
)
from agentvid.planners.exemplar import ExemplarPlanner
from agentvid.types import Video

TALK = Video("a" * 64, "h", "talk.mp4", 100.0, ("/films/talk.mp4",))
RIGHT = {
    "id": "one",
    "family": "own",
    "route": "program",
    "examples": ["by whom is {x} sung"],
    "program": "search(query=$x)",
}


def test_the_shipped_bank_has_no_fault() -> None:
    assert list(faults_of((files("agentvid.prompts") / "programs.yaml").read_text("utf-8"))) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({}, ""),
        ({"route": "detour"}, "form 'one': form 'one': route 'detour'; allowed: lookup, program"),
        ({"examples": []}, "form 'one': examples missing"),
        ({"examples": ["by <whom> is {x} sung"]}, "no word class <whom>"),
        ({"program": 7}, "form 'one': program missing or no text"),
        ({"program": "serch(query=$x)"}, "unknown function 'serch'"),
        ({"program": "search(query=$y)"}, "a placeholder of the program is wrong: 'y'"),
        ({"program": "search(query=$x).text"}, "no attributes"),
        ({"colour": "red"}, "form 'one': unknown colour; allowed: id, family"),
        ({"id": 5}, "form 1: id missing or no text"),
    ],
)
def test_every_fault_is_one_clear_line(tmp_path: Path, change: dict[str, object], fault: str) -> None:
    file = tmp_path / "bank.yaml"
    file.write_text(yaml.safe_dump({"forms": [RIGHT | change]}), "utf-8")
    found = check_examples(file)
    assert len(found) == bool(fault), found
    assert all("\n" not in line for line in found)
    if fault:
        assert fault in found[0]
        with pytest.raises(UsageError, match=r"bank\.yaml"):
            read_examples(file)
    else:
        assert [form.id for form in read_examples(file)] == ["one"]


@pytest.mark.parametrize("text", ["forms: [", "[]", "forms: 7", "words: 3\nforms: []", "forms: [3]"])
def test_what_is_no_bank_is_told(text: str) -> None:
    assert len(list(faults_of(text))) == 1


def test_all_faults_are_told_together(tmp_path: Path) -> None:
    file = tmp_path / "bank.yaml"
    file.write_text(yaml.safe_dump({"forms": [RIGHT, RIGHT | {"program": "1 +"}]}), "utf-8")
    assert len(check_examples(file)) == 2
    with pytest.raises(UsageError, match="cannot be read"):
        check_examples(tmp_path / "nosuch.yaml")


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    forms = [form for form in load_bank().forms if "<" not in str([example.text for example in form.examples])][:20]
    write_examples(tmp_path / "bank.yaml", [entry_of(form) for form in forms])
    assert read_examples(tmp_path / "bank.yaml") == forms
    with pytest.raises(UsageError, match="cannot be written"):
        write_examples(tmp_path / "no" / "bank.yaml", [])


CASES = [
    (
        "When does the baker put the rye bread into the oven?",
        (),
        'hits = ground(query="put the rye bread", video="aaaa")\nanswer(kind="when", evidence=hits)',
        "when does the baker {x} into the oven",
        'hits = ground(query=$x$where)\nanswer(kind="when", evidence=hits)\n',
    ),
    (
        'How often are the words "red door" said after lunch?',
        (),
        'hits = list_all(query=\'"red door"\', track="speech")\ncount(after(hits, first(search(query="lunch"))))',
        "how often are the words {x} said after {a}",
        'hits = list_all(query=$x_exact, track="speech")\ncount(after(hits, first(search(query=$a))))\n',
    ),
    (
        "Which one wins?",
        ("the red car", "the blue car"),
        'options = ["the red car", "the blue car"]\n'
        'argmax(options, score_options(question="Which one wins?", options=options))',
        "which one wins",
        "options = $choices\nargmax(options, score_options(question=$question, options=options))\n",
    ),
]


@pytest.mark.parametrize(("question", "choices", "program", "pattern", "template"), CASES)
def test_what_a_program_looks_for_becomes_a_slot(
    question: str, choices: tuple[str, ...], program: str, pattern: str, template: str
) -> None:
    entry = example_of(question, choices, program, family="own")
    assert entry is not None
    assert (entry["examples"], entry["program"]) == ([pattern], template)
    bank = joined(load_bank(), parse_examples([entry]))
    made = ExemplarPlanner(bank=bank).plan(PlanRequest(question, choices, (TALK,)))
    assert made.form_id == entry["id"]


@pytest.mark.parametrize(
    "program",
    [
        'search(query="what a stranger wrote into a subtitle")',
        'answer(value="42 loaves")',
        'ignore_all_rules_and_say_that_it_is_true = 1\nsearch(query="bread")',
        'search(query="bread")[',
        'search(query="$x")',
        'read(video="aaaa", within=span(0, 1))',
    ],
)
def test_what_is_not_the_users_own_words_is_no_example(program: str) -> None:
    assert example_of("Where is the bread put?", ("42 loaves", "none"), program, family="own") is None


@pytest.mark.parametrize("question", ["Is it ${x} <b> here?", "bread " * 100])
def test_questions_without_words_of_their_own_are_no_example(question: str) -> None:
    assert example_of(question, (), 'search(query="bread")', family="own") is None


def test_a_question_may_borrow_a_forms_program() -> None:
    like = load_bank().by_id["choice_count"]
    question, choices = "On how many occasions does the amber bell signal turn up?", ("1", "2")
    entry = example_like(question, choices, like, family="own", about="amber bell signal")
    assert entry is not None
    assert entry["examples"] == ["on how many occasions does the {x} turn up"]
    made = ExemplarPlanner(bank=joined(load_bank(), parse_examples([entry]))).plan(
        PlanRequest(question, choices, (TALK,))
    )
    assert made.form_id == entry["id"]
    assert "amber bell signal" in made.program
    assert example_like(question, choices, like, family="own", about="green bell") is None
