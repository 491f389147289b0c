"""The track `object`: things named by the setting `object_labels`, as intervals with how many were seen at once.

Off unless the setting `objects` names a model. It looks at key frames, one a second; what is seen in one of them holds
until the next.
"""

from __future__ import annotations

from collections import Counter

from agentvid.config import Settings
from agentvid.egress import outlet_of
from agentvid.errors import UsageError
from agentvid.media.types import Frame, FrameBatch
from agentvid.models.hub import files_of
from agentvid.models.object_detector import Detection, ObjectDetector
from agentvid.perceive.base import Reader, Reading, Source, Track, Watched, reason_of
from agentvid.perceive.hysteresis import Hysteresis, Interval
from agentvid.perceive.partial import MOST_FAILURES, add_gap
from agentvid.text import clean_text
from agentvid.types import OBJECT, Gap, Json, Observation, Provenance, Span

_REVISION = 1
#: An object comes into view at the setting `object_threshold` and leaves it below this share of it.
_LEAVE = 0.6
#: Missed in one key frame, it is not gone.
_GAP_SECONDS = 1.5
#: What is seen in the last key frame holds this long at most.
_HOLD_SECONDS = 1.5


class ObjectTrack(Track):
    """Zero-shot object detection by transformers."""

    name = OBJECT
    revision = _REVISION
    frames = ("key_frames",)
    is_slow = True

    def __init__(self) -> None:
        self._loaded: tuple[str, ObjectDetector] | None = None

    def parameters(self, settings: Settings) -> Json | None:
        """Raises UsageError if a model is named and no object."""
        if not settings.objects:
            return None
        if not settings.object_labels:
            raise UsageError(
                f"objects = {settings.objects!r} looks for nothing: object_labels is empty",
                hint='name what it should look for, as in AGENTVID_OBJECT_LABELS="dog,red car"',
            )
        return {
            "model": settings.objects,
            "files": files_of(settings.objects),
            "labels": list(settings.object_labels),
            "threshold": settings.object_threshold,
        }

    def open(self, source: Source) -> Reader:
        """Raises ModelError if the model cannot be loaded."""
        name = source.settings.objects
        if self._loaded is None or self._loaded[0] != name:
            self._loaded = (name, ObjectDetector(name, outlet=outlet_of(source.settings, "downloads")))
        return ObjectReader(source, self._loaded[1])


class ObjectReader(Reader):
    """One frame is held until the next one tells how long it was shown."""

    def __init__(self, source: Source, detector: ObjectDetector) -> None:
        self._source = source
        self._detector = detector
        settings = source.settings
        self._seen = {
            label: Hysteresis(settings.object_threshold, settings.object_threshold * _LEAVE, _GAP_SECONDS)
            for label in settings.object_labels
        }
        self._waiting: Frame | None = None
        self._gaps: list[Gap] = []
        self._failures = 0

    def read(self, batch: FrameBatch) -> None:
        for frame in batch.key_frames:
            if self._waiting is not None:
                self._look(self._waiting, frame.seconds)
            self._waiting = frame

    def finish(self, watched: Watched) -> Reading:
        if self._waiting is not None:
            self._look(self._waiting, watched.duration_seconds)
        rows = [self._row(label, one) for label, seen in self._seen.items() for one in seen.intervals()]
        return Reading(rows, self._gaps)

    def _look(self, frame: Frame, end_seconds: float) -> None:
        if end_seconds <= frame.seconds:
            return
        if self._failures == MOST_FAILURES:
            add_gap(self._gaps, self._source.gap(Span(frame.seconds, end_seconds), OBJECT, self._gaps[-1].reason))
            return
        settings = self._source.settings
        try:
            found = self._detector.detect(frame.image, settings.object_labels, settings.object_threshold * _LEAVE)
        except Exception as error:  # noqa: BLE001 - a model's errors have no common base; each is kept as a row
            self._failures += 1
            add_gap(self._gaps, self._source.gap(Span(frame.seconds, end_seconds), OBJECT, reason_of(error)))
            return
        self._failures = 0
        shown = Span(frame.seconds, min(end_seconds, frame.seconds + _HOLD_SECONDS))
        self._add(shown, found)

    def _add(self, shown: Span, found: list[Detection]) -> None:
        threshold = self._source.settings.object_threshold
        sure = Counter(detection.label for detection in found if detection.score >= threshold)
        best: dict[str, float] = {}
        for detection in found:
            best[detection.label] = max(best.get(detection.label, 0.0), min(detection.score, 1.0))
        for label, seen in self._seen.items():
            if label in best:
                seen.add(shown, best[label], max(sure[label], 1))

    def _row(self, label: str, interval: Interval) -> Observation:
        settings = self._source.settings
        parameters = {"labels": list(settings.object_labels), "threshold": settings.object_threshold}
        text = clean_text(label, limit=200)
        return Observation(
            interval.span,
            OBJECT,
            text if interval.most == 1 else f"{text} ({interval.most} at once)",
            Provenance(OBJECT, self._detector.name, self._detector.revision, parameters, self._source.content_hash),
            confidence=interval.score,
            attributes={"label": text, "count": interval.most},
        )
