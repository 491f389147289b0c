"""Values are checked at birth, and JSON keeps its promises."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentvid.errors import UsageError
from agentvid.types import (
    Answer,
    Claim,
    Coverage,
    Evidence,
    Gap,
    Hit,
    Moment,
    Observation,
    Provenance,
    Span,
    Video,
)

SPANS = (
    st.tuples(st.floats(0, 1e6), st.floats(0, 1e6))
    .filter(lambda ends: ends[0] != ends[1])
    .map(sorted)
    .map(lambda e: Span(*e))
)


@pytest.mark.parametrize(
    ("start", "end"),
    [(1, 1), (2, 1), (-1, 1), (math.nan, 1), (0, math.nan), (0, math.inf), (-math.inf, 0), (-0.001, 1)],
)
def test_spans_that_cannot_be(start: float, end: float) -> None:
    with pytest.raises(UsageError):
        Span(start, end)


@given(SPANS, SPANS)
def test_interval_algebra(a: Span, b: Span) -> None:
    shared = a.intersection(b)
    assert (shared is not None) == a.overlaps(b) == b.overlaps(a)
    assert a.hull(b) == b.hull(a)
    assert a.hull(b).intersection(a) == a
    assert 0.0 <= a.iou(b) <= 1.0
    assert a.iou(b) == pytest.approx(b.iou(a))
    assert a.iou(a) == 1.0
    if shared is not None:
        assert a.intersection(shared) == shared == b.intersection(shared)


@given(SPANS)
def test_spans_are_half_open(span: Span) -> None:
    assert span.contains(span.start_seconds)
    assert not span.contains(span.end_seconds)
    assert not span.overlaps(Span(span.end_seconds, span.end_seconds + 1))


@pytest.mark.parametrize(
    ("track", "text", "confidence"),
    [("", "x", 1.0), ("ocr", "", 1.0), ("ocr", "x", 1.1), ("ocr", "x", -0.1), ("ocr", "x", math.nan)],
)
def test_observations_that_cannot_be(track: str, text: str, confidence: float) -> None:
    with pytest.raises(UsageError):
        Observation(Span(0, 1), track, text, Provenance("test"), confidence)


@pytest.mark.parametrize("duration_seconds", [0.0, -1.0, math.nan, math.inf])
def test_videos_last(duration_seconds: float) -> None:
    with pytest.raises(UsageError, match="talk"):
        Video("1", "1", "talk", duration_seconds)


def test_a_video_is_called_by_path_or_title() -> None:
    assert Video("1", "1", "talk", 5.0).name == "talk"
    assert Video("1", "1", "talk", 5.0, paths=("/a/talk.mp4", "/b.mp4")).name == "/a/talk.mp4"
    assert Video("1", "1", "talk", 5.0).span == Span(0, 5)


def answer(*claims: Claim, confidence: float = 0.5) -> Answer:
    evidence = (Evidence("e1", "/a.mp4", "v", Span(0, 1.23456), "speech", "quoted", 0.5),)
    return Answer("why?", "so", False, confidence, claims, evidence, Coverage(1, 5.0, ("speech",)))


def test_claims_cite_evidence_that_is_there() -> None:
    assert answer(Claim("so", ("e1",))).claims
    for evidence in ((), ("e2",), ("e1", "e2")):
        with pytest.raises(UsageError, match="every claim cites evidence"):
            answer(Claim("so", evidence))


@pytest.mark.parametrize("confidence", [-0.1, 1.1, math.nan])
def test_confidence_is_a_share(confidence: float) -> None:
    with pytest.raises(UsageError):
        answer(confidence=confidence)


def test_json_is_the_contract() -> None:
    found = json.loads(json.dumps(answer(Claim("so", ("e1",))).to_json(), allow_nan=False))
    said = "question understood answer abstained confidence choice claims evidence coverage usage"
    assert list(found) == f"{said} program stopped trace_id".split()
    assert list(found["evidence"][0]) == "id video video_id start end track quote score".split()
    assert list(found["claims"][0]) == ["text", "evidence", "verdict"]
    assert list(found["coverage"]) == ["videos", "seconds", "tracks", "missing", "gaps"]
    assert list(found["usage"]) == "steps tool_calls llm_calls input_tokens output_tokens frames seconds money".split()
    hit = Hit("/a.mp4", Moment("v", Span(0.12345, 2), 0.5, "ocr", "EXIT", ranks={"lexical": 1})).to_json()
    assert list(hit) == "video video_id start end score track text ranks".split()
    assert (hit["start"], hit["end"]) == (0.123, 2)
    assert list(Gap("v", Span(0, 1), "ocr", "off").to_json()) == "video_id start end track reason".split()


def test_values_do_not_change() -> None:
    with pytest.raises(AttributeError):
        Span(0, 1).start_seconds = 2.0  # type: ignore[misc]
