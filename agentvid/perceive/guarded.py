"""A reader that may fail without failing the video: what a track brings is checked, what it raises becomes a gap."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from agentvid.errors import MissingDependency, ModelError
from agentvid.media.types import FrameBatch
from agentvid.perceive.base import Effort, Reader, Reading, Source, Track, Watched, reason_of
from agentvid.perceive.overlap import OverlappedReader
from agentvid.perceive.plugins import is_plugin
from agentvid.perceive.timed import Stopwatch, TimedReader
from agentvid.text import clean_text
from agentvid.types import Gap, Observation, Span

#: A row may end this much after its video, as rounded times do; it is then cut.
_TOLERANCE_SECONDS = 1.0


class GuardedReader(Reader):
    """The reader of one track and one video. Nothing that the track raises or returns comes through.

    Raises MissingDependency of one of our own tracks when it is made: what is missing is missing for all videos.
    """

    def __init__(self, track: Track, source: Source) -> None:
        self.track = track
        self._source = source
        self._reader: Reader | None = None
        self._watch = Stopwatch()
        self._failure = ""
        try:
            timed = TimedReader(track.open(source), self._watch)
            self._reader = OverlappedReader(timed, source.cancel) if track.is_slow else timed
        except Exception as error:
            if isinstance(error, MissingDependency) and not is_plugin(track):
                raise
            self._fail(error)

    def read(self, batch: FrameBatch) -> None:
        """Does nothing once the track has failed."""
        if self._reader is None:
            return
        try:
            self._reader.read(batch)
        except Exception as error:  # noqa: BLE001 - see the class
            self._fail(error)

    def finish(self, watched: Watched) -> Reading:
        """Rows whose track, text and times are as they should be; for a track that failed, one gap and no rows."""
        reading: Reading | None = None
        if self._reader is not None:
            try:
                brought = self._reader.finish(watched)
                reading = _checked(brought, self.track.name, self._source, watched.duration_seconds)
            except Exception as error:  # noqa: BLE001 - see the class
                self._fail(error)
        if reading is None:
            whole = Span(0.0, watched.duration_seconds)
            reading = Reading((), (self._source.gap(whole, self.track.name, self._failure),))
        return replace(reading, effort=replace(reading.effort, seconds=self._watch.seconds))

    def close(self) -> None:
        """What the reader holds is given back: of a long video that is much, and the record is yet to be made."""
        reader, self._reader = self._reader, None
        if reader is not None:
            with suppress(Exception):  # what was read is not worth less for it
                reader.close()

    def _fail(self, error: Exception) -> None:
        self._failure = clean_text(reason_of(error), limit=500)
        self.close()


def _checked(reading: Reading, name: str, source: Source, duration_seconds: float) -> Reading:
    """Raises ModelError for what is no reading of this track of this video."""
    if not isinstance(reading, Reading):
        raise ModelError(f"finish returned a {type(reading).__name__}; allowed: a Reading")
    for what, values, kind in (
        ("observations", reading.observations, Observation),
        ("gaps", reading.gaps, Gap),
        ("warnings", reading.warnings, str),
    ):
        is_sequence = isinstance(values, Sequence) and not isinstance(values, str)
        wrong = [type(value).__name__ for value in values if not isinstance(value, kind)] if is_sequence else []
        if wrong or not is_sequence:
            found = f"hold a {wrong[0]}" if wrong else f"are a {type(values).__name__}"
            raise ModelError(f"{what} {found}; allowed: a sequence of {kind.__name__}")
    rows = [_row(row, name, duration_seconds) for row in reading.observations]
    gaps = [
        source.gap(_inside(gap.span, duration_seconds), name, clean_text(gap.reason, limit=500)) for gap in reading.gaps
    ]
    if reading.frames is not None and len(reading.frames.vectors) != len(rows):
        raise ModelError(f"{len(reading.frames.vectors)} vectors came for {len(rows)} frames; allowed: one for each")
    warnings = [clean_text(warning) for warning in reading.warnings]
    return Reading(rows, gaps, warnings, reading.frames, _effort(reading.effort))


def _effort(effort: Effort) -> Effort:
    if not isinstance(effort, Effort) or not 0 <= effort.held <= effort.pictures:
        raise ModelError(f"effort is {effort!r}; allowed: an Effort whose `held` is 0 to its `pictures`")
    return effort


def _row(row: Observation, name: str, duration_seconds: float) -> Observation:
    """The row with a clean text, inside the video."""
    if row.track != name:
        raise ModelError(f"a row is of the track {row.track!r}; allowed: {name!r}")
    text = clean_text(row.text)
    if not text:
        raise ModelError(f"the row at {row.span.start_seconds:g} s shows no text")
    span = _inside(row.span, duration_seconds)
    return row if text == row.text and span == row.span else replace(row, text=text, span=span)


def _inside(span: Span, duration_seconds: float) -> Span:
    if span.start_seconds >= duration_seconds or span.end_seconds > duration_seconds + _TOLERANCE_SECONDS:
        times = f"{span.start_seconds:g}-{span.end_seconds:g} s"
        raise ModelError(f"a row or gap at {times} is outside of the video, which ends at {duration_seconds:g} s")
    return Span(span.start_seconds, min(span.end_seconds, duration_seconds))
