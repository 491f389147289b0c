"""A small working directory in which every example of every command's help can be run."""

from __future__ import annotations

import io
import json
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from agentvid.backup import backup
from agentvid.cli import main
from agentvid.config import load_settings
from agentvid.library import Library
from agentvid.media.render import Scene, render_video
from agentvid.planners.learned import learn

SCENES = (Scene(6.0, (28, 52, 84), title="Plan"), Scene(6.0, (96, 140, 176), motion="right"))
SUBTITLES = (
    (0.5, 2.5, "Welcome to the talk about the rocket."),
    (2.8, 4.5, "The budget is nine thousand crowns."),
    (4.8, 7.5, "The launch date is the third of March."),
    (8.0, 11.0, "Then the crew goes home by train."),
)
QUESTIONS = [
    {"question": f"{asked}", "video": name, "answer": answer, "spans": [span]}
    for name in ("talk.mp4", "demo.mp4", "night.mp4", "day.mp4")
    for asked, answer, span in (
        ("When is the launch date mentioned?", "the third of March", [4.8, 7.5]),
        ("Who goes home by train?", "the crew", [8.0, 11.0]),
        ("What is said about the budget?", "nine thousand crowns", [2.8, 4.5]),
    )
]
QUERIES = [
    {"query": question["question"], "video": question["video"], "spans": question["spans"]} for question in QUESTIONS
]
#: Reading the screen takes most of the time of indexing.
QUICK = {"AGENTVID_OCR": "false"}
FORM = "{id: own, family: own, route: lookup, examples: ['by whom is {x} used'], program: 'search(query=$x)'}"
TACOS = {
    "timestamps": [[20, 40], [60, 100], [20, 40]],
    "sentences": ["He takes a melon.", "He slices it.", "A melon is fetched."],
    "fps": 10.0,
    "num_frames": 150,
}


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command line ended."""

    code: int
    stdout: str
    stderr: str


def run(
    arguments: list[str], *, folder: Path, stdin: str = "", environment: Mapping[str, str] | None = None
) -> Finished:
    """The command line in this process, in `folder`, with the library in it: a second per test would go to imports."""
    out, err = io.StringIO(), io.StringIO()
    before = (sys.stdin, dict(os.environ), Path.cwd())
    os.environ.update({"AGENTVID_LIBRARY": str(folder / "library"), **QUICK, **(environment or {})})
    os.chdir(folder)
    sys.stdin = io.TextIOWrapper(io.BytesIO(stdin.encode()), "utf-8")
    code: object = 0
    try:
        with redirect_stdout(out), redirect_stderr(err):
            main(arguments)
    except SystemExit as exit_:
        code = exit_.code
    finally:
        sys.stdin = before[0]
        os.environ.clear()
        os.environ.update(before[1])
        os.chdir(before[2])
    return Finished(code if isinstance(code, int) else 0, out.getvalue(), err.getvalue())


def words_of(line: str) -> tuple[list[str], str]:
    """(the words after "agentvid", what a pipe before it gives)."""
    words = shlex.split(line)
    at = words.index("agentvid")
    given = words[1 : at - 1] if at else []
    assert not at or (words[0] in ("echo", "printf") and words[at - 1] == "|"), "an example may begin with echo TEXT |"
    return words[at + 1 :], f"{' '.join(given)}\n" if at else ""


def write_lines(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory that `shelf` copies: files of every kind that examples name, two libraries, a trace, a thread."""
    folder = tmp_path_factory.mktemp("shelf")
    (folder / "talks").mkdir()
    render_video(folder / "talk.mp4", SCENES, size=(320, 180), rate=10, subtitles=SUBTITLES, audio="tone")
    for name, colour in (("demo", (200, 20, 20)), ("night", (9, 9, 30)), ("day", (240, 240, 250))):
        scenes = (Scene(6.0, colour, title=name), Scene(6.0, colour, motion="left"))
        render_video(folder / f"{name}.mp4", scenes, size=(320, 180), rate=10, subtitles=SUBTITLES)
    shutil.copy(folder / "talk.mp4", folder / "talks" / "copy.mp4")
    rows = [{"video": "lecture", "duration": 20, "start": at, "end": at + 4, "text": text} for at, _, text in SUBTITLES]
    write_lines(folder / "rows.jsonl", [row | {"track": "speech"} for row in rows])
    write_lines(folder / "questions.jsonl", QUESTIONS)
    write_lines(folder / "queries.jsonl", QUERIES)
    (folder / "bank.yaml").write_text(f"forms: [{FORM}]", "utf-8")
    (folder / "plan.txt").write_text('search(query="launch date")\n', "utf-8")
    (folder / "tacos").mkdir()
    for part in ("train", "val", "test"):
        (folder / "tacos" / f"{part}.json").write_text(json.dumps({f"{part}.avi": TACOS}), "utf-8")
    settings = load_settings({"library": folder / "library", "ocr": False}, environ={}).settings
    with Library.open(settings=settings) as library:
        report = library.add([folder / f"{name}.mp4" for name in ("talk", "demo", "night", "day")])
        assert not report.failed, report.failed
        question = "Who speaks about the rocket?"
        library.ask(question, thread="launch")
        program = 'search(query="rocket")'
        assert "learned as" in learn(folder / "library", "20261120T120000000-0badcafe", question, (), program)
    shutil.copytree(folder / "library", folder / "films")
    backup(folder / "library", folder / "films.backup")
    return folder


@pytest.fixture
def run_in() -> Callable[..., Finished]:
    """`run`, for modules that cannot import this one."""
    return run


@pytest.fixture
def shelf(prepared: Path, tmp_path: Path) -> Path:
    """The prepared directory, to be changed at will."""
    return Path(shutil.copytree(prepared, tmp_path / "shelf", symlinks=True))


@pytest.fixture
def arguments_of() -> Callable[[str], tuple[list[str], str]]:
    """`words_of`, for modules that cannot import this one."""
    return words_of


@pytest.fixture
def run_line(shelf: Path) -> Callable[..., Finished]:
    """Runs a line of a shell in the prepared directory."""

    def run_it(line: str, *extra: str) -> Finished:
        arguments, stdin = words_of(line)
        return run([*arguments, *extra], folder=shelf, stdin=stdin)

    return run_it
