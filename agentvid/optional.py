"""What is optional: extras, players, models; whether each is here, and the command that brings it.

Nothing is imported, loaded, downloaded or asked.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from importlib.util import find_spec

from agentvid.config import LoadedSettings
from agentvid.exports.player import PLAYERS, installed_player
from agentvid.model_report import model_report
from agentvid.types import Json

#: Extra -> (what it is for, the modules that it brings). Frameworks are not among them: they are somebody's program
#: already where they are wanted; neither is `gpu`, which takes the place of `cpu`.
EXTRAS: dict[str, tuple[str, tuple[str, ...]]] = {
    "cpu": ("searches large libraries faster, by FAISS", ("faiss",)),
    "chat": ("the line editor of `agentvid chat`", ("prompt_toolkit",)),
    "tui": ("pictures in `agentvid chat`", ("prompt_toolkit", "textual_image")),
    "serve": ("the page and the API of `agentvid serve`", ("fastapi", "uvicorn")),
    "mcp": ("`agentvid mcp`", ("mcp",)),
    "otio": ("`agentvid export otio`", ("opentimelineio",)),
    "asr": ("hears videos without subtitles, `index --asr`", ("faster_whisper", "onnx_asr")),
    "frames": ("finds frames by words, `index --frame-embedder`", ("PIL",)),
    "local": ("holds the plans of models on this machine to the language", ("llguidance",)),
    "openai": ("models of OpenAI and of servers that speak its protocol", ("langchain", "langchain_openai")),
    "anthropic": ("models of Anthropic", ("langchain", "langchain_anthropic")),
    "google": ("models of Google", ("langchain", "langchain_google_genai")),
    "ollama": ("models that Ollama serves", ("langchain", "langchain_ollama")),
}


@dataclass(frozen=True, slots=True)
class OptionalPart:
    """`kind` is extra, player or model; `missing` is "" if it is here, `bring` the command for what is not."""

    kind: str
    name: str
    purpose: str
    missing: str = ""
    bring: str = ""

    def to_json(self) -> Json:
        return asdict(self)


def optional_report(loaded: LoadedSettings) -> list[OptionalPart]:
    """One entry for each extra, one for a player, and one for each model that the settings and the profile name."""
    extras = [_extra(name, purpose, modules) for name, (purpose, modules) in EXTRAS.items()]
    models = [
        OptionalPart("model", entry.name, f"{entry.setting}: {entry.role}", entry.missing, entry.bring)
        for entry in model_report(loaded)
        if entry.name
    ]
    return [*extras, _player(), *models]


def _extra(name: str, purpose: str, modules: tuple[str, ...]) -> OptionalPart:
    missing = [module for module in modules if find_spec(module) is None]
    if not missing:
        return OptionalPart("extra", name, purpose)
    packages = f"the package{'s' * (len(missing) > 1)} {' and '.join(missing)}"
    return OptionalPart("extra", name, purpose, packages, f"pip install 'agentvid[{name}]'")


def _player() -> OptionalPart:
    purpose = "`agentvid play`"
    if found := installed_player():
        return OptionalPart("player", found, purpose)
    return OptionalPart("player", next(iter(PLAYERS)), purpose, f"any of {', '.join(PLAYERS)}", "install mpv")
