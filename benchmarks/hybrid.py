"""B6: whole search, words and meaning, against bm25s and a flat FAISS index asked one after the other, on one thread.

Ours is `Retriever.search` with the query's vector given: both channels, windows, choice, texts from the catalogue. The
peer is what a program without agentvid would do: bm25s scores, FAISS cosines, no fusion and no look-up. The same
library at 1 h and at 100 h shows how search grows.

    python -m benchmarks.hybrid [--count N] [--texts FILE.jsonl] [--vectors FILE.npy]

Texts and vectors are those of `search_scale`; `pip install bm25s` adds the peer.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from agentvid.indexes.catalogue import Catalogue
from agentvid.indexes.place_file import publish_places
from agentvid.indexes.retriever import Retriever
from agentvid.indexes.vectors import choose_backend, publish
from agentvid.models.base import EmbeddingSpace, Vectors
from agentvid.models.minilm import SPACE, MiniLM
from agentvid.types import Span
from benchmarks.ratio import measure
from benchmarks.search_scale import grown, in_own_process, read_texts, video_record

BAR, GROWTH_BAR = 0.5, 3.0
_PER_VIDEO, _PASSAGE_SECONDS = 360, 10.0
_QUERIES, _QUERY_WORDS = 40, 9


class _Given:
    """An embedder that has the vectors of its queries: the benchmark is about search, not about MiniLM."""

    space: EmbeddingSpace = SPACE

    def __init__(self, vectors: dict[str, Vectors]) -> None:
        self._vectors = vectors

    def encode_query(self, texts: Sequence[str]) -> Vectors:
        return np.stack([self._vectors[text] for text in texts])

    encode_document = encode_query


def run() -> Iterator[str]:
    yield from in_own_process("benchmarks.hybrid")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--texts", type=Path)
    parser.add_argument("--vectors", type=Path)
    options = parser.parse_args()
    texts = read_texts(options.texts)
    sample = np.load(options.vectors) if options.vectors else MiniLM().encode_document(texts)
    for line in _measured(texts, sample.astype(np.float32), options.count):
        print(line, flush=True)


def _measured(texts: Sequence[str], sample: Vectors, count: int) -> Iterator[str]:
    draw = random.Random(1)
    long_texts = [text for text in texts if len(text.split()) >= _QUERY_WORDS]
    queries = {
        " ".join(draw.sample(text.split(), _QUERY_WORDS)): sample[at]
        for at, text in enumerate(draw.sample(long_texts, _QUERIES))
    }
    vectors = grown(sample[_QUERIES:], count)
    # Half of one text and half of another: real words in real company, and no two passages alike.
    passages = [_spliced(draw, texts) for _ in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        large = _library(Path(folder) / "large", passages, vectors, queries)
        small = _library(Path(folder) / "small", passages[:_PER_VIDEO], vectors[:_PER_VIDEO], queries)
        peer = _Peer(passages, vectors)
        yield measure(
            f"B6 hybrid search of {count:,} / (bm25s + faiss flat)",
            BAR,
            lambda: [large.search(query) for query in queries],
            lambda: [peer.search(query, vector) for query, vector in queries.items()],
            pairs=11,
        ).line()
        ours, one = (_median_ms(retriever, list(queries)) for retriever in (large, small))
        hours = count * _PASSAGE_SECONDS / 3600
        verdict = "met" if ours / one <= GROWTH_BAR else "NOT met"
        yield (
            f"search p50 at {hours:.0f} h / 1 h: {ours / one:.2f} bar {GROWTH_BAR:g} -> {verdict}"
            f"  ({ours:.1f} ms, {one:.1f} ms)"
        )


def _spliced(draw: random.Random, texts: Sequence[str]) -> str:
    one, other = draw.choice(texts).split(), draw.choice(texts).split()
    return " ".join([*one[: len(one) // 2 + 1], *other[len(other) // 2 :]])


def _library(directory: Path, texts: Sequence[str], vectors: Vectors, queries: dict[str, Vectors]) -> Retriever:
    catalogue = Catalogue.open(directory)
    with catalogue.writer():
        for start in range(0, len(texts), _PER_VIDEO):
            record = video_record(start // _PER_VIDEO, vectors[start : start + _PER_VIDEO])
            said = tuple(
                replace(passage, text=text, span=Span(at * _PASSAGE_SECONDS, (at + 1) * _PASSAGE_SECONDS))
                for at, (passage, text) in enumerate(
                    zip(record.passages, texts[start : start + _PER_VIDEO], strict=True)
                )
            )
            catalogue.put_video(replace(record, passages=said))
    backend = choose_backend("auto")
    publish(catalogue, SPACE, backend)
    publish_places(catalogue, SPACE)
    return Retriever(catalogue, _Given(queries), backend)


class _Peer:
    """bm25s with its own tokenizer, and an exact FAISS index."""

    def __init__(self, texts: Sequence[str], vectors: Vectors) -> None:
        import bm25s
        import faiss

        self._bm25s = bm25s
        self._words = bm25s.BM25()
        self._words.index(bm25s.tokenize(list(texts), stopwords="en", show_progress=False), show_progress=False)
        self._meaning = faiss.IndexFlatIP(vectors.shape[1])
        self._meaning.add(vectors)

    def search(self, query: str, vector: Vectors) -> object:
        tokens = self._bm25s.tokenize([query], stopwords="en", show_progress=False)
        return self._words.retrieve(tokens, k=100, show_progress=False), self._meaning.search(vector[None], 100)


def _median_ms(retriever: Retriever, queries: Sequence[str]) -> float:
    times = []
    for query in [*queries] * 3:
        started = time.perf_counter()
        retriever.search(query)
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times)


if __name__ == "__main__":
    main()
