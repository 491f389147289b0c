"""A video stuffed with what people ask for takes no more than its share of the hits, and changes nobody else's rows."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from agentvid.indexes.base import Filter, VideoRecord
from agentvid.indexes.catalogue import Catalogue
from agentvid.indexes.ranking import FIRST_HITS, MOST_OF_ONE_VIDEO
from agentvid.indexes.retriever import RERANKED, Retriever
from agentvid.indexes.vectors import Backend
from agentvid.models.scripted import HashEmbedder, WordReranker
from agentvid.types import Moment

MakeRecord = Callable[..., VideoRecord]
NUMPY = Backend("numpy")
WORDS = "river mountain city train night storm harbour market bridge forest snow lamp boat gull rain tower".split()
QUERY = "storm harbour lamp"
CLIP_LINES = 4

Stuffed = Callable[[random.Random, int], tuple[str, list[str]]]


def copies(chance: random.Random, lines: int) -> tuple[str, list[str]]:
    """The query again and again, nearly the same each time."""
    return "copies", [f"{QUERY}, the {QUERY} {at}" if at % 3 else QUERY for at in range(lines)]


def salad(chance: random.Random, lines: int) -> tuple[str, list[str]]:
    """The words that somebody may ask for and others, in any order."""
    words = [[*QUERY.split(), *QUERY.split(), *chance.sample(WORDS, k=2)] for _ in range(lines)]
    return "salad", [" ".join(chance.sample(line, k=len(line))) for line in words]


def titled(chance: random.Random, lines: int) -> tuple[str, list[str]]:
    """A title of what is asked for, and one word of it in every line."""
    return f"{QUERY} {QUERY} all about the {QUERY}", [f"{QUERY.split()[at % 3]} {at}" for at in range(lines)]


def hidden(chance: random.Random, lines: int) -> tuple[str, list[str]]:
    """A film like others that says it, each time in other words, a dozen times: no text repeats itself."""
    told = [" ".join(chance.choices(WORDS, k=6)) for _ in range(lines)]
    for at in range(0, lines, max(1, lines // 12)):
        told[at] = f"{chance.choice(WORDS)} {QUERY} {chance.choice(WORDS)} {chance.choice(WORDS)}"
    return "hidden", told


def fill(library: Catalogue, make_record: MakeRecord, *, videos: int, lines: int) -> None:
    chance = random.Random(3)
    for number in range(videos):
        told = [" ".join(chance.choices(WORDS, k=6)) for _ in range(lines)]
        library.put_video(make_record(f"film {number}", told))


def row_hashes(library: Catalogue, embedder: HashEmbedder) -> dict[str, str]:
    """Video id -> a hash of everything that the library holds of it: rows, clips, passages and their vectors."""
    found = {}
    vectors: dict[int, bytes] = {}
    for ids, part in library.iter_vectors(embedder.space):
        vectors |= {at: vector.tobytes() for at, vector in zip(ids.tolist(), part, strict=True)}
    for video in library.videos():
        ids = library.passage_ids(Filter(video_ids=(video.id,))).tolist()
        rows = [
            video,
            library.shots(video.id),
            library.clips(video.id),
            library.sections(video.id),
            library.observations(video.id),
            sorted(library.passages(ids).items()),
            [vectors[at] for at in ids],
        ]
        found[video.id] = hashlib.sha256(repr(rows).encode()).hexdigest()
    return found


def most_of_one(moments: list[Moment]) -> int:
    """How many of the first ten one video has, at most."""
    return max(Counter(moment.video_id for moment in moments[:FIRST_HITS]).values())


@pytest.fixture
def films(library: Catalogue, make_record: MakeRecord) -> Catalogue:
    fill(library, make_record, videos=12, lines=24)
    return library


@pytest.mark.parametrize("is_embedded", [True, False])
@pytest.mark.parametrize("stuffed", [copies, salad, titled, hidden])
def test_a_stuffed_video_has_at_most_four_of_ten_hits(
    films: Catalogue, make_record: MakeRecord, embedder: HashEmbedder, stuffed: Stuffed, is_embedded: bool
) -> None:
    name, lines = stuffed(random.Random(5), 400)
    hostile = make_record(name, lines)
    films.put_video(hostile)
    retriever = Retriever(films, embedder if is_embedded else None, NUMPY)
    for query in (QUERY, *(QUERY.split()), "what about the storm in the harbour?"):
        moments = retriever.search(query, k=FIRST_HITS)
        assert len(moments) == FIRST_HITS
        assert most_of_one(moments) <= MOST_OF_ONE_VIDEO
    unlimited = Retriever(films, embedder if is_embedded else None, NUMPY, most_of_one_video=FIRST_HITS)
    taken = sum(moment.video_id == hostile.video.id for moment in unlimited.search(QUERY, k=FIRST_HITS))
    assert taken > MOST_OF_ONE_VIDEO, "this one would take more"


def test_thousands_of_copies_keep_nobody_out(films: Catalogue, make_record: MakeRecord, embedder: HashEmbedder) -> None:
    """Copies fill every seed of both channels; videos of equal copies do so one after the other."""
    for number in range(4):
        name, lines = copies(random.Random(number), 1000)
        films.put_video(make_record(f"{name} {number}", lines))
        retriever = Retriever(films, embedder, NUMPY)
        assert most_of_one(retriever.search(QUERY, k=FIRST_HITS)) <= MOST_OF_ONE_VIDEO


@pytest.mark.parametrize(
    ("honest", "lines", "hostile"), [(24, 24, 20), pytest.param(420, 48, 100, marks=pytest.mark.slow)]
)
def test_many_stuffed_videos_leave_the_rows_of_others_as_they_are(
    library: Catalogue, make_record: MakeRecord, embedder: HashEmbedder, honest: int, lines: int, hostile: int
) -> None:
    fill(library, make_record, videos=honest, lines=lines)
    before = row_hashes(library, embedder)
    found_before = Retriever(library, embedder, NUMPY).search(QUERY, k=20)
    added = []
    for number in range(hostile):
        stuffed = (copies, salad, titled, hidden)[number % 4]
        name, told = stuffed(random.Random(number), 40)
        added.append(make_record(f"{name} {number}", told))
        library.put_video(added[-1])
    assert row_hashes(library, embedder).items() >= before.items()
    retriever = Retriever(library, embedder, NUMPY)
    for query in (QUERY, *WORDS[:4], "snow on the bridge"):
        assert most_of_one(retriever.search(query, k=FIRST_HITS)) <= MOST_OF_ONE_VIDEO
    for record in added:
        library.remove_video(record.video.id)
    assert row_hashes(library, embedder) == before
    assert Retriever(library, embedder, NUMPY).search(QUERY, k=20) == found_before


def test_what_is_put_off_comes_right_after_the_tenth(
    films: Catalogue, make_record: MakeRecord, embedder: HashEmbedder
) -> None:
    hostile = make_record(*salad(random.Random(5), 200))
    films.put_video(hostile)
    limited = Retriever(films, embedder, NUMPY).search(QUERY, k=20)
    plain = Retriever(films, embedder, NUMPY, most_of_one_video=FIRST_HITS).search(QUERY, k=20)
    first = [moment.span for moment in plain[:FIRST_HITS] if moment.video_id == hostile.video.id]
    spans = [moment.span for moment in limited if moment.video_id == hostile.video.id]
    assert spans[:MOST_OF_ONE_VIDEO] == first[:MOST_OF_ONE_VIDEO]
    behind = [moment.video_id for moment in limited[FIRST_HITS:]]
    assert behind[: len(first) - MOST_OF_ONE_VIDEO] == [hostile.video.id] * (len(first) - MOST_OF_ONE_VIDEO)
    for k in range(1, 20):
        shorter = Retriever(films, embedder, NUMPY).search(QUERY, k=k)
        assert [moment.span for moment in shorter] == [moment.span for moment in limited[:k]]


def test_named_videos_have_all_hits_and_so_have_two_that_are_alone(
    library: Catalogue, make_record: MakeRecord, embedder: HashEmbedder
) -> None:
    fill(library, make_record, videos=4, lines=40)
    name, lines = copies(random.Random(1), 60)
    stuffed = make_record(name, lines)
    library.put_video(stuffed)
    retriever = Retriever(library, embedder, NUMPY)
    alone = Filter(video_ids=(stuffed.video.id,))
    assert {moment.video_id for moment in retriever.search(QUERY, k=10, where=alone)} == {stuffed.video.id}
    every = Filter(video_ids=tuple(video.id for video in library.videos()))
    assert most_of_one(retriever.search(QUERY, k=10, where=every)) > MOST_OF_ONE_VIDEO
    assert len(retriever.scan('"storm harbour lamp"')) > MOST_OF_ONE_VIDEO
    for video in library.videos()[:3]:
        library.remove_video(video.id)
    assert len(library.videos()) == 2
    assert most_of_one(Retriever(library, embedder, NUMPY).search(QUERY, k=10)) > MOST_OF_ONE_VIDEO


def test_what_others_lack_fills_the_first_ten(
    library: Catalogue, make_record: MakeRecord, embedder: HashEmbedder
) -> None:
    library.put_video(make_record("long", copies(random.Random(1), 60)[1]))
    for number in range(2):
        library.put_video(make_record(f"short {number}", ["snow"]))
    moments = Retriever(library, embedder, NUMPY).search(QUERY, k=10)
    assert len(moments) == 10
    assert {moment.text for moment in moments[MOST_OF_ONE_VIDEO : MOST_OF_ONE_VIDEO + 2]} == {"snow"}


def test_a_reranker_does_not_undo_it(films: Catalogue, make_record: MakeRecord, embedder: HashEmbedder) -> None:
    films.put_video(make_record(*copies(random.Random(1), 300)))
    moments = Retriever(films, embedder, NUMPY, WordReranker()).search(QUERY, k=RERANKED)
    assert most_of_one(moments) <= MOST_OF_ONE_VIDEO


@pytest.mark.parametrize("k", [5, 10, 20])
def test_explanations_name_what_was_put_off(
    films: Catalogue, make_record: MakeRecord, embedder: HashEmbedder, k: int
) -> None:
    hostile = make_record(*salad(random.Random(5), 200))
    films.put_video(hostile)
    retriever = Retriever(films, embedder, NUMPY)
    explanation = retriever.explain(QUERY, k=k)
    shown = [one.hit.moment for one in explanation.hits]
    assert shown == retriever.search(QUERY, k=k)
    plain = Retriever(films, embedder, NUMPY, most_of_one_video=FIRST_HITS)
    unlimited = plain.search(QUERY, k=min(k, FIRST_HITS))
    missing = [moment for moment in unlimited if moment.span not in [one.span for one in shown[:FIRST_HITS]]]
    assert explanation.put_off
    assert [(one.hit.moment.video_id, one.hit.moment.span) for one in explanation.put_off] == [
        (moment.video_id, moment.span) for moment in missing
    ]
    for one in explanation.put_off:
        assert unlimited[one.rank - 1].span == one.hit.moment.span
        assert one.shown is None or (one.shown > FIRST_HITS and shown[one.shown - 1].span == one.hit.moment.span)
    assert explanation.to_json()["put_off"][0]["video_id"] == hostile.video.id
    place = explanation.put_off[-1].hit.moment
    expected = retriever.explain(QUERY, k=min(k, 10), expected=(place.video_id, place.span)).expected
    assert expected is not None
    assert expected.reason in ("put off", "covered")
    assert plain.explain(QUERY, k=k).put_off == ()
    assert plain.explain(QUERY, k=k).most_of_one_video is None


def test_the_limit_holds_without_evidence_that_tells_videos_apart(
    library: Catalogue, make_record: MakeRecord, embedder: HashEmbedder
) -> None:
    """Equal videos: the order of the library must not give one of them everything."""
    for number in range(5):
        library.put_video(make_record(f"copy {number}", [*copies(random.Random(1), 40)[1], str(number)]))
    videos = [moment.video_id for moment in Retriever(library, embedder, NUMPY).search(QUERY, k=10)]
    assert np.bincount(np.unique(videos, return_inverse=True)[1]).max() <= MOST_OF_ONE_VIDEO
