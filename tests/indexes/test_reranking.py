"""With a reranker: it reads the texts of the plain hits, its relevance times their scores is the order."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from agentvid.indexes.base import Filter, VideoRecord
from agentvid.indexes.catalogue import Catalogue
from agentvid.indexes.ranking import MOST_OF_ONE_VIDEO, shared_out
from agentvid.indexes.retriever import RERANKED, Retriever
from agentvid.indexes.vectors import Backend
from agentvid.models.base import Probabilities
from agentvid.models.scripted import HashEmbedder, WordReranker

MakeRecord = Callable[..., VideoRecord]
NUMPY = Backend("numpy")
WORDS = "river mountain city train night storm harbour market bridge forest snow lamp".split()
QUERY = "storm harbour lamp"


class Fixed:
    """The same relevance for every text; keeps what it was asked."""

    name = "fixed"

    def __init__(self, relevance: float) -> None:
        self.asked: list[tuple[str, list[str]]] = []
        self._relevance = relevance

    def relevance(self, query: str, texts: Sequence[str]) -> Probabilities:
        self.asked.append((query, list(texts)))
        return np.full(len(texts), self._relevance)


@pytest.fixture
def filled(library: Catalogue, make_record: MakeRecord) -> Catalogue:
    chance = random.Random(11)
    for number in range(8):
        track = "speech" if number % 3 else "caption"
        lines = [" ".join(chance.choices(WORDS, k=4)) for _ in range(25)]
        library.put_video(make_record(f"film {number}", lines, track=track))
    return library


@pytest.mark.parametrize("k", [1, 10, RERANKED + 10])
def test_scores_are_gains_times_relevance_best_first(filled: Catalogue, embedder: HashEmbedder, k: int) -> None:
    depth = max(k, RERANKED)
    plain = Retriever(filled, embedder, NUMPY).search(QUERY, k=depth)
    shares = WordReranker().relevance(QUERY, [moment.text for moment in plain])
    expected = {
        (moment.video_id, moment.span): moment.score * share for moment, share in zip(plain, shares, strict=True)
    }
    moments = Retriever(filled, embedder, NUMPY, WordReranker()).search(QUERY, k=k)
    assert len(moments) == k
    assert {(moment.video_id, moment.span): moment.score for moment in moments}.items() <= expected.items()
    # Best first, but for those that wait since their video has its share of the first ten.
    best_first = sorted(expected.items(), key=lambda item: -item[1])
    order = shared_out([video_id for (video_id, _), _ in best_first], MOST_OF_ONE_VIDEO)
    assert [moment.score for moment in moments] == [best_first[at][1] for at in order[:k]]
    assert sum(moment.score for moment in moments) <= 1 + 1e-6


def test_it_reads_the_texts_of_the_plain_hits_once(filled: Catalogue, embedder: HashEmbedder) -> None:
    reranker, where = Fixed(0.5), Filter(tracks=("caption",))
    moments = Retriever(filled, embedder, NUMPY, reranker).search(QUERY, k=5, where=where)
    plain = Retriever(filled, embedder, NUMPY).search(QUERY, k=RERANKED, where=where)
    assert reranker.asked == [(QUERY, [moment.text for moment in plain])]
    assert [moment.span for moment in moments] == [moment.span for moment in plain[:5]]
    assert all(moment.track == "caption" for moment in moments)


def test_equals_keep_the_plain_order(filled: Catalogue, embedder: HashEmbedder) -> None:
    plain = Retriever(filled, embedder, NUMPY).search(QUERY, k=10)
    moments = Retriever(filled, embedder, NUMPY, Fixed(0.0)).search(QUERY, k=10)
    assert [moment.score for moment in moments] == [0.0] * 10
    assert [moment.span for moment in moments] == [moment.span for moment in plain]


def test_where_nothing_is_found_nothing_is_reranked(filled: Catalogue) -> None:
    reranker = WordReranker()
    assert Retriever(filled, None, NUMPY, reranker).search("zeppelin") == []
    assert Retriever(filled, None, NUMPY, reranker).search(QUERY, k=0) == []


def test_only_search_reranks(filled: Catalogue, embedder: HashEmbedder) -> None:
    reranker = Fixed(0.0)
    plain, reranking = (Retriever(filled, embedder, NUMPY, *given) for given in ((), (reranker,)))
    assert reranking.locate(QUERY) == plain.locate(QUERY)
    assert reranking.scan(QUERY) == plain.scan(QUERY)
    assert reranking.channel("lexical", QUERY) == plain.channel("lexical", QUERY)
    assert reranking.explain(QUERY) == plain.explain(QUERY)
    assert reranker.asked == []
