"""Do subtitles fit the sound? Cues are compared with where something like speech sounds, over all shifts.

The method is that of ffsubsync (S. Macke): both are written as a signal of 50 ms steps, 1 where there is speech and 0
elsewhere, and correlated by FFT at every shift and for the few rates at which films are converted. In place of its
voice detector stands loudness in the band of voices, relative to the quiet and the loud parts; music and noise that
never pause therefore tell nothing, and the confidence says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agentvid.models.base import Samples
from agentvid.types import Json, Span

RATE = 8_000
STEP_SECONDS = 0.05
#: Shifts that are looked at.
MOST_SECONDS = 60.0
#: What counts as shifted, and how sure it must be.
LEAST_SECONDS, SURE = 0.4, 0.5
#: Fewer cues, or less sound, tell nothing.
_LEAST_CUES, _LEAST_SOUND_SECONDS = 4, 10.0
#: Film rates that are mistaken for one another.
_RATES = tuple(sorted({1.0, *(a / b for a in (23.976, 24.0, 25.0) for b in (23.976, 24.0, 25.0))}))
_RATE_COST = 0.05
_VOICE_HERTZ = (250.0, 3400.0)
#: Another peak counts as a rival when it is this far from the best.
_RIVAL_SECONDS = 1.5
#: The best of so many shifts agrees this well by chance.
_CHANCE = 0.2
Activity = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sync:
    """How a source of subtitles fits the sound.

    `shift_seconds`: what must be added to its times, after they are multiplied by `rate`. `agreement` is the
    correlation, -1 to 1, of cues and speech then, `agreement_now` as they are. `confidence`, 0 to 1, grows with the
    agreement and with its lead over the best other shift.
    """

    shift_seconds: float
    rate: float
    agreement: float
    agreement_now: float
    confidence: float

    @property
    def is_shifted(self) -> bool:
        return self.confidence >= SURE and (abs(self.shift_seconds) >= LEAST_SECONDS or self.rate != 1.0)

    @property
    def verdict(self) -> str:
        """ "in sync", "shifted", or "unclear": the sound tells too little."""
        return "unclear" if self.confidence < SURE else "shifted" if self.is_shifted else "in sync"

    def to_json(self) -> Json:
        return {
            "verdict": self.verdict,
            "shift": round(self.shift_seconds, 2),
            "rate": round(self.rate, 5),
            "agreement": round(self.agreement, 3),
            "agreement_now": round(self.agreement_now, 3),
            "confidence": round(self.confidence, 3),
        }


def voice_activity(chunks: Iterable[tuple[float, Samples]]) -> Activity:
    """(n,) one value a step of 50 ms: 0 quiet to 1 loud in the band of voices; NaN where there is no sound.

    `chunks` are (start_seconds, float32 mono samples at 8000 a second) in time order.
    """
    levels: list[float] = []
    size = round(STEP_SECONDS * RATE)
    window = np.hanning(size)
    hertz = np.fft.rfftfreq(size, 1 / RATE)
    is_voice = (hertz >= _VOICE_HERTZ[0]) & (hertz <= _VOICE_HERTZ[1])
    held, start_seconds = np.empty(0, np.float32), 0.0
    for seconds, samples in chunks:
        if not len(held) or abs(seconds - start_seconds - len(held) / RATE) > STEP_SECONDS:
            held, start_seconds = samples, seconds
        else:
            held = np.concatenate([held, samples])
        first = round(start_seconds / STEP_SECONDS)
        levels += [float("nan")] * (first - len(levels))
        count = len(held) // size
        frames = held[: count * size].reshape(count, size) * window
        power = np.sum(np.square(np.abs(np.fft.rfft(frames, axis=1)[:, is_voice])), axis=1) / size
        levels[first:] = (10 * np.log10(power + 1e-9)).tolist()
        held, start_seconds = held[count * size :], (first + count) * STEP_SECONDS
    return _normalised(np.array(levels, np.float64))


def _normalised(decibels: Activity) -> Activity:
    """0 at the level of the quiet tenth, 1 at that of the loud tenth; at least 12 dB lie between."""
    heard = decibels[~np.isnan(decibels)]
    if not len(heard):
        return decibels
    quiet, loud = np.quantile(heard, 0.1), np.quantile(heard, 0.9)
    return np.clip((decibels - quiet) / max(float(loud - quiet), 12.0), 0.0, 1.0)


def compare(cues: Sequence[Span], activity: Activity) -> Sync | None:
    """The shift and rate at which the cues fit the sound best; None for too few cues or too little sound."""
    heard = int(np.count_nonzero(~np.isnan(activity)))
    if len(cues) < _LEAST_CUES or heard * STEP_SECONDS < _LEAST_SOUND_SECONDS:
        return None
    curves = {rate: _agreements(_mask(cues, rate), activity) for rate in _RATES}
    now = float(curves[1.0][len(curves[1.0]) // 2])
    # Another rate must be worth it: short videos fit them all.
    best_rate = max(_RATES, key=lambda rate: float(np.max(curves[rate])) + (_RATE_COST if rate == 1.0 else 0.0))
    curve = curves[best_rate]
    at = int(np.argmax(curve))
    steps = round(_RIVAL_SECONDS / STEP_SECONDS)
    rivals = np.concatenate([curve[: max(0, at - steps)], curve[at + steps + 1 :]])
    best = float(curve[at])
    lead = best - float(np.max(rivals, initial=0.0))
    confidence = float(np.clip((best - _CHANCE) / 0.3, 0, 1) * np.clip(lead / 0.1, 0, 1))
    return Sync((at - len(curve) // 2) * STEP_SECONDS, best_rate, best, now, confidence)


def _mask(cues: Sequence[Span], rate: float) -> Activity:
    mask = np.zeros(round(max(cue.end_seconds for cue in cues) * rate / STEP_SECONDS) + 1, np.float64)
    for cue in cues:
        mask[round(cue.start_seconds * rate / STEP_SECONDS) : round(cue.end_seconds * rate / STEP_SECONDS)] = 1.0
    return mask


def _agreements(mask: Activity, activity: Activity) -> Activity:
    """Pearson's correlation of mask and activity for each shift of the mask from -60 to 60 s, over the sound there is.

    Where a shift moves cues out of the sound, what remains must still be half of them: else 0.
    """
    most = round(MOST_SECONDS / STEP_SECONDS)
    known = ~np.isnan(activity)
    sound = np.where(known, activity, 0.0)
    size = 1 << (len(mask) + len(sound) + 2 * most).bit_length()

    def slide(fixed: Activity) -> Activity:
        """Sums of mask x fixed for each shift: sum over t of mask[t] * fixed[t + shift]."""
        product = np.fft.irfft(np.conj(np.fft.rfft(mask, size)) * np.fft.rfft(fixed, size), size)
        return np.concatenate([product[-most:], product[: most + 1]])

    count = float(np.count_nonzero(known))
    inside, both = slide(known.astype(np.float64)), slide(sound)
    mean, variance = float(sound.sum()) / count, 0.0
    variance = float(np.square(sound).sum()) / count - mean**2
    share = inside / count
    spread = np.sqrt(np.maximum(share * (1 - share) * variance, 1e-12))
    agreement = (both / count - share * mean) / spread
    return np.where((inside >= 0.5 * mask.sum()) & (share < 0.98), agreement, 0.0)
