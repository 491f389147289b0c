"""From a query to moments: meaning and words find passages, runs of passages compete, the best together are shown.

Two questions, two methods. `search` gives the best places. `scan` looks at every passage, for "all" and "how many".
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from agentvid.errors import UsageError
from agentvid.indexes import merging, ranking
from agentvid.indexes.asked_position import asked_position
from agentvid.indexes.base import Filter, Ids, Ranked, VectorIndex
from agentvid.indexes.catalogue import Catalogue
from agentvid.indexes.frames import FrameRuns, FrameSearch, mixed, narrowed
from agentvid.indexes.frames import moment as run_moment
from agentvid.indexes.lexical import phrases
from agentvid.indexes.places import Floats, Places, Rows
from agentvid.indexes.question_kind import question_kind
from agentvid.indexes.spelling import Respelt
from agentvid.indexes.windows import Question, Windows, gather, passage_scores, windows_around
from agentvid.models.base import Embedder, Reranker, Vectors
from agentvid.types import FRAME, Moment, Passage, Span
from agentvid.words import query_stems

if TYPE_CHECKING:
    from agentvid.indexes.explain import Explanation, Search
    from agentvid.indexes.vectors import Backend

DENSE, LEXICAL = "dense", "lexical"
_MOST_TERMS = 64

#: So many passages of each channel have their neighbourhood looked at. Twice as many find no better ones.
SEEDS = 50
#: Around so many of each channel long runs are looked at as well.
_BEST_SEEDS = 10
#: In a scope of at most so many passages every one is looked at, unless search is by words only.
_EXHAUSTIVE = 500
_SCAN_ROWS = 16384
#: A reranker reads so many moments, or as many as are wanted if those are more.
RERANKED = 40
#: `locate` looks at so many spans for each that it returns: some overlap.
_SPANS_PER_RESULT = 4
#: So many other videos make a fair comparison.
_LEAST_COHORT = 5

#: What `scan` takes for the same event without the words themselves. On MSVD, all-MiniLM-L6-v2 puts 47 % of two
#: people's captions of one clip above it, and 0.3 % of captions of different clips.
SCAN_SIMILARITY = 0.6


@dataclass(frozen=True, slots=True)
class _Opened:
    """A vector index and the places, with the content that they were opened for."""

    content: tuple[str, str]
    index: VectorIndex | None
    places: Places


@dataclass(frozen=True, slots=True)
class Candidates:
    """Everything that competes for a query: windows with evidence, and what each channel ranked (rows, best first)."""

    places: Places
    windows: Windows
    channels: Mapping[str, Rows]


class Retriever:
    """Searches one catalogue. Opens the indexes and the embedding model at the first search that needs them.

    Without an embedder, or when the library holds no vectors of its space, search is lexical and `channels` says so.
    With a reranker, `search` orders what it found by that model too. With `frames`, where the library has vectors of
    frames, they are searched as well. `search` leaves one video at most `most_of_one_video` of the first ten hits,
    unless videos are named. Safe to share between threads.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        embedder: Embedder | None,
        backend: Backend,
        reranker: Reranker | None = None,
        frames: FrameSearch | None = None,
        *,
        most_of_one_video: int = ranking.MOST_OF_ONE_VIDEO,
    ) -> None:
        self._catalogue = catalogue
        self._embedder = embedder
        self._backend = backend
        self._reranker = reranker
        self._frames = frames
        self._most_of_one_video = most_of_one_video
        self._held: _Opened | None = None
        self._opening = threading.Lock()

    @property
    def channels(self) -> tuple[str, ...]:
        """("dense", "lexical"), or ("lexical",) without vectors, as `note` tells; "frame" where frames are searched."""
        texts = (LEXICAL,) if self.note else (DENSE, LEXICAL)
        return (*texts, FRAME) if self.frames else texts

    @property
    def frames(self) -> FrameSearch | None:
        """Where the library has frames in the space of the frame embedder."""
        return self._frames if self._frames is not None and self._frames.is_there else None

    @property
    def note(self) -> str:
        """Why search is by words only and what would change that, or ""."""
        if self._embedder is None:
            return "search is by words only: embedding is off (embed = true turns it on)"
        held = self._catalogue.spaces()
        if self._embedder.space in held:
            return ""
        if not held:
            return "search is by words only: the library holds no vectors; `agentvid index` makes them"
        models = ", ".join(space.model for space in held)
        return (
            f"search is by words only: the library's vectors are of {models}, the query's of"
            f" {self._embedder.space.model}; `agentvid index` the files again, or choose that embedder"
        )

    def search(self, query: str, *, k: int = 10, where: Filter | None = None) -> list[Moment]:
        """The best `k` moments, best first; the filter applies before ranking.

        A moment is one passage or a run of neighbouring ones. `score` is the expected recall that it adds to the
        moments before it, so scores sum to at most 1 and fall, but for what was put off behind the tenth (see
        ranking.py); with a reranker, times the relevance of its text, and the best are those of RERANKED moments.
        `similarity` is the highest cosine of a passage in it,
        `ranks` the best places, from 1, that its passages have in the channels that found them.
        """
        if k <= 0:
            return []
        where = where or Filter()
        most = self.most_of_one_video(where)
        candidates = self.candidates(query, where, depth=max(SEEDS, k), most=most)
        count = k if self._reranker is None else max(k, RERANKED)
        moments = self._best(query, candidates, where, count, most)
        if self._reranker is not None:
            moments = _reranked(self._reranker, self.respelt(query).meaning, moments)
        if most is not None:
            moments = [moments[at] for at in ranking.shared_out([moment.video_id for moment in moments], most)]
        return moments[:k]

    def most_of_one_video(self, where: Filter) -> int | None:
        """How many of the first ten hits one video may have; None where videos are named, or nothing limits it."""
        is_limited = not where.video_ids and self._most_of_one_video < ranking.FIRST_HITS
        return self._most_of_one_video if is_limited else None

    def _best(self, query: str, candidates: Candidates, where: Filter, count: int, most: int | None) -> list[Moment]:
        runs = self.frame_runs(query, where, most)
        if runs is None:
            score = ranking.scores(candidates.windows)
            return self.moments(candidates, ranking.choose(candidates.windows, score, count, most=most))
        chosen = mixed(candidates.windows, runs, candidates.places.video_ids, count, most)
        told = [(at, gain) for is_run, at, gain in chosen if not is_run]
        positions, gains = np.array([at for at, _ in told], np.int64), np.array([gain for _, gain in told], float)
        texts = self.moments(candidates, ranking.Chosen(positions, gains))
        shown = [run_moment(runs, at, gain) for is_run, at, gain in chosen if is_run]
        return sorted([*texts, *shown], key=lambda moment: -moment.score)

    def frame_runs(self, query: str, where: Filter, most: int | None = None) -> FrameRuns | None:
        """The runs of frames that compete for a query; None where frames are not searched, or not asked for."""
        frames = self.frames
        if frames is None or not query.strip() or (where.tracks and FRAME not in where.tracks):
            return None
        return frames.runs(self._encode_for(frames, query), where, most=most)

    def _encode_for(self, frames: FrameSearch, query: str) -> Vectors:
        """(dimension,) in the space of the frames."""
        vector: Vectors = frames.embedder.encode_query([self.respelt(query).meaning])[0]
        return vector

    def respelt(self, query: str, *, keep: Collection[str] = ()) -> Respelt:
        """The query as it is searched: a word that the library has in another spelling only is put as that.

        All that takes a query here respells it by itself; `keep` are plain words to leave alone.
        """
        return self._spelt(self._open().places, query, keep)

    def _spelt(self, places: Places, query: str, keep: Collection[str] = ()) -> Respelt:
        return places.spellings.respelt(query, keep=keep)

    def candidates(self, query: str, where: Filter, *, depth: int = SEEDS, most: int | None = None) -> Candidates:
        """The windows that compete for a query, with the evidence for each; `depth` passages of a channel seed them.

        If one video may have only `most` of the first ten hits, those of others are sought beside the ones that would
        crowd them out.
        """
        opened = self._open()
        places, index = opened.places, opened.index
        allowed = places.allowed(where)
        asked = self._spelt(places, query)
        vector = self._encode(asked.meaning) if index is not None and query.strip() else None
        words = query_stems(asked.text)[:_MOST_TERMS]
        terms = places.terms(words)
        question = Question(
            terms,
            vector,
            self._phrase_rows(query, places),
            places.known_share(words, terms),
            question_kind(query),
            asked_position(query),
        )
        word_scores = passage_scores(places, question.terms)

        def best(allowed: NDArray[np.bool_] | None) -> dict[str, Rows]:
            """What each channel ranks of the rows that are `allowed`."""
            found = {LEXICAL: _best_rows(word_scores, allowed, depth)}
            if index is not None and vector is not None:
                ids = None if allowed is None else places.ids[allowed]
                found[DENSE] = places.rows_of_each(index.search(vector, depth, ids)[0])
            return found

        channels = best(allowed)
        seeds = np.unique(np.concatenate(list(channels.values())))
        if most is not None:

            def beside(videos: Rows) -> list[Rows]:
                return [*best(~np.isin(places.video, videos) & (True if allowed is None else allowed)).values()]

            seeds = ranking.with_others([*channels.values()], beside, places.video, depth, most)
        if len(question.phrase_rows):
            # A quoted "the" may be everywhere; as seeds the best are enough.
            holds_phrase = np.zeros(places.count)
            holds_phrase[question.phrase_rows] = 1.0 + word_scores[question.phrase_rows]
            seeds = np.union1d(seeds, _best_rows(holds_phrase, allowed, depth))
        scope = np.flatnonzero(allowed) if allowed is not None else np.arange(places.count)
        if vector is not None and len(scope) <= _EXHAUSTIVE and len(seeds):
            seeds = scope
        best_seeds = np.unique(np.concatenate([rows[:_BEST_SEEDS] for rows in channels.values()]))
        first, last = windows_around(places, seeds, allowed, best_seeds)
        rows = _covered(first, last)
        cosines = self._cosines(places, index, vector, rows)
        return Candidates(places, gather(places, question, first, last, cosines, rows), channels)

    def locate(self, query: str, *, k: int = 3, where: Filter | None = None) -> list[Moment]:
        """Where exactly the query happens: at most `k` moments that do not overlap, by expected IoU.

        `score` is the probability that it is there at all (see ranking.PRESENCE): that of the surest window in the
        moment, since the sentence that proves it may be shorter than what it is about. Nothing is left out for being
        unlikely: the caller knows what a mistake costs.
        """
        where = where or Filter()
        candidates = self.candidates(query, where)
        windows, score = candidates.windows, ranking.scores(candidates.windows)
        chosen = ranking.choose(windows, score / ranking.SPAN_TEMPERATURE, _SPANS_PER_RESULT * k, ranking.iou)
        sure = ranking.presence(windows, self.margins(query, where, candidates.places, windows, score))
        likely = chosen.windows.tolist()
        kept: list[int] = []
        for at in likely:
            if len(kept) < k and not any(_share_time(windows, at, other) for other in kept):
                kept.append(at)
        surest = [max(sure[other] for other in likely if _share_time(windows, at, other)) for at in kept]
        told = self.moments(candidates, ranking.Chosen(np.array(kept, np.int64), np.array(surest, float)))
        frames = self.frames
        if frames is None or not query.strip() or (where.tracks and FRAME not in where.tracks):
            return told
        shown = frames.locate(self._encode_for(frames, query), k=k, where=where)
        return narrowed(told, shown, k)

    def margins(self, query: str, where: Filter, places: Places, windows: Windows, score: Floats) -> Floats | None:
        """(w,) how far each window is above the best of the videos outside of `where`; None if those are too few."""
        others = len(places.video_ids) - len(set(where.video_ids))
        if not where.video_ids or others < _LEAST_COHORT:
            return None
        everywhere = self.candidates(query, Filter(tracks=where.tracks))
        inside = np.array([name in where.video_ids for name in places.video_ids], bool)
        outside = ~inside[everywhere.windows.video]
        best = ranking.scores(everywhere.windows)[outside].max(initial=score.min(initial=0.0))
        margins: Floats = score - best
        return margins

    def moments(self, candidates: Candidates, chosen: ranking.Chosen) -> list[Moment]:
        """The chosen windows as moments, with their texts from the catalogue."""
        places = candidates.places
        windows = candidates.windows.take(chosen.windows)
        runs = [places.ids[first:last].tolist() for first, last in zip(windows.first, windows.last, strict=True)]
        passages = self._catalogue.passages({at for run in runs for at in run})
        found = []
        for position, run in enumerate(runs):
            members = [passages[at] for at in run if at in passages]
            if members:
                span = Span(float(windows.start[position]), float(windows.end[position]))
                similarity = float(windows.similarity[position]) if DENSE in candidates.channels else None
                ranks = _ranks(candidates, windows.first[position], windows.last[position])
                found.append(_moment(members, span, float(chosen.gains[position]), similarity, ranks))
        return found

    def scan(
        self, query: str, *, where: Filter | None = None, minimum_similarity: float = SCAN_SIMILARITY
    ) -> list[Moment]:
        """Every moment that fits, by video and time; nothing is cut off.

        A passage fits if its text holds all quoted phrases (without quotes: all content words, stemmed), or if its
        cosine with the query reaches `minimum_similarity`. The same place in several tracks, and passages at most
        2 s apart, count once. `ranks` has "lexical": 1 where the words fit and "dense": 1 where the cosine does;
        `score` is 1.0 for words and the cosine otherwise.
        """
        where = where or Filter()
        by_words = set(self._catalogue.lexical.containing(self.respelt(query).text, where))
        by_meaning = self._above(query, minimum_similarity, where)
        passages = self._catalogue.passages(sorted(by_words | by_meaning.keys()))
        moments = []
        for at, passage in passages.items():
            ranks = {DENSE: 1} if at in by_meaning else {}
            ranks |= {LEXICAL: 1} if at in by_words else {}
            score = 1.0 if at in by_words else by_meaning[at]
            moments.append(_moment([passage], passage.span, score, by_meaning.get(at), ranks))
        return merging.merge_places(moments)

    def channel(self, name: str, query: str, *, k: int = 10, where: Filter | None = None) -> list[Moment]:
        """What one channel alone ranks: the best `k` passages as they are stored, neither fused nor merged; of
        "frame", runs of frames.

        For measuring what each channel adds. Raises UsageError unless `name` is one of `channels`.
        """
        if name not in self.channels:
            raise UsageError(
                f"channel {name!r} cannot be searched; allowed: {', '.join(self.channels)}", hint=self.note
            )
        if k <= 0:
            return []
        if name == FRAME:
            assert self.frames is not None
            return self.frames.search(self._encode_for(self.frames, query), k=k, where=where or Filter())
        opened = self._open()
        asked = self._spelt(opened.places, query)
        allowed = opened.places.allowed(where or Filter())
        if name == LEXICAL:
            scores = passage_scores(opened.places, opened.places.terms(query_stems(asked.text)[:_MOST_TERMS]))
            rows = _best_rows(scores, allowed, k)
            ranked = [Ranked(int(opened.places.ids[row]), float(scores[row])) for row in rows]
        else:
            assert opened.index is not None
            ids = None if allowed is None else opened.places.ids[allowed]
            ranked = _as_ranked(*opened.index.search(self._encode(asked.meaning), k, ids))
        passages = self._catalogue.passages([hit.passage_id for hit in ranked])
        return [
            _moment([passage], passage.span, hit.score, hit.score if name == DENSE else None, {name: rank})
            for rank, hit in enumerate(ranked, 1)
            if (passage := passages.get(hit.passage_id))
        ]

    def _phrase_rows(self, query: str, places: Places) -> Rows:
        """Passages that hold every phrase that the query quotes."""
        if not phrases(query):
            return np.empty(0, np.int64)
        found = self._catalogue.lexical.containing(query, Filter())
        return places.rows_of_each(np.array(found, np.int64))

    def _cosines(self, places: Places, index: VectorIndex | None, vector: Vectors | None, rows: Rows) -> Floats:
        """Cosines of the query with these rows; 0 where there is no vector."""
        cosines = np.zeros(len(rows))
        if index is not None and vector is not None:
            known = places.has_vector[rows]
            cosines[known] = index.cosines_of(vector, places.ids[rows[known]])
        return cosines

    def _above(self, query: str, minimum_similarity: float, where: Filter) -> dict[int, float]:
        """The cosine of every passage that reaches the minimum; empty without vectors."""
        opened = self._open()
        if opened.index is None or not query.strip():
            return {}
        places = opened.places
        vector = self._encode(self._spelt(places, query).meaning)
        allowed = places.allowed(where)
        rows = np.flatnonzero(places.has_vector if allowed is None else places.has_vector & allowed)
        found: dict[int, float] = {}
        # Every vector is compared, also where search would compare codes: "all" must not depend on an approximation.
        for begin in range(0, len(rows), _SCAN_ROWS):
            ids = places.ids[rows[begin : begin + _SCAN_ROWS]]
            cosines = opened.index.cosines_of(vector, ids)
            fits = cosines >= minimum_similarity
            found |= dict(zip(ids[fits].tolist(), cosines[fits].tolist(), strict=True))
        return found

    def _encode(self, query: str) -> Vectors:
        assert self._embedder is not None
        vector: Vectors = self._embedder.encode_query([query])[0]
        return vector

    def _open(self) -> _Opened:
        """The indexes of what the catalogue holds now; opened again after somebody wrote."""
        from agentvid.indexes.place_file import open_places
        from agentvid.indexes.vectors import open_index

        space = self._embedder.space if self._embedder is not None else None
        with self._opening:
            content = self._catalogue.content_hashes(space)
            # Both must be of one state: who wrote between them left the index without passages that the places have.
            while self._held is None or self._held.content != content:
                held = space if content[1] else None  # the library may hold vectors of other models only
                index = open_index(self._catalogue, held, self._backend) if held else None
                self._held = _Opened(content, index, open_places(self._catalogue, held))
                content = self._catalogue.content_hashes(space)
            return self._held

    @property
    def catalogue(self) -> Catalogue:
        """What is searched."""
        return self._catalogue

    def explain(
        self, query: str, *, k: int = 10, where: Filter | None = None, expected: tuple[str, Span] | None = None
    ) -> Explanation:
        """The moments of `search`, and why each ranks where it does; of an expected (video id, span), what became."""
        from agentvid.indexes.explain import explain

        return explain(self, query, k=k, where=where or Filter(), expected=expected)

    def examined(self, query: str, where: Filter) -> Search:
        """`candidates`, with the query's terms and the cosines of any rows, all of one state of the library."""
        from agentvid.indexes.explain import Search

        most = self.most_of_one_video(where)
        opened, candidates = self._open(), self.candidates(query, where, most=most)
        while candidates.places is not opened.places:  # somebody wrote in between
            opened, candidates = self._open(), self.candidates(query, where, most=most)
        asked = self._spelt(opened.places, query)
        stems = query_stems(asked.text)[:_MOST_TERMS]
        terms = opened.places.terms(stems)
        if DENSE not in candidates.channels:
            return Search(query, asked, candidates, stems, terms, None)
        vector = self._encode(asked.meaning)

        def cosines(rows: Rows) -> Floats:
            chunks = [rows[begin : begin + _SCAN_ROWS] for begin in range(0, len(rows), _SCAN_ROWS)]
            return np.concatenate([self._cosines(opened.places, opened.index, vector, chunk) for chunk in chunks])

        return Search(query, asked, candidates, stems, terms, cosines)


def _reranked(reranker: Reranker, query: str, moments: Sequence[Moment]) -> list[Moment]:
    """The moments with scores times the relevance of their texts, best first; equals keep their order."""
    texts = [moment for moment in moments if moment.track != FRAME]
    read = iter(reranker.relevance(query, [moment.text for moment in texts]).tolist())
    # It reads words; of a frame there are none, and how surely it shows what was asked is known.
    relevance = [moment.similarity or 0.0 if moment.track == FRAME else next(read) for moment in moments]
    weighed = [replace(moment, score=moment.score * share) for moment, share in zip(moments, relevance, strict=True)]
    return sorted(weighed, key=lambda moment: -moment.score)


def _best_rows(scores: Floats, allowed: NDArray[np.bool_] | None, k: int) -> Rows:
    """Rows with the highest positive scores, best first, earlier rows first among equals."""
    found = np.flatnonzero(scores > 0 if allowed is None else (scores > 0) & allowed)
    return found[ranking.highest(scores[found], k)]


def _covered(first: Rows, last: Rows) -> Rows:
    """Every row that lies in a window, ascending."""
    if not len(first):
        return first
    order = np.argsort(first)
    first, last = first[order], np.maximum.accumulate(last[order])
    begins = np.flatnonzero(first > np.concatenate([[-1], last[:-1]]))  # behind everything before
    starts, ends = first[begins], last[np.append(begins[1:], len(last)) - 1]
    sizes = ends - starts
    rows: Rows = np.arange(sizes.sum()) + np.repeat(starts - np.cumsum(sizes) + sizes, sizes)
    return rows


def _share_time(windows: Windows, one: int, other: int) -> bool:
    apart = windows.end[one] <= windows.start[other] or windows.end[other] <= windows.start[one]
    return bool(windows.video[one] == windows.video[other] and not apart)


def _ranks(candidates: Candidates, first: int, last: int) -> dict[str, int]:
    """Channel -> the best rank of a row in the window."""
    ranks = {}
    for channel in (DENSE, LEXICAL):
        rows = candidates.channels.get(channel, np.empty(0, np.int64))
        inside = np.flatnonzero((rows >= first) & (rows < last))
        if len(inside):
            ranks[channel] = int(inside[0]) + 1
    return ranks


def _as_ranked(ids: Ids, scores: Vectors) -> list[Ranked]:
    return [Ranked(at, score) for at, score in zip(ids.tolist(), scores.tolist(), strict=True)]


def _moment(
    members: Sequence[Passage], span: Span, score: float, similarity: float | None, ranks: Mapping[str, int]
) -> Moment:
    return Moment(
        video_id=members[0].video_id,
        span=span,
        score=score,
        track=members[0].track,
        text=" ".join(passage.text for passage in members),
        similarity=similarity,
        ranks=dict(ranks),
        observation_ids=tuple(at for passage in members for at in passage.observation_ids),
    )
