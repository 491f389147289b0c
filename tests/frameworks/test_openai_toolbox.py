"""OpenAI's two protocols: the shapes that its own types ask for, and calls that go wrong."""

from __future__ import annotations

import json

import pytest

from agentvid.adapters.openai import tools
from agentvid.library import Library

from .conftest import expected

pytest.importorskip("openai", reason="it is not installed: make test")


def test_responses_are_answered_call_by_call_with_text_and_pictures(library: Library) -> None:
    from openai.types.responses import FunctionTool, ResponseFunctionToolCall, ResponseFunctionToolCallOutputItem

    toolbox = tools(library)
    assert [FunctionTool.model_validate(each).name for each in toolbox.responses][1] == "search_moments"
    search = {"query": "Calvin cycle"}
    asked = [("search_moments", search), ("get_frames", {"video": "red.mp4", "times": ["0:01"]})]
    calls = [
        ResponseFunctionToolCall(type="function_call", call_id=name, name=name, arguments=json.dumps(arguments))
        for name, arguments in asked
    ]
    items = toolbox.response_items(calls)
    for item in items:
        ResponseFunctionToolCallOutputItem.model_validate({**item, "id": "1", "status": "completed"})
    assert [item["call_id"] for item in items] == ["search_moments", "get_frames"]
    assert items[0]["output"] == [{"type": "input_text", "text": expected(library, "search_moments", search)}]
    assert [part["type"] for part in items[1]["output"]] == ["input_text", "input_image"]


@pytest.mark.parametrize(
    ("name", "arguments", "line"),
    [
        ("search", "{}", "no tool 'search'; allowed: list_videos, search_moments"),
        ("search_moments", "{", 'search_moments: the arguments are not a JSON object; as in {"name": "value"}'),
        ("search_moments", "[1]", "search_moments: the arguments are not a JSON object"),
        ("search_moments", "[" * 100_000, "search_moments: the arguments are not a JSON object"),
        ("search_moments", "", "search_moments: query: Field required; arguments: query, k, "),
        ("search_moments", '{"query": "x", "path": "/"}', "search_moments: path: Extra inputs are not permitted"),
        ("x" * 10_000 + "\n", "{}", "no tool 'xxx"),
    ],
)
def test_a_wrong_call_is_answered_with_one_line(library: Library, name: str, arguments: str, line: str) -> None:
    said = tools(library).call(name, arguments)
    assert said.startswith(line)
    assert "\n" not in said
    assert len(said) < 1_200
