"""Captions where a question lands: made before it is answered, stored for all later ones.

Retrieval by what is known so far says where to look; what has no caption around the best hits gets one, as far as the
question's budget bears it. They become rows like those of `index --captions all`, so that search, tools and the check
need to know nothing about it. Where retrieval finds nothing, nothing is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from agentvid import media
from agentvid.budget import INTERRUPTED
from agentvid.config import Settings
from agentvid.egress import outlet_of
from agentvid.errors import LibraryError, MediaError, MissingDependency, ModelError, ToolError, UnknownVideo
from agentvid.indexes.base import Filter, VideoRecord
from agentvid.indexes.catalogue import Catalogue
from agentvid.media.limits import KEY_FRAME_SIDE
from agentvid.models import load_vision
from agentvid.models.base import Embedder
from agentvid.passages import make_passages
from agentvid.perceive.caption_units import Unit, chosen, unit_spans
from agentvid.perceive.captioner import Asking, Captioner
from agentvid.tools.base import ToolContext
from agentvid.tools.watching import file_of
from agentvid.types import CAPTION, SPEECH, Moment, Observation, Span, Video
from agentvid.watch.sampling import at_rate

#: Hits that are looked around at, and units that are captioned for one question.
MOST_HITS, MOST_UNITS = 5, 8
_AROUND_SECONDS = 5.0
#: What captions may take of a question's frames, model calls, tokens and seconds; the rest is for answering it.
_SHARE = 0.5
_FRAMES_PER_SECOND = 1.0


@dataclass(frozen=True, slots=True)
class Deepening:
    """What captions are made with; `model` is opened when the first is asked for."""

    model: str
    settings: Settings
    embedder: Embedder | None

    def deepen(self, question: str, context: ToolContext) -> int:
        """Caption what has no caption around the best hits for `question`; the number of captions that were stored.

        What cannot be captioned, or not stored, is a note of the ledger. Raises nothing of its own.
        """
        stored = 0
        try:
            for video, spans in self._places(question, context):
                stored += self._caption(video, spans, context)
        except (LibraryError, MediaError, MissingDependency, ModelError, ToolError, UnknownVideo) as error:
            hint = f" - {error.hint}" if error.hint else ""
            context.ledger.notes.append(f"captions: {stored} made for this question, then: {error}{hint}")
        return stored

    def _places(self, question: str, context: ToolContext) -> list[tuple[Video, list[Span]]]:
        """Spans to caption by video, those near better hits first, as many as the budget bears."""
        hits = context.retriever.search(question, k=MOST_HITS, where=Filter(tuple(context.scope)))
        wanted: dict[str, list[Span]] = {}
        for video_id, span in islice(_uncaptioned(context, hits), self._most_units(context)):
            wanted.setdefault(video_id, []).append(span)
        return [(context.scope[video_id], sorted(spans)) for video_id, spans in wanted.items()]

    def _most_units(self, context: ToolContext) -> int:
        ledger = context.ledger
        frames = _SHARE * ledger.left("frames") / self.settings.caption_frames
        return int(min(MOST_UNITS, frames, _SHARE * ledger.left("llm_calls")))

    def _caption(self, video: Video, spans: Sequence[Span], context: ToolContext) -> int:
        catalogue, ledger = context.catalogue, context.ledger
        captioner = Captioner(
            load_vision(self.model, self.settings.model_timeout_seconds, outlet_of(self.settings, "captions")),
            video.content_hash,
            Asking.of(self.settings),
            catalogue.results,
            lambda span: catalogue.observations(video.id, within=span, tracks=(SPEECH,)),
        )
        path, rows = file_of(video), list[Observation]()
        size = self.settings.caption_batch
        for some in (spans[first : first + size] for first in range(0, len(spans), size)):
            if reason := _spent(context):
                ledger.notes.append(f"captions: no more than {len(rows)} were made in {video.title!r}: {reason}")
                break
            told = captioner.tell([self._unit(path, span, context) for span in some])
            for reply in (reply for one in told for reply in one.replies):
                ledger.count(reply)
            rows += [one.row for one in told if one.row]
            ledger.notes += [
                f"captions: {video.title!r} at {one.span.start_seconds:.0f} s: {one.reason}"
                for one in told
                if one.reason
            ]
        return store_captions(catalogue, video, rows, self.embedder)

    def _unit(self, path: Path, span: Span, context: ToolContext) -> Unit:
        times = at_rate(span, _FRAMES_PER_SECOND, most=self.settings.caption_frames)
        frames = media.frames_at(path, times, max_side=KEY_FRAME_SIDE, limits=context.limits)
        context.ledger.count_frames(len(frames))
        return Unit(span, chosen([*{frame.seconds: frame for frame in frames}.values()], self.settings.caption_frames))


def store_captions(catalogue: Catalogue, video: Video, rows: Sequence[Observation], embedder: Embedder | None) -> int:
    """Add captions to a video, but for spans that have got some meanwhile; how many. Raises as the catalogue."""
    with catalogue.writer():
        held = catalogue.observations(video.id, tracks=(CAPTION,))
        new = tuple(row for row in rows if not _is_covered(row.span, held))
        if not new:
            return 0
        passages = make_passages(catalogue.clips(video.id), new)
        vectors = embedder.encode_document([passage.text for passage in passages]) if embedder else None
        record = VideoRecord(
            video,
            fingerprint="",
            shots=(),
            clips=(),
            observations=new,
            passages=passages,
            space=embedder.space if embedder else None,
            vectors=vectors,
        )
        catalogue.add_rows(record)
        return len(new)


def _uncaptioned(context: ToolContext, hits: Iterable[Moment]) -> Iterable[tuple[str, Span]]:
    """(video id, unit) around the hits, each once, the best hit's first."""
    units: dict[str, list[Span]] = {}
    for hit in hits:
        video = context.scope[hit.video_id]
        if video.kind != "file":
            continue
        if video.id not in units:
            held = context.catalogue.observations(video.id, tracks=(CAPTION,))
            spans = unit_spans(context.catalogue.shots(video.id), video.duration_seconds)
            units[video.id] = [span for span in spans if not _is_covered(span, held)]
        start, end = hit.span.start_seconds - _AROUND_SECONDS, hit.span.end_seconds + _AROUND_SECONDS
        near = [span for span in units[video.id] if span.start_seconds < end and span.end_seconds > start]
        for span in sorted(near, key=lambda span: -_shared_seconds(span, hit.span)):
            units[video.id].remove(span)
            yield video.id, span


def _is_covered(span: Span, rows: Sequence[Observation]) -> bool:
    """Whether rows tell of at least half of the span."""
    return sum(_shared_seconds(span, row.span) for row in rows) >= span.duration_seconds / 2


def _shared_seconds(span: Span, other: Span) -> float:
    shared = span.intersection(other)
    return shared.duration_seconds if shared else 0.0


def _spent(context: ToolContext) -> str:
    """The limit of which captions have had their share, in words; "" if none."""
    budget, used = context.ledger.budget, context.ledger.total()
    if context.ledger.is_interrupted():
        return INTERRUPTED
    for name, cost in (
        ("tokens", used.input_tokens + used.output_tokens),
        ("seconds", used.seconds),
        ("money", used.money or 0),
    ):
        limit = getattr(budget, name)
        if limit is not None and cost >= _SHARE * limit:
            return f"half of the budget of {limit:g} {name} is spent"
    return ""
