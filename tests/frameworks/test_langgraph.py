"""LangGraph: artifacts of tools, agents that keep a thread, and asking as a graph of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any, TypedDict

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph

from agentvid.adapters.langchain import tools
from agentvid.adapters.registry import DOOR_TOOLS
from agentvid.adapters.studio import ask_graph
from agentvid.errors import NotFound
from agentvid.library import Library
from agentvid.models.scripted_agent import ScriptedAgent
from agentvid.models.scripted_server import ScriptedServer

ROOT = Path(__file__).parents[2]
QUESTION = "Where is the Calvin cycle explained?"
SAID = "The Calvin cycle fixes carbon dioxide into sugar."


def test_a_tool_message_holds_the_result_as_its_artifact(library: Library) -> None:
    (search,) = tools(library, ["search_moments"])
    call = {"type": "tool_call", "id": "1", "name": "search_moments", "args": {"query": "Calvin cycle"}}
    message = search.invoke(call)
    result = DOOR_TOOLS["search_moments"].call(library, {"query": "Calvin cycle"})
    assert message.content == result.model_dump_json()
    assert message.artifact == result.model_dump(mode="json")
    wrong = search.invoke({**call, "args": {"query": ""}})
    assert (wrong.status, wrong.artifact) == ("error", None)


async def _search(library: Library) -> Any:
    (search,) = tools(library, ["search_moments"])
    return await search.ainvoke({"query": "Calvin cycle"})


def test_a_tool_can_be_awaited(library: Library) -> None:
    import asyncio

    assert SAID in asyncio.run(_search(library))


def test_an_agent_streams_the_steps_of_a_question(library: Library) -> None:
    create_agent = pytest.importorskip("langchain.agents", reason="langchain is not installed: make test").create_agent
    from langchain_openai import ChatOpenAI

    with ScriptedServer(ScriptedAgent([("ask_video", {"question": QUESTION})])) as server:
        agent = create_agent(ChatOpenAI(model="scripted", base_url=server.base_url, api_key="none"), tools(library))
        asked = {"messages": [{"role": "user", "content": QUESTION}]}
        events = [event["event"] for event in agent.stream(asked, stream_mode="custom")]
    assert set(events) >= {"stage", "program", "tool"}
    assert events.count("program") == 1


def test_tools_are_called_by_several_threads(library: Library) -> None:
    made = {tool.name: tool for tool in tools(library)}
    search = made["search_moments"].batch([{"query": "Calvin cycle"}] * 8)
    answers = made["ask_video"].batch([{"question": QUESTION}] * 4)
    assert len(set(search)) == 1
    assert len({json.loads(answer)["answer"] for answer in answers}) == 1


def test_an_agent_with_a_thread_asks_twice(library: Library) -> None:
    """The graph of `ask_video` runs inside that of the agent: its state must not get into the agent's checkpoints."""
    create_agent = pytest.importorskip("langchain.agents", reason="langchain is not installed: make test").create_agent
    from langchain_openai import ChatOpenAI

    asked = ("ask_video", {"question": QUESTION})
    config = {"configurable": {"thread_id": "1"}}
    with ScriptedServer(ScriptedAgent([asked])) as one, ScriptedServer(ScriptedAgent([asked])) as two:
        saver = InMemorySaver()
        for server in (one, two):
            model = ChatOpenAI(model="scripted", base_url=server.base_url, api_key="none")
            agent = create_agent(model, tools(library), checkpointer=saver)
            result = agent.invoke({"messages": [{"role": "user", "content": QUESTION}]}, config)
    answers = [message.artifact for message in result["messages"] if message.type == "tool"]
    assert [SAID in answer["answer"] for answer in answers] == [True, True]
    assert answers[0]["claims"] == answers[1]["claims"]


class State(TypedDict, total=False):
    question: str
    answer: dict[str, Any]
    kept: int


def test_asking_is_a_node_of_another_graph(library: Library) -> None:
    graph = StateGraph(State)
    graph.add_node("video", ask_graph(library))
    graph.add_edge(START, "video")
    graph.add_edge("video", END)
    outer = graph.compile(checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    for _ in range(2):
        result = outer.invoke({"question": QUESTION, "kept": 3}, config)
        assert SAID in result["answer"]["answer"]
        assert result["kept"] == 3


def test_asking_streams_its_steps(library: Library) -> None:
    events = list(ask_graph(library).stream({"question": QUESTION, "videos": ["talk.mp4"]}, stream_mode="custom"))
    assert {event["event"] for event in events} >= {"stage", "program", "tool"}


def test_langgraph_json_names_a_graph_that_opens_the_library_of_the_environment(library: Library) -> None:
    """Loaded by its file, as `langgraph dev` does."""
    if not (ROOT / "langgraph.json").exists():
        pytest.skip("langgraph.json is part of the repository, not of the package")
    config = json.loads((ROOT / "langgraph.json").read_text("utf-8"))
    file, _, name = config["graphs"]["agentvid"].partition(":")
    spec = importlib.util.spec_from_file_location("studio_of_langgraph_json", ROOT / file)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    graph = getattr(module, name)
    assert set(graph.get_input_jsonschema()["properties"]) == {"question", "videos", "choices"}
    drawn = graph.get_graph(xray=True).nodes
    assert {f"ask:{node}" for node in ("route", "plan", "execute", "check", "compose", "cite")} <= set(drawn)
    with pytest.raises(NotFound):
        graph.invoke({"question": QUESTION})
    os.environ |= {"AGENTVID_LIBRARY": str(library.catalogue.directory), "AGENTVID_EMBED": "false"}
    assert SAID in graph.invoke({"question": QUESTION})["answer"]["answer"]
