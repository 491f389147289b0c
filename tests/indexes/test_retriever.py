"""From query to moments: filters first, what another process wrote is seen, "all" means all."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from agentvid.errors import UsageError
from agentvid.indexes.base import Filter, VideoRecord
from agentvid.indexes.catalogue import Catalogue
from agentvid.indexes.retriever import SEEDS, Retriever
from agentvid.indexes.vectors import Backend
from agentvid.models.base import Vectors
from agentvid.models.scripted import HashEmbedder
from agentvid.types import Moment, Span

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


def test_search_explains_its_moments(retriever: Retriever, filled: Catalogue, embedder: HashEmbedder) -> None:
    query = "storm harbour lamp"
    moments = retriever.search(query, k=10)
    assert retriever.channels == ("dense", "lexical")
    assert len(moments) == 10
    everything = filled.passages(filled.passage_ids(Filter()))
    ranked = {channel: retriever.channel(channel, query, k=SEEDS) for channel in retriever.channels}
    for moment in moments:
        members = [
            at
            for at, passage in everything.items()
            if (passage.video_id, passage.track) == (moment.video_id, moment.track)
            and set(passage.observation_ids) <= set(moment.observation_ids)
        ]
        assert moment.text == " ".join(everything[at].text for at in members)
        assert moment.span.start_seconds == everything[members[0]].span.start_seconds
        assert moment.span.end_seconds == everything[members[-1]].span.end_seconds
        cosines = embedder.encode_document([everything[at].text for at in members]) @ embedder.encode_query([query])[0]
        assert moment.similarity == pytest.approx(float(cosines.max()), abs=2e-3)
        for channel, rank in moment.ranks.items():
            assert set(ranked[channel][rank - 1].observation_ids) <= set(moment.observation_ids)
    gains = [moment.score for moment in moments]
    assert gains == sorted(gains, reverse=True)
    assert 0 < sum(gains) <= 1 + 1e-6


@pytest.mark.parametrize("channel", ["dense", "lexical"])
def test_one_channel_alone(retriever: Retriever, filled: Catalogue, embedder: HashEmbedder, channel: str) -> None:
    query, where = "storm harbour lamp", Filter(tracks=("caption",))
    moments = retriever.channel(channel, query, k=20, where=where)
    assert [moment.ranks for moment in moments] == [{channel: rank} for rank in range(1, 21)]
    assert all(moment.track == "caption" and len(moment.observation_ids) == 1 for moment in moments)
    if channel == "dense":
        best = filled.passages(brute_force_dense(filled, embedder, query, where)[:20])
        expected = embedder.encode_document([best[at].text for at in best]) @ embedder.encode_query([query])[0]
        found = [moment.similarity for moment in moments]
        assert found == pytest.approx(sorted(expected.tolist(), reverse=True), abs=2e-3)
    else:
        assert all(set(moment.text.split()) & set(query.split()) for moment in moments)
        assert all(moment.similarity is None for moment in moments)


def test_an_unknown_channel_is_refused(filled: Catalogue, embedder: HashEmbedder) -> None:
    with pytest.raises(UsageError, match="allowed: dense, lexical"):
        Retriever(filled, embedder, NUMPY).channel("smell", "storm")
    with pytest.raises(UsageError, match="allowed: lexical"):
        Retriever(filled, None, NUMPY).channel("dense", "storm")


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
        # Words may put other places first, but what fits best by meaning in the filter's scope was looked at.
        many = retriever.search("snow bridge", k=30, where=where)
        assert best_cosine(many) == pytest.approx(
            best_cosine(retriever.channel("dense", "snow bridge", k=1, where=where)), abs=2e-3
        )


def best_cosine(moments: Sequence[Moment]) -> float:
    return max(moment.similarity or -1.0 for moment in moments)


def test_a_rare_place_is_found_among_many_better_ones(
    library: Catalogue, make_record: MakeRecord, embedder: HashEmbedder
) -> None:
    for number in range(30):
        library.put_video(make_record(f"many {number}", ["door door door"] * 25))
    library.put_video(make_record("one", ["nothing here", "there was once a door in a house"], track="caption"))
    for where in (Filter(video_ids=(library.find_video("one").id,)), Filter(tracks=("caption",))):
        for chosen in (embedder, None):
            (moment,) = Retriever(library, chosen, NUMPY).search("door", k=1, where=where)
            assert "once a door" in moment.text


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
    filled.remove_video(best.video_id)
    assert all(moment.text != "quokka eating leaves" for moment in retriever.search("quokka leaves"))


WRITER = """
import sys
from pathlib import Path
from agentvid.indexes.catalogue import Catalogue
from agentvid.types import Passage, Span, Video
from agentvid.indexes.base import VideoRecord
from agentvid.models.scripted import HashEmbedder
embedder, text = HashEmbedder(64), "quokka eating leaves"
with Catalogue.open(Path(sys.argv[1])) as library:
    video = Video("a" * 64, "a" * 64, "zoo", 5.0, ("/v/zoo.mp4",))
    passage = Passage(Span(0, 5), "caption", text, 0, ())
    vectors = embedder.encode_document([text])
    library.put_video(VideoRecord(video, "f", (), (), (), (passage,), embedder.space, vectors))
"""


@pytest.mark.parametrize("is_embedding", [True, False])
def test_what_another_process_wrote_is_seen(filled: Catalogue, embedder: HashEmbedder, is_embedding: bool) -> None:
    retriever = Retriever(filled, embedder if is_embedding else None, NUMPY)
    assert all("quokka" not in moment.text for moment in retriever.search("quokka leaves"))
    subprocess.run([sys.executable, "-c", WRITER, str(filled.directory)], check=True, timeout=60)
    (best, *_) = retriever.search("quokka leaves")
    assert best.text == "quokka eating leaves"
    assert [moment.text for moment in retriever.scan("quokka", minimum_similarity=1.1)] == [best.text]
    filled.remove_video("a" * 64)
    assert all("quokka" not in moment.text for moment in retriever.search("quokka leaves"))


def test_searching_while_another_thread_writes(
    filled: Catalogue, make_record: MakeRecord, embedder: HashEmbedder
) -> None:
    retriever = Retriever(filled, embedder, NUMPY)
    records = [make_record(f"new {number}", ["quokka leaves storm", "lamp"]) for number in range(25)]

    def write() -> None:
        for record in records:
            filled.put_video(record)

    with ThreadPoolExecutor(1) as other:
        writing = other.submit(write)
        while not writing.done():
            assert retriever.search("quokka storm", k=5)
        writing.result()
    assert len(retriever.scan('"quokka leaves"', minimum_similarity=1.1)) == 25


def test_without_an_embedder_search_is_by_words(filled: Catalogue) -> None:
    retriever = Retriever(filled, None, NUMPY)
    assert retriever.channels == ("lexical",)
    assert "embed" in retriever.note
    moments = retriever.search("storm lamp", k=3)
    assert len(moments) == 3
    assert all(moment.similarity is None and set(moment.ranks) == {"lexical"} for moment in moments)
    assert retriever.scan("storm lamp")


def test_words_that_nobody_says_find_nothing(filled: Catalogue, make_record: MakeRecord) -> None:
    filled.put_video(make_record("zoo", ["a quokka eats", "nothing else", "the end"], paths=()))
    retriever = Retriever(filled, None, NUMPY)
    assert retriever.search("zebra") == []
    assert all("quokka" in moment.text for moment in retriever.search("quokka"))
    assert all(moment.ranks for moment in retriever.search("storm", where=Filter(tracks=("caption",))))


def test_vectors_of_another_model_are_said(filled: Catalogue) -> None:
    retriever = Retriever(filled, HashEmbedder(32), NUMPY)
    assert retriever.channels == ("lexical",)
    assert "agentvid index" in retriever.note
    assert retriever.search("storm")


def test_nothing_is_loaded_before_the_first_search(filled: Catalogue) -> None:
    retriever = Retriever(filled, Unreachable(), NUMPY)
    assert retriever.channels
    assert not list(filled.directory.glob("vectors-*"))
    assert not list(filled.directory.glob("ranking-*"))


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
