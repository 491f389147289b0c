"""The tools as OpenAI's function schema, for its client and for every server that speaks its protocol."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentvid.adapters.binding import Result, bind
from agentvid.text import clean_text
from agentvid.types import Json

if TYPE_CHECKING:
    from agentvid.library import Library


def tools(library: Library, names: Sequence[str] = (), *, allow_index: Sequence[str | Path] = ()) -> Toolbox:
    """The schemas, and what runs the calls of a reply. Needs no package. Raises as `bind`."""
    return Toolbox(library, names, allow_index)


class Toolbox:
    """`chat`: schemas for chat completions, `responses`: those for the Responses API."""

    def __init__(self, library: Library, names: Sequence[str], allow_index: Sequence[str | Path]) -> None:
        self._tools = {bound.name: bound for bound in bind(library, names, allow_index=allow_index)}
        functions = [{"name": n, "description": t.description, "parameters": t.schema} for n, t in self._tools.items()]
        self.chat: list[Json] = [{"type": "function", "function": function} for function in functions]
        self.responses: list[Json] = [{"type": "function", **function, "strict": False} for function in functions]

    def call(self, name: str, arguments: str) -> str:
        """The result of one call as JSON, or what is wrong with it in one line; `arguments` as the model wrote them."""
        return self._run(name, arguments).text

    def chat_messages(self, calls: Iterable[Any] | None) -> list[Json]:
        """What answers the `tool_calls` of a message. A tool's message is text alone: frames follow as the user's."""
        found = [(call.id, self._run(call.function.name, call.function.arguments)) for call in calls or ()]
        pictures = [{"type": "image_url", "image_url": {"url": url}} for _, result in found for url in result.urls]
        messages: list[Json] = [{"role": "tool", "tool_call_id": id, "content": result.text} for id, result in found]
        return [*messages, {"role": "user", "content": pictures}] if pictures else messages

    def response_items(self, output: Iterable[Any]) -> list[Json]:
        """What answers the function calls among the `output` of a response, frames included."""
        calls = [item for item in output if item.type == "function_call"]
        told = [(call.call_id, _items(self._run(call.name, call.arguments))) for call in calls]
        return [{"type": "function_call_output", "call_id": id, "output": items} for id, items in told]

    def _run(self, name: str, arguments: str) -> Result:
        unknown = Result(f"no tool {clean_text(name, limit=80)!r}; allowed: {', '.join(self._tools)}")
        return self._tools[name].tell(arguments) if name in self._tools else unknown


def _items(result: Result) -> list[Json]:
    pictures = [{"type": "input_image", "image_url": url, "detail": "auto"} for url in result.urls]
    return [{"type": "input_text", "text": result.text}, *pictures]
