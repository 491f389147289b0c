"""`assess`: how good the picture of a moment is technically, measured on its frames without any model."""

from __future__ import annotations

from dataclasses import replace

from agentvid.media.quality import quality
from agentvid.tools import watching
from agentvid.tools.base import ToolContext
from agentvid.types import LOOK, Moment, Observation, Provenance
from agentvid.watch.sampling import uniform

_FRAMES, _BURSTS, _BURST_FRAMES = 8, 3, 5
#: Larger pictures are shrunk to this, which takes some of their noise and blocks.
_SIDE = 1920
_USUAL_RATE = 25.0


def assess(context: ToolContext, *, within: Moment) -> Moment:
    """The technical quality of a moment's picture: blur, noise, blocks, exposure and flicker, in words and numbers.

    Args:
        within: the moment to measure

    Raises:
        ToolError: the moment lies outside of the question's scope, or its video has no frames.
    """
    within = watching.part_of(context, within)
    even = uniform(within.span, _FRAMES)
    rate = float(context.scope[within.video_id].media.get("frame_rate") or _USUAL_RATE)
    starts = uniform(within.span, _BURSTS)
    bursts = [[start + number / rate for number in range(_BURST_FRAMES)] for start in starts]
    wanted = sorted({*even, *(time for burst in bursts for time in burst if time < within.span.end_seconds)})
    frames = watching.frames_of(context, within, wanted, side=_SIDE)
    shown = [[frame.image for frame in frames if _is_in(frame.seconds, burst, rate)] for burst in bursts]
    found = quality([frame.image for frame in frames], shown)
    provenance = Provenance(
        stage="assess",
        model="agentvid-quality",
        revision="2",
        parameters={"seconds": [round(frame.seconds, 3) for frame in frames]},
    )
    row = Observation(within.span, LOOK, found.words(), provenance)
    row = replace(row, id=watching.row_id(within.video_id, row))
    context.ledger.see(within.video_id, row)
    (measured,) = context.ledger.record(
        [Moment(within.video_id, within.span, 1.0, LOOK, row.text, observation_ids=(row.id,))]
    )
    return measured


def _is_in(seconds: float, burst: list[float], rate: float) -> bool:
    return burst[0] - 1 / rate < seconds <= burst[-1]
