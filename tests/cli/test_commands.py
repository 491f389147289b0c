"""What the commands say to wrong input: one line, the right exit code, nothing lost."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from agentvid.cli import main

LINES = [
    {"video": "lecture", "duration": 90, "track": "speech", "start": 2, "end": 6, "text": "Stream ciphers use a key."},
    {"video": "lecture", "duration": 90, "track": "speech", "start": 40, "end": 45, "text": "Never use a key twice."},
    {
        "video": "harbour",
        "duration": 30,
        "track": "caption",
        "start": 3,
        "end": 9,
        "text": "A red boat leaves the pier.",
    },
]
QUICK = {"AGENTVID_EMBED": "false"}


@dataclass
class Finished:
    returncode: int
    stdout: str
    stderr: str


def agentvid(*arguments: str, stdin: str = "", **environment: str) -> Finished:
    """The command line in this process: a second per test would be spent on imports otherwise."""
    out, err, before = io.StringIO(), io.StringIO(), (sys.stdin, dict(os.environ))
    os.environ.update(QUICK | environment)
    sys.stdin = io.TextIOWrapper(io.BytesIO(stdin.encode()), "utf-8")
    code = 0
    try:
        with redirect_stdout(out), redirect_stderr(err):
            main(arguments)
    except SystemExit as exit_:
        code = int(exit_.code or 0)
    finally:
        sys.stdin = before[0]
        os.environ.clear()
        os.environ.update(before[1])
    return Finished(code, out.getvalue(), err.getvalue())


def one_line(finished: Finished) -> str:
    """The error as the user sees it: one line on stderr, nothing on stdout, no traceback."""
    lines = finished.stderr.strip().splitlines()
    assert len(lines) == 1, finished.stderr
    assert finished.stdout == ""
    return lines[0]


@pytest.fixture
def imported(tmp_path: Path) -> Path:
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in LINES), "utf-8")
    finished = agentvid("import", str(file))
    assert finished.returncode == 0, finished.stderr
    return file


def test_no_library_yet_is_said_with_the_way_out() -> None:
    finished = agentvid("search", "anything")
    assert finished.returncode == 3
    assert "agentvid index" in one_line(finished)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["search", ""], 2, "empty"),
        (["search", " \t "], 2, "empty"),
        (["search", "\u200b\ufeff\x01"], 2, "empty"),
        (["search", "x" * 10_001], 2, "10000"),
        (["search", "key", "-k", "0"], 2, "k = 0"),
        (["search", "key", "--from", "50", "--to", "10"], 2, "not before"),
        (["search", "key", "--from", "-5"], 2, "-5"),
        (["search", "key", "--from", "soon"], 2, "not a time"),
        (["search", "key", "--video", "nosuch"], 3, "nosuch"),
        (["search"], 2, "QUERY"),
        (["ask", ""], 2, "empty"),
        (["ask", "\x01"], 2, "empty"),
        (["ask", "y" * 10_001], 2, "10001"),
        (["ask", "What is it?", "--video", "nosuch"], 3, "nosuch"),
        (["ask", "What is it?", "--choice", "only one"], 2, "choices"),
        (["ask", "What is it?", "--model", "gpt-5"], 2, "provider"),
        (["show", "nosuch"], 3, "nosuch"),
        (["rm", "nosuch"], 3, "nosuch"),
        (["trace", "show", "nosuch"], 3, "nosuch"),
        (["program", "/no/such/file"], 2, "/no/such/file"),
        (["import", "/no/such/file.jsonl"], 2, "/no/such/file.jsonl"),
        (["search", "--batch", "/no/such/file.jsonl"], 2, "/no/such/file.jsonl"),
    ],
)
def test_wrong_values(imported: Path, arguments: list[str], code: int, says: str) -> None:
    finished = agentvid(*arguments)
    assert finished.returncode == code, finished.stderr
    assert says in one_line(finished)


@pytest.mark.parametrize("arguments", [["nosuch"], ["index"], ["search", "--nosuch"], ["search", "x", "-k", "many"]])
def test_wrong_command_lines_are_usage_errors(arguments: list[str]) -> None:
    assert agentvid(*arguments).returncode == 2


def test_missing_path_is_a_failed_item() -> None:
    finished = agentvid("index", "/no/such/video.mp4", "--json")
    assert finished.returncode == 4
    report = json.loads(finished.stdout)
    assert report["failed"][0]["path"] == "/no/such/video.mp4"
    assert report["failed"][0]["error"]


def test_directory_without_videos(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    finished = agentvid("index", str(tmp_path / "empty"))
    assert finished.returncode == 3
    assert "no video found" in finished.stderr


def test_bad_line_fails_its_video_and_is_named(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    bad = {"video": "broken", "duration": 9, "track": "speech", "start": 5, "end": 2, "text": "reversed"}
    file.write_text("\n".join(json.dumps(line) for line in [LINES[0], bad, LINES[2]]) + "\n", "utf-8")
    finished = agentvid("import", str(file), "--json")
    report = json.loads(finished.stdout)
    assert finished.returncode == 4
    assert sorted(item["path"] for item in report["indexed"]) == ["harbour", "lecture"]
    assert "line 2" in report["failed"][0]["error"]


def test_import_reads_standard_input() -> None:
    finished = agentvid("import", "-", "--json", stdin=json.dumps(LINES[0]) + "\n")
    assert json.loads(finished.stdout)["indexed"][0]["path"] == "lecture"


def test_import_again_does_nothing_and_a_changed_one_replaces(imported: Path) -> None:
    again = json.loads(agentvid("import", str(imported), "--json").stdout)
    assert [item["reason"] for item in again["skipped"]] == ["unchanged", "unchanged"]
    imported.write_text(json.dumps(LINES[2] | {"text": "A grey whale surfaces."}) + "\n", "utf-8")
    changed = json.loads(agentvid("import", str(imported), "--json").stdout)
    assert [item["path"] for item in changed["indexed"]] == ["harbour"]
    hits = json.loads(agentvid("search", "whale boat", "--video", "harbour", "--json").stdout)["hits"]
    assert [hit["text"] for hit in hits] == ["A grey whale surfaces."]


@pytest.mark.parametrize(
    "query",
    ['"', "a AND b OR (", "key*", "NEAR(key)", "'; DROP TABLE videos; --", "🔑", "{key}: ^x", "\\", "%", "-key"],
)
def test_any_query_is_literal(imported: Path, query: str) -> None:
    assert agentvid("search", "--json", "--", query).returncode in {0, 3}
    assert len(json.loads(agentvid("ls", "--json").stdout)["videos"]) == 2


def test_batch_prints_one_line_per_query_in_order(imported: Path, tmp_path: Path) -> None:
    batch = tmp_path / "queries.jsonl"
    batch.write_text('{"query": "boat"}\nnot json\n{"query": "key", "video": "lecture"}\n{"query": "zebra"}\n', "utf-8")
    finished = agentvid("search", "--batch", str(batch), "-k", "3")
    documents = [json.loads(line) for line in finished.stdout.splitlines()]
    assert finished.returncode == 4
    assert [document.get("query") for document in documents] == ["boat", None, "key", "zebra"]
    assert documents[1]["line"] == 2
    assert {hit["video"] for hit in documents[2]["hits"]} == {"lecture"}
    assert documents[3]["hits"] == []


def test_a_line_of_a_batch_ends_at_a_line_feed_only(imported: Path, tmp_path: Path) -> None:
    batch = tmp_path / "queries.jsonl"
    batch.write_bytes(b'\xef\xbb\xbf{"query": "red\xe2\x80\xa8boat"}\r\n\r\n{"query": "key"}\r\n')
    documents = [json.loads(line) for line in agentvid("search", "--batch", str(batch)).stdout.splitlines()]
    assert [document["query"] for document in documents] == ["red\u2028boat", "key"]
    assert all(document["hits"] for document in documents)


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (["-k", "0"], 2, "k = 0"),
        (["--video", "nosuch"], 3, "nosuch"),
        (["--from", "50", "--to", "10"], 2, "not before"),
    ],
)
def test_a_wrong_option_of_a_batch_is_said_once(
    imported: Path, tmp_path: Path, options: list[str], code: int, says: str
) -> None:
    batch = tmp_path / "queries.jsonl"
    batch.write_text('{"query": "boat"}\n{"query": "key"}\n', "utf-8")
    finished = agentvid("search", "--batch", str(batch), *options)
    assert finished.returncode == code
    assert says in one_line(finished)


def test_filters_come_before_the_limit(imported: Path) -> None:
    hits = json.loads(agentvid("search", "key", "--from", "0:30", "-k", "1", "--json").stdout)["hits"]
    assert [(hit["start"], hit["end"]) for hit in hits] == [(40, 45)]
    assert agentvid("search", "key", "--track", "caption").returncode == 3


def test_a_track_that_no_video_has_is_named_with_those_there_are(imported: Path) -> None:
    finished = agentvid("search", "key", "--track", "speach")
    assert finished.returncode == 3
    assert one_line(finished) == "nothing found: no video has the track 'speach'; tracks here: caption, speech"


def test_which_video_names_the_video_as_it_is_called(imported: Path) -> None:
    answer = json.loads(agentvid("ask", "Which video mentions a boat?", "--json").stdout)
    assert answer["claims"][0]["text"].startswith("Once in harbour: at 0:03-0:09")
    assert [item["video"] for item in answer["evidence"]] == ["harbour"]


def test_program_prints_typed_steps(imported: Path) -> None:
    source = 'hits = search(query="key")\ncount(hits)\n'
    document = json.loads(agentvid("program", "-", stdin=source).stdout)
    assert document["type"] == "number"
    assert document["steps"][0]["name"] == "hits"
    checked = agentvid("program", "-", "--check", stdin="nosuch(query=1)")
    assert checked.returncode == 2
    assert "nosuch" in one_line(checked)


def test_a_programs_tools_ask_the_model_that_is_named(imported: Path, tmp_path: Path) -> None:
    script = tmp_path / "replies.yaml"
    script.write_text("- {reply: It is about ciphers., when: Sum up}\n", "utf-8")
    source = "summarize(within=whole_videos())\n"
    asked = agentvid("program", "-", "--video", "lecture", "--model", f"scripted:{script}", stdin=source)
    assert json.loads(asked.stdout)["value"] == "It is about ciphers."
    plain = agentvid("program", "-", "--video", "lecture", stdin=source)
    assert "Stream ciphers use a key." in json.loads(plain.stdout)["value"]
    script.write_text("[]", "utf-8")
    failed = agentvid("program", "-", "--video", "lecture", "--model", f"scripted:{script}", stdin=source)
    assert json.loads(failed.stdout)["value"] == json.loads(plain.stdout)["value"]
    assert "the summary is made of rows" in one_line(Finished(failed.returncode, "", failed.stderr))


def test_config_shows_value_and_origin(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("clip_max_seconds = 30\n", "utf-8")
    finished = agentvid("config", "--json", AGENTVID_CONFIG=str(tmp_path / "c.toml"), AGENTVID_INDEX="numpy")
    settings = json.loads(finished.stdout)["settings"]
    assert settings["clip_max_seconds"] == {"value": 30.0, "origin": str(tmp_path / "c.toml")}
    assert settings["index"] == {"value": "numpy", "origin": "$AGENTVID_INDEX"}
    assert settings["ocr"]["origin"] == "default"
    wrong = agentvid("config", AGENTVID_INDEX="annoy")
    assert wrong.returncode == 2
    assert "AGENTVID_INDEX" in one_line(wrong)


def test_config_is_written_changed_and_read_again(tmp_path: Path) -> None:
    there = {"AGENTVID_CONFIG": str(tmp_path / "new" / "c.toml")}
    assert agentvid("config", "init", **there).returncode == 0
    again = agentvid("config", "init", **there)
    assert (again.returncode, "exists already" in one_line(again)) == (2, True)
    assert agentvid("config", "set", "ocr", "no", **there).stderr.startswith("ocr = false in ")
    assert json.loads(agentvid("config", "--json", **there).stdout)["settings"]["ocr"]["value"] is False
    hidden = agentvid("config", "set", "ocr", "yes", **there, AGENTVID_OCR="no")
    assert "$AGENTVID_OCR wins over the file" in hidden.stderr
    assert json.loads(agentvid("config", "unset", "ocr", "--json", **there).stdout)["removed"] is True
    for wrong in (("set", "modl", "x"), ("unset", "modl"), ("set", "ocr", "maybe"), ("set", "model", f"sk-{'a1' * 9}")):
        refused = agentvid("config", *wrong, **there)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert one_line(refused)
    elsewhere = {"AGENTVID_CONFIG": "/proc/self/none.toml"}
    for words in (("init",), ("set", "ocr", "no")):
        refused = agentvid("config", *words, **elsewhere)
        assert (refused.returncode, "AGENTVID_CONFIG names another" in one_line(refused)) == (1, True)


def test_library_flag_comes_before_the_command(tmp_path: Path, imported: Path) -> None:
    assert agentvid("--library", str(tmp_path / "elsewhere"), "ls").returncode == 3
    assert agentvid("--library", os.environ["AGENTVID_LIBRARY"], "ls", AGENTVID_LIBRARY="/no/such").returncode == 0


def test_text_of_a_video_cannot_drive_the_terminal(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    line = LINES[0] | {
        "video": "\u001b]0;owned\u0007lecture",
        "text": "Stream \u001b[31mciphers\u001b[0m \u202eevil\u0007",
    }
    file.write_text(json.dumps(line) + "\n", "utf-8")
    agentvid("import", str(file))
    for arguments in (["ls"], ["search", "ciphers"], ["ask", "What is said about ciphers?"]):
        output = agentvid(*arguments)
        assert not set("\u001b\u0007\u202e") & set(output.stdout + output.stderr), arguments


def test_no_colour_codes_in_a_pipe(imported: Path) -> None:
    assert "\u001b" not in agentvid("ls").stdout + agentvid("search", "key").stdout + agentvid("--help").stdout


def test_an_answer_without_a_trace_does_not_name_one(imported: Path) -> None:
    (Path(os.environ["AGENTVID_LIBRARY"]) / "traces").write_text("in the way", "utf-8")
    printed = agentvid("ask", "Is a key mentioned?").stdout
    assert printed.endswith("no trace: the library cannot be written, or its disk is full\n")


def test_a_time_after_the_end_is_told_once(imported: Path) -> None:
    answer = json.loads(agentvid("ask", "What is shown at 10:00?", "--video", "lecture", "--json").stdout)
    assert answer["abstained"]
    assert answer["answer"].count("600..601 s lies outside") == 1
    assert answer["stopped"].count("600..601 s lies outside") == 1


def test_in_a_pipe_every_row_of_a_table_is_one_line_however_long(tmp_path: Path) -> None:
    text = f"It begins {'and goes on ' * 60}until it ends."
    name = f"{'a long name ' * 15}.mp4"
    line = LINES[0] | {"video": name, "text": text}
    (tmp_path / "rows.jsonl").write_text(json.dumps(line) + "\n" + json.dumps(LINES[2]) + "\n", "utf-8")
    agentvid("import", str(tmp_path / "rows.jsonl"))
    (row,) = (row for row in agentvid("show", name).stdout.splitlines() if row.startswith("  2.00-6.00"))
    assert row.endswith(f"  {text}")
    listed = agentvid("ls").stdout.splitlines()
    assert [name in row for row in listed if row.endswith("ready")] == [True, False]
    assert all(row == row.rstrip() for row in listed)
    assert max(len(row) for row in listed if set(row) == {" ", "─"}) < 202


def test_a_track_that_a_video_does_not_have_is_said_with_those_it_has(imported: Path) -> None:
    for json_flag in ([], ["--json"]):
        shown = agentvid("show", "lecture", "--track", "speach", *json_flag)
        assert shown.returncode == 3
        assert shown.stderr == "nothing found: no row of the track 'speach'; tracks here: speech\n"
    assert agentvid("show", "lecture", "--track", "speech").returncode == 0


def test_a_file_that_failed_is_listed_with_the_reason_and_can_be_removed(tmp_path: Path) -> None:
    for name in ("notes.mp4", "more.mp4"):
        (tmp_path / name).write_text("just some text\n" * 50, "utf-8")
    failed = agentvid("index", str(tmp_path))
    assert failed.returncode == 4
    told = [line for line in failed.stderr.splitlines() if line.startswith("failed: ")]
    listed = agentvid("ls")
    assert (listed.returncode, sorted(listed.stderr.splitlines())) == (0, sorted(told))
    shown = agentvid("show", "notes.mp4")
    assert shown.returncode == 3
    assert one_line(shown).startswith("agentvid: 'notes.mp4' could not be indexed: ")
    removed = json.loads(agentvid("rm", "notes.mp4", "--json").stdout)
    assert removed == {"removed": {"video_id": None, "path": str(tmp_path / "notes.mp4")}}
    assert "more.mp4" in agentvid("rm", str(tmp_path / "more.mp4")).stderr
    assert json.loads(agentvid("ls", "--json").stdout) == {"videos": []}
    assert agentvid("rm", "notes.mp4").returncode == 3


#: Ctrl-C while the commands are imported.
EARLY = """
import sys
class Interrupting:
    def find_spec(self, name, *_):
        if name == "agentvid.cli.app":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupting())
from agentvid.cli import main
main(["ls"])
"""


def test_an_interrupt_at_the_very_start_shows_no_traceback() -> None:
    ended = subprocess.run([sys.executable, "-c", EARLY], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")


def test_interrupt_keeps_what_was_done_and_says_how_to_go_on(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    with file.open("w", encoding="utf-8") as lines:
        for number in range(4000):
            lines.write(json.dumps(LINES[0] | {"video": f"lecture {number}"}) + "\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "agentvid", "import", str(file)],
        env=os.environ | QUICK,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not (listed := agentvid("ls", "--json").stdout) or not json.loads(listed)["videos"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130, stderr
    assert "run the same command again" in stderr
    assert "Traceback" not in stderr
    assert 0 < len(json.loads(agentvid("ls", "--json").stdout)["videos"]) < 4000
    agentvid("search", "anything")  # makes the files that the interruption left out
    assert json.loads(agentvid("doctor", "--json").stdout)["problems"] == []


def test_a_spent_limit_is_said_beside_the_answer(imported: Path) -> None:
    finished = agentvid("ask", "How many times is a key mentioned?", "--json", "--max-steps", "1")
    document = json.loads(finished.stdout)
    assert document["stopped"] == "the budget of 1 steps is spent"
    assert "stopped: the budget" in agentvid("ask", "How many times is a key mentioned?", "--max-steps", "1").stdout


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (("--max-tool-calls", "0"), "max_tool_calls = 0 (from flag)"),
        (("--max-seconds", "-1"), "max_seconds = -1.0 (from flag)"),
        (("--max-money", "nan"), "max_money = nan (from flag)"),
        (("--max-tokens", "50", "--model", "scripted:SCRIPT"), "of the budget of 50 tokens"),
        (("--max-money", "0.1", "--model", "scripted:SCRIPT"), "needs the price of 'scripted:"),
    ],
)
def test_a_limit_that_cannot_be_kept_is_one_line(
    imported: Path, tmp_path: Path, flags: tuple[str, ...], reason: str
) -> None:
    script = tmp_path / "script.yaml"
    script.write_text("- answer(evidence=[])\n", "utf-8")
    finished = agentvid("ask", "Tell me a tale", *(flag.replace("SCRIPT", str(script)) for flag in flags))
    assert finished.returncode == 2
    assert reason in one_line(finished)


def test_a_run_is_recorded_replayed_and_listed(imported: Path, tmp_path: Path) -> None:
    script, cassette = tmp_path / "script.yaml", tmp_path / "calls.jsonl"
    script.write_text(
        '- |\n  hits = search(query="cipher key")\n  answer(evidence=hits)\n- \'{"claims": []}\'\n', "utf-8"
    )
    question = ("ask", "How often does a cipher come up, please", "--json")
    recorded = agentvid(*question, "--model", f"scripted:{script}", "--record", str(cassette))
    script.unlink()
    replayed = agentvid(*question, "--replay", str(cassette))
    assert (recorded.returncode, recorded.stderr) == (replayed.returncode, replayed.stderr)
    first, second = json.loads(recorded.stdout), json.loads(replayed.stdout)
    assert second["usage"]["llm_calls"] == 2
    assert first["evidence"] == second["evidence"]

    listed = json.loads(agentvid("trace", "ls", "--json").stdout)["traces"]
    assert [item["trace_id"] for item in listed] == [second["trace_id"], first["trace_id"]]
    assert "How often does a cipher" in agentvid("trace", "ls", "-n", "1").stdout
    again = agentvid("trace", "replay", first["trace_id"], "--json")
    assert again.returncode == 0, again.stdout
    assert json.loads(again.stdout)["same"] is True

    agentvid("rm", "lecture")
    changed = agentvid("trace", "replay", first["trace_id"])
    assert changed.returncode == 1
    assert "is not in the library any more" in changed.stdout
    assert one_line(agentvid(*question, "--record", "a", "--replay", "b")).startswith("agentvid: --record and --replay")
    missed = agentvid("ask", "How often does a boat come up, please", "--replay", str(cassette))
    assert missed.returncode == 2
    assert "model call 1 was not recorded" in one_line(missed)


def test_without_traces_there_is_nothing_to_list(imported: Path) -> None:
    finished = agentvid("trace", "ls")
    assert finished.returncode == 3
    assert "agentvid ask" in finished.stderr


def test_conversations_are_listed_shown_and_forgotten(imported: Path) -> None:
    assert agentvid("thread", "ls").returncode == 3
    assert agentvid("ask", "Is a key mentioned?", "--thread", "keys").returncode == 0
    assert json.loads(agentvid("thread", "ls", "--json").stdout)["threads"][0]["thread"] == "keys"
    assert "? Is a key mentioned?" in agentvid("thread", "show", "keys").stdout
    assert agentvid("thread", "rm", "keys").returncode == 0
    gone = agentvid("thread", "show", "keys", "--json")
    assert gone.returncode == 3
    assert "no thread 'keys'" in one_line(gone)
    assert agentvid("ask", "Is a key mentioned?", "--thread", "a b").returncode == 2


def test_examples_are_checked_listed_and_refined(imported: Path, tmp_path: Path) -> None:
    nothing = agentvid("examples", "ls")
    assert nothing.returncode == 3
    assert "examples refine" in one_line(nothing)
    bank = tmp_path / "bank.yaml"
    form = (
        "forms: [{id: own, family: own, route: lookup, examples: [by whom is {x} used], program: 'search(query=$x)'}]"
    )
    bank.write_text(form.replace("[by whom is {x} used]", "['by whom is {x} used']"), "utf-8")
    assert agentvid("examples", "check", str(bank)).returncode == 0
    listed = json.loads(agentvid("examples", "ls", "--json", AGENTVID_EXAMPLES=str(bank)).stdout)
    assert [example["id"] for example in listed["examples"]] == ["own"]
    bank.write_text(bank.read_text("utf-8").replace("search(", "serch("), "utf-8")
    wrong = agentvid("examples", "check", str(bank), "--json")
    assert wrong.returncode == 1
    (fault,) = json.loads(wrong.stdout)["faults"]
    assert "unknown function 'serch'" in fault
    asked = agentvid("ask", "Who?", AGENTVID_EXAMPLES=str(bank))
    assert asked.returncode == 2
    assert "serch" in one_line(asked)
    assert agentvid("examples", "rm", "nosuch").returncode == 3


def test_refining_says_when_there_is_nothing_to_refine(imported: Path, tmp_path: Path) -> None:
    questions = tmp_path / "questions.jsonl"
    line = {"question": "Never use what twice?", "video": "lecture", "answer": "key"}
    questions.write_text("\n".join(json.dumps(line | {"kind": str(at)}) for at in range(2)), "utf-8")
    refined = agentvid("examples", "refine", str(questions), "--json", "--out", str(tmp_path / "bank.yaml"))
    assert refined.returncode == 3
    assert json.loads(refined.stdout)["held_out"] == {"questions": 1, "before": 1.0, "after": 1.0}
    assert "all were answered rightly" in refined.stderr
    assert not (tmp_path / "bank.yaml").exists()
    questions.write_text(json.dumps(line), "utf-8")
    one = agentvid("examples", "refine", str(questions))
    assert one.returncode == 2
    assert "1 question is not enough" in one_line(one)
