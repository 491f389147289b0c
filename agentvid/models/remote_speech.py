"""Any server that speaks the OpenAI transcription protocol: windows are sent as WAV, words come back with times.

`OPENAI_BASE_URL` and `OPENAI_API_KEY` say where and as whom, as for chat models. Servers that tell no words are asked
for the times of phrases; those that tell neither (gpt-4o-transcribe) share the window out by characters.
"""

from __future__ import annotations

import io
import wave
from typing import Any

import numpy as np

from agentvid.egress import OPEN, Outlet, host_of
from agentvid.errors import AgentvidError, MissingDependency, ModelError
from agentvid.models.base import Samples, Transcript, Word
from agentvid.models.failures import describe, read_failure
from agentvid.models.spoken import RATE, language_named, needs_samples, shared_out
from agentvid.types import Json

_TIMEOUT_SECONDS = 120.0
_KIND = "speech recogniser"


class RemoteSpeech:
    """A `Recognizer`: "whisper-1", or whatever the server calls its model.

    Raises UsageError if sound may not leave this machine, MissingDependency without the package openai,
    ModelError without a key.
    """

    def __init__(self, model: str, *, timeout_seconds: float = _TIMEOUT_SECONDS, outlet: Outlet = OPEN) -> None:
        self.name = f"openai:{model}"
        self._outlet, self._host = outlet, host_of("openai")
        outlet.check(self.name, self._host)
        self.revision = "served"
        self.parameters: Json = {"temperature": 0}
        self._model = model
        self._timeout_seconds = timeout_seconds
        self._tells_times = True
        try:
            import openai
        except ImportError as error:
            raise MissingDependency(
                f"the {_KIND} {self.name!r} needs the package openai ({error})", hint='pip install "agentvid[openai]"'
            ) from None
        try:
            self._client = openai.OpenAI(timeout=timeout_seconds, max_retries=2)
        except openai.OpenAIError as error:
            raise self._failed(error) from None

    def recognize(self, samples: Samples, start_seconds: float) -> Transcript:
        """Words of (n,) samples; raises ModelError if the server fails after two more tries, or answers nonsense."""
        needs_samples(samples)
        sound = _wav(samples)
        try:
            if self._tells_times:
                try:
                    return self._with_times(sound, len(samples) / RATE, start_seconds)
                except AgentvidError:
                    raise
                except Exception as error:
                    if read_failure(error).status not in (400, 422):
                        raise
                    self._tells_times = False  # this model gives a text and nothing else
            heard = self._ask(sound, response_format="json")
            return _later(list(shared_out(heard.text, 0.0, len(samples) / RATE)), start_seconds, "")
        except AgentvidError:
            raise
        except Exception as error:  # noqa: BLE001 - of the SDK, the HTTP library, or of a reply of another form
            raise self._failed(error) from None  # not chained: the original could show a key

    def _with_times(self, sound: bytes, seconds: float, start_seconds: float) -> Transcript:
        heard = self._ask(sound, response_format="verbose_json", timestamp_granularities=["word", "segment"])
        words = [Word(float(word.start), float(word.end), f" {str(word.word).strip()}") for word in heard.words or ()]
        if not words:
            for segment in heard.segments or ():
                words += shared_out(str(segment.text), float(segment.start), float(segment.end))
        if not words and heard.text:
            words = list(shared_out(str(heard.text), 0.0, seconds))
        return _later(words, start_seconds, language_named(heard.language or ""))

    def _ask(self, sound: bytes, **options: Any) -> Any:
        """One request; the client sends it again by itself if the server fails."""
        self._outlet.send(self.name, self._host, sent_bytes=len(sound), content="audio")
        return self._client.audio.transcriptions.create(
            model=self._model, file=("sound.wav", sound, "audio/wav"), temperature=0, **options
        )

    def _failed(self, error: BaseException) -> ModelError:
        what, hint = describe(read_failure(error), "openai", self._timeout_seconds)
        hint = hint.replace("raise model_timeout_seconds, or choose", "choose")
        return ModelError(f"the {_KIND} {self.name!r}: {what}", hint=hint)


def _later(words: list[Word], start_seconds: float, language: str) -> Transcript:
    return Transcript(tuple(word.later(start_seconds) for word in words), language)


def _wav(samples: Samples) -> bytes:
    """16-bit PCM: a minute is 1.9 MB, and servers take 25 MB."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes((np.clip(samples, -1.0, 1.0) * 32767).astype("<i2").tobytes())
    return file.getvalue()
