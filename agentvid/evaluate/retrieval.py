"""`agentvid eval retrieval`: does search find the right seconds of the right video?"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from agentvid.egress import outlet_of
from agentvid.evaluate.baselines import Baselines, read_rows
from agentvid.evaluate.metrics import DEPTH, Found
from agentvid.evaluate.queries import Asked
from agentvid.evaluate.runs import Run
from agentvid.indexes.base import Filter
from agentvid.models import load_embedder

if TYPE_CHECKING:
    from agentvid.library import Library
    from agentvid.models.base import Embedder

Channel = Literal["fused", "dense", "lexical", "all"]
FUSED = "fused"


def retrieval_runs(
    library: Library,
    asked: Sequence[Asked],
    *,
    channel: Channel = "all",
    is_single_video: bool = False,
    has_baselines: bool = False,
) -> Iterator[Run]:
    """`fused`, what `Library.search` returns, then the channels alone, then the baselines; 20 hits per query.

    With `is_single_video` each query is searched in its own video only. Raises UsageError for a channel that this
    library cannot search.
    """
    channels = (FUSED, *library.retriever.channels) if channel == "all" else (channel,)
    for name in channels:
        search = _fused(library, is_single_video) if name == FUSED else _alone(library, name, is_single_video)
        yield timed_run(name, asked, search)
    if has_baselines:
        yield from Baselines(read_rows(library), asked, open_embedder(library), is_single_video).runs()


def timed_run(name: str, asked: Sequence[Asked], find: Callable[[Asked], tuple[Found, ...]]) -> Run:
    """`find` for every query with its milliseconds; one unmeasured call before opens models and indexes."""
    find(asked[0])
    found, ms = [], []
    for one in asked:
        started = time.perf_counter()
        found.append(find(one))
        ms.append(1000 * (time.perf_counter() - started))
    return Run(name, tuple(found), tuple(ms))


def open_embedder(library: Library) -> Embedder | None:
    """The library's embedder, or None where embedding is off."""
    settings = library.settings
    outlet = outlet_of(settings, "downloads")
    return load_embedder(settings.embedder, settings.cache, outlet) if settings.embed else None


def _fused(library: Library, is_single_video: bool) -> Callable[[Asked], tuple[Found, ...]]:
    def find(one: Asked) -> tuple[Found, ...]:
        hits = library.search(one.query.query, k=DEPTH, videos=[one.video.id] if is_single_video else [])
        return tuple(Found(hit.video, hit.moment.span, hit.moment.score) for hit in hits)

    return find


def _alone(library: Library, name: str, is_single_video: bool) -> Callable[[Asked], tuple[Found, ...]]:
    names = {video.id: video.name for video in library.catalogue.videos()}

    def find(one: Asked) -> tuple[Found, ...]:
        where = Filter(video_ids=(one.video.id,)) if is_single_video else Filter()
        moments = library.retriever.channel(name, one.query.query, k=DEPTH, where=where)
        return tuple(Found(names[moment.video_id], moment.span, moment.score) for moment in moments)

    return find
