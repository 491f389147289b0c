"""Every framework shows a model the same tools, results and errors: read off what each really sends over the wire."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from agentvid.adapters.base import one_line
from agentvid.adapters.registry import DOOR_TOOLS
from agentvid.errors import AgentvidError, UsageError
from agentvid.library import Library
from agentvid.types import Json

from .conftest import EXAMPLES, Framework, Run, expected, texts

SEARCH: Json = {"query": "Calvin cycle", "k": 1}
LOOK: Json = {"video": "red.mp4", "times": ["0:01"], "side": 160}


def shown(schema: Json) -> dict[str, Json]:
    """The arguments of a schema, without what a framework adds of its own."""
    return {
        name: {key: value for key, value in argument.items() if key not in {"nullable", "title", "default"}}
        for name, argument in schema["properties"].items()
    }


def test_every_framework_offers_the_tools_of_the_registry(framework: Framework, run: Run) -> None:
    (request,) = run(framework)
    functions = {tool["function"]["name"]: tool["function"] for tool in request["tools"]}
    functions.pop("final_answer", None)  # how smolagents ends a run
    assert set(functions) == set(DOOR_TOOLS) - set(framework.lacks)
    for name, function in functions.items():
        assert function["description"] == DOOR_TOOLS[name].description
        assert shown(function["parameters"]) == shown(DOOR_TOOLS[name].input_schema)
        if framework.name != "crewai":  # whose rule it is that every argument must be given
            assert function["parameters"].get("required", []) == DOOR_TOOLS[name].input_schema.get("required", [])


def test_descriptions_are_as_short_as_providers_want_them() -> None:
    assert all(len(tool.description) <= 1024 for tool in DOOR_TOOLS.values())


def test_an_agent_searches_and_answers(framework: Framework, run: Run, library: Library) -> None:
    requests = run(framework, ("search_moments", SEARCH))
    assert len(requests) == 2
    assert expected(library, "search_moments", SEARCH) in texts(requests[1]["messages"][-1])


def test_null_is_an_argument_that_is_not_given(framework: Framework, run: Run, library: Library) -> None:
    requests = run(framework, ("search_moments", {**SEARCH, "start": None, "videos": None}))
    if framework.name == "smolagents":  # it lets null through where "nullable" says so
        assert "nullable" in json.dumps(requests[0]["tools"])
    assert expected(library, "search_moments", SEARCH) in texts(requests[1]["messages"][-1])


@pytest.mark.parametrize(
    "arguments", [{"query": "", "k": 0}, {"query": "x", "videos": ["nowhere.mp4"]}], ids=["invalid", "not found"]
)
def test_an_error_is_the_same_line_everywhere(
    framework: Framework, run: Run, library: Library, arguments: Json
) -> None:
    with pytest.raises(AgentvidError) as error:
        DOOR_TOOLS["search_moments"].call(library, arguments)
    requests = run(framework, ("search_moments", arguments))
    assert one_line(error.value) in texts(requests[1]["messages"][-1])
    assert "\n" not in one_line(error.value)


def test_an_agent_that_made_an_error_goes_on(framework: Framework, run: Run, library: Library) -> None:
    requests = run(framework, ("search_moments", {"query": ""}), ("search_moments", SEARCH))
    assert expected(library, "search_moments", SEARCH) in texts(requests[2]["messages"][-1])


def test_frames_reach_the_model_as_pictures(framework: Framework, run: Run, library: Library) -> None:
    if "get_frames" in framework.lacks:
        with pytest.raises(UsageError, match="no tool 'get_frames'"):
            framework.adapter.tools(library, ["get_frames"])
        return
    requests = run(framework, ("get_frames", LOOK))
    blocks = [block for message in requests[1]["messages"] for block in message.get("content") or []]
    pictures = [block for block in blocks if isinstance(block, dict) and block["type"] == "image_url"]
    words = "\n".join(texts(message) for message in requests[1]["messages"])
    assert '"seconds":1.0' in words
    assert '"data"' not in words
    assert len(pictures) == (0 if framework.is_text_only else 1)
    assert all(picture["image_url"]["url"].startswith("data:image/") for picture in pictures)


def test_frames_of_the_agents_sdk_are_pictures_in_the_responses_api(library: Library) -> None:
    agents = pytest.importorskip("agents", reason="openai-agents is not installed: make test")
    from agents.testing import ScriptedModel, assistant_message, function_call

    from agentvid.adapters.openai_agents import tools

    call = function_call("get_frames", LOOK, call_id="1")
    model = ScriptedModel([[call], [assistant_message("red")]])
    agents.set_tracing_disabled(True)
    assert agents.Runner.run_sync(agents.Agent("viewer", model=model, tools=tools(library)), "?").final_output == "red"
    (result,) = [item for item in model.last_call.input if item.get("type") == "function_call_output"]
    assert [part["type"] for part in result["output"]] == ["input_text", "input_image"]
    assert result["output"][1]["image_url"] == url_of(library)


def test_frames_of_llamaindex_are_pictures_in_the_responses_api(library: Library) -> None:
    pytest.importorskip("llama_index.llms.openai", reason="it is not installed: make test-frameworks")
    from llama_index.core.llms import ChatMessage
    from llama_index.llms.openai.utils import to_openai_responses_message_dict

    from agentvid.adapters.llamaindex import tools

    (tool,) = tools(library, ["get_frames"])
    told = ChatMessage(role="tool", blocks=tool(**LOOK).blocks, additional_kwargs={"tool_call_id": "1"})
    sent = to_openai_responses_message_dict(told, model="gpt-4o-mini")
    assert [part["type"] for part in sent["output"]] == ["input_text", "input_image"]
    assert sent["output"][1]["image_url"] == url_of(library)


def url_of(library: Library) -> str:
    (frame,) = DOOR_TOOLS["get_frames"].call(library, LOOK).frames
    return f"data:{frame.mime_type};base64,{frame.data}"


def test_an_agent_asks_for_an_answer_with_citations(framework: Framework, run: Run) -> None:
    requests = run(framework, ("ask_video", {"question": "Where is the Calvin cycle explained?"}))
    assert "The Calvin cycle fixes carbon dioxide into sugar." in texts(requests[1]["messages"][-1])


def test_some_tools_alone(framework: Framework, library: Library) -> None:
    made = framework.adapter.tools(library, ["ground", "list_videos"])
    assert len(made.chat if framework.name == "openai" else made) == 2


def test_indexing_is_offered_for_folders_that_are_allowed(
    framework: Framework, library: Library, tmp_path: Any
) -> None:
    with pytest.raises(UsageError, match="no tool 'index_video'"):
        framework.adapter.tools(library, ["index_video"])
    made = framework.adapter.tools(library, ["index_video", "get_job"], allow_index=[tmp_path])
    assert len(made.chat if framework.name == "openai" else made) == 2


def test_a_framework_that_is_not_there_is_named_with_its_command() -> None:
    """In a process that cannot import any of them."""
    code = """
import importlib, sys
from agentvid.errors import MissingDependency
for adapter, package in zip(sys.argv[1::2], sys.argv[2::2]):
    sys.modules[package] = None
    try:
        importlib.import_module(f"agentvid.adapters.{adapter}").tools(None)
    except MissingDependency as error:
        print(error, error.hint, sep="; ")
"""
    packages = {"openai_agents": "agents", "smolagents": "smolagents", "llamaindex": "llama_index", "crewai": "crewai"}
    command = [sys.executable, "-c", code, *(word for pair in packages.items() for word in pair)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert said.splitlines() == [
        "openai-agents is not installed; pip install 'agentvid[openai-agents]'",
        "smolagents is not installed; pip install 'agentvid[smolagents]'",
        "llama-index-core is not installed; pip install 'agentvid[llamaindex]'",
        "crewai is not installed; pip install 'agentvid[crewai]'",
    ]


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="the examples are part of the repository, not of the package")
def test_an_example_runs_offline_from_its_command_line() -> None:
    command = [sys.executable, str(EXAMPLES / "with_openai.py"), "--scripted"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "talk.mp4 at 30 s: The Calvin cycle fixes carbon dioxide into sugar.\n", done.stderr
