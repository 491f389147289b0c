"""Every observation is in exactly one passage, with its own kind, inside the clip that holds most of it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentvid.errors import UsageError
from agentvid.passages import make_passages
from agentvid.types import Clip, Observation, Passage, Provenance, Span

CLIPS = (Clip(Span(0.0, 20.0), 0), Clip(Span(20.0, 40.0), 1), Clip(Span(40.0, 100.0), 2))


def row(
    start: float, end: float, text: str, track: str = "speech", language: str = "en", source: str = "a"
) -> Observation:
    return Observation(Span(start, end), track, text, Provenance(track, input_hash=source), language=language)


def texts(passages: Sequence[Passage]) -> list[str]:
    return [passage.text for passage in passages]


def test_short_cues_of_one_clip_are_joined_verbatim() -> None:
    (passage,) = make_passages(CLIPS, [row(0, 2, "So now"), row(2, 4, "that we — understand"), row(4, 5, "it.")])
    assert passage == Passage(Span(0, 5), "speech", "So now that we — understand it.", 0, (0, 1, 2))


def test_passages_break_at_sentence_ends_if_they_can() -> None:
    ends = [row(n, n + 1, "one two three four" + (". Now" if n == 1 else "." if n == 2 else "")) for n in range(7)]
    first, second = make_passages(CLIPS, ends)
    assert first.observation_ids == (0, 1, 2)
    assert second.observation_ids == (3, 4, 5, 6)
    endless = [row(n, n + 1, "one two three four five") for n in range(8)]
    assert [len(passage.observation_ids) for passage in make_passages(CLIPS, endless)] == [4, 4]


def test_clips_pauses_and_ten_seconds_divide_speech() -> None:
    assert texts(make_passages(CLIPS, [row(18, 19, "a"), row(20, 21, "b")])) == ["a", "b"]
    assert texts(make_passages(CLIPS, [row(0, 1, "a"), row(5, 6, "b")])) == ["a b"]
    assert texts(make_passages(CLIPS, [row(0, 1, "a"), row(5.1, 6, "b")])) == ["a", "b"]
    slow = [row(40 + 4 * n, 44 + 4 * n, f"word {n}") for n in range(4)]
    assert texts(make_passages(CLIPS, slow)) == ["word 0 word 1", "word 2 word 3"]


def test_scripts_without_spaces_are_measured_too() -> None:
    lines = [row(n, n + 1, "左に見えるのは右に見えるのは首刈り機") for n in range(8)]
    assert len(make_passages(CLIPS, lines)) > 1


def test_a_row_belongs_to_the_clip_that_holds_most_of_it() -> None:
    rows = [
        row(19, 22, "mostly second"),
        row(10, 95, "mostly last"),
        row(19, 21, "half each"),
        row(500, 501, "outside"),
    ]
    found = {passage.text: passage.clip_index for passage in make_passages(CLIPS, [*rows])}
    assert found == {"half each": 0, "mostly second": 1, "mostly last": 2, "outside": 2}


def test_tracks_languages_and_sources_stay_apart() -> None:
    rows = [
        row(0, 1, "a"),
        row(1, 2, "b", language="de"),
        row(2, 3, "c", source="another file"),
        row(3, 4, "d", track="ocr"),
        row(4, 5, "e", track="caption"),
    ]
    assert texts(make_passages(CLIPS, rows)) == ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize("track", ["ocr", "caption", "object", "event"])
def test_what_other_tracks_say_stays_as_it_is(track: str) -> None:
    rows = [row(0, 2, "EXIT", track), row(1, 3, "Gate 4", track), row(3, 4, "person", track), row(3, 4, "dog", track)]
    assert texts(make_passages(CLIPS, rows)) == ["EXIT", "Gate 4", "person", "dog"]


def test_the_passages_of_one_stream_are_neighbours() -> None:
    rows = [
        row(0, 1, "one."),
        row(0, 2, "SIGN", "ocr"),
        row(20, 21, "eins.", language="de"),
        row(21, 22, "two."),
        row(30, 31, "EXIT", "ocr"),
        row(50, 51, "zwei.", language="de"),
    ]
    assert texts(make_passages(CLIPS, rows)) == ["one.", "two.", "SIGN", "EXIT", "eins.", "zwei."]


def test_a_long_text_is_one_passage() -> None:
    long = "word " * 300
    assert texts(make_passages(CLIPS, [row(0, 1, "a"), row(1, 2, long), row(2, 3, "b")])) == ["a", long, "b"]


def test_no_clips_is_an_error_only_with_rows() -> None:
    assert make_passages((), []) == ()
    with pytest.raises(UsageError, match="at least one clip"):
        make_passages((), [row(0, 1, "a")])


ROWS = st.lists(
    st.builds(
        lambda start, length, text, track, language: row(start, start + length, text, track, language),
        st.floats(0, 110),
        st.floats(0.01, 90),
        st.sampled_from(
            ["a", "One two.", "no end", "word " * 50, "左に見える。", "person", "person walks past the open window now"]
        ),
        st.sampled_from(["speech", "ocr", "object"]),
        st.sampled_from(["", "en"]),
    ),
    max_size=25,
)


@given(ROWS)
def test_whatever_the_rows(rows: list[Observation]) -> None:
    passages = make_passages(CLIPS, rows)
    held = [position for passage in passages for position in passage.observation_ids]
    assert sorted(held) == list(range(len(rows)))
    for passage in passages:
        members = [rows[position] for position in passage.observation_ids]
        assert {(member.track, member.language) for member in members} == {(passage.track, members[0].language)}
        assert passage.text == " ".join(member.text for member in members)
        assert passage.span.start_seconds == min(member.span.start_seconds for member in members)
        assert passage.span.end_seconds == max(member.span.end_seconds for member in members)
        assert passage.track == "speech" or not passage.context
        if len(members) > 1:
            assert passage.track == "speech"
            assert passage.span.duration_seconds <= 10.0
            assert len(passage.text.split()) <= 20
    streams = [(passage.track, rows[passage.observation_ids[0]].language) for passage in passages]
    assert len(list(itertools.groupby(streams))) == len(set(streams))
    for (stream, one), (other, two) in itertools.pairwise(zip(streams, passages, strict=True)):
        assert stream != other or one.clip_index <= two.clip_index


@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_distinct_rows_plays_no_part(rows: list[Observation], random: st.DataObject) -> None:
    distinct = list({(item.span, item.track, item.language): item for item in rows}.values())
    shuffled = list(distinct)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    expected = {(passage.span, passage.track, passage.text) for passage in make_passages(CLIPS, distinct)}
    assert {(passage.span, passage.track, passage.text) for passage in make_passages(CLIPS, shuffled)} == expected
