"""Frames by what they show: a query, or a picture, is compared with the vectors of frames, and runs of frames compete.

Within a run the cosines are pooled by the query itself (text-conditioned pooling; Gorti et al., X-Pool, arXiv
2203.15086, without its training). Cosines of different models mean different things, hence everything is counted in
standard deviations above what a frame of this library has.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from agentvid.indexes import ranking, schema
from agentvid.indexes.base import Filter, Ids, VectorIndex
from agentvid.indexes.catalogue import Catalogue
from agentvid.indexes.places import Floats, Rows
from agentvid.indexes.windows import EVIDENCE, Windows
from agentvid.models.base import EmbeddingSpace, FrameEmbedder, Vectors
from agentvid.text import frame_text
from agentvid.types import FRAME, Moment, Span

if TYPE_CHECKING:
    from agentvid.indexes.vectors import Backend

Pooling = Literal["mean", "top", "attention"]

#: Around so many of the best frames runs are looked at.
SEEDS = 100
RUN_LENGTHS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48)
#: What a frame of the library has is told by so many, evenly chosen.
_SAMPLE = 4096
#: Below this spread of cosines the model tells nothing apart.
_LEAST_DEVIATION = 0.01
#: Log-odds of a run: this much for a standard deviation of its pooled cosine, and for the logarithm of its length: of
#: runs that fit alike the longer one is the moment, and one frame beside it costs more than length gains.
_PER_DEVIATION, _PER_LENGTH = 6.0, 3.0
#: `top` pools so many frames; `attention` weighs a frame by e to its deviations times this.
_TOP, _SHARPNESS = 3, 1.0
#: Mean IoU of the best run on nine rendered scenes (tests/frames/test_frames.py): mean 0.92, attention 0.39, top 0.32.
POOLING: Pooling = "mean"
#: Probability that a run shows what was asked: logistic in the deviations of its pooled cosine.
_SURE_AT, _SURE_SLOPE = 1.75, 2.5
#: A run that is no more than this above an ordinary frame is not shown.
_LEAST_DEVIATIONS = 0.5
#: From this probability on it is more likely there than not.
_MORE_LIKELY = 0.5
#: What the frames' word counts for beside that of the texts, where both have one.
SHARE = 0.5
#: The track of a run of frames among `Windows.track`; those of texts count from 0.
FRAME_TRACK = -1


@dataclass(frozen=True, slots=True)
class FramePlaces:
    """n frames by video and time: ids of their rows, position of the video in `video_ids`, seconds."""

    ids: Ids
    video: NDArray[np.int32]
    start: Floats
    end: Floats
    video_ids: tuple[str, ...]

    def allowed(self, where: Filter) -> NDArray[np.bool_]:
        """(n,) the frames that a filter keeps; none if it wants other tracks."""
        kept = np.full(len(self.ids), not where.tracks or FRAME in where.tracks)
        if where.video_ids:
            kept &= np.array([name in where.video_ids for name in self.video_ids], bool)[self.video]
        if where.within is not None:
            kept &= (self.start < where.within.end_seconds) & (self.end > where.within.start_seconds)
        return kept


@dataclass(frozen=True, slots=True)
class FrameRuns:
    """Runs of frames that compete for a query. `first`, `last` of `windows` are positions in `places`.

    `windows.similarity` is the probability that a run shows what was asked; `cosines` are those of the best frame of
    each run; `best` the frames by cosine, best first.
    """

    places: FramePlaces
    windows: Windows
    score: Floats
    cosines: Floats
    best: Rows


@dataclass(frozen=True, slots=True)
class _Opened:
    content: str
    places: FramePlaces
    index: VectorIndex


class FrameSearch:
    """The frames of one catalogue in the space of one embedder; safe to share between threads."""

    def __init__(self, catalogue: Catalogue, embedder: FrameEmbedder, backend: Backend) -> None:
        self._catalogue = catalogue
        self.embedder = embedder
        self._backend = backend
        self._held: _Opened | None = None
        self._opening = threading.Lock()

    @property
    def note(self) -> str:
        """Why frames are not searched and what would change that, or ""; loads no model."""
        held = self._catalogue.spaces("frames")
        wanted, revision = self.embedder.name, self.embedder.revision
        if not held or any(space.model == wanted and space.revision == revision for space in held):
            return ""
        models = ", ".join(f"{space.model} (revision {space.revision})" for space in held)
        return (
            f"frames are not searched: the library's are of {models}, the query's of {wanted} (revision"
            f" {revision or 'unknown'}); `agentvid index` the files again, or choose that frame_embedder"
        )

    @property
    def is_there(self) -> bool:
        return bool(self._catalogue.spaces("frames")) and not self.note

    def runs(self, vector: Vectors, where: Filter, pooling: Pooling = POOLING, *, most: int | None = None) -> FrameRuns:
        """Runs around the frames that are nearest to `vector` (dimension,).

        With `most`, of the first ten hits, for one video: also around the nearest beside a video that has nearly all.
        """
        opened = self._open()
        places, index = opened.places, opened.index
        allowed = np.flatnonzero(places.allowed(where))
        if not len(allowed):
            return _nothing(places)
        order = np.argsort(places.ids)

        def near(frames: Rows) -> Rows:
            if not len(frames):
                return frames
            ids, _ = index.search(vector, SEEDS, places.ids[frames])
            found: Rows = order[np.searchsorted(places.ids, ids, sorter=order)]
            return found

        nearest = seeds = near(allowed)
        if most is not None:

            def beside(videos: Rows) -> list[Rows]:
                return [near(allowed[~np.isin(places.video[allowed], videos)])]

            seeds = ranking.with_others([nearest], beside, places.video, SEEDS, most)
        first, last = _runs(places, seeds, allowed)
        rows = np.unique(np.concatenate([np.arange(a, b) for a, b in zip(first, last, strict=True)]))
        cosines = np.zeros(len(places.ids))
        cosines[rows] = index.cosines_of(vector, places.ids[rows])
        sample = np.linspace(0, len(places.ids) - 1, min(_SAMPLE, len(places.ids))).astype(np.int64)
        usual = index.cosines_of(vector, places.ids[sample]).astype(float)
        above = (cosines - usual.mean()) / max(float(usual.std()), _LEAST_DEVIATION)
        pooled = np.array([pool(above[a:b], pooling) for a, b in zip(first, last, strict=True)])
        kept = pooled >= _LEAST_DEVIATIONS
        first, last, pooled = first[kept], last[kept], pooled[kept]
        windows = Windows(
            first,
            last,
            places.start[first],
            places.end[last - 1],
            places.video[first],
            np.full(len(first), FRAME_TRACK, np.int16),
            np.zeros((len(first), len(EVIDENCE))),
            1 / (1 + np.exp(-_SURE_SLOPE * (pooled - _SURE_AT))),
        )
        best = np.array([cosines[a:b].max() for a, b in zip(first, last, strict=True)])
        score = _PER_DEVIATION * pooled + _PER_LENGTH * np.log(np.maximum(last - first, 1))
        return FrameRuns(places, windows, score, best, nearest)

    def search(self, vector: Vectors, *, k: int, where: Filter, most: int | None = None) -> list[Moment]:
        """The best `k` runs for a picture's vector, or a text's, by frames alone; `most` of one video in the first."""
        runs = self.runs(vector, where, most=most)
        return moments(runs, ranking.choose(runs.windows, runs.score, k, most=most))

    def locate(self, vector: Vectors, *, k: int, where: Filter) -> list[Moment]:
        """At most `k` runs that do not overlap, by expected IoU; score = probability that it is shown there."""
        runs = self.runs(vector, where)
        chosen = ranking.choose(runs.windows, runs.score / ranking.SPAN_TEMPERATURE, 4 * k, ranking.iou)
        sure = runs.windows.similarity[chosen.windows]
        found = moments(runs, ranking.Chosen(chosen.windows, sure))
        kept: list[Moment] = []
        for moment in found:
            if len(kept) < k and not any(_same_place(moment, other) for other in kept):
                kept.append(moment)
        return kept

    def _open(self) -> _Opened:
        from agentvid.indexes.vectors import open_index

        space = self.embedder.space
        with self._opening:
            content = self._catalogue.content_hash(space)
            # Both must be of one state: who wrote between them left one without frames that the other has.
            while self._held is None or self._held.content != content:
                index = open_index(self._catalogue, space, self._backend)
                self._held = _Opened(content, read_places(self._catalogue, space), index)
                content = self._catalogue.content_hash(space)
            return self._held


def pool(above: Floats, pooling: Pooling) -> float:
    """One value for a run's (n,) deviations: their mean, the mean of the best three, or weighed by softmax."""
    if pooling == "top":
        return float(np.sort(above)[-_TOP:].mean())
    if pooling == "attention":
        weights = np.exp(_SHARPNESS * (above - above.max()))
        return float((weights * above).sum() / weights.sum())
    return float(above.mean())


def read_places(catalogue: Catalogue, space: EmbeddingSpace) -> FramePlaces:
    """The frames that have a vector in a space, by video and time."""
    rows, vectors, spaces, videos = schema.observations, schema.frame_vectors, schema.spaces, schema.videos
    query = (
        sa.select(rows.c.id, rows.c.video_key, rows.c.start, rows.c.end)
        .join(vectors, vectors.c.observation_id == rows.c.id)
        .join(spaces, spaces.c.id == vectors.c.space_id)
        .where(spaces.c.key == space.key)
        .order_by(rows.c.video_key, rows.c.start, rows.c.id)
    )
    with catalogue.store.reading() as connection:
        known = connection.execute(sa.select(videos.c.key, videos.c.id).order_by(videos.c.key)).all()
        found = connection.execute(query).all()
    number = {row.key: at for at, row in enumerate(known)}
    return FramePlaces(
        np.array([row.id for row in found], np.int64),
        np.array([number[row.video_key] for row in found], np.int32),
        np.array([row.start for row in found], float),
        np.array([row.end for row in found], float),
        tuple(row.id for row in known),
    )


def moments(runs: FrameRuns, chosen: ranking.Chosen) -> list[Moment]:
    """The chosen runs; `text` is the first frame's row, `similarity` how surely they show what was asked."""
    return [moment(runs, at, gain) for at, gain in zip(chosen.windows.tolist(), chosen.gains.tolist(), strict=True)]


def moment(runs: FrameRuns, at: int, score: float) -> Moment:
    windows, places = runs.windows, runs.places
    first, last = int(windows.first[at]), int(windows.last[at])
    inside = np.flatnonzero((runs.best >= first) & (runs.best < last))
    return Moment(
        video_id=places.video_ids[places.video[first]],
        span=Span(float(windows.start[at]), float(windows.end[at])),
        score=score,
        track=FRAME,
        text=frame_text(float(places.start[first])),
        similarity=float(windows.similarity[at]),
        ranks={FRAME: int(inside[0]) + 1} if len(inside) else {},
        observation_ids=tuple(places.ids[first:last].tolist()),
    )


def mixed(
    windows: Windows, runs: FrameRuns, video_ids: tuple[str, ...], k: int, most: int | None = None
) -> list[tuple[bool, int, float]]:
    """At most `k` of texts' windows and frames' runs, best first: (is a run, its position, score).

    Of the first ten `most` are of one video.

    The two tell a probability each of where the moment is, and the mixture of both counts (`SHARE`). The same seconds
    told by words and shown by frames then support each other, as two tracks do. Each counts for as much as it is sure
    that it is there at all.
    """
    of_texts, probability = ranking.posterior(windows, ranking.scores(windows), k, most)
    of_runs, shown = ranking.posterior(runs.windows, runs.score, k, most)
    sure = float(runs.windows.similarity[of_runs].max(initial=0.0)) * SHARE
    told = float(ranking.presence(windows, None)[of_texts].max(initial=0.0)) * (1 - SHARE)
    share = sure / (sure + told) if sure + told else 0.0
    position = {name: at for at, name in enumerate(video_ids)}
    number = np.array([position.get(name, -1) for name in runs.places.video_ids], np.int32)
    best = windows.take(of_texts).joined(runs.windows.take(of_runs), number)
    chosen = ranking.pick(best, np.concatenate([probability * (1 - share), shown * share]), k, most=most)
    found = []
    for at, gain in zip(chosen.windows.tolist(), chosen.gains.tolist(), strict=True):
        is_run = at >= len(of_texts)
        found.append((is_run, int(of_runs[at - len(of_texts)] if is_run else of_texts[at]), gain))
    return found


def narrowed(told: list[Moment], shown: list[Moment], k: int) -> list[Moment]:
    """Spans that texts give, cut to the frames that show it where those are surer and inside; then what frames add.

    A text that more likely tells something else has nothing to cut: the frames stand in its place.
    """
    sure = [moment for moment in shown if moment.score >= _MORE_LIKELY]
    found: list[Moment] = []
    for moment in told:
        inside = next(
            (run for run in sure if _same_place(run, moment) and moment.span.hull(run.span) == moment.span), None
        )
        if inside is None or inside.score <= moment.score:
            found.append(moment)
        elif moment.score < _MORE_LIKELY:
            found.append(inside)
        else:
            ranks = {**moment.ranks, **inside.ranks}
            found.append(replace(moment, span=inside.span, score=inside.score, ranks=ranks))
    found += [run for run in sure if not any(_same_place(run, moment) for moment in found)]
    return sorted(found, key=lambda moment: -moment.score)[:k]


def _runs(places: FramePlaces, seeds: Rows, allowed: Rows) -> tuple[Rows, Rows]:
    """(first, last) of every run of allowed neighbours of one video that holds a seed."""
    is_allowed = np.zeros(len(places.ids) + 1, bool)
    is_allowed[allowed] = True
    forbidden = np.concatenate([[0], np.cumsum(~is_allowed[:-1])])
    found = set()
    for length in RUN_LENGTHS:
        first = (seeds[:, None] - np.arange(length)).ravel()
        first = first[(first >= 0) & (first + length <= len(places.ids))]
        last = first + length
        whole = (places.video[first] == places.video[last - 1]) & (forbidden[last] == forbidden[first])
        found |= set(zip(first[whole].tolist(), last[whole].tolist(), strict=True))
    pairs = np.array(sorted(found), np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _nothing(places: FramePlaces) -> FrameRuns:
    none, no = np.empty(0, np.int64), np.empty(0)
    videos, tracks, evidence = none.astype(np.int32), none.astype(np.int16), np.empty((0, len(EVIDENCE)))
    windows = Windows(none, none, no, no, videos, tracks, evidence, no)
    return FrameRuns(places, windows, no, no, none)


def _same_place(one: Moment, other: Moment) -> bool:
    return one.video_id == other.video_id and one.span.overlaps(other.span)
