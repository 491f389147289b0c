"""A mistyped word is searched as the library's, and whoever asked is told, at the command line and in its JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentvid.library import Library
from tests.commands import agentvid, import_lines

LINES = [
    ("lecture", 90, "speech", 2, 6, "Photosynthesis makes sugar out of light."),
    ("lecture", 90, "speech", 40, 45, "The Calvin cycle comes after photosynthesis."),
    ("lecture", 90, "speech", 60, 65, "Its enzyme is rubisco."),
    ("lecture", 90, "ocr", 70, 80, "HARB0UR"),
]
TOLD = "photosyntesis: searched as photosynthesis"


@pytest.fixture(autouse=True)
def _imported(tmp_path: Path) -> None:
    import_lines(tmp_path / "rows.jsonl", LINES)


@pytest.fixture
def library(_imported: None) -> Iterator[Library]:
    with Library.open() as opened:
        yield opened


@pytest.mark.parametrize("flags", [(), ("--explain",)])
def test_search_finds_and_tells(flags: tuple[str, ...]) -> None:
    code, out, err = agentvid("search", "photosyntesis", *flags)
    assert code == 0
    assert "0:02-0:06" in out
    assert TOLD in err
    document = json.loads(agentvid("search", "photosyntesis", "--json", *flags)[1])
    assert document["query"] == "photosyntesis"
    assert document["spelling"] == {"photosyntesis": "photosynthesis"}


def test_search_says_nothing_where_nothing_is_respelt() -> None:
    for query in ("photosynthesis", '"photosyntesis" rubisco'):
        _, out, err = agentvid("search", query, "--json")
        assert json.loads(out)["spelling"] == {}
        assert "searched as" not in err
    assert agentvid("search", '"photosyntesis"')[0] == 3


def test_batches_tell_it_line_by_line(tmp_path: Path) -> None:
    file = tmp_path / "queries.jsonl"
    file.write_text('{"query": "rubsico"}\n{"query": "rubisco"}\n', "utf-8")
    lines = [json.loads(line) for line in agentvid("search", "--batch", str(file))[1].splitlines()]
    assert [line["spelling"] for line in lines] == [{"rubsico": "rubisco"}, {}]
    assert lines[0]["hits"] == lines[1]["hits"]


@pytest.mark.parametrize("tool", ["search", "ground", "list_all", "count_all"])
def test_every_tool_reads_it_alike(library: Library, tool: str) -> None:
    wrong, right = (library.run_program(f'{tool}(query="{word}")') for word in ("photosyntesis", "photosynthesis"))
    assert wrong.value == right.value
    assert TOLD in wrong.notes
    assert TOLD not in right.notes


def test_a_misreading_on_screen_is_listed(library: Library) -> None:
    run = library.run_program('list_all(query="harbour")')
    assert [row["text"] for row in run.to_json()["value"]] == ["HARB0UR"]
    assert "harbour: searched as harb0ur" in run.notes


def test_ask_answers_and_tells_how_it_read_the_question(library: Library) -> None:
    wrong, right = (library.ask(f"When is {word} mentioned?") for word in ("photosyntesis", "photosynthesis"))
    assert TOLD in wrong.understood
    assert right.understood == ""
    assert not wrong.abstained
    assert wrong.text == right.text
    assert [one.span for one in wrong.evidence] == [one.span for one in right.evidence]
    assert wrong.question == "When is photosyntesis mentioned?"


def test_ask_tells_what_was_misread_on_screen(library: Library) -> None:
    answer = library.ask("When is harbour shown on screen?")
    assert "harbour: searched as harb0ur" in answer.understood
    assert [one.quote for one in answer.evidence] == ["HARB0UR"]


def test_how_many_counts_the_word_that_was_meant(library: Library) -> None:
    answer = library.ask("How many times is photosyntesis mentioned?")
    assert "2" in answer.text or "twice" in answer.text
