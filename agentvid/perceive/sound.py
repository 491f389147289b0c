"""The track `sound`: what can be heard besides words, as intervals for each label.

Off unless the setting `sound` names a model. The sound is cut into windows of a second; the model scores each with half
a second more on both sides, since models were trained on longer clips. Windows become intervals by hysteresis.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from agentvid import media
from agentvid.config import Settings
from agentvid.egress import outlet_of
from agentvid.models.base import Samples
from agentvid.models.hub import files_of
from agentvid.models.sound_classifier import SoundClassifier
from agentvid.perceive.background import Background
from agentvid.perceive.base import Reader, Reading, Source, Track, Watched, reason_of
from agentvid.perceive.hysteresis import Hysteresis
from agentvid.perceive.partial import MOST_FAILURES, add_gap, inside
from agentvid.text import clean_text
from agentvid.types import SOUND, Gap, Json, Observation, Provenance, Span

_REVISION = 1
_STEP_SECONDS, _AROUND_SECONDS = 1.0, 0.5
#: An event begins at the setting `sound_threshold` and ends below this share of it.
_LEAVE = 0.6
#: A silence of this length inside an event does not end it.
_GAP_SECONDS = 1.0
#: Nothing is louder than -60 dBFS: nothing to hear.
_SILENT_RMS = 0.001
#: Sound this far from where the sound before it ended begins anew.
_BREAK_SECONDS = 0.05


class SoundTrack(Track):
    """Sound events by transformers: a model's own labels, or those of the setting `sound_labels` (CLAP)."""

    name = SOUND
    revision = _REVISION

    def __init__(self) -> None:
        self._loaded: tuple[str, tuple[str, ...], SoundClassifier] | None = None

    def parameters(self, settings: Settings) -> Json | None:
        if not settings.sound:
            return None
        return {
            "model": settings.sound,
            "files": files_of(settings.sound),
            "labels": list(settings.sound_labels),
            "threshold": settings.sound_threshold,
        }

    def open(self, source: Source) -> Reader:
        """Raises ModelError if the model cannot be loaded."""
        settings = source.settings
        wanted = (settings.sound, settings.sound_labels)
        if self._loaded is None or self._loaded[:2] != wanted:
            outlet = outlet_of(settings, "downloads")
            self._loaded = (*wanted, SoundClassifier(settings.sound, settings.sound_labels, outlet=outlet))
        return SoundReader(source, self._loaded[2])


class SoundReader(Reader):
    """Listens on a thread of its own while the frames are decoded; reads no frames."""

    def __init__(self, source: Source, classifier: SoundClassifier) -> None:
        self._background = Background(lambda stopped: listen(source, classifier, stopped), source.cancel)

    def finish(self, watched: Watched) -> Reading:
        return inside(self._background.result(), watched.duration_seconds)

    def close(self) -> None:
        self._background.stop()


def listen(source: Source, classifier: SoundClassifier, is_cancelled: Callable[[], bool]) -> Reading:
    """Rows of the track `sound`. A window for which the model fails is a gap; after three in a row, all the rest is."""
    if not source.info.has_audio:
        return Reading(())
    threshold = source.settings.sound_threshold
    events: dict[str, Hysteresis] = {}
    gaps: list[Gap] = []
    failures = 0
    chunks = media.read_audio(source.path, sample_rate=classifier.rate, limits=source.limits)
    for span, samples in _windows(chunks, classifier.rate):
        if is_cancelled() or failures == MOST_FAILURES:
            break
        if float(np.sqrt(np.mean(np.square(samples)))) < _SILENT_RMS:
            continue
        try:
            scores = classifier.scores(samples)
        except Exception as error:  # noqa: BLE001 - a model's errors have no common base; each is kept as a row
            failures += 1
            end_seconds = source.limits.max_seconds if failures == MOST_FAILURES else span.end_seconds
            add_gap(gaps, source.gap(Span(span.start_seconds, end_seconds), SOUND, reason_of(error)))
            continue
        failures = 0
        for label, score in scores.items():
            if label in events or score >= threshold * _LEAVE:
                event = events.setdefault(label, Hysteresis(threshold, threshold * _LEAVE, _GAP_SECONDS))
                event.add(span, score)
    return Reading(list(_rows(events, classifier, source)), gaps)


def _rows(events: dict[str, Hysteresis], classifier: SoundClassifier, source: Source) -> Iterator[Observation]:
    settings = source.settings
    parameters = {"labels": list(settings.sound_labels), "threshold": settings.sound_threshold}
    provenance = Provenance(SOUND, classifier.name, classifier.revision, parameters, source.content_hash)
    for label, event in sorted(events.items()):
        text = clean_text(label, limit=200)
        for interval in event.intervals() if text else ():
            yield Observation(
                interval.span, SOUND, text, provenance, confidence=interval.score, attributes={"label": text}
            )


def _windows(chunks: Iterable[tuple[float, Samples]], rate: int) -> Iterator[tuple[Span, Samples]]:
    """(span of a second, its samples with half a second more on both sides), silence where there is no sound."""
    step, around = round(_STEP_SECONDS * rate), round(_AROUND_SECONDS * rate)
    for start_seconds, run in _runs(chunks, rate):
        held = np.zeros(around, np.float32)
        begin_seconds = start_seconds
        for samples in run:
            held = np.concatenate([held, samples])
            while len(held) >= step + 2 * around:
                yield Span(begin_seconds, begin_seconds + _STEP_SECONDS), held[: step + 2 * around]
                held, begin_seconds = held[step:], begin_seconds + _STEP_SECONDS
        # What is left: up to a second and a half, with what stood before it.
        while (left := len(held) - around) > 0:
            end_seconds = begin_seconds + min(left, step) / rate
            padded = np.pad(held[: step + 2 * around], (0, max(0, step + 2 * around - len(held))))
            yield Span(begin_seconds, end_seconds), padded
            held, begin_seconds = held[step:], begin_seconds + _STEP_SECONDS


def _runs(chunks: Iterable[tuple[float, Samples]], rate: int) -> Iterator[tuple[float, Iterator[Samples]]]:
    """(start_seconds, its chunks) for each stretch of sound without a break; use up one before the next."""
    waiting = iter(chunks)
    held = next(waiting, None)

    def run() -> Iterator[Samples]:
        nonlocal held
        while held is not None:
            start_seconds, samples = held
            yield samples
            held = next(waiting, None)
            end_seconds = start_seconds + len(samples) / rate
            if held is not None and abs(held[0] - end_seconds) > _BREAK_SECONDS:
                return

    while held is not None:
        yield held[0], run()
