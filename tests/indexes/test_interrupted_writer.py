"""Ctrl-C between any two lines of a transaction: all of it or nothing is stored, and the process can go on writing.

Interactive users keep the exception and its frames, so that nothing is cleaned up by being forgotten.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from agentvid.indexes import schema
from agentvid.indexes.store import Store

GENERATIONS = 10


def write(store: Store) -> None:
    """One transaction, which adds to the number of generations once more than every transaction does."""
    with store.writing() as connection:
        connection.execute(schema.library.update().values(generation=schema.library.c.generation + GENERATIONS))


def generation(store: Store) -> int:
    with store.reading() as connection:
        return int(connection.execute(schema.library.select()).one().generation)


class Interrupter:
    """Raises KeyboardInterrupt before the line with this number of all that run; `lines` are the files of those."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.lines: list[str] = []

    def __call__(self, frame: FrameType, event: str, _argument: Any) -> Interrupter:
        if event == "line":
            self.lines.append(frame.f_code.co_filename)
            if len(self.lines) == self.at:
                raise KeyboardInterrupt
        return self


def interrupted(store: Store, at: int) -> tuple[BaseException | None, list[str]]:
    """What a transaction raised, and the files of the lines that ran."""
    interrupter, raised, before = Interrupter(at), None, sys.gettrace()
    sys.settrace(interrupter)
    try:
        write(store)
    except BaseException as error:  # noqa: BLE001
        # In the middle of its own work SQLAlchemy may answer with another exception.
        raised = error
    finally:
        sys.settrace(before)
    return raised, interrupter.lines


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "library", create=True, lock_timeout_seconds=1.0)
    write(opened)
    yield opened
    opened.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.slow, id="every line"), pytest.param(9, id="some")])
def test_a_transaction_cut_short_anywhere_leaves_all_or_nothing_and_the_next_is_made(store: Store, step: int) -> None:
    nothing_raised, files = interrupted(store, at=-1)
    assert nothing_raised is None
    ours = {n for n, file in enumerate(files, 1) if "agentvid" in file or file.endswith("contextlib.py")}
    assert len(ours) > 50
    kept = []
    for at in sorted(ours | set(range(1, len(files) + 1, step))):
        before = generation(store)
        raised, _ = interrupted(store, at)
        kept.append(raised)
        whole = generation(store) - before
        assert whole in (0, GENERATIONS + 1), f"{at}: {files[at - 1]}"
        write(store)
        assert generation(store) == before + whole + GENERATIONS + 1, f"{at}: {files[at - 1]}"
    assert sum(raised is not None for raised in kept) > len(kept) / 2
