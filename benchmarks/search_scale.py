"""B5: search by meaning in 100,000 and 1,000,000 passages, against NumPy's product with every vector, on one thread.

Ours is everything after the query's vector: the vector index as published for a real library, and the look-up of video
and span of what it found. The corpus is real embeddings, grown by mixing: each new row is a convex mix of two random
ones with a little noise, normalised, so that near and far neighbours are as in the sample.

    python -m benchmarks.search_scale [--count N ...] [--texts FILE.jsonl | --vectors FILE.npy]

`--texts` takes lines with "text", of which the first 5,000 are embedded; `--vectors` takes an array that was embedded
before, (n, 384). Without either the texts are sentences made here. A million passages take some minutes, 4 GB of memory
and 3 GB of disk.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from agentvid.indexes.base import Ids, VideoRecord
from agentvid.indexes.catalogue import Catalogue
from agentvid.indexes.vectors import choose_backend, open_index, publish
from agentvid.models.base import Vectors
from agentvid.models.minilm import SPACE, MiniLM
from agentvid.types import Clip, Passage, Span, Video
from benchmarks.ratio import measure

BARS = {100_000: 0.25, 1_000_000: 0.10}
LEAST_RECALL = 0.99
K = 10
_TEXTS, _QUERIES = 5000, 40
_CLIPS_PER_VIDEO, _CLIP_SECONDS = 360, 20.0
_AT_ONCE = 50_000


def run() -> Iterator[str]:
    yield from in_own_process("benchmarks.search_scale")


def in_own_process(module: str) -> Iterator[str]:
    """What a module prints, run on one thread: how many there are is read when NumPy is imported."""
    environment = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    with subprocess.Popen(
        [sys.executable, "-m", module], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield from map(str.rstrip, process.stdout)
    if process.returncode:
        raise SystemExit(f"{module} failed with exit code {process.returncode}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, nargs="+", default=list(BARS))
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--texts", type=Path)
    source.add_argument("--vectors", type=Path)
    options = parser.parse_args()
    sample = np.load(options.vectors) if options.vectors else MiniLM().encode_document(read_texts(options.texts))
    for count in options.count:
        for line in _measured(sample.astype(np.float32), count):
            print(line, flush=True)


def _measured(sample: Vectors, count: int) -> Iterator[str]:
    queries, vectors = sample[:_QUERIES], grown(sample[_QUERIES:], count)
    with tempfile.TemporaryDirectory() as folder, Catalogue.open(Path(folder) / "library") as catalogue:
        ids = _fill(catalogue, vectors)
        started = time.perf_counter()
        publish(catalogue, SPACE, choose_backend("auto"))
        published = time.perf_counter()
        index = open_index(catalogue, SPACE, choose_backend("auto"))
        opened = time.perf_counter()

        def search(query: Vectors) -> Ids:
            found, _ = index.search(query, K)
            assert len(catalogue.passages(found.tolist())) == K
            return found

        def compare(query: Vectors) -> Ids:
            cosines = vectors @ query
            best = np.argpartition(cosines, count - K)[count - K :]
            return ids[best[np.argsort(-cosines[best])]]

        name, bar = f"B5 search of {count:,} / NumPy", BARS.get(count, 1.0)
        some = queries[: max(4, 1_000_000 // count)]
        yield measure(name, bar, lambda: [*map(search, some)], lambda: [*map(compare, some)], pairs=15).line()
        recall = np.mean([len(set(search(query)) & set(compare(query))) / K for query in queries])
        size = sum(path.stat().st_size for path in catalogue.directory.glob("vectors-*")) / count
        verdict = "met" if recall >= LEAST_RECALL else "NOT met"
        yield f"   recall@{K}: {recall:.4f} bar {LEAST_RECALL} -> {verdict}; {size:.0f} bytes of index a passage"
        catalogue.put_video(video_record(count, sample[:_CLIPS_PER_VIDEO]))
        changed = time.perf_counter()
        publish(catalogue, SPACE, choose_backend("auto"))
        again = time.perf_counter() - changed
        yield f"   published in {published - started:.1f} s, with one video more in {again:.1f} s"
        yield f"   opened in {opened - published:.3f} s"


def read_texts(path: Path | None) -> list[str]:
    if path is not None:
        with path.open(encoding="utf-8") as file:
            return list(islice(dict.fromkeys(json.loads(line)["text"] for line in file), _TEXTS))
    draw = random.Random(7)
    who = "a man|two children|the cook|a referee|my sister|an old dog|the crowd|a welder|some tourists|the band".split(
        "|"
    )
    does = "opens|paints|drops|follows|repairs|points at|argues about|films|hides|carries|washes|explains".split("|")
    what = "a red door|the engine|fresh bread|a map|the winning goal|snow|an exam|the stage|wet clothes|a kite".split(
        "|"
    )
    where = "at home|in the harbour|before the match|on a roof|at night|in class|by the river|backstage".split("|")
    return [
        f"{draw.choice(who)} {draw.choice(does)} {draw.choice(what)} {draw.choice(where)}, {draw.choice(who)} watching"
        for _ in range(_TEXTS)
    ]


def grown(sample: Vectors, count: int) -> Vectors:
    """(count, dimension) float32 as the catalogue keeps them: exact in float16."""
    draw = np.random.default_rng(0)
    rows = np.empty((count, sample.shape[1]), np.float32)
    taken = min(len(sample), count)
    rows[:taken] = sample[:taken]
    for start in range(taken, count, _AT_ONCE):
        part = rows[start : start + _AT_ONCE]
        one, other = (sample[draw.integers(0, len(sample), len(part))] for _ in range(2))
        weight = draw.uniform(0.5, 0.95, (len(part), 1)).astype(np.float32)
        part[:] = weight * one + (1 - weight) * other + 0.02 * draw.standard_normal(part.shape, np.float32)
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    for start in range(0, count, _AT_ONCE):
        rows[start : start + _AT_ONCE] = rows[start : start + _AT_ONCE].astype(np.float16)
    return rows


def _fill(catalogue: Catalogue, vectors: Vectors) -> Ids:
    """Imported videos of two hours; returns the passages' ids in the order of `vectors`."""
    with catalogue.writer():
        for start in range(0, len(vectors), _CLIPS_PER_VIDEO):
            catalogue.put_video(video_record(start // _CLIPS_PER_VIDEO, vectors[start : start + _CLIPS_PER_VIDEO]))
    return np.concatenate([ids for ids, _ in catalogue.iter_vectors(SPACE)])


def video_record(number: int, vectors: Vectors) -> VideoRecord:
    spans = [Span(at * _CLIP_SECONDS, (at + 1) * _CLIP_SECONDS) for at in range(len(vectors))]
    content_hash = hashlib.sha256(f"video {number}".encode()).hexdigest()
    duration = len(vectors) * _CLIP_SECONDS
    return VideoRecord(
        video=Video(content_hash, content_hash, f"video {number}", duration, (f"video {number}",), "import", {}),
        fingerprint="made",
        shots=(),
        clips=tuple(Clip(span, at) for at, span in enumerate(spans)),
        observations=(),
        passages=tuple(Passage(span, "caption", f"clip {at} of {number}", at, ()) for at, span in enumerate(spans)),
        space=SPACE,
        vectors=vectors,
    )


if __name__ == "__main__":
    main()
