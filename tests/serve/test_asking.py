"""Questions over HTTP: the events, what ends a run, how many may run, and that threads do not mix answers up."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from agentvid.library import Library
from agentvid.models.scripted import ScriptedChat
from agentvid.models.scripted_server import Fault, ScriptedServer
from agentvid.trace import trace_ids

from .conftest import HOSTILE, Reply, Site, events_of, running, settings_for

QUESTIONS = (
    "Which boat leaves the pier?",
    "What is said about the tide mill?",
    "How many times is a key mentioned?",
    "When is the submarine mentioned?",
)


def ask(site: Site, question: str, **more: Any) -> Reply:
    return site.post("/api/ask", {"question": question, **more})


def answer_of(reply: Reply) -> Any:
    assert reply.status == 200
    assert reply.headers["Content-Type"].startswith("text/event-stream")
    *events, (name, answer) = events_of(reply.body)
    assert name == "answer"
    assert all(name == document["event"] for name, document in events)
    return answer


def comparable(answer: Any) -> Any:
    """An answer without what differs between two runs of one question."""
    return {**answer, "trace_id": "", "usage": {**answer["usage"], "seconds": 0.0}}


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_answer_is_that_of_the_library(site: Site, question: str) -> None:
    answer, asked = answer_of(ask(site, question)), site.library.ask(question).to_json()
    for item in asked["evidence"]:
        name = item.pop("video")
        item["name"] = Path(name).name if Path(name).is_absolute() else name
    assert comparable(answer) == comparable(asked)


def test_events_come_before_the_answer_and_tell_the_program(site: Site) -> None:
    events = events_of(ask(site, QUESTIONS[0]).body)
    names = [name for name, _ in events]
    assert names[0] == "stage"
    assert {"program", "tool"} <= set(names)
    assert names[-1] == "answer"


def test_no_event_holds_a_path(site: Site) -> None:
    folder = str(site.library.catalogue.directory.parent)
    for question in (*QUESTIONS, f"What is said about {HOSTILE}?"):
        body = ask(site, question).body.decode()
        assert folder not in body
        trace_id = events_of(body.encode())[-1][1]["trace_id"]
        assert folder not in site.get(f"/api/traces/{trace_id}").body.decode()


@pytest.mark.parametrize(
    ("document", "status"),
    [
        ({}, 422),
        ({"question": ""}, 422),
        ({"question": " \u200b "}, 422),
        ({"question": "x" * 1_000_000}, 422),
        ({"question": 5}, 422),
        ({"question": "\ud800"}, 422),
        ({"question": "Which boat?", "videos": ["\udfff"]}, 422),
        ({"question": "Which boat?", "videos": ["unknown"]}, 404),
        ({"question": "Which boat?", "videos": "north"}, 422),
        ({"question": "Which boat?", "model": "openai:gpt"}, 422),
        ({"question": "Which boat?", "model": "scripted:/etc/passwd"}, 422),
        ({"question": "Which boat?", "verify": "never"}, 422),
        ({"question": "Which boat?", "budget": {"seconds": -1}}, 422),
        ({"question": "Which boat?", "budget": {"hours": 1}}, 422),
        ({"question": "Which boat?", "choices": ["a"] * 500}, 422),
        ({"question": "Which boat?", "path": "/etc/passwd"}, 422),
        ([], 422),
        (None, 422),
        ("x", 422),
    ],
)
def test_a_wrong_question_is_one_line(site: Site, document: Any, status: int) -> None:
    reply = site.post("/api/ask", document)
    assert reply.status == status
    told = reply.json()
    assert set(told) == {"error", "hint"}
    assert told["error"]
    assert len(reply.body) < 1_000
    assert "\n" not in told["error"] + told["hint"]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b'{"question": "a"', b"NaN", b"[" * 100_000, b'{"question": "\\ud800"}']
)
def test_a_body_that_is_no_json_is_one_line(site: Site, body: bytes) -> None:
    reply = site.get("/api/ask", "POST", body, Content_Type="application/json")
    assert reply.status in (400, 422)
    assert set(reply.json()) == {"error", "hint"}


def test_wrong_choices_and_threads_end_in_an_error(site: Site) -> None:
    for more in ({"choices": ["one"]}, {"choices": ["", " "]}, {"thread": "no name/../"}):
        reply = ask(site, "Which boat leaves?", **more)
        if reply.status == 200:
            name, told = events_of(reply.body)[-1]
            assert name == "error"
        else:
            assert reply.status == 422
            told = reply.json()
        assert told["error"]


def test_a_budget_only_lowers_the_limits(site: Site) -> None:
    answer = answer_of(ask(site, QUESTIONS[2], budget={"steps": 1}))
    assert answer["stopped"] == "the budget of 1 steps is spent"
    assert answer_of(ask(site, QUESTIONS[2], budget={"steps": 9_999}))["stopped"] == ""


def test_threads_are_kept_and_told(tmp_path: Path, shelf: Library) -> None:
    with Library.open(settings=settings_for(tmp_path)) as library:
        library.add([shelf.catalogue.videos()[0].paths[0]])
        with running(library) as site:
            assert site.get("/api/threads").json() == {"threads": []}
            assert site.get("/api/threads/mill").status == 404
            for question in QUESTIONS[:2]:
                answer_of(ask(site, question, thread="mill"))
            (row,) = site.get("/api/threads").json()["threads"]
            assert (row["thread"], row["turns"], row["question"]) == ("mill", 2, QUESTIONS[1])
            turns = site.get("/api/threads/mill")
            assert [turn["question"] for turn in turns.json()["turns"]] == list(QUESTIONS[:2])
            assert str(tmp_path) not in turns.body.decode()


def test_sixteen_at_once_answer_as_one(serve: Any) -> None:
    """Searches and questions in parallel give what they give one after the other."""
    with serve(asks=16) as site:
        jobs = [(number, question) for number in range(4) for question in QUESTIONS]
        searches = ["key", "red boat", "tide mill dawn", "cipher"] * 4
        alone = {question: comparable(answer_of(ask(site, question))) for question in QUESTIONS}
        hits = {query: site.get(f"/api/search?q={query.replace(' ', '+')}").json() for query in set(searches)}
        wrong: list[Any] = []

        def work(question: str, query: str) -> None:
            if comparable(answer_of(ask(site, question))) != alone[question]:
                wrong.append(question)
            if site.get(f"/api/search?q={query.replace(' ', '+')}").json() != hits[query]:
                wrong.append(query)

        threads = [
            threading.Thread(target=work, args=(job[1], query)) for job, query in zip(jobs, searches, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []


# -- models that take their time --------------------------------------------------------------------------------------


@pytest.fixture
def slow(tmp_path: Path, shelf: Library) -> Iterator[tuple[Site, ScriptedServer]]:
    """A site whose model takes longer to answer than anybody would wait."""
    with ScriptedServer(ScriptedChat(["never"]), faults=[Fault(delay_seconds=60)] * 9) as model:
        os.environ |= {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": model.base_url}
        try:
            settings = settings_for(tmp_path).model_copy(update={"model": "openai:slow"})
            with Library.open(settings=settings) as library:
                library.add([shelf.catalogue.videos()[0].paths[0]])
                with running(library, asks=2) as site:
                    yield site, model
        finally:
            for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
                del os.environ[name]


def start(site: Site, question: str, thread: str) -> Any:
    """A socket on which a question was sent and its first events have come."""
    line = site.connect()
    body = json.dumps({"question": question, "thread": thread}).encode()
    head = "POST /api/ask HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    line.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    got = b""
    while b"event: stage" not in got:
        got += line.recv(4096)
    assert got.startswith(b"HTTP/1.1 200")
    return line


def until(condition: Any, seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


HARD = "Explain why the miller waits for the tide and compare that with the boat"


def test_who_stops_a_question_gets_the_answer_so_far(slow: tuple[Site, ScriptedServer]) -> None:
    site, model = slow
    with closing(HTTPConnection("127.0.0.1", site.port, timeout=30)) as connection:
        body = json.dumps({"question": HARD})
        connection.request("POST", "/api/ask", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        stop = f"/api/ask/{response.headers['Ask-Id']}/stop"
        assert until(lambda: model.requests)
        assert site.post("/api/ask/nothing/stop", {}).status == 404
        began = time.monotonic()
        assert site.post(stop, {}).status == 204
        name, answer = events_of(response.read())[-1]
    assert time.monotonic() - began < 15
    assert (name, answer["stopped"]) == ("answer", "interrupted")
    assert answer["evidence"]
    assert site.post(stop, {}).status == 404


def test_who_leaves_ends_the_run_and_frees_its_place(slow: tuple[Site, ScriptedServer]) -> None:
    site, model = slow
    lines = [start(site, HARD, "one"), start(site, HARD, "two")]
    assert until(lambda: len(model.requests) >= 2)
    refused = ask(site, HARD)
    assert refused.status == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert site.get("/api/search?q=boat").status == 200  # others go on
    began = time.monotonic()
    for line in lines:
        line.close()
    assert until(lambda: len(trace_ids(site.library.catalogue.directory)) == 2)
    assert time.monotonic() - began < 15
    traces = [site.get(f"/api/traces/{trace_id}").json() for trace_id in trace_ids(site.library.catalogue.directory)]
    assert {trace["result"]["stopped"] for trace in traces} == {"interrupted"}
    start(site, HARD, "one").close()
