"""The tools for LlamaIndex: `FunctionAgent(tools=tools(library), llm=llm)`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentvid.adapters.binding import BoundTool, bind, missing

if TYPE_CHECKING:
    from llama_index.core.tools import FunctionTool

    from agentvid.library import Library


def tools(library: Library, names: Sequence[str] = (), *, allow_index: Sequence[str | Path] = ()) -> list[FunctionTool]:
    """One FunctionTool for each; frames are image blocks of its output. Raises as `bind`, and MissingDependency."""
    try:
        import llama_index.core  # noqa: F401
    except ImportError:
        raise missing("llama-index-core", "llamaindex") from None
    return [_tool(bound) for bound in bind(library, names, allow_index=allow_index)]


def _tool(bound: BoundTool) -> FunctionTool:
    from llama_index.core.llms import ImageBlock, TextBlock
    from llama_index.core.tools import FunctionTool

    def run(**arguments: Any) -> Any:
        result = bound.call(arguments)  # an agent shows its model what is raised
        if not result.pictures:
            return result.text
        return [TextBlock(text=result.text), *(ImageBlock(image=file) for file in result.files)]

    return FunctionTool.from_defaults(
        run, name=bound.name, description=bound.description, fn_schema=bound.arguments_model()
    )
