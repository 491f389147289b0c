"""smolagents' own kind of agent: the model writes code that calls the tools."""

from __future__ import annotations

import json

import pytest

from agentvid.library import Library
from agentvid.models.scripted import ScriptedChat
from agentvid.models.scripted_server import ScriptedServer

pytest.importorskip("smolagents", reason="it is not installed: make test")


def test_code_reads_results_as_dicts(library: Library) -> None:
    from smolagents import CodeAgent, OpenAIModel

    from agentvid.adapters.smolagents import tools

    code = """Thought: I search.
<code>
found = search_moments("Calvin cycle", k=1)
print(found)
final_answer(found["moments"][0]["start"])
</code>"""
    with ScriptedServer(ScriptedChat([code])) as server:
        model = OpenAIModel("scripted", api_base=server.base_url, api_key="none")
        agent = CodeAgent(tools=tools(library), model=model, verbosity_level=0)
        assert agent.run("When is the Calvin cycle explained?") == 30.0
    printed = agent.memory.steps[-1].observations.split("Execution logs:\n")[1].splitlines()[0]
    assert json.loads(printed)["moments"][0]["name"] == "talk.mp4"


def test_code_that_is_wrong_is_told_in_one_line(library: Library) -> None:
    from smolagents import CodeAgent, OpenAIModel

    from agentvid.adapters.smolagents import tools

    wrong, right = "<code>\nsearch_moments(query='', k=1)\n</code>", "<code>\nfinal_answer('none')\n</code>"
    with ScriptedServer(ScriptedChat([wrong, right])) as server:
        model = OpenAIModel("scripted", api_base=server.base_url, api_key="none")
        agent = CodeAgent(tools=tools(library), model=model, verbosity_level=0)
        assert agent.run("?") == "none"
    assert "search_moments: query: String should have at least 1 character" in str(agent.memory.steps[1].error)
