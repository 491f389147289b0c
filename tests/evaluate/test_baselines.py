"""Plain methods: windows tile a video, BM25 and fusion against their formulas, rankings stay where they may look."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentvid.evaluate.baselines import Baselines, Bm25, best_first, fuse, windows_of
from agentvid.evaluate.queries import Asked
from agentvid.evaluate.types import Query
from agentvid.models.scripted import HashEmbedder
from agentvid.types import Observation, Provenance, Span, Video

DURATION_SECONDS = 95.0


def video(name: str, duration_seconds: float = DURATION_SECONDS) -> Video:
    return Video(f"id-{name}", f"hash-{name}", name, duration_seconds, kind="import")


def row(start: float, end: float, text: str) -> Observation:
    return Observation(Span(start, end), "speech", text, Provenance("import"))


times = st.floats(0, DURATION_SECONDS, width=32)
made_rows = st.lists(st.tuples(times, times).filter(lambda pair: pair[1] - pair[0] > 0.01), max_size=12)


@given(made_rows, st.sampled_from([10, 30, 80, 7.5]))
def test_windows_tile_the_video_and_hold_what_overlaps(pairs: list[tuple[float, float]], seconds: float) -> None:
    rows = [row(start, end, f"row{number}") for number, (start, end) in enumerate(pairs)]
    windows = windows_of(seconds)(video("film"), rows)
    for span, text in windows:
        assert span.start_seconds % seconds == 0
        assert span.end_seconds == min(span.start_seconds + seconds, DURATION_SECONDS)
        assert text.split() == [one.text for one in rows if one.span.overlaps(span)]
    assert all(one.end_seconds <= two.start_seconds for (one, _), (two, _) in pairwise(windows))
    for one in rows:
        shared = [span.intersection(one.span) for span, _ in windows]
        assert sum(part.duration_seconds for part in shared if part) == pytest.approx(one.span.duration_seconds)


def test_row_at_the_very_end_of_a_video_has_a_window() -> None:
    assert [span for span, _ in windows_of(10)(video("film", 20.0), [row(19.5, 20.0, "end")])] == [Span(10, 20)]


def test_bm25_is_the_formula() -> None:
    texts = ["red door opens", "red boat", "a dog barks at a dog and a dog", "the"]
    scores = Bm25(texts).scores("Why did the dogs bark?")
    mean_length = (3 + 2 + 4 + 0) / 4
    idf = math.log(1 + (4 - 1 + 0.5) / (1 + 0.5))
    norm = 1.2 * (1 - 0.75 + 0.75 * 4 / mean_length)
    assert scores[2] == pytest.approx(idf * 3 * 2.2 / (3 + norm) + idf * 1 * 2.2 / (1 + norm), rel=1e-5)
    assert not scores[[0, 1, 3]].any()
    assert not Bm25(texts).scores("the of and").any()
    assert len(Bm25([]).scores("dog")) == 0


@given(st.lists(st.integers(0, 5), max_size=40), st.integers(1, 50))
def test_best_first_is_a_stable_sort(values: list[int], k: int) -> None:
    scores = np.array(values, np.float32)
    expected = sorted(range(len(values)), key=lambda at: (-values[at], at))
    assert best_first(scores, k).tolist() == expected[:k]
    assert best_first(scores, k, above=0.0).tolist() == [at for at in expected if values[at] > 0][:k]


def test_fusion_prefers_what_both_rank() -> None:
    fused = fuse(np.array([4, 7, 1]), np.array([9, 7]))
    assert fused.tolist() == [7, 4, 9, 1]


FILMS = {
    "film": [row(0, 5, "a red door opens"), row(5, 12, "the dog barks"), row(50, 60, "a boat leaves")],
    "talk": [row(0, 4, "stream ciphers use keys"), row(30, 40, "the dog sleeps")],
    "mute": [],
}


def asked(text: str, name: str) -> Asked:
    return Asked(Query(text, name, (Span(0, 5),)), video(name))


def test_every_method_over_every_unit_and_chance() -> None:
    queries = [asked("the dog barks", "film"), asked("ciphers and keys", "talk"), asked("anything", "mute")]
    rows: Sequence[tuple[Video, Sequence[Observation]]] = [(video(name), lines) for name, lines in FILMS.items()]
    runs = {run.name: run for run in Baselines(rows, queries, HashEmbedder(256), False).runs()}
    units = ("rows", "10 s", "30 s", "80 s")
    assert runs.keys() == {f"{way} {unit}" for way in ("bm25", "dense", "rrf") for unit in units} | {"random"}
    for way in ("bm25", "dense", "rrf"):
        assert runs[f"{way} rows"].found[0][0].span == Span(5, 12)
        assert runs[f"{way} rows"].found[1][0].video == "talk"
        assert runs[f"{way} 10 s"].found[1][0].span == Span(0, 10)
    assert {len(found) for found in runs["random"].found} == {5}


def test_single_video_rankings_stay_in_it() -> None:
    queries = [asked("dog", "film"), asked("dog", "talk"), asked("dog", "mute")]
    rows: Sequence[tuple[Video, Sequence[Observation]]] = [(video(name), lines) for name, lines in FILMS.items()]
    for run in Baselines(rows, queries, HashEmbedder(64), True, depth=2).runs():
        for one, found in zip(queries, run.found, strict=True):
            assert {hit.video for hit in found} <= {one.video.name}
            assert len(found) <= 2
            assert bool(found) == (one.video.name != "mute")


def test_without_an_embedder_words_remain() -> None:
    rows: Sequence[tuple[Video, Sequence[Observation]]] = [(video(name), lines) for name, lines in FILMS.items()]
    names = {run.name for run in Baselines(rows, [asked("dog", "film")], None, False).runs()}
    assert names == {"bm25 rows", "bm25 10 s", "bm25 30 s", "bm25 80 s", "random"}
