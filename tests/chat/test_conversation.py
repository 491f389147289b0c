"""`agentvid chat` as a person meets it: a real process in a real (pseudo) terminal."""

from __future__ import annotations

import json
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agentvid.chat.history import FILE as HISTORY
from agentvid.models.scripted import ScriptedChat
from agentvid.models.scripted_server import Fault, ScriptedServer

Start = Callable[..., Any]  # of conftest.py
SPACED = "my cooking show.mp4"
CTRL_C, CTRL_D, ESC = "\x03", "\x04", "\x1b"
PROGRAM = 'hits = search(query="Rubisco enzyme", k=1)\nanswer(kind="what", evidence=hits)'
REPLY = {
    "claims": [{"text": "Rubisco is the enzyme that captures carbon dioxide.", "evidence": ["e1"]}],
    "choice": None,
    "abstain": False,
}


def scripted(_system: str, user: str) -> str:
    return json.dumps(REPLY) if "JSON object" in user else PROGRAM


def serving(server: ScriptedServer) -> dict[str, str]:
    return {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "k", "AGENTVID_MODEL": "openai:scripted"}


def test_a_conversation_is_typed_completed_kept_and_resumed(start: Start, library: Path) -> None:
    chat = start()
    chat.wait_for("2 videos", "\n>")
    chat.send("/sco\t")
    chat.wait_for("> /scope", "every video")
    chat.send("cook\t")
    chat.wait_for('> /scope "my cooking show.mp4"')
    chat.line("")
    chat.wait_for("scope: my cooking show.mp4")
    chat.line("/scope all")
    chat.wait_for("scope: all videos")
    chat.line("/wyh")
    chat.wait_for("no command /wyh - did you mean /why?")

    chat.send("What does Rubisco\\\r")
    chat.wait_for("> What does Rubisco\n.")
    chat.send(f"capture?{ESC}\r")
    chat.wait_for("\n. capture?\n.")
    chat.send("\x7f\r")
    answer = chat.wait_for("confidence")
    assert "search(query=" in answer, "the program and its calls stay on the screen"
    assert "captures carbon dioxide" in answer
    assert "[1]" in answer
    assert " 1  talk.mp4  0:48-0:54  speech" in answer

    chat.line("/why 1")
    chat.wait_for("claim 1 supported", "score")
    chat.line("What is said right after that?")
    chat.wait_for("“that” = talk.mp4 0:48-0:54", "The café sells crème brûlée", "5 €.” [1]")
    chat.line("/why 9")
    chat.wait_for("9 is no claim of this answer; allowed: 1 to 1")
    chat.line("/find flour water")
    chat.wait_for(f" 1  {SPACED}  0:20-0:25")

    chat.send("half a question")
    chat.wait_for("half a question")
    chat.send(CTRL_C)
    assert "half a question" not in chat.wait_for("Ctrl-C again").splitlines()[-3]
    chat.send("x")
    chat.wait_for("> x")
    chat.send(CTRL_C)
    chat.wait_for("Ctrl-C again")
    chat.send(CTRL_C)
    assert chat.exit_code() == 0
    kept = chat.text
    assert "kept: agentvid chat --thread chat-" in kept
    thread = kept.partition("--thread ")[2].split()[0]

    history = library / HISTORY
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    assert "What does Rubisco\ncapture?" in [json.loads(line) for line in history.read_text().splitlines()]

    again = start("--continue")
    again.wait_for(f"thread {thread}, 2 questions so far", "the enzyme that captures", " 1  talk.mp4  1:00-1:06")
    again.send(ESC + "[A")
    again.wait_for("/find flour water")
    again.send(CTRL_C)
    again.line("/threads")
    again.wait_for(f"* {thread}  2 questions")
    again.send("/f")
    again.wait_for("/find flour water")  # suggested from the history
    again.send(CTRL_C + CTRL_D)
    assert again.exit_code() == 0


def test_ctrl_c_keeps_what_a_slow_model_has_said_so_far(start: Start) -> None:
    slow = [Fault(delay_seconds=60), Fault(status=401)]  # of composing the first answer, of planning the second
    with ScriptedServer(ScriptedChat(scripted), faults=slow) as server:
        chat = start(**serving(server))
        chat.wait_for("openai:scripted", "\n>")
        chat.line("What does Rubisco capture?")
        chat.wait_for("compos")
        while not server.requests:
            time.sleep(0.02)
        chat.send(CTRL_C)
        seen = chat.wait_for("stopped: interrupted", seconds=10)
        assert "talk.mp4  0:48-0:54" in seen, "what was found by then"
        chat.line("Why is it important to plants?")
        chat.wait_for("! model 'openai:scripted'")  # the key is refused: one line
        chat.line("Why is it important to plants?")
        chat.wait_for("Rubisco is the enzyme that captures carbon dioxide. [1]")
        chat.line("/model none")
        chat.wait_for("model: none")
        chat.line("/usage")
        chat.wait_for("this session, 2 questions", "model calls")
        chat.line("/quit")
        assert chat.exit_code() == 0
        assert b"Traceback" not in chat.raw


def test_words_of_a_model_show_while_it_writes_and_go_when_they_are_checked(start: Start) -> None:
    with ScriptedServer(ScriptedChat(scripted), faults=[Fault(byte_seconds=0.006)]) as server:
        chat = start(rows=30, **serving(server))
        chat.wait_for("openai:scripted", "\n>")
        chat.line("What does Rubisco capture?")
        seen = chat.wait_for("Rubisco is the enzyme that")
        assert "confidence" not in seen
        seen = chat.wait_for("carbon dioxide. [1]", "confidence")
        assert seen.count("Rubisco is the enzyme that captures carbon dioxide") == 2, "the answer and its quote"
        chat.line("/quit")
        assert chat.exit_code() == 0


def test_twenty_columns_without_colours_and_a_window_that_grows(start: Start) -> None:
    chat = start("talk.mp4", columns=20, rows=30, NO_COLOR="1")
    chat.wait_for("\n>")
    chat.line("/help why")
    chat.wait_for("/why [CLAIM]")
    chat.line("What does Rubisco capture?")
    chat.wait_for("confidence")
    chat.resize(100, 30)
    chat.line("What does Rubisco capture?")
    chat.wait_for("the speech says: “Rubisco is the enzyme that captures")
    chat.line("/quit")  # a Ctrl-D that comes before the prompt would be the terminal's own
    assert chat.exit_code() == 0
    assert b"\x1b[31m" not in chat.raw
    assert b"\x1b[36m" not in chat.raw


def test_a_terminal_without_utf_8_gets_ascii(start: Start) -> None:
    chat = start(LANG="C", AGENTVID_OCR="false")
    chat.wait_for("\n>")
    chat.line("What does the cafe sell?")
    chat.wait_for("The cafe sells creme brulee - 5 ?.")
    chat.line("/quit")
    assert chat.exit_code() == 0
    printed = chat.raw.replace("· ".encode(), b"")
    assert all(byte < 128 for byte in printed), printed


def test_a_dumb_terminal_gets_lines_and_nothing_else(start: Start) -> None:
    chat = start(TERM="dumb")
    chat.wait_for("\n>")
    chat.line("What does Rubisco capture?")
    chat.wait_for("confidence")
    chat.line("/quit")
    assert chat.exit_code() == 0
    assert b"\x1b" not in chat.raw


def test_a_paste_of_a_megabyte_is_refused_and_one_of_a_page_is_not(start: Start) -> None:
    chat = start()
    chat.wait_for("\n>")
    chat.send(f"{ESC}[200~{'word ' * 200_000}{ESC}[201~")
    chat.wait_for("not pasted: 1000000 characters")
    chat.send(f"{ESC}[200~What does\r\n{ESC}]0;owned\x07 Rubisco capture?{ESC}[201~")
    chat.wait_for("Rubisco capture?")
    chat.send("\r")
    chat.wait_for("captures carbon dioxide")
    assert chat.title == ""
    chat.line("/quit")
    assert chat.exit_code() == 0
