"""The scripted agent calls tools over the protocol, plain and streamed, and answers from what they returned."""

from __future__ import annotations

import json

import pytest

from agentvid.models.scripted_agent import ScriptedAgent
from agentvid.models.scripted_server import ScriptedServer

pytest.importorskip("langchain_openai", reason="it is not installed: make test")

FOUND = {"moments": [{"name": "talk.mp4", "start": 30.0, "text": "Sugar."}, {"name": "other"}]}


@pytest.mark.parametrize("is_streamed", [False, True], ids=["plain", "streamed"])
def test_a_call_and_then_an_answer(is_streamed: bool) -> None:
    from langchain_openai import ChatOpenAI

    agent = ScriptedAgent([("search_moments", {"query": "sugar"})])
    with ScriptedServer(agent) as server:
        model = ChatOpenAI(model="scripted", base_url=server.base_url, api_key="none", streaming=is_streamed)
        called = model.invoke("Where?")
        assert [(call["name"], call["args"]) for call in called.tool_calls] == [("search_moments", {"query": "sugar"})]
        result = {"role": "tool", "tool_call_id": called.tool_calls[0]["id"], "content": json.dumps(FOUND)}
        assert model.invoke([("user", "Where?"), called, result]).text == "talk.mp4 at 30 s: Sugar."
    assert [len(request["messages"]) for request in agent.requests] == [1, 3]


@pytest.mark.parametrize("said", ["no video 'x'", '{"moments": []}', "{", ""])
def test_without_a_moment_it_tells_what_the_tool_said(said: str) -> None:
    agent = ScriptedAgent([])
    assert agent.message({"messages": [{"role": "tool", "content": said}]}) == {"content": said}


def test_a_run_that_ends_by_a_tool_is_ended_by_it() -> None:
    offered = [{"type": "function", "function": {"name": "final_answer"}}]
    message = ScriptedAgent([]).message({"messages": [{"role": "user", "content": "so"}], "tools": offered})
    (call,) = message["tool_calls"]
    assert (call["function"]["name"], json.loads(call["function"]["arguments"])) == ("final_answer", {"answer": "so"})
