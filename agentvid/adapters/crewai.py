"""The tools for CrewAI: `Agent(role="viewer", goal="...", backstory="...", tools=tools(library))`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentvid.adapters.binding import BoundTool, bind, missing
from agentvid.errors import ToolError

if TYPE_CHECKING:
    from crewai.tools import BaseTool

    from agentvid.library import Library

#: A tool of CrewAI returns text.
WITHOUT = ("get_frames",)


def tools(library: Library, names: Sequence[str] = (), *, allow_index: Sequence[str | Path] = ()) -> list[BaseTool]:
    """One BaseTool for each but get_frames. Raises as `bind`, and MissingDependency."""
    try:
        from crewai.tools import BaseTool
        from crewai.tools.tool_failure import ToolFailure
    except ImportError:
        raise missing("crewai", "crewai") from None

    class LibraryTool(BaseTool):  # type: ignore[misc]
        _bound: BoundTool

        def _run(self, **arguments: Any) -> str | ToolFailure:
            try:
                return self._bound.call(arguments).text
            except ToolError as error:
                return ToolFailure(message=str(error))

        async def _arun(self, **arguments: Any) -> str | ToolFailure:
            return await asyncio.to_thread(self._run, **arguments)

    made: list[BaseTool] = []
    for bound in bind(library, names, allow_index=allow_index, without=WITHOUT):
        tool = LibraryTool(name=bound.name, description=bound.description, args_schema=bound.arguments_model())
        tool._bound = bound
        made.append(tool)
    return made
