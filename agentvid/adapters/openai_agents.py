"""The tools for the OpenAI Agents SDK: `Agent("viewer", tools=tools(library))`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentvid.adapters.binding import BoundTool, bind, missing

if TYPE_CHECKING:
    from agents import FunctionTool

    from agentvid.library import Library


def tools(library: Library, names: Sequence[str] = (), *, allow_index: Sequence[str | Path] = ()) -> list[FunctionTool]:
    """One FunctionTool for each; frames are images of its output. Raises as `bind`, and MissingDependency."""
    try:
        import agents  # noqa: F401
    except ImportError:
        raise missing("openai-agents", "openai-agents") from None
    return [_tool(bound) for bound in bind(library, names, allow_index=allow_index)]


def _tool(bound: BoundTool) -> FunctionTool:
    from agents import FunctionTool, ToolOutputImage, ToolOutputText

    async def invoke(_: Any, arguments: str) -> Any:
        # The SDK shows a model an error as a text of the tool.
        result = await asyncio.to_thread(bound.tell, arguments)
        if not result.pictures:
            return result.text
        return [ToolOutputText(text=result.text), *(ToolOutputImage(image_url=url) for url in result.urls)]

    return FunctionTool(
        name=bound.name,
        description=bound.description,
        params_json_schema=bound.schema,
        on_invoke_tool=invoke,
        strict_json_schema=False,  # strict would make every argument required
    )
