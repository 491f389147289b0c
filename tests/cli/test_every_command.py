"""Promises of all commands, also of later ones: examples that run, one JSON document, no colours off a terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentvid.cli.reference import Described, described

COMMANDS = [one for one in described() if one.runs]
#: They run until somebody stops them, or open a window: their examples are parsed and not run.
STAYING = {"chat", "serve", "mcp", "play", "watch"}
#: Exit codes beside 0 that are the command's own verdict on what an example finds here.
VERDICTS = {"agentvid doctor sync": {3}, "agentvid examples refine": {3}}
SLOW = ("eval retrieval", "eval qa", "eval ground", "eval calibration", "examples refine")
ANSI = re.compile("[\x1b\x9b]")


def examples(*, without: tuple[str, ...] = ()) -> list[Any]:
    """Every example that can be run, but those of commands that begin so."""
    return [
        pytest.param(one, line, id=line.removeprefix("agentvid "))
        for one in COMMANDS
        for line in one.examples
        if one.words[1] not in STAYING and not one.name.startswith(tuple(f"agentvid {name}" for name in without))
    ]


@pytest.mark.parametrize("one", COMMANDS, ids=lambda one: one.name)
def test_every_command_shows_an_example_of_itself(one: Described, arguments_of: Callable[..., Any]) -> None:
    assert one.examples, f"the help of `{one.name}` has no line that begins with `Example: `"
    for line in one.examples:
        arguments, _ = arguments_of(line)
        words = [word for word in arguments if word in one.words]
        assert words[: len(one.words) - 1] == list(one.words[1:]), line


@pytest.mark.parametrize("one", COMMANDS, ids=lambda one: one.name)
def test_every_example_begins_a_line_of_the_help(one: Described) -> None:
    shown = [line for line in one.help.splitlines() if line.strip().startswith("Example: ")]
    assert len(shown) == len(one.examples)


@pytest.mark.parametrize("one", COMMANDS, ids=lambda one: one.name)
def test_every_command_prints_json_if_asked(one: Described) -> None:
    assert one.words[1] in STAYING or "--json" in one.options


@pytest.mark.parametrize("one", [one for one in COMMANDS if one.words[1] in STAYING], ids=lambda one: one.name)
def test_examples_of_commands_that_stay_are_parsed(one: Described, arguments_of: Callable[..., Any]) -> None:
    for line in one.examples:
        arguments, _ = arguments_of(line)
        rest = arguments[arguments.index(one.words[1]) + len(one.words) - 1 :]
        one.command.make_context(one.words[-1], rest)


@pytest.mark.parametrize(("one", "line"), examples())
def test_every_example_does_what_it_says(one: Described, line: str, run_line: Callable[..., Any]) -> None:
    finished = run_line(line)
    assert finished.code in {0, *VERDICTS.get(one.name, ())}, finished.stderr
    assert not ANSI.search(finished.stdout + finished.stderr)


# Without slow ones, whose documents other tests read.
@pytest.mark.parametrize(
    ("one", "line"),
    examples(without=SLOW),
)
def test_json_is_one_document_whatever_is_found(one: Described, line: str, run_line: Callable[..., Any]) -> None:
    as_json = [] if "--json" in line else ["--json"]
    finished = run_line(line, *as_json)
    assert finished.code in {0, *VERDICTS.get(one.name, ())}, finished.stderr
    assert isinstance(json.loads(finished.stdout), dict)
    assert finished.stdout.isascii()


@pytest.mark.parametrize(("one", "line"), examples(without=("index", "import")))
def test_without_a_library_stdout_is_empty_or_one_document(
    one: Described, line: str, run_line: Callable[..., Any], shelf: Path
) -> None:
    """Errors go to stderr, one line each; who reads stdout gets a document or nothing."""
    for name in ("library", "films"):
        (shelf / name).rename(shelf / f"no-{name}")
    finished = run_line(line, *([] if "--json" in line else ["--json"]))
    if finished.stdout:
        assert isinstance(json.loads(finished.stdout), dict)
    else:
        assert finished.code in {1, 2, 3}
        assert finished.stderr.startswith("agentvid: "), finished.stderr
        assert finished.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["serch"], "'serch' is no command of `agentvid`; near: search"),
        (["trace", "shw"], "'shw' is no command of `agentvid trace`; near: show"),
        (["search", "x", "--jsn"], "'--jsn' is no option of `agentvid search`; near: --json"),
        (["import", "x", "--no-embd"], "near: --no-embed"),
        (["search", "x", "-k", "many"], "-k = 'many' is not allowed; allowed: a whole number"),
        (["ask", "x", "--max-money", "much"], "--max-money = 'much' is not allowed; allowed: a number"),
        (["trace", "ls", "-n", "0"], "-n = '0' is not allowed; allowed: 1 or more"),
        (["eval", "qa", "q", "--part", "x"], "--part = 'x' is not allowed; allowed: dev, test, all"),
        (["search", "red", "boat"], "'boat' is more than `agentvid search` takes"),
        (["search", "x", "-k"], "'-k' needs a value"),
        (["show"], "VIDEO is missing"),
    ],
)
def test_a_wrong_command_line_is_one_line_with_the_value_and_the_way_out(
    arguments: list[str], says: str, run_in: Callable[..., Any], tmp_path: Path
) -> None:
    finished = run_in(arguments, folder=tmp_path)
    assert finished.code == 2
    assert says in finished.stderr
    assert "--help` shows how" in finished.stderr
    assert (finished.stdout, finished.stderr.count("\n")) == ("", 1)


def test_a_damaged_backup_is_refused_in_one_line(run_line: Callable[..., Any], shelf: Path) -> None:
    file = shelf / "films.backup"
    file.write_bytes(file.read_bytes()[:-100])
    finished = run_line("agentvid restore films.backup --library again")
    assert (finished.code, finished.stdout, finished.stderr.count("\n")) == (1, "", 1)
    assert "films.backup is no whole backup" in finished.stderr
    assert not (shelf / "again").exists()
