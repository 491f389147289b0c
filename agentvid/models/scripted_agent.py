"""A model that needs no weights and calls tools all the same: it follows a script and answers from what they returned.

    with ScriptedServer(ScriptedAgent([("search_moments", {"query": "the launch date"})])) as server:
        os.environ["OPENAI_BASE_URL"] = server.base_url

So every agent framework that speaks OpenAI's protocol runs its whole loop offline, and `requests` tells what it sent.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agentvid.types import Json


class ScriptedAgent:
    """Makes the calls of the script, one a turn, and then answers with the first moment that a tool returned.

    Without a moment it answers with what the tool said, which may be an error. A framework that ends a run by a tool
    `final_answer` is answered by a call of that.
    """

    def __init__(self, calls: Sequence[tuple[str, Json]]) -> None:
        self.calls = list(calls)
        self.requests: list[Json] = []
        self._lock = threading.Lock()

    def message(self, request: Mapping[str, Any]) -> Json:
        """`{"content", "tool_calls"?}`: the next message of a chat-completions request."""
        with self._lock:
            self.requests.append(dict(request))
            turn = len(self.requests)
        if turn <= len(self.calls):
            return _call(turn, *self.calls[turn - 1])
        answer = _answer([*_texts(request["messages"])])
        offered = [tool["function"]["name"] for tool in request.get("tools", ())]
        return _call(turn, "final_answer", {"answer": answer}) if "final_answer" in offered else {"content": answer}


def _call(turn: int, name: str, arguments: Json) -> Json:
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"content": None, "tool_calls": [{"id": f"call_{turn}", "type": "function", "function": function}]}


def _texts(messages: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for message in messages:
        content = message.get("content") or ""
        blocks = content if isinstance(content, list) else [{"type": "text", "text": content}]
        yield "\n".join(block["text"] for block in blocks if block["type"] == "text")


def _answer(texts: Sequence[str]) -> str:
    """From the last text, since that is what the last tool returned."""
    said = texts[-1]
    start, end = said.find('{"'), said.rfind("}") + 1
    try:
        moment = json.loads(said[start:end])["moments"][0]
    except (ValueError, KeyError, IndexError, TypeError):
        return said
    return f"{moment['name']} at {moment['start']:g} s: {moment['text']}"
