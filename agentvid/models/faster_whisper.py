"""Whisper through faster-whisper (CTranslate2): words with times, voice activity, language. It is fed our samples.

Its own decoder is not used, so files go through the confined process as all others do.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from agentvid.egress import OPEN, Outlet
from agentvid.errors import MissingDependency, ModelError, UsageError
from agentvid.models.base import Samples, Transcript, Word
from agentvid.models.hub import cached_commit, cannot_load, hub_name
from agentvid.models.spoken import needs_samples
from agentvid.types import Json

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

_KIND = "speech recogniser"
#: A folder without one of them is no model, or a part of one.
_FILES = ("model.bin", "config.json", "tokenizer.json")


class FasterWhisper:
    """A `Recognizer`: "small", "large-v3-turbo", a CTranslate2 model of the hub, or a folder that holds one.

    Raises MissingDependency, UsageError for a path that names no folder, ModelError if the model cannot be loaded.
    """

    def __init__(self, model: str, *, outlet: Outlet = OPEN) -> None:
        self._source = hub_name(_KIND, model)
        self.name = f"faster-whisper:{model}"
        self.parameters: Json = {"beam_size": 5, "vad_filter": True}
        self._outlet = outlet
        self._model = self._load()
        self.revision = self._revision()

    def recognize(self, samples: Samples, start_seconds: float) -> Transcript:
        """Words of (n,) samples with their times; raises ModelError if the model fails."""
        needs_samples(samples)
        # One window knows nothing of the one before: text of before makes Whisper repeat itself.
        segments, info = self._model.transcribe(
            samples, word_timestamps=True, condition_on_previous_text=False, **self.parameters
        )
        words = [
            Word(word.start, word.end, word.word, word.probability).later(start_seconds)
            for segment in segments
            for word in segment.words or ()
        ]
        return Transcript(tuple(words), info.language if words else "")

    def _load(self) -> WhisperModel:
        try:
            from faster_whisper import WhisperModel
        except ImportError as error:
            raise MissingDependency(
                f"the {_KIND} {self.name!r} needs faster-whisper ({error})", hint='pip install "agentvid[asr]"'
            ) from None
        folder = Path(self._source)
        missing = [file for file in _FILES if not (folder / file).is_file()] if folder.is_dir() else []
        if missing:
            raise ModelError(
                f"the {_KIND} {self.name!r} cannot be loaded: {folder} holds no {missing[0]}",
                hint="download it again, or convert a model: ct2-transformers-converter --copy_files tokenizer.json",
            )
        self._outlet.fetch(_KIND, self.name, repository_of(self._source))
        try:
            return WhisperModel(self._source)
        except ValueError as error:
            if "model size" in str(error):
                raise UsageError(
                    f"no model of faster-whisper is called {self._source!r}",
                    hint="tiny, base, small, medium, large-v3 or large-v3-turbo, a model of the hub, or a folder",
                ) from None
            raise self._cannot_load(error) from error
        except Exception as error:  # hub, files and devices have no common base
            raise self._cannot_load(error) from error

    def _cannot_load(self, error: Exception) -> ModelError:
        return cannot_load(
            _KIND,
            self._source,
            error,
            holds="model.bin, config.json and tokenizer.json of a CTranslate2 Whisper",
            otherwise="choose another model",
            repository=repository_of(self._source),
        )

    def _revision(self) -> str:
        folder = Path(self._source)
        if folder.is_dir():
            return f"{(folder / 'model.bin').stat().st_size} bytes"
        return cached_commit(repository_of(self._source), ("config.json",)) or "unknown"


def repository_of(model: str) -> str:
    """The name on the hub of a size as "small"; any other `model` is its own. Needs faster-whisper."""
    from faster_whisper.utils import _MODELS

    return str(_MODELS.get(model, model))
