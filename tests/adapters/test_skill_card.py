"""Tutorials become ordered steps with times; what is no tutorial is not made one."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentvid import Library
from agentvid.adapters.registry import DOOR_TOOLS
from agentvid.adapters.steps import find_steps
from agentvid.config import Settings
from agentvid.models.scripted import ScriptedChat
from agentvid.models.scripted_server import ScriptedServer
from agentvid.types import OCR, SPEECH, Observation, Provenance, Span
from tests.adapters.conftest import BREAD, LECTURE, Row, import_rows

CARD = DOOR_TOOLS["skill_card"]


def rows(*texts: str, track: str = SPEECH, seconds: float = 5.0) -> list[Observation]:
    return [
        Observation(Span(seconds * n, seconds * n + seconds - 1), track, text, Provenance("test"), id=n + 1)
        for n, text in enumerate(texts)
    ]


def test_a_recipe_becomes_its_steps(library: Library) -> None:
    card = CARD.call(library, {"video": "bread"})
    assert card.is_tutorial
    assert card.made_by == "rows"
    assert [(step.number, step.start) for step in card.steps] == [(1, 10), (2, 16), (3, 40), (4, 50), (5, 60)]
    assert "preheat the oven" in card.steps[3].text
    said = {(track, start, end, text) for track, start, end, text in BREAD}
    for step in card.steps:
        assert step.evidence
        for row in step.evidence:
            assert (row.track, row.start, row.end, row.quote) in said
            assert step.start <= row.start < row.end <= step.end


def test_a_lecture_is_no_tutorial_and_gets_no_steps(library: Library) -> None:
    card = CARD.call(library, {"video": "lecture"})
    assert not card.is_tutorial
    assert card.steps == []
    assert card.total == 0
    assert "too few" in card.reason


def test_only_the_part_that_was_asked_for(library: Library) -> None:
    whole = CARD.call(library, {"video": "bread"}).steps
    part = CARD.call(library, {"video": "bread", "start": "0:09", "end": 56}).steps
    assert [step.text for step in part] == [step.text for step in whole[:4]]


def test_steps_that_are_numbered_on_the_screen_are_taken_in_any_language() -> None:
    found = find_steps(
        rows("1. Mehl wiegen", "Schöne Küche", "2. Wasser kochen", "2. Wasser kochen", "3) Rühren", track=OCR)
    )
    assert [step.text for step in found.steps] == ["1. Mehl wiegen", "2. Wasser kochen", "3) Rühren"]
    assert [step.span.start_seconds for step in found.steps] == [0, 10, 20]
    spoken = find_steps(
        rows("So, step one: the flour.", "It is nice.", "Step two is the water.", "And step 3, the salt.")
    )
    assert [step.text for step in spoken.steps] == [
        "step one: the flour.",
        "Step two is the water.",
        "step 3, the salt.",
    ]


def test_the_numbered_parts_of_a_talk_are_no_steps() -> None:
    slides = rows("1. Introduction", "2. Related work", "3. Results", track=OCR)
    talk = [
        replace(row, id=row.id + 100) for row in rows("Welcome to my talk.", "Others did this too.", "It is faster.")
    ]
    assert find_steps([*slides, *talk]).steps == ()
    agenda = [replace(row, span=Span(0, 9)) for row in slides]
    assert find_steps(agenda).steps == ()
    recipe = [replace(row, id=row.id + 100) for row in rows("Weigh the flour.", "Boil the water.", "Stir it well.")]
    assert len(find_steps([*slides, *recipe]).steps) == 3


@pytest.mark.parametrize(
    "text",
    [
        "Click the Add Layer button.",
        "Then I'll choose the third swatch.",
        "So now we're just going to pour it over the chicken.",
        "To do that, choose File, Save As.",
        "If it's covering your image, you can drag it away.",
        "You want to make sure to press both buttons.",
        "Go ahead and stir it up.",
        "Now go up to the Image menu.",
        "Next, let's open the second picture.",
        "First of all, wash your hands.",
    ],
)
def test_what_people_say_when_they_tell_what_to_do(text: str) -> None:
    told = rows(text, "This is nice.", "First, add salt.", "That is it.", "Then stir it well.", "Finally, serve it.")
    assert text in [step.text for step in find_steps(told).steps]


@pytest.mark.parametrize(
    "text",
    [
        "The company opened a new office.",
        "Why would you click there?",
        "He said that adding salt is wrong.",
        "It was a cold day in the north.",
        "We have been friends for years.",
        "The cut is clean.",
    ],
)
def test_what_only_tells_of_something(text: str) -> None:
    told = rows(text, "First, add salt.", "That is it.", "Then stir it well.", "Nice.", "Finally, serve it.")
    assert all(text not in step.text for step in find_steps(told).steps)


def test_sentences_that_subtitles_cut_are_put_together() -> None:
    cut = rows("First, add the", "salt to the water.", "Then stir", "it well.", "Finally,", "serve it warm.")
    found = find_steps(cut).steps
    assert [step.text for step in found] == [
        "First, add the salt to the water.",
        "Then stir it well.",
        "Finally, serve it warm.",
    ]
    assert [step.span for step in found] == [Span(0, 9), Span(10, 19), Span(20, 29)]


def test_hostile_rows_take_no_time_and_break_nothing() -> None:
    random.seed(1)
    words = [
        "then",
        "you",
        "step",
        "1.",
        ",",
        "i'll",
        "add",
        "?",
        "first",
        "\u200b",
        "step 99999999999999999999",
        "②",
        "٣.",
    ]
    for _ in range(200):
        texts = [" ".join(random.choices(words, k=300)) for _ in range(4)]
        find_steps(rows(*texts))
        find_steps(rows(*texts, track=OCR))
    assert find_steps([]).steps == ()


class Writer:
    """A model that replies by rule, and what it was shown."""

    def __init__(self, reply: Callable[[str], str]) -> None:
        self.prompts: list[str] = []
        self._reply, self._lock = reply, threading.Lock()

    def __call__(self, system: str, user: str) -> str:
        with self._lock:
            self.prompts.append(user)
        return self._reply(user)


def written(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    reply: Callable[[str], str],
    texts: list[Row],
    *pages: dict[str, Any],
) -> tuple[list[Any], Writer]:
    """The cards that a model writes, one for each page asked for."""
    writer = Writer(reply)
    with ScriptedServer(ScriptedChat(writer)) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "none")
        settings = Settings(embed=False, model=f"openai:{tmp_path.name}")
        with Library.open(tmp_path / "library", settings=settings) as library:
            import_rows(library, {"v": texts})
            cards = [CARD.call(library, {"video": "v"} | page) for page in pages or ({},)]
    return cards, writer


def test_a_model_writes_the_steps_and_they_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = [
        {"text": "1. Mix flour and water.", "rows": [3]},
        {"text": "Add the salt.", "rows": [5]},
        {"text": "Add two kilos of sugar and caramel.", "rows": [5]},
        {"text": "Knead the dough.", "rows": [999]},
    ]
    (card,), writer = written(tmp_path, monkeypatch, lambda _: f"Here: {json.dumps({'steps': steps})}", BREAD)
    assert card.made_by.startswith("openai:")
    assert [(step.text, step.start, step.end) for step in card.steps] == [
        ("Mix flour and water.", 10, 15),
        ("Add the salt.", 16, 20),
    ]
    assert card.steps[1].evidence[0].quote == "Then add the salt."
    assert any("2 steps were left out" in note for note in card.notes)
    assert '"Then add the salt."' in writer.prompts[0]


def test_a_model_that_says_there_are_none_is_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (card,), _ = written(tmp_path, monkeypatch, lambda _: '{"steps": []}', BREAD)
    assert not card.is_tutorial
    assert card.steps == []


def test_a_model_that_talks_nonsense_leaves_the_steps_to_the_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (card,), writer = written(tmp_path, monkeypatch, lambda _: "I would love to help!", BREAD)
    assert card.made_by == "rows"
    assert len(card.steps) == 5
    assert any("replied" in note for note in card.notes)
    assert len(writer.prompts) == 2


def test_pages_of_a_written_card_ask_the_model_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts: list[Row] = [
        ("speech", 5.0 * n, 5.0 * n + 4, f"Part {n}: add the salt to bowl {n} and stir it. " + "Slowly. " * 20)
        for n in range(30)
    ]
    steps = [{"text": f"Add salt to bowl {n} and stir.", "rows": [n + 1]} for n in range(30)]
    reply = json.dumps({"steps": steps})
    (first,), writer = written(tmp_path, monkeypatch, lambda _: reply, texts, {"max_tokens": 1_000})
    assert first.next_cursor
    pages = [{"max_tokens": 1_000}, {"max_tokens": 1_000, "cursor": first.next_cursor}]
    again, writer_again = written(tmp_path, monkeypatch, lambda _: reply, texts, *pages)
    assert len(writer.prompts) + len(writer_again.prompts) == 1
    assert again[0] == first
    assert again[1].steps[0].number == len(first.steps) + 1


def test_a_lecture_row_is_never_quoted_as_a_step(library: Library) -> None:
    text = CARD.call(library, {"video": "bread"}).model_dump_json()
    assert all(line not in text for *_, line in LECTURE)
