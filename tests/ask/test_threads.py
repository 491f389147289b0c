"""Conversations: kept, listed, gone on with; and what LangChain's callbacks see of a question."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

import ormsgpack
import pytest
from langchain_core.callbacks import BaseCallbackHandler

from agentvid import Library, Settings
from agentvid.cli import main
from agentvid.errors import LibraryError, NotFound, UsageError
from agentvid.models.scripted import ScriptedChat
from agentvid.models.scripted_server import ScriptedServer
from agentvid.threads import FILE, checkpointer, config_of
from agentvid.types import Answer

ROWS = [(0, 6, "Welcome to this lecture."), (48, 54, "Rubisco is the enzyme that captures carbon dioxide.")]
FIRST, SECOND = "How often does Rubisco come up?", "What is said right after that?"
PROGRAM = 'hits = search(query="Rubisco enzyme", k=1)\nanswer(kind="what", evidence=hits)'
NONE = '{"claims": [], "choice": null, "abstain": true}'


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    rows = [{"video": "talk", "duration": 90, "track": "speech", "start": a, "end": b, "text": t} for a, b, t in ROWS]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    with Library.open(tmp_path / "library", settings=Settings(embed=False, max_asks=1)) as opened:
        opened.import_file(tmp_path / "rows.jsonl")
        yield opened


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    names = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_BASE")
    before = {name: os.environ.get(name) for name in names}
    with ScriptedServer(ScriptedChat(lambda _s, user: NONE if "JSON object" in user else PROGRAM)) as serving:
        os.environ |= dict.fromkeys(names[1:], serving.base_url) | {"OPENAI_API_KEY": "k"}
        yield serving
    for name, value in before.items():
        del os.environ[name]
        if value is not None:
            os.environ[name] = value


def planning(server: ScriptedServer) -> list[str]:
    """What the planner was sent, without the system prompt."""
    users = [request["messages"][-1]["content"] for request in server.requests]
    return [user for user in users if "JSON object" not in user]


def test_a_follow_up_tells_the_planner_what_was_asked(library: Library, server: ScriptedServer) -> None:
    for question in (FIRST, SECOND, "And then?"):
        library.ask(question, model="openai:scripted", thread="bread")
    first, second, third = planning(server)
    assert f"Question: {FIRST}\n{PROGRAM}\nCited: " in second
    assert "48.0-54.0" in second
    assert second.index(FIRST) < second.index(SECOND)
    # What is shown of the videos fits each question anew and stands in the fence before; the conversation is after it.
    one, two, three = (
        prompt.partition("\n\nQuestion: ")[2].split("Left for this question")[0].rstrip()
        for prompt in (first, second, third)
    )
    assert two.startswith(one), "a conversation only grows at its end"
    assert three.startswith(two)
    assert not any("captures carbon dioxide" in told for told in (one, two, three)), "no word of a video"


def test_a_thread_outlives_the_process_and_others_are_apart(library: Library, server: ScriptedServer) -> None:
    library.ask(FIRST, model="openai:scripted", thread="bread")
    with Library.open(library.catalogue.directory, settings=library.settings) as again:
        again.ask(SECOND, model="openai:scripted", thread="bread")
        again.ask(SECOND, model="openai:scripted", thread="other")
        again.ask(SECOND, model="openai:scripted")
    assert [FIRST in prompt for prompt in planning(server)] == [True, True, False, False]
    listed = [{key: value for key, value in item.items() if key != "asked_at"} for item in library.threads()]
    assert listed == [
        {"thread": "other", "turns": 1, "question": SECOND},
        {"thread": "bread", "turns": 2, "question": SECOND},
    ]
    times = [datetime.fromisoformat(item["asked_at"]) for item in library.threads()]
    assert timedelta(0) < times[0] - times[1] < datetime.now(UTC) - times[1] < timedelta(minutes=5)
    first, second = library.thread("bread")
    assert (first["question"], second["question"]) == (FIRST, SECOND)
    assert first["program"].strip() == PROGRAM
    library.remove_thread("bread")
    assert [item["thread"] for item in library.threads()] == ["other"]
    with pytest.raises(NotFound, match="no thread 'bread'") as caught:
        library.thread("bread")
    assert "other" in caught.value.hint


def test_a_question_of_a_thread_is_replayed_with_what_came_before(library: Library, server: ScriptedServer) -> None:
    library.ask(FIRST, model="openai:scripted", thread="bread")
    answer = library.ask(SECOND, model="openai:scripted", thread="bread")
    asked = len(server.requests)
    assert library.replay(answer.trace_id).is_same
    assert len(server.requests) == asked
    assert len(library.thread("bread")) == 2


def test_without_a_model_a_follow_up_is_completed_and_says_how(library: Library) -> None:
    first = library.ask("When are you welcomed to the lecture?", thread="plain")
    *events, second = library.stream("and after that?", thread="plain")
    assert isinstance(second, Answer)
    assert first.understood == ""
    assert second.question == "and after that?"
    assert second.understood == "“that” = talk 0:00-0:06; read as: What happens after 0:06 in talk?"
    assert "Rubisco" in second.text
    assert second.to_json()["understood"] == second.understood
    notes = [event["detail"] for event in events if not isinstance(event, Answer) and event["event"] == "note"]
    assert notes == [second.understood]
    turn = library.thread("plain")[-1]
    assert (turn["question"], turn["understood"]) == ("and after that?", "What happens after 0:06 in talk?")
    assert library.replay(second.trace_id).is_same
    third = library.ask("Is Rubisco mentioned?", thread="plain")
    assert (third.understood, third.text[:3]) == ("", "Yes")


def test_where_nothing_earlier_fits_it_says_so(library: Library) -> None:
    answer = library.ask("and in the other video?", thread="new")
    assert answer.abstained
    assert "nothing was asked before it in this conversation; ask it in full" in answer.text
    assert not answer.usage.tool_calls
    assert library.replay(answer.trace_id).is_same
    assert not library.ask("Is Rubisco mentioned?", thread="new").abstained
    library.ask("and in the other video?", thread="new")
    again = library.ask("When exactly is that?", thread="new")
    assert "“that” = talk 0:48-0:54" in again.understood, "what was not understood is passed over"


def test_videos_once_chosen_are_those_of_the_thread(library: Library) -> None:
    row = {"video": "other", "duration": 90, "track": "speech", "start": 1, "end": 5, "text": "Rubisco is slow."}
    library.import_file([json.dumps(row).encode()])
    assert library.ask("Is Rubisco mentioned?", thread="a", videos=["other"]).coverage.videos == 1
    chosen = library.ask("How often is Rubisco mentioned?", thread="a")
    assert {item.video for item in chosen.evidence} == {"other"}
    assert chosen.understood == "only in other, as before"
    assert library.replay(chosen.trace_id).is_same
    other = library.ask("and in the other video?", thread="a")
    assert {item.video for item in other.evidence} == {"talk"}
    assert library.replay(other.trace_id).is_same
    assert library.ask("Is Rubisco mentioned?", thread="a", videos=[]).coverage.videos == 2
    assert library.ask("Is Rubisco mentioned?", thread="a").coverage.videos == 2
    assert library.ask("Is Rubisco mentioned?", thread="b").coverage.videos == 2


def test_on_the_command_line_all_videos_are_taken_back(
    library: Library, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {"video": "other", "duration": 90, "track": "speech", "start": 1, "end": 5, "text": "Rubisco is slow."}
    library.import_file([json.dumps(row).encode()])
    monkeypatch.setenv("AGENTVID_EMBED", "false")
    monkeypatch.setenv("AGENTVID_LIBRARY", str(library.catalogue.directory))
    looked_at = []
    for videos in (["--video", "other"], [], ["--video", "all"], []):
        with pytest.raises(SystemExit) as ended:
            main(["ask", "Is Rubisco mentioned?", "--thread", "c", "--json", *videos])
        assert ended.value.code == 0
        looked_at.append(json.loads(capsys.readouterr().out)["coverage"]["videos"])
    assert looked_at == [1, 1, 2, 2]


def test_a_thread_of_an_earlier_version_is_gone_on_with(library: Library) -> None:
    library.ask("When are you welcomed to the lecture?", thread="old")
    with checkpointer(library.catalogue.directory) as saver:
        found = saver.get_tuple(config_of("old"))
        assert found
        for key in ("understood", "videos"):
            del found.checkpoint["channel_values"]["turns"][0][key]
        saver.put(found.config, found.checkpoint, found.metadata, {})
    assert set(library.thread("old")[0]) == {"question", "answer", "abstained", "program", "evidence"}
    assert "“that” = talk 0:00-0:06" in library.ask("and after that?", thread="old").understood


@pytest.mark.parametrize("name", [" ", "a b", "../x", "x" * 65, "é", "a\nb"])
def test_what_names_no_thread_is_refused(library: Library, name: str) -> None:
    with pytest.raises(UsageError, match="names no thread; allowed"):
        library.ask(FIRST, thread=name)


def test_no_thread_at_all(library: Library) -> None:
    assert library.threads() == []
    with pytest.raises(NotFound):
        library.thread("none")


def test_a_damaged_file_of_threads_is_one_line(library: Library) -> None:
    (library.catalogue.directory / FILE).write_bytes(b"not a database" * 100)
    for look in (library.threads, lambda: library.ask("What does Rubisco capture?", thread="a")):
        with pytest.raises(LibraryError, match=FILE) as caught:
            look()
        assert "delete the file" in caught.value.hint


def test_a_forged_checkpoint_builds_nothing(library: Library, tmp_path: Path) -> None:
    """An extension type that asks for a call when it is read, as the permissive setting would make it."""
    library.ask("What does Rubisco capture?", thread="a")
    marker = tmp_path / "ran"
    inner = ormsgpack.packb(["os", "mkdir", [str(marker)]])
    forged = ormsgpack.packb(
        {"v": 4, "id": "f", "ts": "", "channel_values": {"turns": [ormsgpack.Ext(code, inner) for code in range(1, 6)]}}
    )
    with sqlite3.connect(library.catalogue.directory / FILE) as connection:
        connection.execute("UPDATE checkpoints SET checkpoint = ?, type = 'msgpack'", (forged,))
    with pytest.raises(LibraryError, match=r"thread 'a' in threads\.sqlite3 is damaged"):
        library.thread("a")
    with sqlite3.connect(library.catalogue.directory / FILE) as connection:
        connection.execute("UPDATE checkpoints SET type = 'pickle'")
    with pytest.raises(LibraryError, match="is damaged"):
        library.ask("What does Rubisco capture?", thread="a")
    assert not marker.exists()


class Watcher(BaseCallbackHandler):
    """Counts what it is told."""

    def __init__(self) -> None:
        self.prompts: list[str] = []
        self.tokens: list[int] = []
        self.nodes: list[str] = []

    def on_chain_start(self, serialized: Any, inputs: Any, **more: Any) -> None:
        self.nodes.append(more.get("name") or "")

    def on_chat_model_start(self, serialized: Any, messages: Any, **more: Any) -> None:
        self.prompts.append(messages[0][-1].content)

    def on_llm_end(self, response: Any, **more: Any) -> None:
        self.tokens.append(response.generations[0][0].message.usage_metadata["input_tokens"])


def test_callbacks_see_every_node_and_model_call(library: Library, server: ScriptedServer) -> None:
    watcher = Watcher()
    answer = library.ask(FIRST, model="openai:scripted", callbacks=[watcher])
    assert len(watcher.prompts) == len(server.requests) == answer.usage.llm_calls == 2
    assert sum(watcher.tokens) == answer.usage.input_tokens
    assert [name for name in watcher.nodes if name in {"route", "plan", "execute", "check", "compose", "cite"}] == [
        "route", "plan", "execute", "check", "compose", "cite",
    ]  # fmt: skip
    assert watcher.nodes[0] == "agentvid.ask"
    *events, last = library.stream(FIRST, model="openai:scripted", callbacks=[again := Watcher()])
    assert len(again.prompts) == 2
    told = [event["node"] for event in events if not isinstance(event, Answer)]
    assert [node for node, _ in groupby(told)] == ["start", "plan", "execute", "compose", "cite"]
    assert isinstance(last, Answer)
