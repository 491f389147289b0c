"""Plain methods to be measured against: BM25, cosine and their rank fusion over rows and fixed windows, and chance.

They read the same rows of the catalogue and know nothing of clips, passages, merging or refinement. Fixed windows of
concatenated text are the retrieval unit of Goldfish (Ataallah et al., ECCV 2024).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from agentvid.evaluate.metrics import DEPTH, Found
from agentvid.evaluate.queries import Asked
from agentvid.evaluate.runs import Run
from agentvid.models.base import Embedder, Vectors
from agentvid.types import Observation, Span, Video
from agentvid.words import FUNCTION_WORDS, stem, words

if TYPE_CHECKING:
    from agentvid.library import Library

WINDOW_SECONDS = (10, 30, 80)
#: Reciprocal-rank fusion: its constant, and how deep each list is read.
RRF_K, RRF_DEPTH = 60, 100
_K1, _B = 1.2, 0.75
_SEED = 20_240_229
_QUERIES_AT_ONCE = 256

Ids = NDArray[np.int64]
Floats = NDArray[np.float32]
VideoRows = Sequence[tuple[Video, Sequence[Observation]]]
#: One ranking per query: positions of documents, best first.
Rankings = list[Ids]


@dataclass(frozen=True)
class Documents:
    """Stretches of text of all videos, those of one video side by side: [first, last) of `ranges`, by video id."""

    names: Sequence[str]
    spans: Sequence[Span]
    texts: Sequence[str]
    ranges: dict[str, tuple[int, int]]

    @classmethod
    def of(
        cls, rows: VideoRows, cut: Callable[[Video, Sequence[Observation]], Sequence[tuple[Span, str]]]
    ) -> Documents:
        """`cut` makes the documents of one video."""
        names: list[str] = []
        spans: list[Span] = []
        texts: list[str] = []
        ranges: dict[str, tuple[int, int]] = {}
        for video, observations in rows:
            first = len(texts)
            for span, text in cut(video, observations):
                names.append(video.name)
                spans.append(span)
                texts.append(text)
            ranges[video.id] = (first, len(texts))
        return cls(names, spans, texts, ranges)

    def found(self, ranking: Ids, depth: int) -> tuple[Found, ...]:
        """The first hits; as a ranking has no scores of its own, 1 / rank stands for them."""
        best = ranking[:depth].tolist()
        return tuple(Found(self.names[at], self.spans[at], 1 / rank) for rank, at in enumerate(best, 1))


def read_rows(library: Library) -> VideoRows:
    """Every video with its observations."""
    return [(video, library.catalogue.observations(video.id)) for video in library.catalogue.videos()]


def rows_as_they_are(_: Video, observations: Sequence[Observation]) -> list[tuple[Span, str]]:
    return [(row.span, row.text) for row in observations]


def windows_of(seconds: float) -> Callable[[Video, Sequence[Observation]], list[tuple[Span, str]]]:
    """Cuts a video into windows of `seconds`, the last one shorter; each has the text of all rows that overlap it."""

    def cut(video: Video, observations: Sequence[Observation]) -> list[tuple[Span, str]]:
        texts: dict[int, list[str]] = defaultdict(list)
        for row in observations:
            first = int(row.span.start_seconds // seconds)
            last = int(-(-min(row.span.end_seconds, video.duration_seconds) // seconds))
            for number in range(first, last):
                texts[number].append(row.text)
        ends = {number: min((number + 1) * seconds, video.duration_seconds) for number in texts}
        return [(Span(number * seconds, ends[number]), " ".join(texts[number])) for number in sorted(texts)]

    return cut


class Bm25:
    """BM25 (Robertson and Zaragoza, 2009; k1 = 1.2, b = 0.75, idf of Lucene) over stems without function words."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._count = len(texts)
        positions: dict[str, list[int]] = defaultdict(list)
        times: dict[str, list[int]] = defaultdict(list)
        lengths = np.zeros(len(texts))
        for at, text in enumerate(texts):
            counts = Counter(_terms(text))
            lengths[at] = counts.total()
            for term, count in counts.items():
                positions[term].append(at)
                times[term].append(count)
        relative = lengths / max(lengths.mean(), 1.0) if len(texts) else lengths
        norms = _K1 * (1 - _B + _B * relative)
        self._postings = {
            term: (np.array(found, np.int64), self._weights(norms[found], np.array(times[term], np.float64)))
            for term, found in positions.items()
        }

    def _weights(self, norms: NDArray[np.float64], times: NDArray[np.float64]) -> Floats:
        """What a term adds to each document that has it."""
        idf = np.log1p((self._count - len(times) + 0.5) / (len(times) + 0.5))
        weights: Floats = (idf * times * (_K1 + 1) / (times + norms)).astype(np.float32)
        return weights

    def scores(self, query: str) -> Floats:
        """(documents,); 0 where no term of the query occurs."""
        scores = np.zeros(self._count, np.float32)
        for term in dict.fromkeys(_terms(query)):
            if term in self._postings:
                found, weights = self._postings[term]
                scores[found] += weights
        return scores


def _terms(text: str) -> list[str]:
    return [stem(word) for word in words(text) if word not in FUNCTION_WORDS]


def best_first(scores: Floats, k: int, *, above: float = -np.inf) -> Ids:
    """Positions of the `k` highest scores that are larger than `above`; the earlier one of equals first."""
    if k < len(scores):
        above_all = np.partition(scores, len(scores) - k)[len(scores) - k]
        kept = np.flatnonzero((scores >= above_all) & (scores > above))
    else:
        kept = np.flatnonzero(scores > above)
    return kept[np.argsort(-scores[kept], kind="stable")][:k]


def fuse(one: Ids, other: Ids) -> Ids:
    """Reciprocal-rank fusion of two rankings (Cormack et al., SIGIR 2009); the earlier position of equals first."""
    scores: dict[int, float] = defaultdict(float)
    for ranking in (one, other):
        for rank, at in enumerate(ranking.tolist(), 1):
            scores[at] += 1 / (RRF_K + rank)
    return np.array(sorted(scores, key=lambda at: (-scores[at], at)), np.int64)


@dataclass
class Baselines:
    """Every plain method over the same queries. Without an embedder, those by meaning are left out."""

    rows: VideoRows
    asked: Sequence[Asked]
    embedder: Embedder | None
    is_single_video: bool
    depth: int = DEPTH

    def runs(self) -> Iterator[Run]:
        """`bm25`, `dense` and `rrf`, each over rows and windows of 10, 30 and 80 s; and `random` rows."""
        documents = Documents.of(self.rows, rows_as_they_are)
        yield from self._ranked("rows", documents)
        for seconds in WINDOW_SECONDS:
            yield from self._ranked(f"{seconds} s", Documents.of(self.rows, windows_of(seconds)))
        yield self._run("random", documents, self._random(documents))

    def _ranked(self, unit: str, documents: Documents) -> Iterator[Run]:
        by_words = self._by_words(documents)
        yield self._run(f"bm25 {unit}", documents, by_words)
        if self.embedder is not None:
            by_meaning = self._by_meaning(documents, self.embedder)
            yield self._run(f"dense {unit}", documents, by_meaning)
            fused = [fuse(one, other) for one, other in zip(by_words, by_meaning, strict=True)]
            yield self._run(f"rrf {unit}", documents, fused)

    def _run(self, name: str, documents: Documents, rankings: Rankings) -> Run:
        return Run(name, tuple(documents.found(ranking, self.depth) for ranking in rankings))

    def _range(self, documents: Documents, one: Asked) -> tuple[int, int]:
        return documents.ranges[one.video.id] if self.is_single_video else (0, len(documents.texts))

    def _by_words(self, documents: Documents) -> Rankings:
        """Word statistics are the whole library's, also when one video is searched."""
        index = Bm25(documents.texts)
        rankings = []
        for one in self.asked:
            first, last = self._range(documents, one)
            rankings.append(first + best_first(index.scores(one.query.query)[first:last], RRF_DEPTH, above=0.0))
        return rankings

    def _by_meaning(self, documents: Documents, embedder: Embedder) -> Rankings:
        vectors = _embedded(documents.texts, embedder)
        rankings = []
        for start in range(0, len(self.asked), _QUERIES_AT_ONCE):
            asked = self.asked[start : start + _QUERIES_AT_ONCE]
            scores = self._query_vectors[start : start + _QUERIES_AT_ONCE] @ vectors.T
            for one, line in zip(asked, scores, strict=True):
                first, last = self._range(documents, one)
                rankings.append(first + best_first(line[first:last], RRF_DEPTH))
        return rankings

    @cached_property
    def _query_vectors(self) -> Vectors:
        assert self.embedder is not None
        return self.embedder.encode_query([one.query.query for one in self.asked])

    def _random(self, documents: Documents) -> Rankings:
        random = np.random.default_rng(_SEED)
        rankings = []
        for one in self.asked:
            first, last = self._range(documents, one)
            size = min(self.depth, last - first)
            rankings.append(first + random.choice(last - first, size=size, replace=False))
        return rankings


def _embedded(texts: Sequence[str], embedder: Embedder) -> Vectors:
    """(len(texts), dimension); equal texts are embedded once."""
    position = {text: at for at, text in enumerate(dict.fromkeys(texts))}
    vectors = embedder.encode_document(list(position))
    return vectors[[position[text] for text in texts]]
