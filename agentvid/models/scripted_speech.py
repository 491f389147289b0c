"""A recogniser that needs no weights and listens all the same: it hears tones, and a script says which word each is.

    {"words": {"440": "harbour", "660": "bridge."}, "language": "en", "fails_at": [12.0]}

It measures when a tone begins and ends in the samples that it is given. So a test in which a word has the right time
has checked the decoder, the resampler, the clock and the windows, with sound that `media.render` made.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from agentvid.errors import ModelError, UsageError
from agentvid.models.base import Samples, Transcript, Word
from agentvid.types import Json

_RATE = 16_000
_STEP = 160
#: Of each step, so much around it is looked at: enough to tell tones that are 40 Hz apart.
_WINDOW = 640
_QUIET_RMS = 0.01


class ScriptedRecognizer:
    """A `Recognizer`: each run of one tone is one word, the one whose frequency (Hz) is nearest.

    It raises ModelError for samples that hold one of the moments `fails_at` (seconds on the video's clock).
    """

    def __init__(
        self,
        words: Mapping[float, str],
        *,
        language: str = "",
        fails_at: Sequence[float] = (),
        name: str = "scripted",
    ) -> None:
        self.name = name
        self.revision = "1"
        self.parameters: Json = {"words": {f"{hertz:g}": word for hertz, word in words.items()}}
        self._hertz = np.array(sorted(words), np.float64)
        self._words = [words[hertz] for hertz in sorted(words)]
        self._language = language
        self._fails_at = fails_at

    @classmethod
    def from_file(cls, path: str) -> ScriptedRecognizer:
        """Raises UsageError if the file is no such script."""
        try:
            script = json.loads(Path(path).expanduser().read_text("utf-8"))
            words = {float(hertz): str(word) for hertz, word in script["words"].items()}
            failing = [float(seconds) for seconds in script.get("fails_at", ())]
            if not words:
                raise ValueError("no word")
            return cls(words, language=str(script.get("language", "")), fails_at=failing, name=f"scripted:{path}")
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(
                f"{path} is no script of a recogniser: {type(error).__name__}: {error}",
                hint='write {"words": {"440": "harbour"}}',
            ) from None

    def recognize(self, samples: Samples, start_seconds: float) -> Transcript:
        """A word for each run of a tone in (n,) samples; raises ModelError where the script says so."""
        end_seconds = start_seconds + len(samples) / _RATE
        for moment in self._fails_at:
            if start_seconds <= moment < end_seconds:
                raise ModelError(f"the script fails at {moment:g} s")
        heard = self._heard(samples)
        edges = [0, *(np.flatnonzero(np.diff(heard)) + 1).tolist(), len(heard)]
        words = [
            Word(start_seconds + first * _STEP / _RATE, start_seconds + last * _STEP / _RATE, self._words[heard[first]])
            for first, last in itertools.pairwise(edges)
            # A step or two between two tones may sound like a third one.
            if last - first > 4 and heard[first] >= 0
        ]
        return Transcript(tuple(words), self._language)

    def _heard(self, samples: Samples) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """For each 10 ms the index of the word, -1 in silence."""
        steps = max(1, len(samples) // _STEP)
        padded = np.pad(samples, (_WINDOW // 2, _WINDOW))
        windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[: steps * _STEP : _STEP]
        loud = np.sqrt(np.mean(np.square(windows[:, _WINDOW // 4 : -_WINDOW // 4]), axis=1)) > _QUIET_RMS
        spectrum = np.abs(np.fft.rfft(windows * np.hanning(_WINDOW), 4 * _WINDOW, axis=1))
        hertz = np.argmax(spectrum, axis=1) * _RATE / (4 * _WINDOW)
        nearest = np.argmin(np.abs(hertz[:, None] - self._hertz[None, :]), axis=1)
        return np.where(loud, nearest, -1)
