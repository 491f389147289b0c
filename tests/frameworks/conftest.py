"""One rendered and one imported video, and every framework behind one face."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from agentvid.adapters.registry import DOOR_TOOLS
from agentvid.config import Settings
from agentvid.library import Library
from agentvid.media.render import Scene, render_video
from agentvid.models.scripted_agent import ScriptedAgent
from agentvid.models.scripted_server import ScriptedServer
from agentvid.types import Json

EXAMPLES = Path(__file__).parents[2] / "examples"
TALK = [(12, 18, "Chlorophyll absorbs red light."), (30, 36, "The Calvin cycle fixes carbon dioxide into sugar.")]


@dataclass(frozen=True)
class Framework:
    """`package`: what must be there; `how`: the command that brings it and runs these tests; `model`: a name for one.

    `is_text_only`: over chat completions it lets a tool return text alone.
    """

    name: str
    package: str
    how: str
    model: str = "gpt-4o-mini"
    lacks: tuple[str, ...] = ()
    is_text_only: bool = False

    def __str__(self) -> str:
        return self.name

    @property
    def is_installed(self) -> bool:
        try:
            return importlib.util.find_spec(self.package) is not None
        except ModuleNotFoundError:
            return False

    @property
    def adapter(self) -> Any:
        return importlib.import_module(f"agentvid.adapters.{self.name}")


_DEV, _OPENAI2 = "make test", "make test-frameworks"
FRAMEWORKS = (
    Framework("langchain", "langchain.agents", _DEV, "openai:gpt-4o-mini"),
    Framework("openai", "openai", _DEV),
    Framework("openai_agents", "agents", _DEV, is_text_only=True),
    Framework("smolagents", "smolagents", _DEV),
    Framework("llamaindex", "llama_index.llms.openai", _OPENAI2, is_text_only=True),
    Framework("crewai", "crewai", _OPENAI2, "openai/gpt-4o-mini", lacks=("get_frames",)),
)

Run = Callable[..., list[Json]]


@pytest.fixture(params=FRAMEWORKS, ids=str)
def framework(request: pytest.FixtureRequest) -> Framework:
    chosen: Framework = request.param
    if not chosen.is_installed:
        pytest.skip(f"{chosen.package} is not installed: {chosen.how}")
    return chosen


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    folder = tmp_path_factory.mktemp("frameworks")
    render_video(folder / "red.mp4", [Scene(2, (200, 30, 30))], size=(96, 64), rate=5)
    rows = [{"start": start, "end": end, "text": text} for start, end, text in TALK]
    talk = {"video": "talk.mp4", "duration": 60, "track": "speech"}
    with Library.open(folder / "library", settings=Settings(library=folder / "library", embed=False)) as opened:
        opened.import_file([json.dumps({**talk, **row}).encode() for row in rows])
        assert not opened.add([folder / "red.mp4"]).failed
        yield opened


@pytest.fixture
def run(library: Library, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a framework's example with a model that makes these calls; returns what it was sent, a request a turn."""

    def go(framework: Framework, *calls: tuple[str, Json]) -> list[Json]:
        if not EXAMPLES.is_dir():
            pytest.skip("the examples are part of the repository, not of the package")
        monkeypatch.syspath_prepend(str(EXAMPLES))
        example = _import(f"with_{framework.name}")
        script = ScriptedAgent(calls)
        with ScriptedServer(script) as server:
            for name in ("OPENAI_BASE_URL", "OPENAI_API_BASE"):
                monkeypatch.setenv(name, server.base_url)
            monkeypatch.setenv("OPENAI_API_KEY", "none")
            monkeypatch.setenv("CREWAI_STORAGE_DIR", str(library.catalogue.directory))
            example.answer(library, "Where is the Calvin cycle explained?", framework.model)
        return script.requests

    return go


def _import(name: str) -> ModuleType:
    return sys.modules.get(name) or importlib.import_module(name)


def texts(message: Json) -> str:
    """The words of one message of a request."""
    content = message.get("content") or ""
    return content if isinstance(content, str) else "\n".join(block.get("text", "") for block in content)


def expected(library: Library, name: str, arguments: Json) -> str:
    """What a tool of the registry returns, as a model reads it."""
    return str(DOOR_TOOLS[name].call(library, arguments).model_dump_json())
