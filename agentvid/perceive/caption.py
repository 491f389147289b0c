"""The track `caption`: what is to be seen, told by a vision model for each shot or part of a long one.

Units end while the file is decoded, so the model works meanwhile. With `captions = lazy` nothing is asked here: what
was told of this content before is taken over, and `ask` has captions made where questions land (deepening.py).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import groupby

from agentvid.config import Settings
from agentvid.egress import outlet_of
from agentvid.errors import UsageError
from agentvid.media.types import FrameBatch
from agentvid.models import load_vision
from agentvid.models.base import VisionModel
from agentvid.models.image_text import ImageTextModel
from agentvid.perceive.base import Frames, Reader, Reading, Source, Track, Watched
from agentvid.perceive.caption_units import Unit, UnitFinder
from agentvid.perceive.captioner import Asking, Captioner, Told
from agentvid.perceive.speech import SpeechTrack
from agentvid.types import CAPTION, SPEECH, Gap, Json, Observation, Span


def captions_model(settings: Settings) -> str:
    """The name of the model that writes captions. Raises UsageError if none is set."""
    name = settings.captions_model or settings.vision
    if not name:
        raise UsageError(
            f"captions = {settings.captions!r} needs a model that looks at images",
            hint="name one with --captions-model: hf:NAME-OR-FOLDER for one in this process, or provider:name",
        )
    return name


class CaptionTrack(Track):
    """Off unless the setting `captions` is "lazy" or "all"."""

    name = CAPTION
    after = (SPEECH,)
    frames: tuple[Frames, ...] = ("key_frames",)
    is_slow = True

    def __init__(self) -> None:
        self._model: VisionModel | None = None

    def parameters(self, settings: Settings) -> Json | None:
        """Raises UsageError if no model is set, or a folder that is not there."""
        if settings.captions == "none":
            return None
        model = self._opened(settings)
        revision = model.known_revision if isinstance(model, ImageTextModel) else model.revision
        asked = Asking.of(settings).version
        return {"when": settings.captions, "model": model.name, "revision": revision, "prompt": asked}

    def open(self, source: Source) -> Reader:
        settings = source.settings
        captioner = Captioner(
            self._opened(settings), source.content_hash, Asking.of(settings), source.results, _spoken(source)
        )
        return KnownReader(captioner) if settings.captions == "lazy" else CaptionReader(source, captioner)

    def _opened(self, settings: Settings) -> VisionModel:
        name = captions_model(settings)
        if self._model is None or self._model.name != name:
            self._model = load_vision(name, settings.model_timeout_seconds, outlet_of(settings, "captions"))
        return self._model


class KnownReader(Reader):
    """Takes over what a model told of this content before; asks nothing."""

    def __init__(self, captioner: Captioner) -> None:
        self._captioner = captioner

    def finish(self, watched: Watched) -> Reading:
        return Reading([told.row for told in self._captioner.all_known() if told.row])


class CaptionReader(Reader):
    """Asks for captions of units as they end, some at a time."""

    def __init__(self, source: Source, captioner: Captioner) -> None:
        self._source = source
        self._captioner = captioner
        self._finder = UnitFinder(captioner.asking.frames)
        self._waiting: list[Unit] = []
        self._told: list[Told] = []

    def read(self, batch: FrameBatch) -> None:
        self._add(self._finder.read(batch.key_frames))

    def finish(self, watched: Watched) -> Reading:
        self._add(self._finder.finish(watched.duration_seconds))
        self._tell()
        lost = [told for told in self._told if not told.row]
        runs = [[*run] for reason, run in groupby(self._told, key=lambda told: told.reason) if reason]
        gaps = [Gap(self._source.video_id, run[0].span.hull(run[-1].span), CAPTION, run[0].reason) for run in runs]
        warnings = [f"{len(lost)} of {len(self._told)} captions are missing: {lost[0].reason}"] if lost else []
        return Reading([told.row for told in self._told if told.row], gaps, warnings)

    def _add(self, units: Iterable[Unit]) -> None:
        for unit in units:
            self._waiting.append(unit)
            if len(self._waiting) == self._source.settings.caption_batch:
                self._tell()

    def _tell(self) -> None:
        if self._waiting:
            self._told += self._captioner.tell(self._waiting)
            self._waiting = []


def _spoken(source: Source) -> Callable[[Span], Sequence[Observation]]:
    """What the subtitles say in a span. They are read here, because speech is known only after the decode pass."""
    watched = Watched(max(source.info.duration_seconds, 1.0), (), (), ())
    silent = replace(source, settings=source.settings.model_copy(update={"asr": ""}))
    rows = sorted(SpeechTrack().open(silent).finish(watched).observations, key=lambda row: row.span)
    starts = [row.span.start_seconds for row in rows]

    def within(span: Span) -> Sequence[Observation]:
        first = bisect_left(starts, span.start_seconds)
        return rows[first : bisect_left(starts, span.end_seconds)]

    return within
