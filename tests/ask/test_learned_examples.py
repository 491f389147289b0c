"""What fails while it runs is repaired; what was repaired and answered becomes an example that users see and remove."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentvid.config import Settings
from agentvid.errors import NotFound, UsageError
from agentvid.library import Library
from agentvid.models.cassette import Cassette
from agentvid.models.scripted import ScriptedChat
from agentvid.models.scripted_server import ScriptedServer
from agentvid.planners.learned import FILE, learn, with_learned
from agentvid.trace import read_trace

QUESTION = "Before noon, in which scene do we get to hear of the harbour fire?"
GOOD = 'hits = search(query="harbour fire", k=4)\nanswer(kind="when", value=start(first(hits)), evidence=hits)\n'
UNCHECKED = GOOD.replace("search(", "serch(")
#: Checks, and fails while it runs: k goes up to 100.
FAILS = GOOD.replace("k=4", "k=400")
ROWS = [(10, "The harbour fire began at night."), (30, "The mayor spoke about it in the morning.")]

Replies = Callable[..., list[tuple[str, str]]]


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    lines = [
        {"video": "news", "duration": 60, "track": "speech", "start": start, "end": start + 5, "text": text}
        for start, text in ROWS
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, lines)), "utf-8")
    settings = Settings(embed=False, model="openai:scripted", max_asks=1, confident=0.0)
    with Library.open(tmp_path / "library", settings=settings) as opened:
        opened.import_file(tmp_path / "rows.jsonl")
        yield opened


@pytest.fixture
def planning(monkeypatch: pytest.MonkeyPatch) -> Iterator[Replies]:
    """Serve these programs to the planner, in order; gives the (system, user) prompts that asked for them."""
    servers: list[ScriptedServer] = []

    def serve(*programs: str) -> list[tuple[str, str]]:
        left, asked = list(programs), []

        def reply(system: str, user: str) -> str:
            if "You answer questions about videos" in system:
                claims = [{"text": "The harbour fire began at night.", "evidence": ["e1"]}]
                return json.dumps({"claims": claims, "choice": None})
            if "You write short programs" not in system:
                return "{}"
            asked.append((system, user))
            return left.pop(0)

        servers.append(ScriptedServer(ScriptedChat(reply)).__enter__())
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test-not-a-key")
        monkeypatch.setenv("OPENAI_BASE_URL", servers[-1].base_url)
        return asked

    yield serve
    for server in servers:
        server.__exit__()


@pytest.mark.parametrize(
    ("program", "problem"), [(UNCHECKED, "did you mean search?"), (FAILS, "k=400 is not allowed")], ids=["check", "run"]
)
def test_errors_of_both_kinds_go_back_and_the_repaired_program_is_learned(
    library: Library, planning: Replies, program: str, problem: str
) -> None:
    asked = planning(program, GOOD)
    answer = library.ask(QUESTION)
    assert not answer.abstained
    (_, first), (_, second) = asked
    assert "This program was not accepted." not in first
    assert program.strip() in second
    assert problem in second
    assert [one["error"] != "" for one in read_trace(library.catalogue.directory, answer.trace_id)["programs"]] == [
        True,
        False,
    ]
    (form,) = library.examples()
    assert form.id == f"learned-{answer.trace_id}"
    assert form.examples[0].text == "before noon , in which scene do we get to hear of the {x}"
    assert form.program == GOOD.replace('"harbour fire"', "$x")


def test_a_program_is_repaired_three_times_and_no_more(library: Library, planning: Replies) -> None:
    fails = [FAILS.replace("400", str(400 + n)) for n in range(9)]
    asked = planning(*fails)
    answer = library.ask(QUESTION)
    assert len(asked) == 4
    assert "no program worked after 3 repairs" in answer.stopped
    assert library.examples() == []


def test_later_questions_are_shown_what_was_learned(library: Library, planning: Replies) -> None:
    planning(UNCHECKED, GOOD)
    library.ask(QUESTION)
    asked = planning(GOOD.replace("harbour fire", "mayor"))
    library.ask("Before noon, in which scene do we get to hear of the mayor?")
    assert (
        "Question: before noon , in which scene do we get to hear of the {x}\nhits = search(query=$x, k=4)"
        in asked[0][0]
    )


@pytest.mark.parametrize(
    "programs",
    [
        (GOOD,),
        (UNCHECKED, GOOD.replace("harbour fire", "began at night")),
        (UNCHECKED, GOOD.replace("harbour fire", "nobody says this")),
    ],
    ids=["nothing to repair", "words of the video", "no evidence"],
)
def test_nothing_else_is_learned(library: Library, planning: Replies, programs: tuple[str, ...]) -> None:
    planning(*programs)
    library.ask(QUESTION)
    assert library.examples() == []


def test_what_goes_on_with_a_conversation_is_not_learned(library: Library, planning: Replies) -> None:
    planning(GOOD, UNCHECKED, GOOD, UNCHECKED, GOOD)
    library.ask(QUESTION, thread="news")
    assert not library.ask("And when do we hear of the harbour fire again?", thread="news").abstained
    assert library.examples() == []
    library.ask(QUESTION, thread="another")
    assert len(library.examples()) == 1


def test_learning_can_be_switched_off(library: Library, planning: Replies) -> None:
    planning(UNCHECKED, GOOD)
    library.settings = library.settings.model_copy(update={"learn": False})
    library.ask(QUESTION)
    assert library.examples() == []


def test_recordings_and_replays_do_not_depend_on_what_is_learned_later(
    library: Library, planning: Replies, tmp_path: Path
) -> None:
    planning(UNCHECKED, GOOD)
    with Cassette.recording(tmp_path / "calls.jsonl") as cassette:
        recorded = library.ask(QUESTION, cassette=cassette)
    assert library.examples() == []
    planning(UNCHECKED, GOOD, FAILS, GOOD)
    first, second = library.ask(QUESTION), library.ask(QUESTION)
    assert len(library.examples()) == 1
    with Cassette.replaying(tmp_path / "calls.jsonl") as cassette:
        assert library.ask(QUESTION, cassette=cassette).program == recorded.program
    for answer in (first, second):
        assert library.replay(answer.trace_id).is_same


def test_learned_examples_are_removed_by_the_beginning_of_their_id(library: Library) -> None:
    directory = library.catalogue.directory
    for number, about in enumerate(("harbour fire", "old mill")):
        question = f"In which scene, {number} or so, do we get to hear of the {about}?"
        assert learn(directory, f"2026112{number}T000000000-aa", question, (), GOOD.replace("harbour fire", about))
    with pytest.raises(NotFound, match="no learned example 'nosuch'"):
        library.remove_example("nosuch")
    with pytest.raises(UsageError, match="fits 2 examples"):
        library.remove_example("learned-")
    assert library.remove_example("learned-20261120").startswith("learned-20261120T")
    assert len(library.examples()) == 1
    assert len(with_learned(library.bank, directory, before="20261121").forms) == len(library.bank.forms)


def test_a_damaged_file_is_told(library: Library, planning: Replies) -> None:
    (library.catalogue.directory / FILE).write_text("forms: 7", "utf-8")
    planning(GOOD)
    with pytest.raises(UsageError, match=r"examples\.yaml: no list of forms") as caught:
        library.ask(QUESTION)
    assert "examples check" in caught.value.hint
