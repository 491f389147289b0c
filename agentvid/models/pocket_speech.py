"""English by pocketsphinx, whose model lies inside its wheel: a last resort where nothing may be downloaded.

It is a recogniser of before neural networks: of clear speech it gets most words, of music and other languages none, and
says so of neither. It takes about as long as the sound lasts.
"""

from __future__ import annotations

import math
from importlib.metadata import version
from typing import Any

import numpy as np

from agentvid.errors import MissingDependency, ModelError, UsageError
from agentvid.models.base import Samples, Transcript, Word
from agentvid.models.spoken import RATE, needs_samples
from agentvid.types import Json

_MODEL = "en-us"
_FRAMES_PER_SECOND = 100


class PocketSpeech:
    """A `Recognizer` of American English: "pocketsphinx:en-us".

    Raises MissingDependency, UsageError for another model, ModelError if the model is not whole.
    """

    def __init__(self, model: str) -> None:
        if model != _MODEL:
            raise UsageError(f"pocketsphinx has no model {model!r}; allowed: {_MODEL}", hint=f"pocketsphinx:{_MODEL}")
        self.name = f"pocketsphinx:{model}"
        self.parameters: Json = {}
        try:
            import pocketsphinx
        except (ImportError, OSError) as error:  # OSError: without the system's sound library
            raise MissingDependency(
                f"the speech recogniser {self.name!r} needs pocketsphinx ({error})", hint="pip install pocketsphinx"
            ) from None
        try:
            self._decoder: Any = pocketsphinx.Decoder(samprate=RATE, loglevel="FATAL")
        except (RuntimeError, OSError) as error:
            raise ModelError(
                f"the speech recogniser {self.name!r} cannot be loaded: {error}",
                hint="pip install --force-reinstall pocketsphinx",
            ) from error
        self._fresh = self._decoder.get_cmn()
        self.revision = version("pocketsphinx")

    def recognize(self, samples: Samples, start_seconds: float) -> Transcript:
        """Words of (n,) samples with their times and how likely each is."""
        needs_samples(samples)
        decoder = self._decoder
        decoder.set_cmn(self._fresh)  # forgets the loudness of the window before: the same sound, the same words
        decoder.start_utt()
        decoder.process_raw((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes(), full_utt=True)
        decoder.end_utt()
        if decoder.hyp() is None:
            return Transcript(())
        log = decoder.get_logmath()
        words = []
        for segment in decoder.seg():
            if segment.word.startswith(("<", "[")):
                continue  # silence and noise
            begin, end = segment.start_frame / _FRAMES_PER_SECOND, (segment.end_frame + 1) / _FRAMES_PER_SECOND
            likely = math.exp(min(log.log_to_ln(segment.prob), 0.0))
            # "read(2)" is the second way to say "read".
            words.append(Word(begin, end, f" {segment.word.partition('(')[0]}", likely).later(start_seconds))
        return Transcript(tuple(words), "en")
