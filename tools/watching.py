"""What the tools that look at frames share: the file of a moment, its frames, and what a vision model says of them.

The library is only read: an observation is kept in the ledger, with the model, the question and the times and digest
of what was shown as its provenance, so that an answer can quote it and the checker find the quote.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from agentvid.budget import INTERRUPTED
from agentvid.errors import MediaError, ModelError, ToolError
from agentvid.identity import hash_file
from agentvid.media import Frame, Region, frames_at
from agentvid.models.base import Reply
from agentvid.models.deadline import within
from agentvid.text import clean_text
from agentvid.tools.base import ToolContext, Vision
from agentvid.tools.scope import check_moment
from agentvid.types import LOOK, Moment, Observation, Provenance, Span, Video
from agentvid.watch import showing
from agentvid.watch.showing import SYSTEM, Shown

#: Frames of a short moment: as many a second as tell fast from slow.
FRAMES_PER_SECOND = 2.0
MAX_TEXT_CHARACTERS = 1_000
#: The longest side of frames that are decoded to be looked at; layouts shrink them further to fit their budget.
_SIDE = 1024
_NO_MODEL = "no model is set that can look at frames"
_CHOOSE = "choose one with --vision provider:model or the setting `vision`"


def need_vision(context: ToolContext) -> Vision:
    """The vision model of the run. Raises ToolError that names how to set one, and lets the answer say so too."""
    if context.vision is None:
        note = f"frames: {_NO_MODEL}; {_CHOOSE}"
        if note not in context.ledger.notes:
            context.ledger.notes.append(note)
        raise ToolError(_NO_MODEL, hint=_CHOOSE)
    return context.vision


def part_of(context: ToolContext, within: Moment) -> Moment:
    """The moment, cut to what its video has of it. Raises ToolError if that is nothing, or out of the scope."""
    check_moment(context, within)
    video = context.scope[within.video_id]
    inside = within.span.intersection(video.span)
    if inside is None:
        raise ToolError(
            f"the moment at {within.span.start_seconds:g} s lies behind the end of {video.title!r}; "
            f"allowed: before {video.duration_seconds:g} s"
        )
    return replace(within, span=inside)


def frames_of(
    context: ToolContext, within: Moment, times: Sequence[float], *, region: Region | None = None, side: int = _SIDE
) -> list[Frame]:
    """The frames shown at rising times of a moment's video, each once.

    Of more times than the budget has frames left for, evenly so many. Raises ToolError if the video has no file,
    another file, or one that cannot be read, and if no frame is left.
    """
    path = file_of(context.scope[within.video_id])
    try:
        found = frames_at(path, _affordable(context, times), max_side=side, region=region, limits=context.limits)
    except MediaError as error:
        raise ToolError(f"the frames of {error}", hint=error.hint) from error
    frames = list({frame.seconds: frame for frame in found}.values())
    context.ledger.count_frames(len(frames))
    return frames


def _affordable(context: ToolContext, times: Sequence[float]) -> Sequence[float]:
    left = context.ledger.left("frames")
    if len(times) <= left:
        return times
    if left < 1:
        raise ToolError(context.ledger.spent() or "no frame is left", hint="allow more with --max-frames")
    note = "fewer frames were looked at than asked for: the budget of frames was nearly spent"
    context.ledger.notes += [note] if note not in context.ledger.notes else []
    return [times[round(at)] for at in np.linspace(0, len(times) - 1, int(left))]


def file_of(video: Video) -> Path:
    """The file with the video's content. Raises ToolError if there is none any more."""
    if not video.paths:
        raise ToolError(
            f"{video.title!r} was imported as text and has no frames", hint="index its file, or use its text"
        )
    for path in map(Path, video.paths):
        try:
            status = path.stat()
            if _content_hash(path, status.st_size, status.st_mtime_ns) == video.content_hash:
                return path
        except OSError:
            continue
    raise ToolError(
        f"no file of {video.name!r} is there with the content that was indexed",
        hint="put it back, or run `agentvid index` on where it is now",
    )


@lru_cache(maxsize=256)
def _content_hash(path: Path, size: int, modified: int) -> str:
    """The hash of a file, read again only when its size or time of change is another."""
    return hash_file(path)


def show(vision: Vision, prompt: str, frames: Sequence[Frame]) -> Shown:
    """The frames that differ from those before them, laid out within the budget of one call, after the prompt.

    Raises ToolError if the budget holds none.
    """
    shown = showing.show(prompt, frames, vision.layout, vision.image_tokens, vision.model.name)
    if shown is None:
        raise ToolError(
            f"no frame fits into {vision.image_tokens} image tokens", hint="raise the setting `vision_image_tokens`"
        )
    return shown


def ask(context: ToolContext, vision: Vision, shown: Shown) -> str:
    """The model's reply. Raises ToolError if it fails, or if somebody ends the run first."""
    try:
        reply = _look(context, vision, shown)
    except TimeoutError:
        raise ToolError(INTERRUPTED) from None
    except ModelError as error:
        raise ToolError(f"looking at frames: {error}", hint=error.hint) from error
    context.ledger.count(reply)
    return reply.text


def _look(context: ToolContext, vision: Vision, shown: Shown) -> Reply:
    def look() -> Reply:
        return vision.model.look(SYSTEM, shown.parts)

    ledger = context.ledger
    return look() if ledger.cancel is None else within(math.inf, look, is_over=ledger.is_interrupted)


def keep(
    context: ToolContext, within: Moment, span: Span, text: str, question: str, shown: Shown, *, certainty: float = 1.0
) -> Moment | None:
    """Record what was seen as an observation of the run and return its moment; None for a text that says nothing."""
    vision, said = need_vision(context), clean_text(text, limit=MAX_TEXT_CHARACTERS)
    if not said:
        return None
    provenance = Provenance(
        stage=LOOK,
        model=vision.model.name,
        parameters={"question": question, "seconds": list(shown.seconds), "layout": vision.layout},
        input_hash=shown.digest,
    )
    row = Observation(span, LOOK, said, provenance, certainty)
    row = replace(row, id=row_id(within.video_id, row))
    context.ledger.see(within.video_id, row)
    return Moment(within.video_id, span, certainty, LOOK, said, observation_ids=(row.id,))


def row_id(video_id: str, row: Observation) -> int:
    """A negative number that is the same for the same observation: rows of the catalogue count from 1."""
    told = f"{video_id} {row.span} {row.text} {row.provenance.input_hash}"
    return -1 - int(hashlib.sha256(told.encode()).hexdigest()[:13], 16)
