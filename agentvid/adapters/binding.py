"""A tool of the registry tied to one library: what every framework's adapter starts from."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from agentvid.adapters.base import DoorTool, Output, hiding_paths, one_line
from agentvid.adapters.pictures import Frames, Picture
from agentvid.adapters.registry import door_tools
from agentvid.budget import Cancel
from agentvid.errors import AgentvidError, MissingDependency, ToolError, UsageError
from agentvid.events import Event
from agentvid.types import Json

if TYPE_CHECKING:
    from agentvid.library import Library


@dataclass(frozen=True, slots=True)
class Result:
    """What a call returned: `text` is its JSON for a model, without `pictures`; of one that failed, the error."""

    text: str
    pictures: Sequence[Picture] = ()

    @property
    def document(self) -> Json:
        """`text` as an object, for programs."""
        document: Json = json.loads(self.text)
        return document

    @property
    def urls(self) -> list[str]:
        """The pictures as data URLs."""
        return [f"data:{each.mime_type};base64,{each.data}" for each in self.pictures]

    @property
    def files(self) -> list[bytes]:
        """The pictures as image files."""
        return [base64.b64decode(each.data) for each in self.pictures]


@dataclass(frozen=True, slots=True)
class BoundTool:
    """One tool and the library that it reads."""

    tool: DoorTool[Any, Any]
    library: Library

    @property
    def name(self) -> str:
        return self.tool.name

    @property
    def description(self) -> str:
        return self.tool.description

    @property
    def schema(self) -> Json:
        """JSON schema of the arguments, the same in every framework."""
        return self.tool.input_schema

    def call(self, arguments: Mapping[str, Any] | str, watch: Callable[[Event], object] | None = None) -> Result:
        """`arguments` as an object or its JSON; null counts as not given, since some frameworks fill up with it.

        `watch` gets the events of `Library.stream` while a tool that has steps runs.
        Raises ToolError whose text is one line for the model: what is wrong, what is allowed, the way out.
        """
        try:
            given = self._read(arguments) if isinstance(arguments, str) else arguments
            output = self._run({name: value for name, value in given.items() if value is not None}, watch)
        except AgentvidError as error:
            raise ToolError(one_line(error)) from None
        pictures = output.frames if isinstance(output, Frames) else ()
        return Result(output.model_dump_json(exclude={"frames": {"__all__": {"data"}}}), pictures)

    def tell(self, arguments: Mapping[str, Any] | str) -> Result:
        """As `call`, for protocols in which an error is a text like any other."""
        try:
            return self.call(arguments)
        except ToolError as error:
            return Result(str(error))

    def _run(self, given: Json, watch: Callable[[Event], object] | None) -> Any:
        if watch is None or self.tool.steps is None:
            return self.tool.call(self.library, given)
        with hiding_paths(self.library):
            for event in self.tool.stream(self.library, given, cancel=Cancel()):
                if isinstance(event, Output):
                    return event
                watch(event)
        raise AssertionError("the last event is the output")

    def _read(self, arguments: str) -> Json:
        try:
            given = json.loads(arguments or "{}")
        except (ValueError, RecursionError):
            given = None
        if not isinstance(given, dict):
            raise UsageError(f"{self.name}: the arguments are not a JSON object", hint='as in {"name": "value"}')
        return given

    def arguments_model(self) -> type[BaseModel]:
        """For frameworks that want a pydantic class: it shows `schema` and lets everything through.

        The tool checks its arguments itself, so that a model reads the same error in every framework.
        """

        def shown(schema: Json) -> None:
            schema.clear()
            schema.update(self.schema)

        class Arguments(BaseModel):
            model_config = ConfigDict(extra="allow", json_schema_extra=shown)

        return Arguments


def bind(
    library: Library, names: Sequence[str] = (), *, allow_index: Sequence[str | Path] = (), without: Sequence[str] = ()
) -> list[BoundTool]:
    """The tools of these names in the registry's order, all if none is named; `without` are those a framework lacks.

    Agents call tools from several threads, so that the library's parts are opened here. Raises UsageError for a name
    that is not there, and what opening a library's models raises.
    """
    there = {name: tool for name, tool in door_tools(library, allow_index=allow_index).items() if name not in without}
    if unknown := [name for name in names if name not in there]:
        raise UsageError(f"no tool {unknown[0]!r}; allowed: {', '.join(there)}")
    library.open_parts()
    return [BoundTool(tool, library) for name, tool in there.items() if not names or name in names]


def missing(package: str, extra: str) -> MissingDependency:
    """What to raise where a framework is not installed."""
    return MissingDependency(f"{package} is not installed", hint=f"pip install 'agentvid[{extra}]'")
