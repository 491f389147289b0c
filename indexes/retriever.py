"""From a query to moments: dense and lexical search, fused by rank, with neighbours and duplicates merged.

Two questions, two methods. `search` gives the best places. `scan` looks at every passage, for "all" and "how many".
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from agentvid.indexes import merging
from agentvid.indexes.base import Filter, Ids, Ranked, VectorIndex
from agentvid.indexes.catalogue import Catalogue
from agentvid.indexes.fusion import fused_score, ranks_by_passage
from agentvid.indexes.lexical import phrases
from agentvid.models.base import Embedder, Vectors
from agentvid.types import Moment, Passage

if TYPE_CHECKING:
    from agentvid.indexes.vectors import Backend

DENSE, LEXICAL = "dense", "lexical"
_LEAST_DEPTH = 100

#: A passage with less than this share of the best BM25 score has one common word and little else; beside a dense
#: ranking it only adds noise. With it, mean reciprocal rank on FriendsQA questions rises from 0.42 to 0.44.
_LEXICAL_SHARE = 0.5

#: What `scan` takes for the same event without the words themselves. On MSVD, all-MiniLM-L6-v2 puts 47 % of two
#: people's captions of one clip above it, and 0.3 % of captions of different clips.
SCAN_SIMILARITY = 0.6


@dataclass(frozen=True, slots=True)
class _Opened:
    """A vector index and the content that it was opened for."""

    content_hash: str
    index: VectorIndex


class Retriever:
    """Searches one catalogue. Opens the vector index and the embedding model at the first search that needs them.

    Without an embedder, or when the library holds no vectors of its space, search is lexical and `channels` says so.
    Safe to share between threads.
    """

    def __init__(self, catalogue: Catalogue, embedder: Embedder | None, backend: Backend) -> None:
        self._catalogue = catalogue
        self._embedder = embedder
        self._backend = backend
        self._opened: _Opened | None = None
        self._opening = threading.Lock()

    @property
    def channels(self) -> tuple[str, ...]:
        """("dense", "lexical"), or ("lexical",) where no vectors can be searched; `note` tells why."""
        return (LEXICAL,) if self.note else (DENSE, LEXICAL)

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

        `ranks` are places from 1 in the channels that found the moment, `similarity` the cosine of query and text,
        `score` the reciprocal-rank fusion of the ranks divided by its largest possible value: 1.0 is first place in
        every channel. Equal scores go by similarity, then by the order in which videos were added. A moment merged of
        several passages has their best ranks and their best cosine.
        """
        if k <= 0:
            return []
        depth = max(_LEAST_DEPTH, 5 * k)
        found = self._ranked(query, depth, where or Filter())
        ranks = ranks_by_passage(found.channels)
        scores = {at: fused_score(places.values(), len(found.channels)) for at, places in ranks.items()}
        order = sorted(ranks, key=lambda at: (-scores[at], -found.similarities.get(at, 0.0), at))
        best = order[: 4 * k + 20]
        passages = self._catalogue.passages(best)
        hits = [
            merging.Hit.of(passages[at], _moment(passages[at], scores[at], found.similarities.get(at), ranks[at]))
            for at in best
            if at in passages
        ]
        return merging.merge_ranked(hits, channels=len(found.channels))[:k]

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
        by_words = {hit.passage_id for hit in self._catalogue.lexical.containing(query, where)}
        by_meaning = self._above(query, minimum_similarity, where)
        passages = self._catalogue.passages(sorted(by_words | by_meaning.keys()))
        moments = []
        for at, passage in passages.items():
            ranks = {DENSE: 1} if at in by_meaning else {}
            ranks |= {LEXICAL: 1} if at in by_words else {}
            score = 1.0 if at in by_words else by_meaning[at]
            moments.append(_moment(passage, score, by_meaning.get(at), ranks))
        return merging.merge_places(moments)

    def _ranked(self, query: str, depth: int, where: Filter) -> _Found:
        channels: dict[str, Sequence[Ranked]] = {}
        similarities: dict[int, float] = {}
        lexical = self._catalogue.lexical.search(query, depth, where)
        if DENSE in self.channels:
            if not phrases(query):
                lexical = [hit for hit in lexical if hit.score >= _LEXICAL_SHARE * lexical[0].score]
            vector, index = self._encode(query), self._index()
            allowed = None if where.is_empty else self._catalogue.passage_ids(where)
            channels[DENSE] = _as_ranked(*index.search(vector, depth, allowed))
            similarities = {hit.passage_id: hit.score for hit in channels[DENSE]}
            # What only the words found gets its cosine too: callers judge by it.
            unseen = np.array([hit.passage_id for hit in lexical if hit.passage_id not in similarities], np.int64)
            similarities |= {
                hit.passage_id: hit.score for hit in _as_ranked(*index.search(vector, len(unseen), unseen))
            }
        channels[LEXICAL] = lexical
        return _Found(channels, similarities)

    def _above(self, query: str, minimum_similarity: float, where: Filter) -> dict[int, float]:
        """The cosine of every passage that reaches the minimum; empty without vectors."""
        if DENSE not in self.channels or not query.strip():
            return {}
        vector, index = self._encode(query), self._index()
        allowed = None if where.is_empty else self._catalogue.passage_ids(where)
        most = index.count if allowed is None else len(allowed)
        depth = _LEAST_DEPTH
        # Deeper until the last one found no longer fits, so that nothing that fits is cut off.
        while True:
            found = _as_ranked(*index.search(vector, depth, allowed))
            if depth >= most or len(found) < depth or found[-1].score < minimum_similarity:
                return {hit.passage_id: hit.score for hit in found if hit.score >= minimum_similarity}
            depth *= 8

    def _encode(self, query: str) -> Vectors:
        assert self._embedder is not None
        vector: Vectors = self._embedder.encode_query([query])[0]
        return vector

    def _index(self) -> VectorIndex:
        """The index of what the catalogue holds now; opened again after somebody wrote."""
        from agentvid.indexes.vectors import open_index

        assert self._embedder is not None
        space = self._embedder.space
        content_hash = self._catalogue.content_hash(space)
        with self._opening:
            if self._opened is None or self._opened.content_hash != content_hash:
                self._opened = _Opened(content_hash, open_index(self._catalogue, space, self._backend))
            return self._opened.index


@dataclass(frozen=True, slots=True)
class _Found:
    """What each channel ranked, and the cosines of all of it."""

    channels: Mapping[str, Sequence[Ranked]]
    similarities: Mapping[int, float]


def _as_ranked(ids: Ids, scores: Vectors) -> list[Ranked]:
    return [Ranked(at, score) for at, score in zip(ids.tolist(), scores.tolist(), strict=True)]


def _moment(passage: Passage, score: float, similarity: float | None, ranks: Mapping[str, int]) -> Moment:
    return Moment(
        video_id=passage.video_id,
        span=passage.span,
        score=score,
        track=passage.track,
        text=passage.text,
        similarity=similarity,
        ranks=dict(ranks),
        observation_ids=passage.observation_ids,
    )
