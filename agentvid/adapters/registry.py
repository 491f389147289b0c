"""The one registry of tools for agents: MCP and every framework show exactly these.

    DOOR_TOOLS["search_moments"].call(library, {"query": "launch date"}).model_dump()

One tool is one line here. All of them only read. `door_tools` adds those that index, for folders that are allowed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from agentvid.adapters.asking import ASK
from agentvid.adapters.base import DoorTool
from agentvid.adapters.finding import GROUND, SEARCH
from agentvid.adapters.jobs import index_tools
from agentvid.adapters.pictures import FRAMES
from agentvid.adapters.reading import LIST, READ, VIDEO_FACT
from agentvid.adapters.skill_card import SKILL_CARD

if TYPE_CHECKING:
    from agentvid.library import Library

__all__ = ["DOOR_TOOLS", "DoorTool", "door_tools"]

DOOR_TOOLS: Mapping[str, DoorTool[Any, Any]] = MappingProxyType(
    {tool.name: tool for tool in (LIST, SEARCH, ASK, GROUND, READ, FRAMES, VIDEO_FACT, SKILL_CARD)}
)


def door_tools(library: Library, *, allow_index: Sequence[str | Path] = ()) -> Mapping[str, DoorTool[Any, Any]]:
    """DOOR_TOOLS, and `index_video`, `get_job` and `stop_job` if there are folders from which they may index.

    Raises UsageError for what is no folder.
    """
    if not allow_index:
        return DOOR_TOOLS
    tools = index_tools(library, allow_index)
    return MappingProxyType({**DOOR_TOOLS, **{tool.name: tool for tool in tools}})
