"""The tools that a program may call: one function in one file each, and one line here."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points
from types import MappingProxyType

from agentvid.config import plugins_allowed
from agentvid.errors import UsageError
from agentvid.tools.base import Tool
from agentvid.tools.choose import score_options
from agentvid.tools.ground import ground
from agentvid.tools.list_all import list_all
from agentvid.tools.option_times import first_seconds, score_orders
from agentvid.tools.read import read
from agentvid.tools.search import search

__all__ = ["TOOLS", "load_tools"]

ENTRY_POINT_GROUP = "agentvid.tools"

TOOLS: Mapping[str, Tool] = MappingProxyType(
    {
        tool.name: tool
        for tool in (
            Tool.from_function(search),
            Tool.from_function(ground),
            Tool.from_function(read),
            Tool.from_function(list_all),
            Tool.from_function(score_options),
            Tool.from_function(score_orders),
            Tool.from_function(first_seconds),
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
    for plugin in entry_points(group=ENTRY_POINT_GROUP):
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
