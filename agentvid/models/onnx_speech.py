"""Parakeet, Canary, Whisper, Vosk and others through onnx-asr: numpy and onnxruntime, no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agentvid.egress import OPEN, Outlet
from agentvid.errors import MissingDependency, ModelError
from agentvid.models.base import Samples, Transcript
from agentvid.models.hub import cached_commit, cannot_load, hub_name
from agentvid.models.spoken import RATE, needs_samples, shared_out, words_of_tokens
from agentvid.types import Json

_KIND = "speech recogniser"


class OnnxSpeech:
    """A `Recognizer`: a name that onnx-asr knows, as "nemo-parakeet-tdt-0.6b-v3", or "TYPE@FOLDER", as "whisper@./w".

    Raises MissingDependency, UsageError for a path that names no folder, ModelError if the model cannot be loaded.
    """

    def __init__(self, model: str, *, outlet: Outlet = OPEN) -> None:
        self.name = f"onnx-asr:{model}"
        self.parameters: Json = {}
        kind, _, folder = model.partition("@")
        self._folder = hub_name(_KIND, folder) if folder else ""
        self._kind = kind
        self._outlet = outlet
        self._model = self._load()
        self.revision = self._revision()

    def recognize(self, samples: Samples, start_seconds: float) -> Transcript:
        """Words of (n,) samples; models that tell no times share the window out by characters."""
        needs_samples(samples)
        heard = self._model.recognize(samples, sample_rate=RATE)
        end_seconds = len(samples) / RATE
        if heard.tokens and heard.timestamps:
            words = words_of_tokens(heard.tokens, heard.timestamps, end_seconds)
        else:
            words = shared_out(heard.text, 0.0, end_seconds)
        return Transcript(tuple(word.later(start_seconds) for word in words))

    def _load(self) -> Any:
        try:
            import onnx_asr
        except ImportError as error:
            raise MissingDependency(
                f"the {_KIND} {self.name!r} needs onnx-asr ({error})", hint='pip install "agentvid[asr]"'
            ) from None
        self._outlet.fetch(_KIND, self.name, self._folder or repository_of(self._kind))
        try:
            return onnx_asr.load_model(self._kind, self._folder or None).with_timestamps()
        except Exception as error:  # hub, files and devices have no common base
            if self._folder:
                reason = " ".join(str(error).split())[:300]
                raise ModelError(
                    f"the {_KIND} {self.name!r} cannot be loaded: {reason}",
                    hint="the folder must hold the ONNX files of a model of that type; download it again",
                ) from error
            raise cannot_load(
                _KIND,
                self._kind,
                error,
                holds="",
                otherwise="choose another model",
                repository=repository_of(self._kind),
            ) from error

    def _revision(self) -> str:
        if self._folder:
            sizes = sorted((path.name, path.stat().st_size) for path in Path(self._folder).glob("*.onnx"))
            return " ".join(f"{name} {size} bytes" for name, size in sizes)
        return cached_commit(repository_of(self._kind), ("config.json",)) or "unknown"


def repository_of(kind: str) -> str:
    """The name on the hub of a type of onnx-asr; any other `kind` is its own. Needs onnx-asr."""
    from onnx_asr.resolver import model_repos

    return str(model_repos.get(kind, kind))
