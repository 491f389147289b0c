"""Every fault of a provider, at the planner's request and at the composer's, over real HTTP.

Each ends in time: the answer after a retry or a repair, or the answer of quotes alone that tells of the fault, or,
before there is anything to answer from, one line.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator

import pytest

from agentvid.composers.llm import LLMComposer
from agentvid.errors import ModelError
from agentvid.graph import AskContext, ask
from agentvid.models.chat import LangChainChat
from agentvid.models.scripted import ScriptedChat
from agentvid.models.scripted_server import FAULTS, Fault, ScriptedServer
from agentvid.planners.llm import LLMPlanner
from agentvid.types import Answer

ContextFor = Callable[..., AskContext]

QUESTION = "What does Rubisco capture?"
PROGRAM = 'hits = search(query="Rubisco enzyme", k=3, track="speech")\nanswer(kind="what", evidence=hits)'
CLAIMS = json.dumps({"claims": [{"text": "Rubisco captures carbon dioxide.", "evidence": ["e1"]}], "choice": None})
#: What no retry mends, and no repair.
FINAL = {
    "silence", "trickle", "stall", "429 retry in an hour", "401", "403", "404", "413", "422", "context overflow",
    "html", "no body", "null", "half of a JSON", "deep JSON", "bad UTF-8", "event stream", "no choices", "wrong role",
    "empty", "no content", "number for content", "refusal", "content filter", "unknown tool",
}  # fmt: skip
STALLING = {"silence", "trickle", "stall"}
SHORT_SECONDS, LONG_SECONDS = 0.6, 20.0


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    chat = ScriptedChat(lambda _system, user: CLAIMS if "JSON object" in user else PROGRAM)
    before = {name: os.environ.get(name) for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_BASE")}
    with ScriptedServer(chat) as serving:
        os.environ |= dict.fromkeys(("OPENAI_BASE_URL", "OPENAI_API_BASE"), serving.base_url) | {"OPENAI_API_KEY": "k"}
        yield serving
    for name, value in before.items():
        del os.environ[name]
        if value is not None:
            os.environ[name] = value


def answered(context_for: ContextFor, chat: LangChainChat) -> Answer:
    return ask(QUESTION, context_for("talk.mp4", planner=LLMPlanner(chat), composer=LLMComposer(chat)))


def chat_for(name: str) -> LangChainChat:
    return LangChainChat("openai:scripted", timeout_seconds=SHORT_SECONDS if name in STALLING else LONG_SECONDS)


def assert_quoted(answer: Answer) -> None:
    """The answer of quotes alone, which tells that the model failed."""
    assert "Rubisco is the enzyme that captures carbon dioxide." in answer.text
    assert any(note.startswith("composing: model 'openai:scripted': ") for note in answer.coverage.missing)


def test_there_are_thirty_and_each_final_one_is_one_of_them() -> None:
    assert len(FAULTS) >= 30
    assert set(FAULTS) > FINAL > STALLING


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_at_the_planners_request(context_for: ContextFor, server: ScriptedServer, name: str) -> None:
    server.faults = deque([FAULTS[name]])
    chat = chat_for(name)
    started = time.monotonic()
    if name in FINAL:
        with pytest.raises(ModelError, match=r"^model 'openai:scripted': ") as caught:
            answered(context_for, chat)
        assert len(str(caught.value).splitlines()) == 1
        assert len(str(caught.value)) < 300
        assert caught.value.hint
    else:
        answer = answered(context_for, chat)
        assert [claim.text for claim in answer.claims] == ["Rubisco captures carbon dioxide."]
        assert not any("composing" in note for note in answer.coverage.missing)
    assert time.monotonic() - started < (SHORT_SECONDS if name in STALLING else 4) + 2


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_at_the_composers_request(context_for: ContextFor, server: ScriptedServer, name: str) -> None:
    server.faults = deque([None, FAULTS[name]])
    chat = chat_for(name)
    started = time.monotonic()
    answer = answered(context_for, chat)
    if name in FINAL:
        assert_quoted(answer)
    else:
        assert [claim.text for claim in answer.claims] == ["Rubisco captures carbon dioxide."]
        assert not any("composing" in note for note in answer.coverage.missing)
    assert time.monotonic() - started < (SHORT_SECONDS if name in STALLING else 4) + 2
    assert json.loads(json.dumps(answer.to_json()))["usage"]["llm_calls"] >= 1


def test_a_provider_that_stays_broken_after_planning_costs_the_model_not_the_answer(
    context_for: ContextFor, server: ScriptedServer
) -> None:
    server.faults = deque([None, *[FAULTS["503"]] * 9])
    assert_quoted(answered(context_for, chat_for("503")))


def test_a_provider_that_is_gone_when_a_program_needs_repair(context_for: ContextFor, server: ScriptedServer) -> None:
    broken = PROGRAM.replace("answer(", "x = read(within=first(hits), track=oops)\nanswer(")
    spoilt = Fault(change=lambda completion: completion["choices"][0]["message"].update(content=broken))
    server.faults = deque([spoilt, *[Fault(status=401)] * 9])
    answer = answered(context_for, chat_for("401"))
    assert "refused the key (HTTP 401)" in answer.stopped
    assert answer.coverage.videos == 1


def test_nobody_listens(context_for: ContextFor, server: ScriptedServer) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        before = os.environ["OPENAI_BASE_URL"]
        os.environ["OPENAI_BASE_URL"] = os.environ["OPENAI_API_BASE"] = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
        chat = LangChainChat("openai:scripted", timeout_seconds=1)
        os.environ["OPENAI_BASE_URL"] = os.environ["OPENAI_API_BASE"] = before
    with pytest.raises(ModelError, match="the connection failed"):
        answered(context_for, chat)
