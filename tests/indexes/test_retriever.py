"""From query to moments: exact fusion, filters first, merging without losing exact spans."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from agentvid.indexes import merging
from agentvid.indexes.base import Filter, Ranked, VideoRecord
from agentvid.indexes.catalogue import Catalogue
from agentvid.indexes.fusion import fused_score, ranks_by_passage
from agentvid.indexes.retriever import Retriever
from agentvid.indexes.vectors import Backend
from agentvid.models.base import Vectors
from agentvid.models.scripted import HashEmbedder
from agentvid.types import Moment, Passage, Span

MakeRecord = Callable[..., VideoRecord]
NUMPY = Backend("numpy")
WORDS = "river mountain city train night storm harbour market bridge forest snow lamp".split()


class Unreachable:
    """An embedder that may be asked for its space, and for nothing else."""

    space = HashEmbedder(64).space

    def encode_query(self, texts: Sequence[str]) -> Vectors:
        raise AssertionError("loaded too early")

    encode_document = encode_query


@pytest.fixture
def filled(library: Catalogue, make_record: MakeRecord) -> Catalogue:
    chance = random.Random(11)
    for number in range(12):
        track = "speech" if number % 3 else "caption"
        lines = [" ".join(chance.choices(WORDS, k=4)) for _ in range(25)]
        library.put_video(make_record(f"film {number}", lines, track=track))
    return library


@pytest.fixture(params=["numpy", "faiss"])
def retriever(request: pytest.FixtureRequest, filled: Catalogue, embedder: HashEmbedder) -> Retriever:
    return Retriever(filled, embedder, Backend(request.param))


def test_reciprocal_ranks_are_fused_exactly() -> None:
    channels = {"dense": [Ranked(7, 0.9), Ranked(3, 0.5)], "lexical": [Ranked(3, 8.0), Ranked(5, 1.0)]}
    ranks = ranks_by_passage(channels)
    assert ranks == {7: {"dense": 1}, 3: {"dense": 2, "lexical": 1}, 5: {"lexical": 2}}
    assert fused_score([2, 1], channels=2) == pytest.approx((1 / 62 + 1 / 61) / (2 / 61))
    assert fused_score([1, 1], channels=2) == pytest.approx(1.0)
    assert fused_score([1], channels=1) == pytest.approx(1.0)


def test_search_fuses_both_channels(retriever: Retriever, filled: Catalogue, embedder: HashEmbedder) -> None:
    query = "storm harbour lamp"
    moments = retriever.search(query, k=10)
    assert retriever.channels == ("dense", "lexical")
    assert len(moments) == 10
    dense = brute_force_dense(filled, embedder, query, Filter())
    lexical = [hit.passage_id for hit in filled.lexical.search(query, 100, Filter())]
    passages = filled.passages(dense)
    by_place = {(passage.video_id, passage.span): at for at, passage in passages.items()}
    for moment in moments:
        at = by_place[moment.video_id, moment.span]
        if "lexical" in moment.ranks:
            assert lexical[moment.ranks["lexical"] - 1] == at
        assert moment.score == pytest.approx(fused_score(moment.ranks.values(), channels=2))
        vector = embedder.encode_document([moment.text])[0]
        assert moment.similarity == pytest.approx(float(vector @ embedder.encode_query([query])[0]), abs=2e-3)
    assert [moment.score for moment in moments] == sorted((moment.score for moment in moments), reverse=True)


def brute_force_dense(library: Catalogue, embedder: HashEmbedder, query: str, where: Filter) -> list[int]:
    parts = list(library.iter_vectors(embedder.space))
    ids, vectors = np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])
    keep = np.isin(ids, library.passage_ids(where))
    cosines = vectors[keep] @ embedder.encode_query([query])[0]
    best: list[int] = ids[keep][np.lexsort((ids[keep], -cosines))].tolist()
    return best


def test_filters_apply_before_the_best_are_taken(
    retriever: Retriever, filled: Catalogue, embedder: HashEmbedder
) -> None:
    video = filled.videos()[5]
    for where in (
        Filter(video_ids=(video.id,)),
        Filter(tracks=("caption",)),
        Filter(within=Span(40.0, 52.0)),
        Filter((video.id,), ("speech",), Span(0.0, 30.0)),
    ):
        moments = retriever.search("snow bridge", k=5, where=where)
        assert len(moments) == 5
        for moment in moments:
            assert not where.video_ids or moment.video_id in where.video_ids
            assert not where.tracks or moment.track in where.tracks
            assert where.within is None or moment.span.overlaps(where.within)
        best = filled.passages(brute_force_dense(filled, embedder, "snow bridge", where)[:1])
        first = next(moment for moment in moments if moment.ranks.get("dense") == 1)
        assert first.similarity == pytest.approx(
            float(
                embedder.encode_document([next(iter(best.values())).text])[0]
                @ embedder.encode_query(["snow bridge"])[0]
            ),
            abs=2e-3,
        )


@pytest.mark.parametrize(
    "where", [Filter(video_ids=("unknown",)), Filter(tracks=("x",)), Filter(within=Span(1e6, 2e6))]
)
def test_unknown_things_find_nothing(retriever: Retriever, where: Filter) -> None:
    assert retriever.search("storm", where=where) == []
    assert retriever.scan("storm", where=where) == []


def test_the_same_search_gives_the_same_moments(
    retriever: Retriever, filled: Catalogue, embedder: HashEmbedder
) -> None:
    first = retriever.search("market night", k=20)
    assert retriever.search("market night", k=20) == first
    assert [m.span for m in Retriever(filled, embedder, NUMPY).search("market night", k=20)] == [m.span for m in first]


def test_what_was_just_added_is_found(retriever: Retriever, filled: Catalogue, make_record: MakeRecord) -> None:
    retriever.search("storm")
    filled.put_video(make_record("new", ["quokka eating leaves"]))
    (best, *_) = retriever.search("quokka leaves")
    assert best.text == "quokka eating leaves"
    assert best.ranks == {"dense": 1, "lexical": 1}
    assert best.score == pytest.approx(1.0)
    filled.remove_video(best.video_id)
    assert all(moment.text != "quokka eating leaves" for moment in retriever.search("quokka leaves"))


def test_without_an_embedder_search_is_by_words(filled: Catalogue) -> None:
    retriever = Retriever(filled, None, NUMPY)
    assert retriever.channels == ("lexical",)
    assert "embed" in retriever.note
    moments = retriever.search("storm lamp", k=3)
    assert len(moments) == 3
    assert all(moment.similarity is None and set(moment.ranks) == {"lexical"} for moment in moments)
    assert moments[0].score == pytest.approx(1.0)
    assert retriever.scan("storm lamp")


def test_vectors_of_another_model_are_said(filled: Catalogue) -> None:
    retriever = Retriever(filled, HashEmbedder(32), NUMPY)
    assert retriever.channels == ("lexical",)
    assert "agentvid index" in retriever.note
    assert retriever.search("storm")


def test_nothing_is_loaded_before_the_first_search(filled: Catalogue) -> None:
    retriever = Retriever(filled, Unreachable(), NUMPY)
    assert retriever.channels
    assert not list(filled.directory.glob("vectors-*"))


def test_a_library_without_passages_finds_nothing(library: Catalogue, embedder: HashEmbedder) -> None:
    retriever = Retriever(library, embedder, NUMPY)
    assert retriever.search("anything") == []
    assert retriever.scan("anything") == []


def test_scan_finds_every_passage_with_the_words(retriever: Retriever, filled: Catalogue) -> None:
    everything = filled.passages(filled.passage_ids(Filter())).values()
    expected = [p for p in everything if {"storm", "lamp"} <= set(p.text.split())]
    moments = retriever.scan("storm lamp", minimum_similarity=1.1)
    for passage in expected:
        assert sum(m.video_id == passage.video_id and m.span.overlaps(passage.span) for m in moments) == 1
    assert sum(len(moment.observation_ids) for moment in moments) == len(expected)
    assert [(m.video_id, m.span) for m in moments] == sorted((m.video_id, m.span) for m in moments)


def test_scan_adds_what_means_the_same(retriever: Retriever, filled: Catalogue, embedder: HashEmbedder) -> None:
    moments = retriever.scan("storm lamp", minimum_similarity=0.1)
    query = embedder.encode_query(["storm lamp"])[0]
    count = sum(int((vectors @ query >= 0.1).sum()) for _, vectors in filled.iter_vectors(embedder.space))
    assert count > 130  # deeper than the first look
    assert sum(len(moment.observation_ids) for moment in moments) >= count
    assert len(moments) > len(retriever.scan("storm lamp", minimum_similarity=0.9))


def test_scan_counts_one_event_once(library: Catalogue, make_record: MakeRecord, embedder: HashEmbedder) -> None:
    lines = ["alarm rings", "alarm rings on", "silence", "alarm again", "silence"]
    library.put_video(make_record("spoken", lines))
    shown = make_record("spoken", lines)
    merged = replace(
        shown,
        observations=(*shown.observations, *(replace(o, track="caption") for o in shown.observations)),
        passages=(*shown.passages, *(replace(p, track="caption") for p in shown.passages)),
        vectors=np.concatenate([shown.vectors, shown.vectors]),
    )
    library.put_video(merged)
    moments = Retriever(library, embedder, NUMPY).scan("alarm", minimum_similarity=1.1)
    assert [moment.span for moment in moments] == [Span(0.0, 10.0), Span(15.0, 20.0)]
    assert [len(moment.observation_ids) for moment in moments] == [2, 1]


# Merging


def hit(
    start: float,
    end: float,
    *,
    rank: int = 1,
    track: str = "speech",
    ids: tuple[int, ...] = (1, 2),
    clip: int = 0,
    video: str = "v",
    text: str = "words",
) -> merging.Hit:
    moment = Moment(
        video, Span(start, end), fused_score([rank], channels=1), track, text, 0.5 / rank, {"dense": rank}, ids
    )
    return merging.Hit.of(Passage(moment.span, track, text, clip, ids, video_id=video), moment)


def spans(*hits: merging.Hit) -> list[Span]:
    return [moment.span for moment in merging.merge_ranked(hits, channels=1)]


def test_strong_neighbours_of_one_track_are_joined() -> None:
    (moment,) = merging.merge_ranked(
        [hit(10, 20, ids=(3, 4), clip=1, text="later"), hit(0, 9, rank=2, ids=(1, 2), text="earlier")], channels=1
    )
    assert (moment.span, moment.text, moment.observation_ids) == (Span(0, 20), "earlier later", (1, 2, 3, 4))
    assert moment.ranks == {"dense": 1}


@pytest.mark.parametrize(
    "other",
    [
        hit(13, 20, rank=2, ids=(3, 4)),
        hit(10, 20, rank=2, ids=(3, 4), clip=2),
        hit(10, 20, rank=2, ids=(3, 4), video="w"),
        hit(10, 20, rank=2, ids=(3, 4), track="ocr"),
        hit(10, 20, rank=40, ids=(3, 4)),
        hit(10, 101, rank=2, ids=(3, 4)),
        hit(10, 20, rank=2, ids=(3,)),
    ],
    ids=["far", "other clip", "other video", "other track", "weak", "too long", "one observation"],
)
def test_other_neighbours_stay_apart(other: merging.Hit) -> None:
    assert len(spans(hit(0, 10), other)) == 2


def test_joining_never_grows_beyond_the_limit() -> None:
    moments = spans(*(hit(at * 10, at * 10 + 10, rank=1, ids=(2 * at, 2 * at + 1), clip=at // 3) for at in range(60)))
    assert max(span.duration_seconds for span in moments) <= merging.LONGEST_SECONDS
    assert sum(span.duration_seconds for span in moments) == pytest.approx(600)


def test_a_duplicate_in_another_track_lends_its_ranks() -> None:
    better, other = hit(0, 10, rank=3), hit(1, 9, rank=9, track="ocr", ids=(7,))
    other = replace(other, moment=replace(other.moment, ranks={"lexical": 1}))
    (moment,) = merging.merge_ranked([better, other], channels=2)
    assert (moment.span, moment.track, moment.ranks) == (Span(0, 10), "speech", {"dense": 3, "lexical": 1})
    assert moment.score == pytest.approx(fused_score([3, 1], channels=2))


def test_a_short_moment_inside_a_long_one_says_where() -> None:
    assert spans(hit(0, 60), hit(20, 24, rank=2, track="caption", ids=(9,))) == [Span(0, 60), Span(20, 24)]


def test_neighbouring_imported_captions_stay_exact() -> None:
    captions = [hit(at, at + 3, rank=at + 1, track="caption", ids=(at,)) for at in (0, 3, 6)]
    assert spans(*captions) == [Span(0, 3), Span(3, 6), Span(6, 9)]
