"""The values that travel through agentvid: frozen, checked at birth, units in their names.

A span is half-open `[start_seconds, end_seconds)` on the video's own clock: PTS seconds minus the video stream's
start. Field names in `to_json()` are the public JSON contract; tests compare them with docs/json.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from agentvid.errors import UsageError

Json = dict[str, Any]
Verdict = Literal["supported", "contradicted", "unsupported"]
#: How much of a video a section covers.
Level = Literal["chapter", "video"]
LEVELS: tuple[Level, ...] = get_args(Level)

#: Tracks of the embedded default; a plug-in or an import may add names of its own.
SPEECH, OCR, CAPTION, FACT = "speech", "ocr", "caption", "fact"
SOUND, OBJECT = "sound", "object"
#: Kinds of text on screen: burnt-in dialogue, what moves at a steady pace, and everything else.
SUBTITLE, ROLLING, SCREEN = "subtitle", "rolling", "screen"
#: What a vision model said of frames in one run; kept in that run's ledger and trace, not in the catalogue.
LOOK = "look"
#: Rows of frames that have a vector; their text says when the frame is shown, not what it shows.
FRAME = "frame"


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Half-open `[start_seconds, end_seconds)`, both finite and >= 0, start < end. Raises UsageError otherwise."""

    start_seconds: float
    end_seconds: float

    def __post_init__(self) -> None:
        for name, value in (("start", self.start_seconds), ("end", self.end_seconds)):
            if not math.isfinite(value) or value < 0:
                raise UsageError(f"{name} {value} is not a time; allowed: seconds >= 0")
        if self.start_seconds >= self.end_seconds:
            raise UsageError(
                f"start {self.start_seconds:g} is not before end {self.end_seconds:g}",
                hint="give the earlier time first",
            )

    @property
    def duration_seconds(self) -> float:
        return self.end_seconds - self.start_seconds

    def overlaps(self, other: Span) -> bool:
        """True if the two share more than an end point."""
        return self.start_seconds < other.end_seconds and other.start_seconds < self.end_seconds

    def contains(self, seconds: float) -> bool:
        return self.start_seconds <= seconds < self.end_seconds

    def intersection(self, other: Span) -> Span | None:
        start = max(self.start_seconds, other.start_seconds)
        end = min(self.end_seconds, other.end_seconds)
        return Span(start, end) if start < end else None

    def hull(self, other: Span) -> Span:
        """The smallest span that covers both."""
        return Span(min(self.start_seconds, other.start_seconds), max(self.end_seconds, other.end_seconds))

    def iou(self, other: Span) -> float:
        """Temporal intersection over union, 0 to 1."""
        shared = self.intersection(other)
        if shared is None:
            return 0.0
        union = self.duration_seconds + other.duration_seconds - shared.duration_seconds
        return shared.duration_seconds / union

    def to_json(self) -> Json:
        """`{"start", "end"}` in seconds, to the millisecond."""
        return {"start": round(self.start_seconds, 3), "end": round(self.end_seconds, 3)}


@dataclass(frozen=True, slots=True)
class Provenance:
    """Who made an observation: stage and model with revision, parameters, and the sha256 of what it read."""

    stage: str
    model: str = ""
    revision: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    input_hash: str = ""


@dataclass(frozen=True, slots=True)
class Observation:
    """One row of a track. `id` is the catalogue's; 0 until it is stored."""

    span: Span
    track: str
    text: str
    provenance: Provenance
    confidence: float = 1.0
    language: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    id: int = 0

    def __post_init__(self) -> None:
        if not self.track or not self.text:
            raise UsageError(f"an observation needs a track and a text, got {self.track!r} and {self.text!r}")
        if not 0.0 <= self.confidence <= 1.0:
            raise UsageError(f"confidence {self.confidence} is not in 0..1")


@dataclass(frozen=True, slots=True)
class Clip:
    """The retrieval unit: one or more shots, 4-90 s where the video allows it. `id` is 0 until stored."""

    span: Span
    index: int
    id: int = 0


@dataclass(frozen=True, slots=True)
class Passage:
    """The searched text of one track inside one clip: one or a few neighbouring observations.

    `text` is the observations' own words joined by spaces; `context` is added for the embedding only, where a
    stage knows words without which the text says little; none of the built-in stages needs it.
    """

    span: Span
    track: str
    text: str
    clip_index: int
    observation_ids: tuple[int, ...]
    context: str = ""
    video_id: str = ""
    id: int = 0


@dataclass(frozen=True, slots=True)
class Section:
    """A chapter of a video, or the whole of it, with its digest: what it is about in a bounded number of words.

    `title` and `text` may be ""; `observation_ids` name the rows that the digest was made of, in order of time. `model`
    wrote it, "" if it is made of the rows word by word.
    """

    level: Level
    span: Span
    title: str
    text: str
    observation_ids: tuple[int, ...] = ()
    model: str = ""

    def to_json(self) -> Json:
        written = {"title": self.title, "text": self.text, "model": self.model}
        return {"level": self.level, **self.span.to_json(), **written}


@dataclass(frozen=True, slots=True)
class Video:
    """One content, by hash, under one or more paths. An imported text-only video has a name and no path."""

    id: str
    content_hash: str
    title: str
    duration_seconds: float
    paths: tuple[str, ...] = ()
    kind: Literal["file", "import"] = "file"
    media: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not math.isfinite(self.duration_seconds) or self.duration_seconds <= 0:
            raise UsageError(f"{self.title!r} lasts {self.duration_seconds} s; allowed: more than 0")

    @property
    def name(self) -> str:
        """What results call this video: the absolute path of a file, or the name given at import."""
        return self.paths[0] if self.paths else self.title

    @property
    def span(self) -> Span:
        return Span(0.0, self.duration_seconds)


@dataclass(frozen=True, slots=True)
class Moment:
    """A span of one video with a score: what tools return and interval algebra computes with.

    `score` orders moments of one result (higher is better). `similarity` is the cosine of query and text,
    -1 to 1, or None where no embedding took part; of the track FRAME it is the probability, 0 to 1, that the frames
    show it, because cosines of texts and pictures mean something else in every model.
    `ranks` maps channel -> rank from 1.
    `observation_ids` name the rows whose words `text` joins; empty for computed spans.
    """

    video_id: str
    span: Span
    score: float = 0.0
    track: str = ""
    text: str = ""
    similarity: float | None = None
    ranks: Mapping[str, int] = field(default_factory=dict)
    observation_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Hit:
    """One search result as people and programs read it."""

    video: str
    moment: Moment

    def to_json(self) -> Json:
        moment = self.moment
        return {
            "video": self.video,
            "video_id": moment.video_id,
            **moment.span.to_json(),
            "score": round(moment.score, 6),
            "track": moment.track,
            "text": moment.text,
            "ranks": dict(moment.ranks),
        }


@dataclass(frozen=True, slots=True)
class Evidence:
    """A span with a verbatim quote, returned by a tool in this run. `id` is "e1", "e2"... within one answer."""

    id: str
    video: str
    video_id: str
    span: Span
    track: str
    quote: str
    score: float

    def to_json(self) -> Json:
        return {
            "id": self.id,
            "video": self.video,
            "video_id": self.video_id,
            **self.span.to_json(),
            "track": self.track,
            "quote": self.quote,
            "score": round(self.score, 6),
        }


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence of an answer with the ids of its evidence."""

    text: str
    evidence: tuple[str, ...]
    verdict: Verdict = "supported"

    def to_json(self) -> Json:
        return {"text": self.text, "evidence": list(self.evidence), "verdict": self.verdict}


@dataclass(frozen=True, slots=True)
class Gap:
    """A span that should have been read by a track and was not."""

    video_id: str
    span: Span
    track: str
    reason: str

    def to_json(self) -> Json:
        return {
            "video_id": self.video_id,
            **self.span.to_json(),
            "track": self.track,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Coverage:
    """What an answer could look at: number of videos, their seconds, tracks with rows, what is missing and why."""

    videos: int
    seconds: float
    tracks: tuple[str, ...]
    missing: tuple[str, ...] = ()
    gaps: tuple[Gap, ...] = ()

    def to_json(self) -> Json:
        return {
            "videos": self.videos,
            "seconds": round(self.seconds, 3),
            "tracks": list(self.tracks),
            "missing": list(self.missing),
            "gaps": [gap.to_json() for gap in self.gaps],
        }


@dataclass(frozen=True, slots=True)
class Usage:
    """What an answer cost. `frames`: pictures that tools decoded; `money`: None where the price is not known."""

    steps: int = 0
    tool_calls: int = 0
    llm_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    frames: int = 0
    seconds: float = 0.0
    money: float | None = None

    def __add__(self, other: Usage) -> Usage:
        prices = [usage.money for usage in (self, other) if usage.money is not None]
        return Usage(
            self.steps + other.steps,
            self.tool_calls + other.tool_calls,
            self.llm_calls + other.llm_calls,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.frames + other.frames,
            self.seconds + other.seconds,
            sum(prices) if prices else None,
        )

    def to_json(self) -> Json:
        return {
            "steps": self.steps,
            "tool_calls": self.tool_calls,
            "llm_calls": self.llm_calls,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "frames": self.frames,
            "seconds": round(self.seconds, 3),
            "money": None if self.money is None else round(self.money, 6),
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """Claims with evidence, or an abstention with the nearest moments as evidence of no claim.

    `stopped`: why the run ended before it was done (a spent budget, a planner that repeats itself), or "".
    `understood`: how a question that goes on with a conversation was completed, which videos it names by a word of
    their file names, and which words are read in another spelling; "" for one that says all itself.
    Raises UsageError if a claim cites evidence that the answer does not hold.
    """

    question: str
    text: str
    abstained: bool
    confidence: float
    claims: tuple[Claim, ...]
    evidence: tuple[Evidence, ...]
    coverage: Coverage
    usage: Usage = field(default_factory=Usage)
    choice: str | None = None
    program: str = ""
    trace_id: str = ""
    stopped: str = ""
    understood: str = ""

    def __post_init__(self) -> None:
        if not 0.0 <= self.confidence <= 1.0:
            raise UsageError(f"confidence {self.confidence} is not in 0..1")
        known = {item.id for item in self.evidence}
        for claim in self.claims:
            unknown = set(claim.evidence) - known
            if not claim.evidence or unknown:
                raise UsageError(
                    f"claim {claim.text!r} cites {sorted(unknown) or 'nothing'}; every claim cites evidence"
                )

    def to_json(self) -> Json:
        return {
            "question": self.question,
            "understood": self.understood,
            "answer": self.text,
            "abstained": self.abstained,
            "confidence": round(self.confidence, 4),
            "choice": self.choice,
            "claims": [claim.to_json() for claim in self.claims],
            "evidence": [item.to_json() for item in self.evidence],
            "coverage": self.coverage.to_json(),
            "usage": self.usage.to_json(),
            "program": self.program,
            "stopped": self.stopped,
            "trace_id": self.trace_id,
        }
