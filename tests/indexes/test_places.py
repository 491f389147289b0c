"""The arrays of ranking say what the passages say: postings, streams, run norms, and what the file keeps of them."""

from __future__ import annotations

import dataclasses
import math
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentvid.errors import LibraryDamaged
from agentvid.indexes.base import Filter, Ids
from agentvid.indexes.places import COARSENESS, RUN_LENGTHS, PlaceRow, Places, make_places
from agentvid.models.base import Vectors
from agentvid.types import Span
from agentvid.words import index_stems

WORDS = ["red", "doors", "door", "opened", "the", "café", "红色门", "สีแดง", "3.50", "O'Brien's", "", "…"]
VIDEOS = [("v0", "Red doors"), ("v1", ""), ("v2", "the 红门 talk"), ("v3", "never said")]

NO_IDS, NO_VECTORS = np.empty(0, np.int64), np.empty((0, 4), np.float32)

TEXTS = st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join)
ROWS = st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["speech", "ocr"]), st.integers(0, 9), TEXTS), max_size=25)


def rows_of(found: Sequence[tuple[int, str, int, str]]) -> list[PlaceRow]:
    """Passages of 2 s with ids that have holes, in the order of videos."""
    ordered = sorted(found, key=lambda row: row[0])
    return [
        PlaceRow(3 * at + 1, v, track, start, start + 2, text) for at, (v, track, start, text) in enumerate(ordered)
    ]


def in_parts(ids: Ids, vectors: Vectors, sizes: Sequence[int]) -> Callable[[], Iterator[tuple[Ids, Vectors]]]:
    borders = np.cumsum(sizes)
    borders = borders[borders < len(ids)]
    parts = list(zip(np.split(ids, borders), np.split(vectors, borders), strict=True))
    return lambda: iter([part for part in parts if len(part[0])])


def unit_vectors(count: int, dimension: int, seed: int) -> Vectors:
    vectors = np.random.default_rng(seed).standard_normal((count, dimension)).astype(np.float32)
    unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


@given(ROWS)
def test_postings_are_the_counted_words(found: list[tuple[int, str, int, str]]) -> None:
    rows = rows_of(found)
    places = make_places(VIDEOS, rows, None)
    texts = [Counter(index_stems(row.text)) for row in rows]
    titles = [Counter(index_stems(title)) for _, title in VIDEOS]
    assert places.lengths.tolist() == [text.total() for text in texts]
    vocabulary = sorted({word for text in (*texts, *titles) for word in text})
    assert sorted(places.vocabulary) == vocabulary
    terms = places.terms([*vocabulary, "unheard"])
    assert [term.word for term in terms] == vocabulary
    for term in terms:
        holders = [row for row, text in enumerate(texts) if term.word in text]
        assert term.rows.tolist() == holders
        assert term.counts.tolist() == [texts[row][term.word] for row in holders]
        assert term.title_videos.tolist() == [video for video, title in enumerate(titles) if term.word in title]
        assert term.weight == pytest.approx(np.log(1 + (len(rows) - len(holders) + 0.5) / (len(holders) + 0.5)))


@given(ROWS)
def test_streams_are_one_track_of_one_video_while_time_goes_on(found: list[tuple[int, str, int, str]]) -> None:
    rows = rows_of(found)
    first, last = make_places(VIDEOS, rows, None).streams
    for at in range(len(rows)):
        assert first[at] <= at < last[at]
        stream = rows[first[at] : last[at]]
        assert len({(row.video, row.track) for row in stream}) == 1
        assert [row.start for row in stream] == sorted(row.start for row in stream)
    for border in set(last.tolist()) - {len(rows)}:
        before, after = rows[border - 1], rows[border]
        assert (before.video, before.track) != (after.video, after.track) or after.start < before.start


@given(
    ROWS,
    st.sets(st.sampled_from(["v0", "v2", "v3", "unknown"])),
    st.sets(st.sampled_from(["speech", "unknown"])),
    st.none() | st.tuples(st.integers(0, 9), st.integers(1, 5)).map(lambda ends: Span(ends[0], sum(ends))),
)
def test_filters_keep_what_they_say(
    found: list[tuple[int, str, int, str]], videos: set[str], tracks: set[str], within: Span | None
) -> None:
    rows = rows_of(found)
    allowed = make_places(VIDEOS, rows, None).allowed(Filter(tuple(videos), tuple(tracks), within))
    expected = [
        (not videos or VIDEOS[row.video][0] in videos)
        and (not tracks or row.track in tracks)
        and (within is None or Span(row.start, row.end).overlaps(within))
        for row in rows
    ]
    if allowed is None:
        assert all(expected)
    else:
        assert allowed.tolist() == expected


def test_coarseness_is_how_long_the_passages_of_a_track_of_a_video_are() -> None:
    lengths = [("v", "caption", 1.0)] * 3 + [("v", "speech", 4.0), ("v", "speech", 9.0), ("w", "ocr", 7000.0)]
    rows = []
    for at, (video, track, seconds) in enumerate(lengths):
        rows.append(PlaceRow(at + 1, "vw".index(video), track, 10.0 * at, 10.0 * at + seconds, "door"))
    places = make_places([("v", ""), ("w", "")], rows, None)
    # 6 s is the geometric mean of 4 s and 9 s; an hour and more is as coarse as a minute.
    expected = [math.log(seconds / 5) for seconds in (1, 1, 1, 6, 6)] + [COARSENESS[1]]
    np.testing.assert_allclose(places.coarseness, expected, atol=0.02)
    assert make_places([], [], None).coarseness.tolist() == []


@given(ROWS, st.lists(st.integers(-2, 90), max_size=20))
def test_rows_are_found_by_id_in_the_order_asked(found: list[tuple[int, str, int, str]], ids: list[int]) -> None:
    rows = rows_of(found)
    known = {row.id: at for at, row in enumerate(rows)}
    places = make_places(VIDEOS, rows, None)
    assert places.rows_of_each(np.array(ids, np.int64)).tolist() == [known[at] for at in ids if at in known]


def check_vectors(places: Places, dense: Vectors, has_vector: Sequence[bool]) -> None:
    """Against NumPy on all rows at once; `dense` is zero where there is no vector."""
    assert places.has_vector.tolist() == list(has_vector)
    total = np.concatenate([np.zeros((1, dense.shape[1])), np.cumsum(dense, axis=0, dtype=float)])
    for column, length in enumerate(RUN_LENGTHS):
        last = np.minimum(np.arange(len(dense)) + length, len(dense))
        expected = np.linalg.norm(total[last] - total[:-1], axis=1)
        np.testing.assert_allclose(places.norms[:, column], expected, atol=1e-3 * length)
    for video in range(len(places.video_ids)):
        mean = dense[places.video == video].sum(axis=0)
        expected = mean / max(float(np.linalg.norm(mean)), 1e-6)
        np.testing.assert_allclose(places.centroids[video], expected, atol=1e-3)


@settings(max_examples=60)
@given(ROWS, st.lists(st.booleans(), min_size=25, max_size=25), st.lists(st.integers(0, 7), max_size=5))
def test_run_norms_and_centroids_are_numpys(
    found: list[tuple[int, str, int, str]], chosen: list[bool], sizes: list[int]
) -> None:
    rows = rows_of(found)
    has_vector = chosen[: len(rows)]
    dense = unit_vectors(len(rows), 4, 1) * np.array(has_vector, bool)[:, None]
    kept = np.flatnonzero(has_vector)
    ids = np.array([rows[at].id for at in kept], np.int64)
    places = make_places(VIDEOS, rows, in_parts(ids, dense[kept], sizes), 4)
    check_vectors(places, dense, has_vector)
    # So few are all in the sample.
    np.testing.assert_array_equal(places.sample, dense[kept])


@pytest.mark.parametrize(
    ("count", "sizes"), [(20_011, [20_011]), (16_384, [1, 8190, 2, 8191]), (8193, [8192]), (9000, [5, 8195, 400])]
)
@pytest.mark.parametrize("gap", [0, 9000], ids=["all", "a video without vectors"])
def test_chunk_borders_change_nothing(count: int, sizes: list[int], gap: int) -> None:
    rows = [PlaceRow(at + 1, at * 4 // count, "speech", at, at + 1, "") for at in range(count)]
    has_vector = np.ones(count, bool)
    has_vector[100 : min(100 + gap, count - 50)] = gap == 0
    dense = unit_vectors(count, 4, 2) * has_vector[:, None]
    kept = np.flatnonzero(has_vector)
    places = make_places(VIDEOS, rows, in_parts(kept + 1, dense[kept], sizes), 4)
    check_vectors(places, dense, has_vector.tolist())
    sampled = np.unique(np.linspace(0, count - 1, 1024).astype(np.int64))
    np.testing.assert_array_equal(places.sample, dense[sampled[has_vector[sampled]]])


def test_vectors_at_the_end_only_or_at_the_beginning_only() -> None:
    rows = [PlaceRow(at + 1, at // 10, "speech", at, at + 1, "") for at in range(40)]
    for kept in (np.arange(30, 40), np.arange(10), np.array([39]), np.array([0])):
        dense = np.zeros((40, 4), np.float32)
        dense[kept] = unit_vectors(len(kept), 4, 3)
        places = make_places(VIDEOS, rows, in_parts(kept + 1, dense[kept], []), 4)
        check_vectors(places, dense, np.isin(np.arange(40), kept).tolist())


def test_vectors_of_unknown_passages_are_damage() -> None:
    rows = [PlaceRow(at, 0, "speech", at, at + 1, "") for at in (1, 2, 4)]
    for ids in ([1, 3], [4, 5], [9]):
        with pytest.raises(LibraryDamaged, match="passages that are not there"):
            make_places(VIDEOS, rows, in_parts(np.array(ids), unit_vectors(len(ids), 4, 1), []), 4)


def test_nothing_is_something_too() -> None:
    for places in (make_places([], [], None), make_places(VIDEOS, [], in_parts(NO_IDS, NO_VECTORS, []), 4)):
        assert places.count == 0
        assert places.mean_length == 1.0
        assert places.streams[0].tolist() == []
        assert same(Places.from_bytes(places.to_bytes()), places)


def test_an_empty_text_has_a_row() -> None:
    places = make_places([("v", "")], [PlaceRow(1, 0, "ocr", 0, 1, ""), PlaceRow(2, 0, "ocr", 1, 2, "...")], None)
    assert (places.count, places.lengths.tolist(), places.vocabulary) == (2, [0, 0], {})


def same(one: Places, two: Places) -> bool:
    """Equal in every field, types included."""
    for field in dataclasses.fields(Places):
        a, b = getattr(one, field.name), getattr(two, field.name)
        if isinstance(a, np.ndarray):
            if a.dtype != b.dtype or a.shape != b.shape or not np.array_equal(a, b):
                return False
        elif a != b:
            return False
    return list(one.vocabulary.items()) == list(two.vocabulary.items())


@settings(max_examples=30)
@given(ROWS, st.booleans())
def test_bytes_give_the_same_places(found: list[tuple[int, str, int, str]], is_embedded: bool) -> None:
    rows = rows_of(found)
    ids = np.array([row.id for row in rows], np.int64)
    vectors = in_parts(ids, unit_vectors(len(ids), 4, 1), [3]) if is_embedded else None
    places = make_places([*VIDEOS, ("\ud800 odd", "")], rows, vectors, 4)
    assert same(Places.from_bytes(places.to_bytes()), places)


def test_damaged_bytes_are_said() -> None:
    rows = [PlaceRow(at + 1, 0, "speech", at, at + 1, f"word{at}") for at in range(30)]
    places = make_places(VIDEOS, rows, in_parts(np.arange(1, 31), unit_vectors(30, 4, 1), []), 4)
    whole = places.to_bytes()
    chance = random.Random(7)
    damaged = [b"", b"PK", b"PK\x03\x04", b"\x93NUMPY\x01\x00", b"{}" * 50, whole[1:], whole[: len(whole) // 2]]
    damaged += [whole[: chance.randrange(len(whole))] for _ in range(50)]
    for data in damaged:
        with pytest.raises(LibraryDamaged, match="ranking file"):
            Places.from_bytes(data)
    for _ in range(400):
        flipped = bytearray(whole)
        flipped[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        try:
            assert same(Places.from_bytes(bytes(flipped)), places)
        except LibraryDamaged:
            continue
