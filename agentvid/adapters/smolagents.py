"""The tools for smolagents: `CodeAgent(tools=tools(library), model=model, step_callbacks=[show_frames])`."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentvid.adapters.binding import BoundTool, bind, missing

if TYPE_CHECKING:
    from smolagents import ActionStep, Tool

    from agentvid.library import Library


def tools(library: Library, names: Sequence[str] = (), *, allow_index: Sequence[str | Path] = ()) -> list[Tool]:
    """One Tool for each. Frames reach the model by the step callback `show_frames`. Raises as `bind`."""
    try:
        from PIL import Image
        from smolagents import Tool
    except ImportError:
        raise missing("smolagents", "smolagents") from None

    class LibraryTool(Tool):  # type: ignore[misc]
        output_type = "object"
        skip_forward_signature_validation = True  # `forward` serves every schema

        def __init__(self, bound: BoundTool) -> None:
            self.name, self.description, self.call = bound.name, bound.description, bound.call
            needed, properties = bound.schema.get("required", ()), bound.schema["properties"]
            self.inputs = {name: {**shown, "nullable": name not in needed} for name, shown in properties.items()}
            self.output_schema = bound.tool.output_schema
            self.pictures: list[Any] = []
            super().__init__()

        def forward(self, *values: Any, **named: Any) -> dict[str, Any]:
            result = self.call({**dict(zip(self.inputs, values, strict=False)), **named})
            self.pictures += [Image.open(io.BytesIO(file)) for file in result.files]
            return Printed(result.document)

    return [LibraryTool(bound) for bound in bind(library, names, allow_index=allow_index)]


def show_frames(step: ActionStep, agent: Any) -> None:
    """A step callback: the frames that a step fetched become images of its observation."""
    for tool in agent.tools.values():
        if taken := getattr(tool, "pictures", None):
            step.observations_images, tool.pictures = [*(step.observations_images or []), *taken], []


class Printed(dict[str, Any]):
    """An object for code that prints as JSON for models."""

    def __str__(self) -> str:
        return json.dumps(self, ensure_ascii=False, separators=(",", ":"))
