"""Refining examples raises success on questions that made none of them, with a model and without one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from agentvid.config import Settings
from agentvid.evaluate.needles import make_needles, write_text
from agentvid.evaluate.questions import Posed, load_questions
from agentvid.evaluate.refine import Refined, halves, refine, write_bank
from agentvid.library import Library
from agentvid.models.scripted import ScriptedChat
from agentvid.models.scripted_server import ScriptedServer
from agentvid.planners.example_files import read_examples

COLOURS = (
    "amber",
    "bronze",
    "copper",
    "crimson",
    "indigo",
    "ivory",
    "lilac",
    "maroon",
    "ochre",
    "olive",
    "pearl",
    "ruby",
)
ASKED = "On how many occasions does the {} signal turn up?"
_EXAMPLE = re.compile(r"Question: on how many occasions does the \{x\} turn up\n(.*?)(?:\n\n|$)", re.DOTALL)


def count_of(colour: str) -> int:
    """3 to 6 times: never as often as the wrong program counts at most."""
    return 3 + COLOURS.index(colour) % 4


class Pupil:
    """A model that follows an example if its prompt holds the right one, and else makes mistakes of three kinds.

    Its first program fails while it runs, the repaired one runs and counts no more than two; only told that its answer
    is wrong it finds the right way, or, as a cheat, writes the right answer down.
    """

    def __init__(self, *, is_cheat: bool = False) -> None:
        self.is_cheat = is_cheat
        self.programs: list[str] = []

    def __call__(self, system: str, user: str) -> str:
        if "You answer questions about videos" in system:
            computed = re.search(r'^Computed result: "(\d)"', user, re.MULTILINE)
            (said,) = re.findall(r"^e1 .*?(Once more the \w+ signal is given\.)", user, re.MULTILINE)
            claims = [{"text": said, "evidence": ["e1"]}]
            return json.dumps({"claims": claims, "choice": computed[1] if computed else None})
        if "You write short programs" not in system:
            return "{}"
        program = self._program(system, user)
        self.programs.append(program)
        return program

    def _program(self, system: str, user: str) -> str:
        phrase = re.findall(r"^Question: On how many occasions does the (.+) turn up\?", user, re.MULTILINE)[-1]
        choices = re.findall(r"^Choices: (.+)$", user, re.MULTILINE)[-1]
        if example := _EXAMPLE.search(system):
            program = example[1].replace("$choices", choices).replace("$x_exact", json.dumps(f'"{phrase}"'))
            return program.replace("$x", json.dumps(phrase))
        wrong = re.search(r"answer is wrong.*?the answer '(\d)'", user, re.DOTALL)
        if wrong and self.is_cheat:
            return f'answer(kind="choice", value="{wrong[1]}", evidence=search(query="{phrase}"))'
        k = 2 if "This program was not accepted" in user else 500
        found = f"""list_all(query='"{phrase}"')""" if wrong else f'search(query="{phrase}", k={k})'
        return (
            f"options = {choices}\nhits = {found}\n"
            "best = argmin(options, values=[abs(number_in(o) - count(hits)) for o in options])\n"
            'answer(kind="choice", value=best, evidence=hits)'
        )


@pytest.fixture
def posed_in(tmp_path: Path) -> Iterator[Callable[[Settings], tuple[Library, list[Posed]]]]:
    """A library in which twelve signals are given, and a question about each of them."""
    said = [f"Once more the {colour} signal is given." for colour in COLOURS for _ in range(count_of(colour))]
    rows = [
        {"video": "signals", "duration": 3600, "track": "speech", "start": 60 * at, "end": 60 * at + 5, "text": text}
        for at, text in enumerate(said)
    ]
    questions = [
        {"question": ASKED.format(colour), "choices": ["3", "4", "5", "6", "2"], "choice": str(count_of(colour))}
        for colour in COLOURS
    ]
    for name, lines in (("rows", rows), ("questions", questions)):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, lines)), "utf-8")
    opened = []

    def make(settings: Settings) -> tuple[Library, list[Posed]]:
        library = Library.open(tmp_path / "library", settings=settings)
        opened.append(library)
        library.import_file(tmp_path / "rows.jsonl")
        return library, load_questions(library, tmp_path / "questions.jsonl")

    yield make
    for library in opened:
        library.close()


PosedIn = Callable[[Settings], tuple[Library, list[Posed]]]


@pytest.fixture
def taught(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Pupil], None]]:
    servers: list[ScriptedServer] = []

    def serve(pupil: Pupil) -> None:
        server = ScriptedServer(ScriptedChat(pupil)).__enter__()
        servers.append(server)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test-not-a-key")
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)

    yield serve
    for server in servers:
        server.__exit__()


MODEL = Settings(embed=False, model="openai:pupil", max_asks=1)


def share(refined: Refined) -> tuple[float, float]:
    half = refined.held_out
    return half.before / half.questions, half.after / half.questions


def test_a_model_learns_from_half_of_the_questions_to_answer_the_other(
    posed_in: PosedIn, taught: Callable[[Pupil], None], tmp_path: Path
) -> None:
    pupil = Pupil()
    taught(pupil)
    library, posed = posed_in(MODEL)
    refined = refine(library, posed)
    assert share(refined) == (0.0, 1.0)
    assert (refined.refining.before, refined.refining.after, len(refined.kept)) == (0, 6, 1)
    # One question is enough to learn from: the five others that ask alike are answered by its example.
    assert sum("k=500" in program for program in pupil.programs) >= 6 + 6 + 1
    (form,) = refined.kept
    assert form.examples[0].text == "on how many occasions does the {x} turn up"
    assert "list_all(query=$x_exact)" in form.program

    write_bank(tmp_path / "bank.yaml", [], refined)
    assert read_examples(tmp_path / "bank.yaml") == [form]
    after, _ = posed_in(MODEL.model_copy(update={"examples": str(tmp_path / "bank.yaml")}))
    del pupil.programs[:]
    answer = after.ask(posed[0].question.question, choices=posed[0].question.choices)
    assert answer.choice == posed[0].question.choice
    assert len(pupil.programs) == 1


def test_what_only_knows_the_answer_is_not_kept(posed_in: PosedIn, taught: Callable[[Pupil], None]) -> None:
    taught(Pupil(is_cheat=True))
    library, posed = posed_in(MODEL)
    refined = refine(library, posed)
    assert (refined.kept, share(refined), refined.tried) == ((), (0.0, 0.0), 6)


def test_without_a_model_other_forms_are_tried(tmp_path: Path) -> None:
    document = write_text(make_needles(hours=0.3, each=8, seed=2, is_reworded=True), tmp_path)
    with Library.open(tmp_path / "library", settings=Settings(embed=False)) as library:
        library.import_file(Path(document["file"]))
        posed = load_questions(library, Path(document["questions_file"]))
        refined = refine(library, posed)
    before, after = share(refined)
    assert before < 0.7
    assert after >= 0.9
    assert {form.family for form in refined.kept} == {"refined"}


def test_what_is_right_already_is_left_as_it_is(tmp_path: Path) -> None:
    document = write_text(make_needles(hours=0.2, each=4, seed=2), tmp_path)
    with Library.open(tmp_path / "library", settings=Settings(embed=False)) as library:
        library.import_file(Path(document["file"]))
        refined = refine(library, load_questions(library, Path(document["questions_file"])))
    assert (refined.tried, refined.kept) == (0, ())
    assert refined.held_out.before == refined.held_out.after == refined.held_out.questions


def test_the_halves_are_even_apart_and_always_the_same(posed_in: PosedIn) -> None:
    _, posed = posed_in(Settings(embed=False))
    first, second = halves(posed)
    assert (len(first), len(second)) == (6, 6)
    assert halves(posed[::-1]) == (first, second)
    assert {one.question.question for one in first}.isdisjoint(one.question.question for one in second)


def test_needles_in_other_words_ask_for_the_same() -> None:
    plain, reworded = (make_needles(hours=0.5, each=5, is_shown=True, is_reworded=flag) for flag in (False, True))

    def gold(questions: Sequence[object]) -> list[object]:
        return [(one.choice, one.choices, one.spans, one.kind) for one in questions]  # type: ignore[attr-defined]

    assert gold(plain.questions) == gold(reworded.questions)
    assert (plain.said, plain.pictures) == (reworded.said, reworded.pictures)
    assert {q.question for q in plain.questions}.isdisjoint(q.question for q in reworded.questions)
