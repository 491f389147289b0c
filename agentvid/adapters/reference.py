"""`python -m agentvid.adapters.reference > docs/agent-tools.md`: the page of the tools, made of the registry."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from agentvid.adapters.base import DoorTool
from agentvid.adapters.jobs import INDEX_TOOLS
from agentvid.adapters.registry import DOOR_TOOLS

_INTRODUCTION = """\
# Tools for agents

<!-- Written by `python -m agentvid.adapters.reference > docs/agent-tools.md`. -->

The same tools in every agent: over [MCP](mcp.md), and in Python as `DOOR_TOOLS` of `agentvid.adapters.registry`:

```python
from agentvid import Library
from agentvid.adapters.registry import DOOR_TOOLS

with Library.open("films") as library:
    found = DOOR_TOOLS["search_moments"].call(library, {"query": "launch date"})
    print(found.moments[0].name, found.moments[0].start)
```

- Each has a JSON schema for its arguments and one for its result, without references: every framework takes them.
- Times are seconds on the video's own clock; arguments take seconds, `M:SS` and `H:MM:SS`, as text or number.
- A result takes at most about `max_tokens` tokens (three bytes of JSON each). A list that is longer goes on at
  `next_cursor`; a cursor ends when the library changes. A text that alone is too long is cut, and `is_cut` says so.
- Videos are called by id and file name. Paths are never told.
- Texts, quotes and names are data from videos: one line each, without control characters and what chat templates
  take for roles; `notice` says so in every result.
- What is wrong is an `AgentvidError` in Python and an error result over MCP: one line with what is allowed.
"""


def reference_page() -> str:
    """The whole page."""
    parts = [_INTRODUCTION, *(_section(tool) for tool in DOOR_TOOLS.values())]
    parts.append(
        "## Tools that write\n\nOnly where folders are allowed: `agentvid mcp --allow-index DIR`, or\n"
        "`door_tools(library, allow_index=[DIR])`.\n"
    )
    parts += [_section(tool) for tool in INDEX_TOOLS]
    return "\n".join(parts)


def _section(tool: DoorTool[Any, Any]) -> str:
    arguments = tool.input_schema
    lines = [f"## {tool.name}", "", tool.description, "", "| argument | type | |", "|---|---|---|"]
    for name, field in arguments["properties"].items():
        told = "" if name in arguments.get("required", ()) else f" Default: {_default(field)}."
        lines.append(f"| `{name}` | {_type(field)} | {field['description']}{told} |")
    lines += ["", "Returns:", "", "```text", *_fields(tool.output_schema, ""), "```", ""]
    return "\n".join(lines)


def _default(field: Mapping[str, Any]) -> str:
    default = field.get("default", [] if field["type"] == "array" else "")
    return "none" if default in ("", []) else f"`{default}`"


def _type(field: Mapping[str, Any]) -> str:
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in field["enum"])
    if field["type"] == "array":
        return f"list of {_type(field['items'])}, at most {field['maxItems']}" if "maxItems" in field else "list"
    bounds = f", {field['minimum']} to {field['maximum']}" if "maximum" in field else ""
    return {"string": "text", "integer": "whole number", "number": "number", "boolean": "bool"}[field["type"]] + bounds


def _fields(schema: Mapping[str, Any], indent: str) -> Iterator[str]:
    for name, field in schema["properties"].items():
        inner = field.get("items", {})
        kind = "list" if field["type"] == "array" else "object" if field["type"] == "object" else _type(field)
        told = f"  {field['description']}" if field.get("description") else ""
        yield f"{indent}{name}: {kind}{told}"
        if inner.get("type") == "object":
            yield from _fields(inner, indent + "    ")


if __name__ == "__main__":
    sys.stdout.write(reference_page())
