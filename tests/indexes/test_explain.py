"""Explanations: the same hits as search, contributions that make up the score, every reason for a miss."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentvid.errors import UnknownVideo
from agentvid.indexes import ranking
from agentvid.indexes.base import Filter, VideoRecord
from agentvid.indexes.catalogue import Catalogue
from agentvid.indexes.explain import COVERS_AT_IOU, Explanation
from agentvid.indexes.retriever import SEEDS, Retriever
from agentvid.indexes.vectors import Backend
from agentvid.models.scripted import HashEmbedder
from agentvid.types import Gap, Span

MakeRecord = Callable[..., VideoRecord]
NUMPY = Backend("numpy")
HARBOUR = [
    "The red boat leaves the harbour",
    "Gulls cry over the harbour",
    "A sailor mends his net",
    "Rain falls on the quay",
    "The lighthouse keeper wakes",
    "A red lamp burns in the tower",
]
QUERIES = ["red boat", "harbour gulls", "lighthouse lamp tower", '"red boat" leaves', "zeppelin", "the of"]


@pytest.fixture
def filled(library: Catalogue, make_record: MakeRecord) -> Catalogue:
    library.put_video(make_record("harbour", HARBOUR))
    library.put_video(make_record("harbour notes", ["Boat sold", "Net torn", "Lamp broken"], track="ocr"))
    library.put_video(make_record("kitchen", ["Chop the onion", "Boil red lentils", "Serve with bread"]))
    return library


@pytest.fixture
def retriever(filled: Catalogue, embedder: HashEmbedder) -> Retriever:
    return Retriever(filled, embedder, NUMPY)


def expect(
    retriever: Retriever, query: str, span: Span, *, video: str = "harbour", k: int = 3, where: Filter | None = None
) -> Explanation:
    found = retriever.catalogue.find_video(video)
    return retriever.explain(query, k=k, where=where, expected=(found.id, span))


@pytest.mark.parametrize("embeds", [True, False])
@pytest.mark.parametrize("query", QUERIES)
def test_hits_are_those_of_search(filled: Catalogue, embedder: HashEmbedder, query: str, embeds: bool) -> None:
    retriever = Retriever(filled, embedder if embeds else None, NUMPY)
    explanation = retriever.explain(query, k=7)
    assert [one.hit.moment for one in explanation.hits] == retriever.search(query, k=7)
    names = {video.id: video.name for video in filled.videos()}
    assert all(one.hit.video == names[one.hit.moment.video_id] for one in explanation.hits)


@given(query=st.lists(st.sampled_from("red boat harbour lamp net rain onion".split()), min_size=1, max_size=4))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_contributions_sum_to_the_fit_and_differences_to_the_distance(retriever: Retriever, query: list[str]) -> None:
    explanation = retriever.explain(" ".join(query), k=8)
    best = explanation.hits[0].standing
    for one in explanation.hits:
        parts = one.standing.evidence
        assert sum(part.contribution for part in parts) == pytest.approx(one.standing.fit)
        assert sum(part.difference for part in parts) == pytest.approx(one.standing.fit - best.fit, abs=1e-9)
        assert all(part.contribution == pytest.approx(part.value * ranking.WEIGHTS[part.name]) for part in parts)


def test_rank_is_by_fit_alone(retriever: Retriever) -> None:
    explanation = retriever.explain("red boat harbour", k=10)
    score = ranking.scores(retriever.candidates("red boat harbour", Filter()).windows)
    for one in explanation.hits:
        assert one.standing.candidates == len(score)
        fit_of_rank = np.sort(score)[::-1][one.standing.rank - 1]
        assert one.standing.fit == pytest.approx(fit_of_rank)
    assert len({one.standing.rank for one in explanation.hits}) == len(explanation.hits)


def test_a_cover_is_a_better_hit_that_overlaps(retriever: Retriever) -> None:
    hits = retriever.explain("red boat", k=10).hits
    assert hits[0].covered_by is None
    assert any(one.covered_by for one in hits)
    for number, one in enumerate(hits, 1):
        moment = one.hit.moment
        overlaps = [
            better.hit.moment.span.iou(moment.span)
            for better in hits[: number - 1]
            if better.hit.moment.video_id == moment.video_id
        ]
        if one.covered_by is None:
            assert max(overlaps, default=0.0) < COVERS_AT_IOU
        else:
            assert one.covered_by.iou == pytest.approx(max(overlaps))
            assert one.covered_by.hit < number


def test_channels_tell_the_best_passage(retriever: Retriever, embedder: HashEmbedder) -> None:
    (one,) = retriever.explain("lighthouse keeper", k=1).hits
    channels = {place.channel: place for place in one.standing.channels}
    assert {name: place.rank for name, place in channels.items()} == one.hit.moment.ranks
    assert channels["dense"].value == pytest.approx(one.hit.moment.similarity, abs=1e-6)
    assert channels["lexical"].span == Span(20.0, 25.0)
    lexical = retriever.channel("lexical", "lighthouse keeper", k=1)[0]
    assert channels["lexical"].value == pytest.approx(lexical.score)


def test_words_are_those_that_the_user_wrote_where_they_are(retriever: Retriever) -> None:
    query = "Which Boats, leaving; nets & onions (zeppelins)?"
    video = retriever.catalogue.find_video("harbour").id
    (one,) = retriever.explain(query, k=1, where=Filter(video_ids=(video,), within=Span(0.0, 5.0))).hits
    assert one.hit.moment.text == HARBOUR[0]
    found = {word.word: word.found for word in one.standing.words}
    assert found == {
        "Boats": "moment",
        "leaving": "moment",
        "nets": "video",
        "onions": "elsewhere",
        "zeppelins": "nowhere",
    }
    assert next(word.weight for word in one.standing.words if word.word == "zeppelins") is None
    weights = {word.word: word.weight for word in one.standing.words if word.weight is not None}
    assert weights["onions"] > weights["Boats"] > 0  # one passage has onions, two have boats


def test_words_of_a_title_and_of_unspaced_scripts(library: Catalogue, make_record: MakeRecord) -> None:
    library.put_video(make_record("Regatta", ["红色门 opens", "The crowd waits"], is_embedded=False))
    hits = Retriever(library, None, NUMPY).explain("regatta 红色门", k=1).hits
    assert {word.word: word.found for word in hits[0].standing.words} == {
        "regatta": "video",
        "红色": "moment",
        "色门": "moment",
    }


def test_words_that_were_not_looked_for_are_not_called_missing(library: Catalogue, make_record: MakeRecord) -> None:
    text = " ".join(f"w{number}" for number in range(80))
    library.put_video(make_record("long", [text], is_embedded=False))
    (one,) = Retriever(library, None, NUMPY).explain(text, k=1).hits
    assert {word.found for word in one.standing.words} == {"moment"}
    assert 0 < len(one.standing.words) < 80


def test_expected_hit(retriever: Retriever) -> None:
    first = retriever.explain("red boat", k=1).hits[0].hit.moment
    name = retriever.catalogue.video(first.video_id).title
    expected = expect(retriever, "red boat", first.span, video=name, k=1).expected
    assert expected is not None
    assert (expected.reason, expected.iou, expected.against) == ("hit", 1.0, 1)
    assert "hit 1" in expected.why


@pytest.mark.parametrize(("most", "behind"), [(4, "put off"), (ranking.FIRST_HITS, "outranked")])
def test_every_candidate_is_a_hit_or_covered_or_comes_after(
    filled: Catalogue, embedder: HashEmbedder, most: int, behind: str
) -> None:
    retriever = Retriever(filled, embedder, NUMPY, most_of_one_video=most)
    query, k = "gulls cry over the red harbour", 6
    windows = retriever.candidates(query, Filter()).windows
    fit, chosen = ranking.scores(windows), retriever.explain(query, k=k).hits
    harbour = retriever.catalogue.find_video("harbour").id
    shown = [one.hit.moment.span for one in chosen if one.hit.moment.video_id == harbour]
    reasons = set()
    for at in np.flatnonzero(windows.video == 0):
        span = Span(float(windows.start[at]), float(windows.end[at]))
        expected = expect(retriever, query, span, k=k).expected
        assert expected is not None
        assert expected.iou == 1.0
        assert expected.standing is not None
        assert expected.standing.fit == pytest.approx(fit[at])
        overlap = max((span.iou(hit) for hit in shown), default=0.0)
        fits_a_hit = fit[at] >= min(one.standing.fit for one in chosen)
        is_covered = overlap >= COVERS_AT_IOU and fits_a_hit
        other = "covered" if is_covered else behind if fits_a_hit else "outranked"
        assert expected.reason == ("hit" if span in shown else other)
        cover = expected.covered_by
        if expected.reason != "hit":
            assert (cover.iou if cover else 0.0) == pytest.approx(overlap if overlap >= COVERS_AT_IOU else 0.0)
        if cover is not None:
            assert expected.against == (cover.hit if expected.reason == "covered" else len(chosen))
        reasons.add(expected.reason)
    assert reasons == {"hit", "covered", behind}


def test_expected_but_outranked(retriever: Retriever) -> None:
    explanation = expect(retriever, "gulls cry", Span(15.0, 20.0), k=1)
    expected = explanation.expected
    assert expected is not None
    assert (expected.reason, expected.iou, expected.against) == ("outranked", 1.0, 1)
    assert expected.standing is not None
    apart = expected.standing.fit - explanation.hits[-1].standing.fit
    assert sum(part.difference for part in expected.standing.evidence) == pytest.approx(apart)
    assert f"{-apart:.2f} less than hit 1" in expected.why


@pytest.mark.parametrize(
    ("where", "says"),
    [
        (Filter(tracks=("ocr",)), "the track ocr;"),
        (Filter(within=Span(0.0, 5.0)), "the time 0:00-0:05;"),
        (Filter(within=Span(20.0, 1e9)), "the time from 0:20 on;"),
        (Filter(tracks=("ocr",), within=Span(20.0, 1e9)), "the track ocr and the time from 0:20 on;"),
        (Filter(tracks=("speech",), within=Span(20.0, 1e9)), "out by the time from 0:20 on;"),
    ],
)
def test_expected_but_filtered_out(retriever: Retriever, where: Filter, says: str) -> None:
    expected = expect(retriever, "gulls cry", Span(6.0, 9.0), where=where).expected
    assert expected is not None
    assert expected.reason == "filtered"
    assert expected.standing is None
    assert says in expected.why
    assert "text of: speech" in expected.why


def test_expected_where_no_track_has_text(library: Catalogue, make_record: MakeRecord) -> None:
    record = make_record("lines", ["one thing", "another thing"])
    late = Span(60.0, 90.0)
    silent = make_record("silent film", [], gaps=[Gap("", late, "speech", "no model"), Gap("", Span(0, 9), "ocr", "x")])
    library.put_video(record)
    library.put_video(silent)
    retriever = Retriever(library, None, NUMPY)
    expected = expect(retriever, "thing", Span(62.0, 80.0), video="silent film").expected
    assert expected is not None
    assert (expected.reason, expected.channels) == ("no text", ())
    assert expected.why == "no track has text at 1:02-1:20; tracks: none; gaps there: speech 1:00-1:30 (no model)"
    after = expect(retriever, "thing", Span(11.0, 12.0), video="lines").expected
    assert after is not None
    assert after.why == "no track has text at 0:11-0:12; tracks: speech; gaps there: none"


@pytest.fixture
def crowded(library: Catalogue, make_record: MakeRecord) -> Catalogue:
    """More passages that say the word than are looked at, and one far from them all that does not."""
    for number in range(6):
        library.put_video(make_record(f"film {number}", [f"storm {number} {line}" for line in range(100)]))
    library.put_video(make_record("quiet", ["calm sea", "a weak storm after a very long day of sun and of wind"]))
    library.put_video(make_record("calm", ["calm sea", "calm sky"], track="caption"))
    return library


@pytest.mark.parametrize("embeds", [True, False])
def test_expected_but_no_candidate(crowded: Catalogue, embedder: HashEmbedder, embeds: bool) -> None:
    retriever = Retriever(crowded, embedder if embeds else None, NUMPY)
    expected = expect(retriever, "storm", Span(5.0, 10.0), video="quiet").expected
    assert expected is not None
    assert expected.reason == "not a candidate"
    channels = {place.channel: place for place in expected.channels}
    assert list(channels) == (["lexical", "dense"] if embeds else ["lexical"])
    assert channels["lexical"].rank == channels["lexical"].library_rank == 601
    assert all(place.rank is not None and place.rank > SEEDS for place in expected.channels)
    none = expect(retriever, "storm", Span(0.0, 10.0), video="calm").expected
    assert none is not None
    assert none.channels[0].rank is none.channels[0].value is none.channels[0].library_rank is None
    assert "lexical: not ranked" in none.why


def test_rank_in_what_is_searched_and_in_the_library(crowded: Catalogue) -> None:
    videos = tuple(video.id for video in crowded.videos()[1:])
    retriever = Retriever(crowded, None, NUMPY)
    expected = expect(retriever, "storm", Span(5.0, 10.0), video="quiet", where=Filter(video_ids=videos)).expected
    assert expected is not None
    (lexical,) = expected.channels
    assert (lexical.rank, lexical.library_rank) == (501, 601)
    assert "rank 501 (601 in the library)" in expected.why


def test_nothing_found_is_explained_too(filled: Catalogue) -> None:
    explanation = expect(Retriever(filled, None, NUMPY), "zeppelin", Span(0.0, 5.0))
    assert explanation.hits == ()
    assert explanation.expected is not None
    assert explanation.expected.reason == "not a candidate"


def test_unknown_video(retriever: Retriever) -> None:
    with pytest.raises(UnknownVideo):
        retriever.explain("red", expected=("nosuch", Span(0.0, 1.0)))


def test_a_library_that_grew_is_explained_as_it_is(
    retriever: Retriever, filled: Catalogue, make_record: MakeRecord
) -> None:
    retriever.explain("walrus", k=2)
    filled.put_video(make_record("arctic", ["A walrus sleeps"]))
    hits = retriever.explain("walrus", k=1).hits
    assert hits[0].hit.moment.text == "A walrus sleeps"
    assert hits[0].standing.words[0].found == "moment"
