"""Whisper and other speech recognisers of transformers in this process, by hub name or by path.

Weights are read from safetensors only and no code of the model's repository runs. Whisper tells the times of words by
its cross-attention, if its generation settings name the heads (`alignment_heads`); else by phrases, whose time its
words share by characters.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agentvid.egress import OPEN, Outlet
from agentvid.models.base import Samples, Transcript, Word
from agentvid.models.hub import cached_commit, cannot_load, folder_hash, hub_name, load_whole, needs_transformers
from agentvid.models.spoken import RATE, language_named, needs_samples, shared_out
from agentvid.types import Json

_KIND = "speech recogniser"


class LocalWhisper:
    """A `Recognizer`. `device` is "cpu", "cuda", "mps"...; None takes the fastest available.

    Raises MissingDependency, UsageError for a path that names no folder, ModelError if the model cannot be loaded.
    """

    def __init__(self, model: str, *, device: str | None = None, outlet: Outlet = OPEN) -> None:
        self._source = hub_name(_KIND, model)
        self.name = f"hf:{model}"
        self.parameters: Json = {}
        outlet.fetch(_KIND, self.name, self._source)
        self._pipeline = self._load(device)
        settings = getattr(self._pipeline.model, "generation_config", None)
        is_whisper = self._pipeline.type == "seq2seq_whisper"
        tells_words = not is_whisper or getattr(settings, "alignment_heads", None) is not None
        self._options: dict[str, Any] = {"return_timestamps": "word" if tells_words else True}
        if is_whisper and getattr(settings, "is_multilingual", False):
            self._options["return_language"] = True
        folder = Path(self._source)
        self.revision = folder_hash(folder) if folder.is_dir() else self._commit()

    def recognize(self, samples: Samples, start_seconds: float) -> Transcript:
        """Words of (n,) samples with their times; whatever the model raises comes through."""
        needs_samples(samples)
        heard = self._pipeline({"raw": samples, "sampling_rate": RATE}, **self._options)
        words: list[Word] = []
        end_seconds = len(samples) / RATE
        for chunk in heard.get("chunks", ()):
            begin, end = chunk["timestamp"]
            # Whisper leaves the end open where the sound is cut off, and hears words in the silence behind it.
            begin, end = begin or 0.0, min(end or end_seconds, end_seconds)
            words += _words(str(chunk["text"]), begin, end) if begin < end else ()
        languages = [language for chunk in heard.get("chunks", ()) if (language := chunk.get("language"))]
        return Transcript(
            tuple(word.later(start_seconds) for word in words), language_named(languages[0]) if languages else ""
        )

    def _load(self, device: str | None) -> Any:
        try:
            import torch
            from transformers import (
                AutoFeatureExtractor,
                AutoModelForCTC,
                AutoModelForSpeechSeq2Seq,
                AutoTokenizer,
                pipeline,
            )
        except ImportError as error:
            raise needs_transformers(_KIND, self.name, error) from None
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        try:
            return pipeline(
                "automatic-speech-recognition",
                model=load_whole(
                    (AutoModelForSpeechSeq2Seq, AutoModelForCTC),
                    self._source,
                    dtype=torch.float16 if device.startswith("cuda") else torch.float32,
                ),
                tokenizer=AutoTokenizer.from_pretrained(self._source, trust_remote_code=False),
                feature_extractor=AutoFeatureExtractor.from_pretrained(self._source, trust_remote_code=False),
                device=device,
            )
        except Exception as error:  # hub, file, format and device errors have no common base
            raise cannot_load(
                _KIND,
                self._source,
                error,
                holds="a whole transformers model for speech recognition",
                otherwise="choose another model",
            ) from error

    def _commit(self) -> str:
        return cached_commit(self._source, ("config.json",)) or "unknown"


def _words(text: str, begin: float, end: float) -> list[Word]:
    return [Word(begin, end, text)] if len(text.split()) == 1 else list(shared_out(text, begin, end))
