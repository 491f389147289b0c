"""The tools that a program may call: one function in one file each, and one line here."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType

from agentvid.config import plugins_allowed
from agentvid.errors import UsageError
from agentvid.tools.amounts import amounts
from agentvid.tools.assess import assess
from agentvid.tools.base import Tool, ToolContext
from agentvid.tools.chapters import chapters
from agentvid.tools.choose import score_options
from agentvid.tools.compare import compare
from agentvid.tools.core_frames import core_frames
from agentvid.tools.count_all import count_all
from agentvid.tools.ground import ground
from agentvid.tools.list_all import list_all
from agentvid.tools.look import look
from agentvid.tools.option_times import first_seconds, score_orders
from agentvid.tools.read import read
from agentvid.tools.rewatch import rewatch
from agentvid.tools.search import search
from agentvid.tools.shots import shots
from agentvid.tools.slides import slides
from agentvid.tools.summarize import summarize
from agentvid.tools.verify import verify
from agentvid.tools.videos_with import videos_with

__all__ = ["TOOLS", "load_tools", "working_tools"]

ENTRY_POINT_GROUP = "agentvid.tools"

TOOLS: Mapping[str, Tool] = MappingProxyType(
    {
        tool.name: tool
        for tool in (
            Tool.from_function(search, parallel="always"),
            Tool.from_function(ground, parallel="without_model"),
            Tool.from_function(read, parallel="always"),
            Tool.from_function(chapters, parallel="always"),
            Tool.from_function(slides, parallel="always"),
            Tool.from_function(shots, parallel="always"),
            Tool.from_function(videos_with, parallel="always"),
            Tool.from_function(list_all, parallel="always"),
            Tool.from_function(count_all, parallel="always"),
            Tool.from_function(amounts, parallel="always"),
            Tool.from_function(verify, parallel="without_model"),
            Tool.from_function(compare, parallel="without_model"),
            Tool.from_function(summarize, parallel="without_model"),
            Tool.from_function(score_options, parallel="always"),
            Tool.from_function(score_orders, parallel="always"),
            Tool.from_function(first_seconds, parallel="always"),
            Tool.from_function(assess, needs="frames"),
            Tool.from_function(core_frames, needs="frames"),
            Tool.from_function(look, needs="vision"),
            Tool.from_function(rewatch, needs="vision"),
        )
    }
)


def load_tools() -> Mapping[str, Tool]:
    """TOOLS and those of installed plug-ins: entry points of the group "agentvid.tools", each a Tool or its function.

    AGENTVID_PLUGINS=off leaves plug-ins out. Raises UsageError that names a plug-in that cannot be loaded.
    """
    if not plugins_allowed():
        return TOOLS
    tools = dict(TOOLS)
    for plugin in _plugins(tuple(sys.path)):
        where = f"plug-in {plugin.name!r} ({plugin.value})"
        hint = "uninstall or repair it, or set AGENTVID_PLUGINS=off"
        try:
            loaded = plugin.load()
            tool = loaded if isinstance(loaded, Tool) else Tool.from_function(loaded)
        except Exception as error:
            # Whatever a stranger's import raises, the user must learn whose it was.
            raise UsageError(f"{where} cannot be loaded: {type(error).__name__}: {error}", hint=hint) from error
        if tool.name in tools:
            raise UsageError(f"{where} has the name of another tool: {tool.name}", hint=hint)
        tools[tool.name] = tool
    return tools


def working_tools(context: ToolContext) -> Mapping[str, Tool]:
    """Those of `load_tools` that can do something in a run: what a planner is offered. Raises as `load_tools`."""
    return {name: tool for name, tool in load_tools().items() if tool.works_in(context)}


@lru_cache(maxsize=4)
def _plugins(path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """What is installed on `path`: looking through all packages takes longer than all the rest of a program."""
    return tuple(entry_points(group=ENTRY_POINT_GROUP))
