"""`agentvid eval`: the documents and tables that it prints, and one line for wrong input."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from agentvid.cli import main

ROWS = [
    ("lecture", 2, 6, "Stream ciphers use a key."),
    ("lecture", 40, 45, "Never use a pad twice."),
    ("harbour", 3, 9, "A red boat leaves the pier."),
]


class Finished(NamedTuple):
    code: int
    stdout: str
    stderr: str


def agentvid(*arguments: str) -> Finished:
    """The command line in this process, by words only."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    os.environ["AGENTVID_EMBED"] = "false"
    try:
        with redirect_stdout(out), redirect_stderr(err):
            main(arguments)
    except SystemExit as exit_:
        code = int(exit_.code or 0)
    return Finished(code, out.getvalue(), err.getvalue())


def document(*arguments: str) -> Any:
    finished = agentvid(*arguments, "--json")
    assert finished.code == 0, finished.stderr
    return json.loads(finished.stdout)


def write(file: Path, lines: Sequence[Any]) -> str:
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return str(file)


@pytest.fixture
def queries(tmp_path: Path) -> str:
    rows = [
        {"video": video, "duration": 90, "track": "speech", "start": start, "end": end, "text": text}
        for video, start, end, text in ROWS
    ]
    assert agentvid("import", write(tmp_path / "rows.jsonl", rows)).code == 0
    lines = [{"query": text, "video": video, "start": start, "end": end} for video, start, end, text in ROWS]
    return write(tmp_path / "queries.jsonl", lines)


def test_retrieval_document_and_table(queries: str) -> None:
    found = document("eval", "retrieval", queries, "--baselines")
    assert found["queries"] == 3
    assert found["videos"] == 2
    assert (found["part"], found["single_video"], found["comparison"]) == ("all", False, None)
    names = [result["name"] for result in found["results"]]
    assert names == ["fused", "lexical", "bm25 rows", "bm25 10 s", "bm25 30 s", "bm25 80 s", "random"]
    assert found["results"][2]["metrics"]["R@1/0.7"] == 1
    assert found["results"][0]["ms"].keys() == {"p50", "p95"}
    assert found["results"][0]["differences"] is None
    for result in found["results"][1:]:
        difference = result["differences"]["mIoU"]
        assert difference["here"] == result["metrics"]["mIoU"]
        assert difference["there"] == found["results"][0]["metrics"]["mIoU"]
        assert difference["low"] <= difference["difference"] <= difference["high"]
    shown = agentvid("eval", "retrieval", queries, "--single-video", "--channel", "lexical")
    assert shown.code == 0
    assert "lexical" in shown.stdout
    assert "misses@20" in shown.stdout
    assert "3 queries about 2 videos" in shown.stderr


@pytest.mark.parametrize("command", [["retrieval"], ["ground", "--absent"]])
def test_a_run_is_written_and_compared(queries: str, tmp_path: Path, command: list[str]) -> None:
    run = str(tmp_path / "run.jsonl")
    document("eval", *command, queries, "-o", run)
    assert len(Path(run).read_text().splitlines()) == 3
    comparison = document("eval", *command, queries, "--against", run)["comparison"]
    assert comparison["matched"] == 3
    assert comparison["differences"]["mIoU"]["difference"] == 0
    shown = agentvid("eval", *command, queries, "--against", run)
    assert "on the 3 queries that both have" in shown.stderr


def test_ground_document(queries: str) -> None:
    found = document("eval", "ground", queries, "--absent", "--baselines")
    ground = found["results"][0]
    assert ground["name"] == "ground"
    assert ground["metrics"]["mIoU"] == 1
    assert ground["metrics"]["rejected"] == 1


def test_a_library_of_one_video_needs_no_name(queries: str, tmp_path: Path) -> None:
    assert agentvid("rm", "harbour").code == 0
    line = {"query": "stream ciphers", "start": 2, "end": 6}
    found = document("eval", "retrieval", write(tmp_path / "q.jsonl", [line]))
    assert found["results"][0]["metrics"]["mIoU"] == 1


GOOD = {"query": "boat", "video": "harbour", "start": 3, "end": 9}


@pytest.mark.parametrize("command", ["retrieval", "ground"])
@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "holds no query"),
        ("\n \n", "holds no query"),
        (json.dumps(GOOD) + "\n{", "line 2"),
        (json.dumps(GOOD | {"end": 1}), "line 1"),
        (json.dumps(GOOD | {"video": "habour"}), "habour"),
        (json.dumps(GOOD | {"query": ""}), "empty"),
        (json.dumps(GOOD | {"query": "x" * 10_001}), "10001"),
        (json.dumps({"query": "boat", "start": 3, "end": 9}), "names no video"),
    ],
)
def test_bad_query_files(queries: str, tmp_path: Path, command: str, content: str, says: str) -> None:
    (tmp_path / "bad.jsonl").write_text(content, "utf-8")
    finished = agentvid("eval", command, str(tmp_path / "bad.jsonl"))
    assert finished.code == 2
    assert says in finished.stderr
    assert len(finished.stderr.strip().splitlines()) == 1
    assert finished.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["retrieval", "/no/such/file"], "/no/such/file"),
        (["retrieval", "QUERIES", "--against", "/no/such/run"], "/no/such/run"),
        (["retrieval", "QUERIES", "-o", "/no/such/folder/run"], "/no/such/folder/run"),
        (["retrieval", "QUERIES", "-o", "QUERIES"], "is the query file"),
        (["ground", "QUERIES", "-o", "."], "--output"),
        (["ground", "QUERIES", "--against", "QUERIES"], "no line of a run"),
        (["retrieval", "QUERIES", "--channel", "dense"], "dense"),
        (["retrieval", "QUERIES", "--limit", "0"], "limit 0"),
        (["retrieval", "QUERIES", "--part", "train"], "train"),
        (["ground", "QUERIES", "--limit", "1", "--absent"], "--absent"),
        (["convert", "nosuch", ".", "--to", "OUT"], "nosuch"),
        (["convert", "tacos", "/no/such/folder", "--to", "OUT"], "/no/such/folder"),
    ],
)
def test_wrong_values(queries: str, tmp_path: Path, arguments: list[str], says: str) -> None:
    places = {"QUERIES": queries, "OUT": str(tmp_path / "out")}
    finished = agentvid("eval", *(places.get(argument, argument) for argument in arguments))
    assert finished.code == 2
    assert says in finished.stderr
    assert finished.stdout == ""
    assert not (tmp_path / "out").exists()
    assert "hits" not in Path(queries).read_text("utf-8")


# -- answers -------------------------------------------------------------------------------------------------------

QUESTIONS = [
    {"question": "What leaves the pier?", "video": "harbour", "choices": ["a tram", "a red boat"], "choice": 1},
    {"question": "Is a pad mentioned?", "video": "lecture", "answer": "yes", "start": 40, "end": 45},
]


@pytest.fixture
def questions(queries: str, tmp_path: Path) -> str:
    return write(tmp_path / "questions.jsonl", QUESTIONS)


def test_answers_document_and_table(questions: str, tmp_path: Path) -> None:
    run = str(tmp_path / "run.jsonl")
    found = document("eval", "qa", questions, "--circular", "--baselines", "-o", run)
    assert (found["questions"], found["asked"], found["part"], found["circular"]) == (2, 2, "all", True)
    assert [result["name"] for result in found["results"]] == ["planner", "random", "longest"]
    assert found["results"][0]["metrics"]["accuracy"] == 1
    assert found["results"][0]["metrics"]["Acc@0.5"] == 1
    assert len(Path(run).read_text().splitlines()) == 2
    comparison = document("eval", "qa", questions, "--circular", "--against", run)["comparison"]
    assert comparison["matched"] == 2
    assert comparison["differences"]["accuracy"]["difference"] == 0
    shown = agentvid("eval", "qa", questions, "--against", run)
    assert shown.code == 0
    assert "accuracy answered" in shown.stdout
    assert "on the 2 questions that both have" in shown.stderr


def test_a_question_that_fails_is_exit_code_4(queries: str, tmp_path: Path) -> None:
    line = {"question": "What is said at 0:05?", "answer": "key"}
    finished = agentvid("eval", "qa", write(tmp_path / "q.jsonl", [line]))
    assert finished.code == 4
    assert "1 questions failed" in finished.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["/no/such/file"], "/no/such/file"),
        (["QUESTIONS", "-o", "QUESTIONS"], "is the question file"),
        (["QUESTIONS", "-o", "/no/such/folder/run"], "/no/such/folder/run"),
        (["QUESTIONS", "--against", "QUESTIONS"], "no line of a run"),
        (["QUESTIONS", "--limit", "0"], "limit 0"),
        (["QUESTIONS", "--part", "train"], "train"),
        (["QUERIES"], "question is missing"),
    ],
)
def test_wrong_question_files(questions: str, queries: str, arguments: list[str], says: str) -> None:
    places = {"QUESTIONS": questions, "QUERIES": queries}
    finished = agentvid("eval", "qa", *(places.get(argument, argument) for argument in arguments))
    assert finished.code == 2
    assert says in finished.stderr
    assert finished.stdout == ""
    assert "What leaves the pier?" in Path(questions).read_text("utf-8")


def test_ctrl_c_keeps_what_was_answered(questions: str, tmp_path: Path) -> None:
    many, run = write(tmp_path / "many.jsonl", QUESTIONS * 2_000), tmp_path / "run.jsonl"
    command = [sys.executable, "-m", "agentvid", "eval", "qa", many, "-o", str(run), "--json"]
    started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and (not run.exists() or run.read_text("utf-8").count("\n") < 3):
        time.sleep(0.05)
    started.send_signal(signal.SIGINT)
    out, err = started.communicate(timeout=60)
    assert started.returncode == 130, err
    found = json.loads(out)
    assert found["interrupted"]
    assert 3 <= found["questions"] == len(run.read_text("utf-8").splitlines()) < found["asked"] == 4_000


def test_convert_import_measure(tmp_path: Path) -> None:
    """A tiny set in TACoS' published format (2D-TAN's JSON: frames and frames per second)."""
    entry = {
        "timestamps": [[0, 50], [50, 100], [0, 50], [50, 100]],
        "sentences": ["He takes a knife.", "He cuts a leek.", "A knife is taken.", "The leek is cut."],
        "fps": 10.0,
        "num_frames": 200,
    }
    (tmp_path / "tacos").mkdir()
    for name in ("train", "val"):
        (tmp_path / "tacos" / f"{name}.json").write_text(json.dumps({f"{name}.avi": entry}), "utf-8")
    out = str(tmp_path / "out")
    converted = document("eval", "convert", "tacos", str(tmp_path / "tacos"), "--to", out)
    assert converted["videos"] == 2
    assert document("import", converted["rows_file"])["failed"] == []
    found = document("eval", "retrieval", converted["queries_file"])
    assert found["queries"] == converted["queries"] > 0
    again = agentvid("eval", "convert", "tacos", str(tmp_path / "tacos"), "--to", out)
    assert again.code == 2
    assert "exists" in again.stderr
