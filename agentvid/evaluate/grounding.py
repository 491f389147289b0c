"""`agentvid eval ground`: does the tool `ground` find when something happens, and say so when it does not?"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from agentvid.errors import UsageError
from agentvid.evaluate.baselines import Baselines, read_rows
from agentvid.evaluate.metrics import Found
from agentvid.evaluate.queries import Asked
from agentvid.evaluate.retrieval import open_embedder, timed_run
from agentvid.evaluate.runs import Absent, Run
from agentvid.indexes.base import Filter
from agentvid.tools import load_tools
from agentvid.tools.base import ToolContext
from agentvid.types import Moment, Video

if TYPE_CHECKING:
    from agentvid.library import Library

GROUND, LOCATED = "ground", "located"
DEPTH = 5
_SEED = 20_240_229


def grounding_runs(
    library: Library, asked: Sequence[Asked], *, has_absent: bool = False, has_baselines: bool = False
) -> Iterator[Run]:
    """`ground`, then the baselines, at most 5 moments per query, each asked within its own video.

    Baselines always answer, so before them comes `located`: `ground` if it left nothing out. With `has_absent`,
    `ground` is also asked within another video of `asked`. Raises UsageError if there is none.
    """
    ground = _grounder(library)
    run = timed_run(GROUND, asked, lambda one: ground(one, one.video))
    if has_absent:
        others = other_videos([one.video for one in asked])
        absent = (Absent(others[one.video.id].name, ground(one, others[one.video.id])) for one in asked)
        run = replace(run, absent=tuple(absent))
    yield run
    if has_baselines:
        yield timed_run(LOCATED, asked, lambda one: _located(library, one))
        yield from Baselines(read_rows(library), asked, open_embedder(library), True, depth=DEPTH).runs()


def _located(library: Library, one: Asked) -> tuple[Found, ...]:
    """What `ground` finds before it leaves out what is probably not there."""
    where = Filter(video_ids=(one.video.id,))
    moments = library.retriever.locate(one.query.query, k=DEPTH, where=where)
    return tuple(Found(one.video.name, moment.span, moment.score) for moment in moments)


def other_videos(videos: Sequence[Video]) -> dict[str, Video]:
    """Video id -> another of these videos: the next one in an order that is shuffled, always in the same way.

    Raises UsageError for fewer than two videos.
    """
    distinct = sorted({video.id: video for video in videos}.values(), key=lambda video: video.name)
    if len(distinct) < 2:
        raise UsageError("--absent needs queries about at least two videos, got 1", hint="leave --absent out")
    random.Random(_SEED).shuffle(distinct)
    return {video.id: other for video, other in zip(distinct, [*distinct[1:], distinct[0]], strict=True)}


def _grounder(library: Library) -> Callable[[Asked, Video], tuple[Found, ...]]:
    """Calls the tool as a program does that is asked about one video."""
    tool = load_tools()[GROUND]

    def ground(one: Asked, video: Video) -> tuple[Found, ...]:
        context = ToolContext(library.catalogue, library.retriever, {video.id: video})
        moments: list[Moment] = tool.run(context, query=one.query.query, k=float(DEPTH))
        return tuple(Found(video.name, moment.span, moment.score) for moment in moments)

    return ground
