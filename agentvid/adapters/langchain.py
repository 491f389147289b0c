"""The tools for LangChain and LangGraph: `create_agent("openai:NAME", tools(library))`.

A tool's message holds JSON for the model and, as `artifact`, the same as an object for the program around it: plain,
so that it comes back from a checkpoint as it went in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_core.tools import StructuredTool, ToolException
from langgraph.config import get_stream_writer

from agentvid.adapters.binding import BoundTool, Result, bind
from agentvid.errors import ToolError
from agentvid.types import Json

if TYPE_CHECKING:
    from agentvid.library import Library


def tools(
    library: Library, names: Sequence[str] = (), *, allow_index: Sequence[str | Path] = ()
) -> list[StructuredTool]:
    """One LangChain tool for each; frames are image blocks of the message. Raises as `bind`."""
    return [_tool(bound) for bound in bind(library, names, allow_index=allow_index)]


def _tool(bound: BoundTool) -> StructuredTool:
    def run(**arguments: Any) -> tuple[str | list[str | Json], Json]:
        try:
            result = bound.call(arguments, _writer())
        except ToolError as error:
            raise ToolException(str(error)) from None
        return _content(result), result.document

    return StructuredTool(
        name=bound.name,
        description=bound.description,
        args_schema=bound.schema,
        func=run,
        response_format="content_and_artifact",
        handle_tool_error=True,  # the model reads the line, in a message with status "error"
    )


def _content(result: Result) -> str | list[str | Json]:
    pictures = [{"type": "image", "base64": each.data, "mime_type": each.mime_type} for each in result.pictures]
    return [{"type": "text", "text": result.text}, *pictures] if pictures else result.text


def _writer() -> Callable[[object], None] | None:
    """Where a graph around the call sends custom events, as the steps of `ask_video` are; None outside of one."""
    try:
        return get_stream_writer()
    except (RuntimeError, KeyError):
        return None
