"""Chapters end where the talk turns to something else; digests are words of the video and never grow with it."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentvid.models.minilm import MiniLM
from agentvid.sections import make_sections
from agentvid.types import FACT, OCR, SPEECH, Clip, Observation, Passage, Provenance, Section, Span
from agentvid.words import words

CLIP_SECONDS = 20.0
TOPICS = {
    "baking": [
        "Knead the dough with flour.",
        "The oven bakes the bread.",
        "Yeast makes the loaf rise.",
        "Butter it.",
    ],
    "sailing": ["Hoist the sail in the wind.", "The boat heels over.", "An anchor holds the hull.", "Reef in a storm."],
    "chess": [
        "The knight forks the queen.",
        "Castle to save the king.",
        "A pawn promotes.",
        "The bishop is pinned.",
    ],
}


def talk(*told: tuple[str, int], track: str = SPEECH, language: str = "") -> tuple[list[Clip], list[Observation]]:
    """A video of 20-second clips with a sentence each: so many about each topic, in turn."""
    texts = [TOPICS[topic][number % 4] for topic, count in told for number in range(count)]
    clips = [Clip(Span(at * CLIP_SECONDS, (at + 1) * CLIP_SECONDS), at) for at in range(len(texts))]
    rows = [
        Observation(clip.span, track, text, Provenance("test"), language=language)
        for clip, text in zip(clips, texts, strict=True)
    ]
    return clips, rows


def passages_of(rows: list[Observation]) -> list[Passage]:
    return [
        Passage(row.span, row.track, row.text, int(row.span.start_seconds // CLIP_SECONDS), (at,))
        for at, row in enumerate(rows)
    ]


def sections(clips: list[Clip], rows: list[Observation], vectors: np.ndarray | None = None) -> tuple[Section, ...]:
    return make_sections(clips, passages_of(rows), rows, vectors)


def chapters(found: tuple[Section, ...]) -> list[Section]:
    return [section for section in found if section.level == "chapter"]


@pytest.mark.parametrize("embedded", [False, True])
def test_chapters_end_where_the_topic_changes(embedded: bool) -> None:
    clips, rows = talk(("baking", 9), ("sailing", 7), ("chess", 8))
    vectors = MiniLM().encode_document([row.text for row in rows]) if embedded else None
    ends = {chapter.span.end_seconds for chapter in chapters(sections(clips, rows, vectors))}
    assert {9 * CLIP_SECONDS, 16 * CLIP_SECONDS, 24 * CLIP_SECONDS} <= ends


def test_a_title_names_what_sets_a_chapter_apart() -> None:
    clips, rows = talk(("baking", 9), ("sailing", 9))
    first, *_, last = chapters(sections(clips, rows))
    own = {word for text in TOPICS["baking"] for word in words(text)}
    assert first.title
    assert set(first.title.split(", ")) <= own
    assert not set(last.title.split(", ")) & own


def test_a_short_video_is_one_chapter_and_a_silent_one_has_none() -> None:
    clips, rows = talk(("baking", 3))
    found = sections(clips, rows)
    assert [(section.level, section.span) for section in found] == [
        ("chapter", Span(0, 60)),
        ("video", Span(0, 60)),
    ]
    assert make_sections(clips, [], [], None) == ()


def test_a_digest_is_of_words_of_the_video_in_order_of_time() -> None:
    clips, rows = talk(("baking", 20), ("chess", 20))
    for section in sections(clips, rows):
        assert section.text.split(" … ") == [rows[at].text for at in section.observation_ids]
        assert list(section.observation_ids) == sorted(section.observation_ids)
        assert all(section.span.overlaps(rows[at].span) for at in section.observation_ids)


def test_a_digest_is_told_in_the_language_most_is_said_in() -> None:
    clips, rows = talk(("baking", 10), language="en")
    foreign = [
        Observation(clip.span, SPEECH, f"Der Teig ruht {clip.index}", Provenance("t"), language="de")
        for clip in clips[:5]
    ]
    for section in sections(clips, [*rows, *foreign]):
        assert "teig" not in f"{section.title} {section.text}".lower()


def test_measured_facts_are_told_only_where_nothing_else_is() -> None:
    clips, facts = talk(("sailing", 8), track=FACT)
    _, told = talk(("baking", 8), track=OCR)
    assert "sail" in sections(clips, facts)[-1].text
    assert "sail" not in sections(clips, [*facts, *told])[-1].text


@settings(max_examples=30, deadline=None)
@given(
    lengths=st.lists(st.floats(0.5, 300.0), min_size=1, max_size=60),
    told=st.lists(st.sampled_from(["a red boat", "the engine room", "we bake bread", "..."]), max_size=120),
    seed=st.integers(0, 1000),
)
def test_chapters_cover_the_video_without_gap_or_overlap(lengths: list[float], told: list[str], seed: int) -> None:
    ends = np.cumsum(lengths).tolist()
    clips = [Clip(Span(start, end), at) for at, (start, end) in enumerate(zip([0.0, *ends], ends, strict=False))]
    where = np.random.default_rng(seed).integers(0, len(clips), len(told)).tolist()
    rows = [Observation(clips[at].span, SPEECH, text, Provenance("t")) for at, text in zip(where, told, strict=True)]
    passages = [
        Passage(row.span, SPEECH, row.text, at, (i,)) for i, (row, at) in enumerate(zip(rows, where, strict=True))
    ]
    found = make_sections(clips, passages, rows)
    if not rows:
        assert found == ()
        return
    spans = [chapter.span for chapter in chapters(found)]
    assert [spans[0].start_seconds, spans[-1].end_seconds] == [0.0, ends[-1]]
    assert all(one.end_seconds == other.start_seconds for one, other in pairwise(spans))
    assert (found[-1].level, found[-1].span) == ("video", Span(0.0, ends[-1]))


@pytest.mark.parametrize("hours", [1, 24])
def test_the_digest_of_the_whole_has_a_bounded_size(hours: int) -> None:
    topics = [("baking", 30), ("sailing", 30), ("chess", 30)] * (2 * hours)
    clips, rows = talk(*topics)
    found = sections(clips, rows)
    assert len(found[-1].text) <= 1_200
    assert all(len(chapter.text) <= 400 and len(chapter.title) <= 80 for chapter in chapters(found))
    assert len(chapters(found)) <= max(10, clips[-1].span.end_seconds / 480)


def test_what_it_takes_to_find_chapters_hardly_grows_with_the_video() -> None:
    def most_bytes(hours: int) -> int:
        topics = [("baking", 30), ("sailing", 30), ("chess", 30)] * (2 * hours)
        clips, rows = talk(*topics)
        passages = passages_of(rows)
        tracemalloc.start()
        try:
            make_sections(clips, passages, rows, None)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    # A table of 1,024 numbers a clip would be 1.5 MB an hour.
    assert most_bytes(24) - most_bytes(4) < 20 * 600_000
