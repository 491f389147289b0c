"""Captions from any vision model: asked in batches, read tolerantly, asked again once, kept so that none is paid twice.

A prompt holds the caption before it and what is said meanwhile, as SALOVA (Kim et al. 2024) and Goldfish (Ataallah et
al. 2024) describe segments: pictures alone seldom tell what an action is about. Both are strangers' words, so they are
fenced. Units of one batch share the caption before the batch: waiting for each other, they would be no batch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from agentvid.config import Settings
from agentvid.errors import ModelError
from agentvid.indexes.results import ModelResults, Result, ResultKey
from agentvid.models.base import Picture, Reply, VisionModel
from agentvid.models.many import look_each
from agentvid.perceive.caption_reply import read_caption
from agentvid.perceive.caption_units import Unit
from agentvid.prompts import render, source
from agentvid.text import clean_text
from agentvid.types import CAPTION, Observation, Provenance, Span
from agentvid.untrusted import Fence, quoted
from agentvid.watch.layout import Layout
from agentvid.watch.showing import SYSTEM, Shown, digest_of, show

#: Rows of speech in one prompt, and characters of each.
_MOST_ROWS, _ROW_CHARACTERS = 20, 300
_REASON_CHARACTERS = 300
#: A model that failed so often in a row is not asked any more: a server that is down would cost an hour of waiting.
GIVE_UP_AFTER = 5


@dataclass(frozen=True, slots=True)
class Asking:
    """How units are shown to a model; part of what decides a caption."""

    frames: int = 8
    layout: Layout = "frames"
    image_tokens: int = 8_000

    @classmethod
    def of(cls, settings: Settings) -> Asking:
        return cls(settings.caption_frames, settings.vision_layout, settings.vision_image_tokens)

    @property
    def version(self) -> str:
        """12 digits of a sha256 over the prompt's template and how frames are shown: another one, other captions."""
        told = json.dumps([source("caption"), SYSTEM, self.frames, self.layout, self.image_tokens])
        return hashlib.sha256(told.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one unit: a row, or the reason why there is none; and the replies that were paid for it."""

    span: Span
    row: Observation | None
    reason: str = ""
    replies: tuple[Reply, ...] = ()


@dataclass
class Captioner:
    """Captions of one content by one model. Use it from one thread at a time.

    `spoken` gives the rows of speech in a span. `results` keeps what was paid for; None keeps nothing.
    """

    model: VisionModel
    content_hash: str
    asking: Asking = field(default_factory=Asking)
    results: ModelResults | None = None
    spoken: Callable[[Span], Sequence[Observation]] = lambda span: ()
    before: str = ""
    _fence: Fence = field(default_factory=Fence)
    _failures: int = 0

    def tell(self, units: Sequence[Unit]) -> list[Told]:
        """What each of some consecutive units shows, in their order. Raises what the catalogue raises."""
        told: dict[Span, Told] = {}
        asked: dict[Span, Shown] = {}
        for unit in units:
            if known := self.known(unit.span):
                told[unit.span] = known
            elif not unit.frames:
                told[unit.span] = Told(unit.span, None, "no frame could be decoded")
            elif self._failures >= GIVE_UP_AFTER:
                reason = f"not asked: {self.model.name} failed {GIVE_UP_AFTER} times in a row"
                told[unit.span] = Told(unit.span, None, reason)
            elif shown := self._shown(unit):
                asked[unit.span] = shown
            else:
                reason = f"no frame fits into {self.asking.image_tokens} image tokens"
                told[unit.span] = Told(unit.span, None, reason)
        told |= self._ask(asked)
        found = [told[unit.span] for unit in units]
        self.before = next((one.row.text for one in reversed(found) if one.row), self.before)
        return found

    def known(self, span: Span) -> Told | None:
        """What was told of this span before; None if nothing was, or nothing that counts as a caption any more."""
        result = self.results.get(self._key(span)) if self.results else None
        try:
            return Told(span, self._row(span, result)) if result else None
        except ValueError:
            return None

    def all_known(self) -> list[Told]:
        """All that was told of this content before, in time order."""
        if not self.results:
            return []
        spans = self.results.spans(self.content_hash, self.model.name, self.model.revision, self.asking.version)
        return [told for span in spans if (told := self.known(span))]

    def _ask(self, asked: dict[Span, Shown]) -> dict[Span, Told]:
        """One try for all, another one for those whose replies cannot be read."""
        told: dict[Span, Told] = {}
        faults: dict[Span, str] = {}
        paid: dict[Span, tuple[Reply, ...]] = {}
        for _ in range(2):
            left = [span for span in asked if span not in told]
            prompts = [_again(asked[span].parts, faults.get(span)) for span in left]
            for span, reply in zip(left, look_each(self.model, SYSTEM, prompts), strict=True):
                if isinstance(reply, ModelError):
                    self._failures += 1
                    told[span] = Told(span, None, _reason(reply), paid.get(span, ()))
                    continue
                self._failures = 0
                paid[span] = (*paid.get(span, ()), reply)
                result = Result(reply, asked[span].seconds, self._digest(asked[span]))
                try:
                    told[span] = Told(span, self._row(span, result), "", paid[span])
                except ValueError as error:
                    faults[span] = str(error)
                    continue
                if self.results:
                    self.results.put(self._key(span), result)
        unusable = {span: f"{self.model.name} gave no usable reply: {fault}" for span, fault in faults.items()}
        return {span: told.get(span) or Told(span, None, unusable[span], paid[span]) for span in asked}

    def _shown(self, unit: Unit) -> Shown | None:
        rows = [f"shown before: {quoted(self.before, limit=_ROW_CHARACTERS)}"] if self.before else []
        rows += [
            f"said at {row.span.start_seconds:.2f} s: {quoted(row.text, limit=_ROW_CHARACTERS)}"
            for row in self.spoken(unit.span)[:_MOST_ROWS]
        ]
        start, end = (f"{seconds:.2f}" for seconds in (unit.span.start_seconds, unit.span.end_seconds))
        fence = self._fence
        prompt = render("caption", start=start, end=end, marker=fence.marker, rows=fence.wrap(rows or ["nothing"]))
        return show(prompt, unit.frames, self.asking.layout, self.asking.image_tokens, self.model.name)

    def _digest(self, shown: Shown) -> str:
        """The same for the same frames and words: the marker of the fence is another one in every run."""
        marker = self._fence.marker
        return digest_of([part.replace(marker, "") if isinstance(part, str) else part for part in shown.parts])

    def _row(self, span: Span, result: Result) -> Observation:
        """Raises ValueError if the reply is no caption."""
        caption = read_caption(result.reply.text)
        made = {"prompt": self.asking.version, "seconds": list(result.seconds)}
        found = {"objects": list(caption.objects), "actions": list(caption.actions), "text": caption.words}
        return Observation(
            span,
            CAPTION,
            caption.text,
            Provenance(CAPTION, self.model.name, self.model.revision, made, result.input_hash),
            attributes={name: value for name, value in found.items() if value},
        )

    def _key(self, span: Span) -> ResultKey:
        return ResultKey(self.content_hash, span, self.model.name, self.model.revision, self.asking.version)


def _again(parts: Sequence[str | Picture], fault: str | None) -> Sequence[str | Picture]:
    if not fault:
        return parts
    return (*parts, f"Your last reply was not usable: {fault}. Write the whole reply again.")


def _reason(error: ModelError) -> str:
    said = f"{error} - {error.hint}" if error.hint else str(error)
    return clean_text(said, limit=_REASON_CHARACTERS)
