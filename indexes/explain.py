"""Why a search ranks a span where it does, or misses it: the numbers that ranking itself used, by name.

Nothing is ranked a second time. One call of `Retriever.candidates`, `ranking.scores` and `ranking.choose` gives both
the hits and what is said about them; another call of `choose`, what the limit for one video put off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from agentvid.indexes import ranking
from agentvid.indexes.base import Filter
from agentvid.indexes.frames import FrameRuns, mixed
from agentvid.indexes.frames import moment as run_moment
from agentvid.indexes.places import Floats, Places, Rows, Term
from agentvid.indexes.spelling import Respelling, Respelt, spelling_json
from agentvid.indexes.windows import EVIDENCE, Windows, passage_scores
from agentvid.text import time_range, timestamp
from agentvid.types import FRAME, Gap, Hit, Json, Span
from agentvid.words import index_stems, words

if TYPE_CHECKING:
    from agentvid.indexes.retriever import Candidates, Retriever

Reason = Literal["hit", "put off", "covered", "outranked", "not a candidate", "filtered", "no text"]
#: Where a query's word is: in the moment, else in its video or the video's title, else in another video, or in none.
Where = Literal["moment", "video", "elsewhere", "nowhere"]

#: A hit covers a window that it overlaps so far: from here on the window adds less to the expected recall.
COVERS_AT_IOU = min(ranking.RECALL_AT_IOU)


@dataclass(frozen=True, slots=True)
class Word:
    """A query's word as the user wrote it. `weight` is its rarity (inverse document frequency), None if nowhere."""

    word: str
    weight: float | None
    found: Where

    def to_json(self) -> Json:
        return {"word": self.word, "weight": _rounded(self.weight), "found": self.found}


@dataclass(frozen=True, slots=True)
class InChannel:
    """The best passage of a span in one channel. `value` is its cosine or BM25, None without vector or words.

    `rank` counts from 1 in what was searched: of a moment, None below the seeds. Of a span that is no candidate,
    every passage is ranked, and `library_rank` is the same without the filter.
    """

    channel: str
    rank: int | None
    value: float | None
    span: Span
    library_rank: int | None = None

    def to_json(self) -> Json:
        measure = "bm25" if self.channel == "lexical" else "cosine"
        document = {"rank": self.rank, measure: _rounded(self.value), **self.span.to_json()}
        return document | ({"library_rank": self.library_rank} if self.library_rank is not None else {})


@dataclass(frozen=True, slots=True)
class Part:
    """One kind of evidence (windows.EVIDENCE): value x weight = contribution; difference to the compared hit's."""

    name: str
    value: float
    contribution: float
    difference: float

    def to_json(self) -> Json:
        return {
            "value": _rounded(self.value),
            "contribution": _rounded(self.contribution),
            "difference": _rounded(self.difference),
        }


@dataclass(frozen=True, slots=True)
class Standing:
    """A candidate before hits are chosen. `fit`, the sum of the contributions, decides `rank` among `candidates`."""

    span: Span
    track: str
    fit: float
    rank: int
    candidates: int
    channels: tuple[InChannel, ...]
    words: tuple[Word, ...]
    evidence: tuple[Part, ...]

    def to_json(self) -> Json:
        return {
            "fit": _rounded(self.fit),
            "rank": self.rank,
            "candidates": self.candidates,
            "channels": {place.channel: place.to_json() for place in self.channels},
            "words": [word.to_json() for word in self.words],
            "evidence": {part.name: part.to_json() for part in self.evidence},
        }


@dataclass(frozen=True, slots=True)
class Cover:
    """The better hit, from 1, that overlaps a window most."""

    hit: int
    iou: float

    def to_json(self) -> Json:
        return {"hit": self.hit, "iou": _rounded(self.iou)}


@dataclass(frozen=True, slots=True)
class ExplainedHit:
    """A hit, compared with hit 1."""

    hit: Hit
    standing: Standing
    covered_by: Cover | None

    def to_json(self) -> Json:
        cover = self.covered_by.to_json() if self.covered_by else None
        return self.hit.to_json() | {"explain": self.standing.to_json() | {"covered_by": cover}}


@dataclass(frozen=True, slots=True)
class PutOff:
    """What would be hit `rank` if one video could have all of the first ten; `shown` is its number now, or None."""

    hit: Hit
    rank: int
    shown: int | None

    def to_json(self) -> Json:
        moment = self.hit.moment
        place = {"video": self.hit.video, "video_id": moment.video_id, **moment.span.to_json(), "track": moment.track}
        return place | {"rank": self.rank, "hit": self.shown}


@dataclass(frozen=True, slots=True)
class Expected:
    """What became of a span that the user expected.

    `standing` and `iou` are of the candidate that overlaps it most, compared with hit number `against`: hit 1 if it is
    a hit itself, the one that covers it if that is the reason, else the last one. `channels` are given where there is
    no candidate.
    """

    video: str
    video_id: str
    span: Span
    reason: Reason
    why: str
    standing: Standing | None = None
    iou: float = 0.0
    against: int | None = None
    covered_by: Cover | None = None
    channels: tuple[InChannel, ...] = ()

    def to_json(self) -> Json:
        standing = self.standing
        candidate = standing.span.to_json() | {"track": standing.track} | standing.to_json() if standing else None
        return {
            "video": self.video,
            "video_id": self.video_id,
            **self.span.to_json(),
            "reason": self.reason,
            "why": self.why,
            "candidate": candidate,
            "iou": _rounded(self.iou),
            "against": self.against,
            "covered_by": self.covered_by.to_json() if self.covered_by else None,
            "channels": {place.channel: place.to_json() for place in self.channels},
        }


@dataclass(frozen=True, slots=True)
class Explanation:
    """The hits of a query, each explained, and what became of the expected span."""

    query: str
    hits: tuple[ExplainedHit, ...]
    expected: Expected | None
    spelling: tuple[Respelling, ...] = ()
    put_off: tuple[PutOff, ...] = ()
    #: How many of the first ten hits one video may have; None where nothing limits it.
    most_of_one_video: int | None = None

    def to_json(self) -> Json:
        document: Json = {
            "query": self.query,
            "spelling": spelling_json(self.spelling),
            "hits": [hit.to_json() for hit in self.hits],
            "put_off": [one.to_json() for one in self.put_off],
        }
        return document | ({"expected": self.expected.to_json()} if self.expected else {})


@dataclass(frozen=True)
class Search:
    """One search with all it knows: the query as it was searched, its stems, and the library's terms for them.

    `cosines` gives those of any rows, and is None where search is by words only.
    """

    query: str
    asked: Respelt
    candidates: Candidates
    stems: Sequence[str]
    terms: Sequence[Term]
    cosines: Callable[[Rows], Floats] | None


def explain(
    retriever: Retriever, query: str, *, k: int, where: Filter, expected: tuple[str, Span] | None
) -> Explanation:
    """The best `k` moments, and why; `expected` is (video id, span). Raises UnknownVideo if that video is unknown."""
    most = retriever.most_of_one_video(where)
    bench = _Bench(retriever.examined(query, where), most)
    runs = retriever.frame_runs(query, where, most)
    names = {video.id: video.name for video in retriever.catalogue.videos()}

    def told(choice: _Choice) -> Iterator[Hit]:
        """The hit of a choice; none if its video was removed in between."""
        is_run, window, gain = choice
        if is_run:
            assert runs is not None
            moments = [run_moment(runs, window, gain)]
        else:
            one = ranking.Chosen(np.array([window]), np.array([gain]))
            moments = retriever.moments(bench.search.candidates, one)
        for moment in moments:
            yield Hit(names.get(moment.video_id, moment.video_id), moment)

    chosen = _chosen(bench, runs, k, most)
    hits: list[ExplainedHit] = []
    kept: list[int] = []
    for choice in chosen:
        is_run, window, _ = choice
        for hit in told(choice):
            if is_run:
                assert runs is not None
                hits.append(ExplainedHit(hit, _of_run(runs, window), None))
                continue
            standing = bench.standing(window, kept[0] if kept else window)
            hits.append(ExplainedHit(hit, standing, bench.cover(window, kept)))
            kept.append(window)
    put_off = []
    if most is not None:
        number = {choice[:2]: at for at, choice in enumerate(chosen, 1)}
        for rank, choice in enumerate(_chosen(bench, runs, min(k, ranking.FIRST_HITS), None), 1):
            shown = number.get(choice[:2])
            if shown is None or shown > ranking.FIRST_HITS:
                put_off += [PutOff(hit, rank, shown) for hit in told(choice)]
    missed = _expected(retriever, bench, kept, where, *expected) if expected else None
    return Explanation(query, tuple(hits), missed, bench.search.asked.changes, tuple(put_off), most)


#: (whether it is a run of frames, its position, score)
_Choice = tuple[bool, int, float]


def _chosen(bench: _Bench, runs: FrameRuns | None, k: int, most: int | None) -> list[_Choice]:
    """The best `k`, as `search` chooses them; best first."""
    if runs is not None:
        return mixed(bench.windows, runs, bench.places.video_ids, k, most)
    best = ranking.choose(bench.windows, bench.score, k, most=most)
    return [(False, int(at), float(gain)) for at, gain in zip(best.windows, best.gains, strict=True)]


def _of_run(runs: FrameRuns, at: int) -> Standing:
    """How a run of frames stands among the runs; it has no words."""
    moment = run_moment(runs, at, 0.0)
    place = InChannel(FRAME, moment.ranks.get(FRAME), float(runs.cosines[at]), moment.span)
    rank = 1 + int((runs.score > runs.score[at]).sum())
    return Standing(moment.span, FRAME, float(runs.score[at]), rank, len(runs.score), (place,), (), ())


class _Bench:
    """A search laid out: scores, ranks, and what each window and passage has."""

    def __init__(self, search: Search, most: int | None) -> None:
        self.search = search
        self.most = most
        self.places: Places = search.candidates.places
        self.windows: Windows = search.candidates.windows
        self.score = ranking.scores(self.windows)
        self._contributions = self.windows.evidence * np.array([ranking.WEIGHTS[name] for name in EVIDENCE])
        self._rank = np.empty(len(self.score), np.int64)
        self._rank[np.argsort(-self.score, kind="stable")] = np.arange(1, len(self.score) + 1)
        self._bm25 = passage_scores(self.places, search.terms)
        self._written = _written(search.asked.text)

    def standing(self, window: int, other: int) -> Standing:
        """How a window stands, compared with another."""
        first, last = int(self.windows.first[window]), int(self.windows.last[window])
        return Standing(
            self.span(window),
            self.places.tracks[self.places.track[first]],
            float(self.score[window]),
            int(self._rank[window]),
            len(self.score),
            tuple(self._in_channel(name, np.arange(first, last)) for name in self.search.candidates.channels),
            tuple(self._words(first, last)),
            tuple(self._parts(window, other)),
        )

    def span(self, window: int) -> Span:
        return Span(float(self.windows.start[window]), float(self.windows.end[window]))

    def cover(self, window: int, hits: Sequence[int]) -> Cover | None:
        """The hit, of these window numbers, that covers a window most, if any does."""
        overlaps = [self.span(window).iou(self.span(hit)) if self._same_video(window, hit) else 0.0 for hit in hits]
        best = max(overlaps, default=0.0)
        return Cover(overlaps.index(best) + 1, best) if best >= COVERS_AT_IOU else None

    def is_near_hit(self, window: int, hits: Sequence[int]) -> bool:
        """Whether a window is one of the hits or covered by one."""
        return window in hits or self.cover(window, hits) is not None

    def is_full(self, window: int, hits: Sequence[int]) -> bool:
        """Whether the window's video has its share of the first ten hits, so that others come before."""
        held = sum(self._same_video(window, hit) for hit in hits[: ranking.FIRST_HITS])
        return self.most is not None and held >= self.most and len(hits) <= ranking.FIRST_HITS

    def _same_video(self, window: int, other: int) -> bool:
        return bool(self.windows.video[window] == self.windows.video[other])

    def _parts(self, window: int, other: int) -> list[Part]:
        own, others = self._contributions[window], self._contributions[other]
        values = self.windows.evidence[window]
        columns = zip(EVIDENCE, values.tolist(), own.tolist(), (own - others).tolist(), strict=True)
        return [Part(*column) for column in columns]

    def _in_channel(self, channel: str, rows: Rows) -> InChannel:
        """The best passage among neighbouring rows: the one that the channel ranked, else the one of highest value."""
        values = self._values(channel, rows)
        ranked = self.search.candidates.channels[channel]
        inside = np.flatnonzero((ranked >= rows[0]) & (ranked <= rows[-1]))
        rank = int(inside[0]) + 1 if len(inside) else None
        best = int(ranked[inside[0]]) if len(inside) else int(rows[np.argmax(values)])
        return InChannel(channel, rank, _known(values[best - rows[0]]), self._passage_span(best))

    def _passage_span(self, row: int) -> Span:
        return Span(float(self.places.start[row]), float(self.places.end[row]))

    def _values(self, channel: str, rows: Rows) -> Floats:
        """Cosines or BM25 of rows; -inf where there is no vector, or no word of the query."""
        if channel == "dense" and self.search.cosines is not None:
            return np.where(self.places.has_vector[rows], self.search.cosines(rows), -np.inf)
        return np.where(self._bm25[rows] > 0, self._bm25[rows], -np.inf)

    def _words(self, first: int, last: int) -> list[Word]:
        known = {term.word: term for term in self.search.terms}
        video = self.places.video[first]
        found: dict[str, Word] = {}
        for stem in self.search.stems:
            term, word = known.get(stem), self._written.get(stem, stem)
            if term is None:
                found.setdefault(word, Word(word, None, "nowhere"))
            elif np.searchsorted(term.rows, first) < np.searchsorted(term.rows, last):
                found[word] = Word(word, term.weight, "moment")
            else:
                in_video = video in self.places.video[term.rows] or video in term.title_videos
                found.setdefault(word, Word(word, term.weight, "video" if in_video else "elsewhere"))
        return list(found.values())

    def rows_at(self, video_id: str, span: Span) -> Rows:
        """Every passage of a video that overlaps a span."""
        of_video = np.array([name == video_id for name in self.places.video_ids], bool)[self.places.video]
        inside = (self.places.start < span.end_seconds) & (self.places.end > span.start_seconds)
        return np.flatnonzero(of_video & inside)

    def nearest(self, video_id: str, span: Span) -> tuple[int, float] | None:
        """(window, IoU) of the candidate that overlaps a span most, the better one of equals."""
        windows = self.windows
        shared = np.minimum(windows.end, span.end_seconds) - np.maximum(windows.start, span.start_seconds)
        union = np.maximum(windows.end, span.end_seconds) - np.minimum(windows.start, span.start_seconds)
        of_video = np.array([name == video_id for name in self.places.video_ids], bool)[windows.video]
        overlap = np.where(of_video, np.clip(shared, 0, None) / np.maximum(union, 1e-9), 0.0)
        if not overlap.any():
            return None
        best = int(np.lexsort((self._rank, -overlap))[0])
        return best, float(overlap[best])

    def searched(self, rows: Rows, allowed: NDArray[np.bool_] | None) -> tuple[InChannel, ...]:
        """The best of these rows in each channel, ranked among all passages: allowed ones, and those of the library."""
        everything = np.arange(self.places.count)
        found = []
        for channel in self.search.candidates.channels:
            values = self._values(channel, everything)
            best = int(rows[np.argmax(values[rows])])
            library_rank = rank = None
            if np.isfinite(values[best]):
                better = (values > values[best]) | ((values == values[best]) & (everything < best))
                library_rank = int(better.sum()) + 1
                rank = library_rank if allowed is None else int((better & allowed).sum()) + 1
            found.append(InChannel(channel, rank, _known(values[best]), self._passage_span(best), library_rank))
        return tuple(found)


def _expected(
    retriever: Retriever, bench: _Bench, hits: Sequence[int], where: Filter, video_id: str, span: Span
) -> Expected:
    """What became of a span: the first reason that holds."""
    name = retriever.catalogue.video(video_id).name
    nearest, rows = bench.nearest(video_id, span), bench.rows_at(video_id, span)
    allowed = bench.places.allowed(where)
    searched = rows if allowed is None else rows[allowed[rows]]
    if nearest is not None and (len(searched) or bench.is_near_hit(nearest[0], hits)):
        return Expected(name, video_id, span, *_compared(bench, hits, *nearest))
    if not len(rows):
        return Expected(name, video_id, span, "no text", _no_text(retriever, video_id, span))
    if not len(searched):
        return Expected(name, video_id, span, "filtered", _filtered(bench.places, rows, where))
    channels = bench.searched(searched, allowed)
    return Expected(name, video_id, span, "not a candidate", _no_candidate(channels), channels=channels)


def _compared(
    bench: _Bench, hits: Sequence[int], window: int, iou: float
) -> tuple[Reason, str, Standing, float, int, Cover | None]:
    """The last fields of Expected for a span with a candidate."""
    if window in hits:
        number = hits.index(window) + 1
        return "hit", f"it is hit {number}", bench.standing(window, hits[0]), iou, 1, None
    cover = bench.cover(window, hits)
    # Overlap is the reason only where the window fits better than something that is shown.
    if cover is not None and bench.score[window] >= bench.score[list(hits)].min():
        standing = bench.standing(window, hits[cover.hit - 1])
        overlap = f"overlaps hit {cover.hit}, IoU {cover.iou:.2f}"
        why = f"covered: {_place(standing)} {overlap}, so it adds less than what is shown"
        return "covered", why, standing, iou, cover.hit, cover
    standing = bench.standing(window, hits[-1])
    behind = float(bench.score[hits[-1]]) - standing.fit
    why = f"outranked: {_place(standing)} fits {behind:.2f} less than hit {len(hits)}, the last one"
    if behind < 0 and bench.is_full(window, hits):
        limit = f"its video has {bench.most} of the first {ranking.FIRST_HITS} hits already"
        why = f"put off: {_place(standing)} fits {-behind:.2f} better than hit {len(hits)}, the last one, but {limit}"
        return "put off", why, standing, iou, len(hits), cover
    if behind < 0:
        # A hit is chosen for all that overlaps it, so a lonely window may lose against a crowd of slightly worse ones.
        why = (
            f"outranked: {_place(standing)} fits {-behind:.2f} better than hit {len(hits)}, the last one, but the"
            " candidates around that hit are together likelier"
        )
    if cover is not None:
        why += f"; hit {cover.hit} overlaps it, IoU {cover.iou:.2f}"
    return "outranked", why, standing, iou, len(hits), cover


def _place(standing: Standing) -> str:
    return f"its candidate {_clock(standing.span)}, rank {standing.rank} of {standing.candidates} by fit,"


def _no_text(retriever: Retriever, video_id: str, span: Span) -> str:
    tracks = ", ".join(retriever.catalogue.track_holders([video_id])) or "none"
    gaps = [gap for gap in retriever.catalogue.gaps([video_id]) if gap.span.overlaps(span)]
    return f"no track has text at {_clock(span)}; tracks: {tracks}; gaps there: {_gaps(gaps)}"


def _gaps(gaps: Sequence[Gap]) -> str:
    return ", ".join(f"{gap.track} {_clock(gap.span)} ({gap.reason})" for gap in gaps) or "none"


def _filtered(places: Places, rows: Rows, where: Filter) -> str:
    """Which filters, each alone, keep none of the rows; all that are set, if it takes several."""
    tracks = sorted({places.tracks[number] for number in places.track[rows]})
    filters = {
        "the videos": Filter(video_ids=where.video_ids),
        f"the track {' or '.join(where.tracks)}": Filter(tracks=where.tracks),
        f"the time {_limits(where.within, places)}": Filter(within=where.within),
    }
    kept = {name: places.allowed(alone) for name, alone in filters.items()}
    used = [name for name, mask in kept.items() if mask is not None]
    alone = [name for name, mask in kept.items() if mask is not None and not mask[rows].any()]
    return f"filtered out by {' and '.join(alone or used)}; the span has text of: {', '.join(tracks)}"


def _limits(within: Span | None, places: Places) -> str:
    """A time filter in words; one that no video reaches the end of is open."""
    if within is None:
        return ""
    is_open = within.end_seconds > places.end.max()
    return f"from {timestamp(within.start_seconds)} on" if is_open else _clock(within)


def _no_candidate(channels: Sequence[InChannel]) -> str:
    ranks = []
    for place in channels:
        if place.rank is None:
            ranks.append(f"{place.channel}: not ranked")
        else:
            library = "" if place.rank == place.library_rank else f" ({place.library_rank} in the library)"
            ranks.append(f"{place.channel}: rank {place.rank}{library}")
    return f"not a candidate: no passage there, nor near it, is among the best; best ranks: {', '.join(ranks)}"


def _written(query: str) -> dict[str, str]:
    """Stem -> the query's word that it comes from, as it is written there."""
    found: dict[str, str] = {}
    for piece in query.split():
        parts = words(piece)
        for part in parts:
            written = piece.strip("\"'“”„«»‘’.,;:!?¿¡()[]{}…") if len(parts) == 1 else part
            for stem in index_stems(part):
                found.setdefault(stem, written or part)
    return found


def _clock(span: Span) -> str:
    return time_range(span.start_seconds, span.end_seconds)


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
