"""Yes or no by what rows state: one that denies it, or only asks it, is no "yes"."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from agentvid.graph import AskContext, ask
from agentvid.indexes.catalogue import Catalogue

ContextFor = Callable[..., AskContext]
WALK = [
    ("speech", 0, 4, "The sky is not green today."),
    ("speech", 10, 14, "Is the lake frozen?"),
    ("speech", 20, 24, "I don't know why, but the bridge is closed."),
    ("speech", 30, 34, "How did the boat sink? Nobody saw it."),
    ("caption", 40, 44, "There is no sign of any bear in the forest."),
    ("speech", 50, 54, "The ferry is late."),
    ("speech", 60, 64, "The ferry is not late at all."),
    ("speech", 70, 74, "Bake it at 230 degrees."),
    ("speech", 80, 84, "My dog never barks."),
    ("ocr", 90, 94, "Have you seen the lighthouse?"),
]


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory, import_video: Callable[..., None]) -> Iterator[Catalogue]:
    folder = tmp_path_factory.mktemp("walk")
    with Catalogue.open(folder / "library") as opened:
        import_video(opened, folder / "rows.jsonl", {"walk.mp4": WALK})
        yield opened


@pytest.mark.parametrize(
    ("question", "start"),
    [
        ("Is the sky green?", "No: at 0:00-0:04 the speech says: “The sky is not green today.”"),
        ("Is it true that the sky is not green?", "Yes: at 0:00"),
        ("Is the bridge closed?", "Yes: at 0:20"),
        ("Is there a bear in the forest?", "No: at 0:40"),
        ("Is there no bear in the forest?", "Yes: at 0:40"),
        ("Does the dog never bark?", "Yes: at 1:20"),
        ("Does the dog bark?", "No: at 1:20"),
        ("Is the lighthouse mentioned?", "Yes: at 1:30"),
        ("Is the sky mentioned?", "Yes: at 0:00"),
        ("Is the sky never mentioned?", "No: at 0:00"),
    ],
)
def test_a_row_that_denies_it_turns_the_answer(
    context_for: ContextFor, walk: Catalogue, question: str, start: str
) -> None:
    assert ask(question, context_for(of=walk)).text.startswith(start)


@pytest.mark.parametrize("question", ["Is the lake frozen?", "Did the boat sink?"])
def test_what_is_only_asked_is_neither_affirmed_nor_denied(
    context_for: ContextFor, walk: Catalogue, question: str
) -> None:
    answer = ask(question, context_for(of=walk))
    assert answer.abstained
    assert "no row says so" in answer.text


def test_rows_that_contradict_each_other_are_both_told(context_for: ContextFor, walk: Catalogue) -> None:
    answer = ask("Is the ferry late?", context_for(of=walk))
    assert answer.text.startswith("Yes: at 0:50-0:54 the speech says: “The ferry is late.”")
    assert "But at 1:00-1:04 the speech says: “The ferry is not late at all.”" in answer.text
    assert answer.confidence <= 0.5
