"""The line of live steps, on a real pseudo-terminal and in a pipe."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import termios
from collections.abc import Sequence
from io import StringIO

import pytest

from agentvid.cli.steps import Steps, step_text
from agentvid.events import Event, stage, token
from tests.terminals import END, read_to_end

CALL: Event = {
    "event": "tool", "node": "execute", "detail": "search(bread, 8): 5 found", "step": 2, "tool": "search",
    "arguments": {"query": "bread", "k": 8}, "seconds": 0.0123, "found": 5,
}  # fmt: skip


def shown(events: Sequence[Event], *, columns: int = 60) -> str:
    """What a terminal of so many columns gets."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 20, columns, 0, 0))
    with os.fdopen(theirs, "w", encoding="utf-8") as terminal:
        with Steps(terminal) as steps:
            for event in events:
                steps.show(event)
            steps.clear()
        os.write(theirs, END)
        got = read_to_end(ours)
    os.close(ours)
    return got.decode()


def lines(got: str) -> list[str]:
    """The texts that stood there one after the other."""
    return [line.replace("\x1b[2m", "").replace("\x1b[0m", "") for line in got.split("\r\x1b[K")[1:]]


def test_one_line_is_overwritten_and_taken_away() -> None:
    got = shown([stage("start", "2 videos, 4:00"), CALL])
    assert lines(got) == ["start: 2 videos, 4:00", "step 2: search(bread, 8): 5 found (0.01 s)", "", ""]
    assert "\n" not in got


@pytest.mark.parametrize("columns", [1, 2, 20, 200])
def test_it_never_wraps(columns: int) -> None:
    wide = "水" * 300
    for event in (stage("plan", wide), stage("plan", "x" * 300), token("y" * 300), token(wide)):
        for line in lines(shown([event], columns=columns)):
            assert sum(2 if letter == "水" else 1 for letter in line) < columns


def test_words_of_a_model_run_on_and_their_end_is_seen() -> None:
    got = lines(
        shown([token("Rubisco captures"), token(" carbon"), token(" dioxide."), stage("cite", "x")], columns=24)
    )
    said = ("Rubisco captures", "Rubisco captures carbon", "Rubisco captures carbon dioxide.")
    assert got == [*(text[-23:] for text in said), "cite: x", "", ""]


def test_a_terminal_obeys_no_word_of_a_video() -> None:
    got = lines(shown([stage("note", "a\x1b]0;owned\x07\x1b[2J\n\rb\u202e")]))[0]
    assert not set(got) & set("\x1b\x07\n\r\u202e")


def test_no_colour_is_no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[2m" not in shown([CALL])


def test_nothing_in_a_pipe() -> None:
    with Steps(pipe := StringIO()) as steps:
        steps.show(CALL)
        assert not steps.are_seen
    assert pipe.getvalue() == ""


def test_nothing_where_a_line_cannot_be_overwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal, Steps(terminal) as steps:
        steps.show(CALL)
        assert not steps.are_seen
    os.close(ours)


def test_every_event_has_a_line() -> None:
    assert step_text(stage("check", "again: no evidence")) == "check: again: no evidence"
    assert step_text(CALL) == "step 2: search(bread, 8): 5 found (0.01 s)"
