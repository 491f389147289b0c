"""Windows lie where they may, and their evidence is what a slow look at their passages says."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentvid.indexes.base import Filter
from agentvid.indexes.places import RUN_LENGTHS, PlaceRow, Places, Rows, make_places
from agentvid.indexes.question_kind import DESCRIPTION, KINDS
from agentvid.indexes.windows import (
    COARSE_SHAPES,
    EVIDENCE,
    K1,
    LONGEST_LONG_SECONDS,
    LONGEST_SECONDS,
    SHAPES,
    SPEECH_SHAPES,
    B,
    Question,
    gather,
    passage_scores,
    windows_around,
)
from agentvid.models.base import Vectors
from agentvid.words import index_stems

WORDS = ["red", "door", "lamp", "sea"]
TITLES = ["red film", "", "the sea and the lamp"]
NO_ROWS = np.empty(0, np.int64)
ROW = st.tuples(
    st.integers(0, 2),
    st.sampled_from(["speech", "ocr"]),
    st.sampled_from([0.0, 1.0, 20.0, 50.0]),
    st.sampled_from([1.0, 15.0, 70.0, 200.0]),
    st.lists(st.sampled_from(WORDS), max_size=5),
    st.booleans(),
)
LIBRARIES = st.lists(ROW, min_size=1, max_size=30)


@dataclass(frozen=True)
class Small:
    """A library of a few passages, with the vectors that its places no longer hold (zero where there is none)."""

    places: Places
    rows: list[PlaceRow]
    dense: Vectors


def small_library(found: list[tuple[int, str, float, float, list[str], bool]]) -> Small:
    """Start times are steps after the passage before, so that most passages of a track follow each other."""
    rows: list[PlaceRow] = []
    clock = 0.0
    for at, (video, track, step, length, words, _) in enumerate(sorted(found, key=lambda row: row[:2])):
        is_new = not rows or (rows[-1].video, rows[-1].track) != (video, track)
        clock = 0.0 if is_new else clock + step
        rows.append(PlaceRow(2 * at + 1, video, track, clock, clock + length, " ".join(words)))
    has_vector = np.array([row[5] for row in found])
    dense = np.random.default_rng(len(rows)).standard_normal((len(rows), 4)).astype(np.float32)
    dense *= has_vector[:, None] / np.linalg.norm(dense, axis=1, keepdims=True)
    kept = np.flatnonzero(has_vector)
    ids = np.array([rows[at].id for at in kept], np.int64)
    videos = [(f"v{at}", title) for at, title in enumerate(TITLES)]
    places = make_places(videos, rows, lambda: iter([(ids, dense[kept])] if len(kept) else []), 4)
    return Small(places, rows, dense)


def weights(small: Small, query: list[str]) -> dict[str, float]:
    """Inverse document frequencies of the query's words that the library has, titles included."""
    texts = [index_stems(row.text) for row in small.rows]
    known = {word for text in (*texts, *map(index_stems, TITLES)) for word in text}
    frequency = {word: sum(word in text for text in texts) for word in query if word in known}
    return {word: math.log(1 + (len(texts) - n + 0.5) / (n + 0.5)) for word, n in frequency.items()}


@given(LIBRARIES, st.lists(st.sampled_from([*WORDS, "unheard"]), unique=True))
def test_the_score_of_a_passage_is_bm25(
    found: list[tuple[int, str, float, float, list[str], bool]], query: list[str]
) -> None:
    small = small_library(found)
    texts = [Counter(index_stems(row.text)) for row in small.rows]
    mean = max(1.0, sum(text.total() for text in texts) / len(texts))
    expected = []
    for row, text in zip(small.rows, texts, strict=True):
        score = 0.0
        for word, weight in weights(small, query).items():
            n = text[word]
            score += weight * n * (K1 + 1) / (n + K1 * (1 - B + B * text.total() / mean)) if n else 0.0
            score += 0.25 * weight * (word in index_stems(TITLES[row.video]))
        expected.append(score)
    np.testing.assert_allclose(passage_scores(small.places, small.places.terms(query)), expected, atol=1e-12)


def test_one_passage_by_hand() -> None:
    rows = [PlaceRow(1, 0, "speech", 0, 1, "red red door"), PlaceRow(2, 0, "speech", 1, 2, "sea")]
    places = make_places([("v", "")], rows, None)
    weight = math.log(1 + 1.5 / 1.5)
    assert passage_scores(places, places.terms(["red"])).tolist() == pytest.approx(
        [weight * 2 * 2.2 / (2 + 1.2 * (0.25 + 0.75 * 3 / 2)), 0.0]
    )


def may_be_one(run: list[PlaceRow]) -> bool:
    seconds = max(row.end for row in run) - run[0].start
    return seconds <= LONGEST_SECONDS and sum(row.end - row.start for row in run) >= 0.4 * seconds


@given(LIBRARIES, st.data())
def test_windows_are_all_the_runs_that_may_be(
    found: list[tuple[int, str, float, float, list[str], bool]], data: st.DataObject
) -> None:
    small = small_library(found)
    places, count = small.places, len(small.rows)
    seeds = sorted(data.draw(st.sets(st.integers(0, count - 1))))
    allowed = data.draw(st.none() | st.lists(st.booleans(), min_size=count, max_size=count))
    kept = None if allowed is None else np.array(allowed)
    if kept is not None:
        seeds = [seed for seed in seeds if kept[seed]]
    first, last = windows_around(places, np.array(seeds, np.int64), kept)
    expected = set()
    for begin in range(count):
        for length in RUN_LENGTHS:
            run = small.rows[begin : begin + length]
            rows = range(begin, begin + length)
            is_stream = len(run) == length and len({(row.video, row.track) for row in run}) == 1
            if (
                is_stream
                and any(seed in rows for seed in seeds)
                and (allowed is None or all(allowed[row] for row in rows))
                and (length == 1 or may_be_one(run))
            ):
                expected.add((begin, begin + length))
    windows = list(zip(first.tolist(), last.tolist(), strict=True))
    assert len(windows) == len(set(windows))
    assert set(windows) == expected


def test_a_long_passage_inside_a_run_counts() -> None:
    ends = [1, 500, 3]
    rows = [PlaceRow(at + 1, 0, "caption", at, end, "door") for at, end in enumerate(ends)]
    places = make_places([("v", "")], rows, None)
    first, last = windows_around(places, np.arange(3), None)
    assert set(zip(first.tolist(), last.tolist(), strict=True)) == {(0, 1), (1, 2), (2, 3)}


def test_no_window_bridges_a_long_silence() -> None:
    starts = [0, 4, 60]
    rows = [PlaceRow(at + 1, 0, "speech", start, start + 4, "door") for at, start in enumerate(starts)]
    first, last = windows_around(make_places([("v", "")], rows, None), np.arange(3), None)
    assert set(zip(first.tolist(), last.tolist(), strict=True)) == {(0, 1), (1, 2), (2, 3), (0, 2)}


def test_no_seeds_no_windows() -> None:
    for rows in ([], [PlaceRow(1, 0, "speech", 0, 1, "door")]):
        places = make_places([("v", "")], rows, None)
        first, last = windows_around(places, NO_ROWS, None)
        windows = gather(places, Question([], None, NO_ROWS), first, last, np.empty(0), NO_ROWS)
        assert len(windows.first) == len(windows.evidence) == 0
        assert windows.overlap().shape == (0, 0)


def spread(cosines: list[float]) -> tuple[float, float]:
    return float(np.mean(cosines)), max(float(np.std(cosines)), 0.03)


def slow_evidence(
    small: Small,
    query: list[str],
    vector: Vectors | None,
    phrase_rows: set[int],
    kind: str,
    position: float | None,
    first: int,
    last: int,
) -> dict[str, float]:
    run = small.rows[first:last]
    middle = (run[0].start + max(row.end for row in run)) / 2
    passages, seconds = math.log(last - first), math.log(max(row.end for row in run) - run[0].start)
    shapes = (passages, seconds, passages**2, seconds**2, passages * seconds)
    is_speech = run[0].track == "speech"
    video_seconds = max(row.end for row in small.rows if row.video == run[0].video)
    texts = [Counter(index_stems(row.text)) for row in small.rows]
    together = sum(texts[first:last], Counter[str]())
    mean_length = max(1.0, sum(text.total() for text in texts) / len(texts))
    weight = weights(small, query)
    most = sum(weight.values())
    size = together.total() / (mean_length * 8)
    shares = {word: together[word] / (together[word] + K1 * (1 - B + B * size)) for word in weight}
    of_video = sum((texts[at] for at, row in enumerate(small.rows) if row.video == run[0].video), Counter[str]())
    heard = {*of_video, *index_stems(TITLES[run[0].video])}
    evidence = {
        "words": sum(weight[word] * shares[word] for word in weight) / most if most else 0.0,
        "covered": sum(weight[word] for word in weight if together[word]) / most if most else 0.0,
        "video_covered": sum(weight[word] for word in weight if word in heard) / most if most else 0.0,
        **dict(zip(SHAPES, shapes, strict=True)),
        **{name: value * is_speech for name, value in zip(SPEECH_SHAPES, shapes, strict=True)},
        **{name: value * small.places.coarseness[first] for name, value in zip(COARSE_SHAPES, shapes, strict=True)},
        "long_speech": seconds * is_speech * math.log(video_seconds / 240),
        "spoken_fact": seconds * is_speech * (kind == "fact"),
        **{name: seconds if name == kind else 0.0 for name in KINDS},
        "phrase": float(any(row in phrase_rows for row in range(first, last))),
        "position": 0.0 if position is None else -abs(middle / video_seconds - position),
        "pooled": 0.0,
        "best": 0.0,
        "video": 0.0,
    }
    if vector is not None:
        with_vector = np.flatnonzero(np.linalg.norm(small.dense, axis=1) > 0)
        sample = (small.dense[with_vector] @ vector).tolist()
        mean, deviation = spread(sample) if sample else (0.0, 1.0)
        total = small.dense[first:last].sum(axis=0)
        pooled = float(total @ vector) / max(float(np.linalg.norm(total)), 1e-6)
        evidence["pooled"] = (pooled - mean) / deviation
        evidence["best"] = (float((small.dense[first:last] @ vector).max()) - mean) / deviation
        cosines = (small.places.centroids @ vector).tolist()
        mean, deviation = spread(cosines)
        evidence["video"] = (cosines[run[0].video] - mean) / deviation
    return evidence


@settings(max_examples=80)
@given(
    LIBRARIES,
    st.lists(st.sampled_from([*WORDS, "unheard"]), unique=True),
    st.booleans(),
    st.sets(st.integers(0, 29)),
    st.sampled_from([DESCRIPTION, *KINDS]),
    st.sampled_from([None, 0.0, 0.5, 1.0]),
    st.data(),
)
def test_evidence_is_what_a_slow_look_says(
    found: list[tuple[int, str, float, float, list[str], bool]],
    query: list[str],
    is_embedded: bool,
    phrase_rows: set[int],
    kind: str,
    position: float | None,
    data: st.DataObject,
) -> None:
    small = small_library(found)
    places, count = small.places, len(small.rows)
    seeds = np.array(sorted(data.draw(st.sets(st.integers(0, count - 1), min_size=1))), np.int64)
    vector = np.array([0.6, -0.8, 0.0, 0.0], np.float32) if is_embedded else None
    first, last = windows_around(places, seeds, None)
    rows: Rows = np.unique(np.concatenate([np.arange(a, b) for a, b in zip(first, last, strict=True)]))
    cosines = np.zeros(len(rows)) if vector is None else (small.dense[rows] @ vector).astype(float)
    phrases = np.array(sorted(row for row in phrase_rows if row < count), np.int64)
    question = Question(places.terms(query), vector, phrases, kind=kind, position=position)
    windows = gather(places, question, first, last, cosines, rows)
    for at, (begin, end) in enumerate(zip(first.tolist(), last.tolist(), strict=True)):
        run = small.rows[begin:end]
        assert windows.start[at] == run[0].start
        assert windows.end[at] == max(row.end for row in run)
        assert windows.video[at] == run[0].video
        if vector is not None:
            assert windows.similarity[at] == pytest.approx(float((small.dense[begin:end] @ vector).max()), abs=1e-6)
        expected = slow_evidence(small, query, vector, phrase_rows, kind, position, begin, end)
        # Norms are float16, and small sums of vectors are divided by them.
        np.testing.assert_allclose(windows.evidence[at], [expected[name] for name in EVIDENCE], rtol=0.02, atol=0.02)


@pytest.mark.parametrize(("seconds", "as_long_as"), [(0.1, 0.5), (3600.0, LONGEST_LONG_SECONDS), (30.0, 30.0)])
def test_a_blink_and_an_hour_count_as_the_shortest_and_the_longest_moment(seconds: float, as_long_as: float) -> None:
    places = make_places([("v", "")], [PlaceRow(1, 0, "ocr", 0.0, seconds, "door")], None)
    windows = gather(places, Question([], None, NO_ROWS), np.array([0]), np.array([1]), np.zeros(1), np.array([0]))
    assert windows.evidence[0, EVIDENCE.index("seconds")] == pytest.approx(math.log(as_long_as))


def test_overlap_is_intersection_over_union_inside_a_video() -> None:
    rows = [PlaceRow(at + 1, at // 3, "speech", at % 3 * 10, at % 3 * 10 + 10, "door") for at in range(6)]
    places = make_places([("v", ""), ("w", "")], rows, None)
    first, last = windows_around(places, np.arange(6), places.allowed(Filter(tracks=("speech",))))
    windows = gather(places, Question([], None, NO_ROWS), first, last, np.zeros(6), np.arange(6))
    overlap = windows.overlap()
    for one in range(len(first)):
        for two in range(len(first)):
            shared = min(windows.end[one], windows.end[two]) - max(windows.start[one], windows.start[two])
            union = max(windows.end[one], windows.end[two]) - min(windows.start[one], windows.start[two])
            is_same = windows.video[one] == windows.video[two]
            assert overlap[one, two] == pytest.approx(max(shared, 0) / union if is_same else 0.0)
    taken = windows.take(np.array([2, 0]))
    np.testing.assert_array_equal(taken.overlap(), overlap[np.ix_([2, 0], [2, 0])])
