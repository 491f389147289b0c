"""The rules an answer must obey, checked after any composer, embedded or LLM.

1. Cited evidence was returned by a tool in this run, lies inside its video, and its quote is verbatim text of the
   catalogue under that span.
2. Every claim cites such evidence, which is opened again in the catalogue: what the claim quotes is there, and each of
   its statements holds by the rules of `agentvid.checking`. Otherwise it is dropped.
3. What remains is plain text: no link, image, markup or control character survives from a video.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

from agentvid.checking.rules import Finding, Reading, Rows, judge_statement, squeeze
from agentvid.checking.statements import sentences_of, statements_of
from agentvid.checking.tighten import tighten
from agentvid.composers.base import Draft
from agentvid.models.base import Embedder
from agentvid.text import clean_text, shown_name
from agentvid.tools.base import ToolContext
from agentvid.tools.missing import MISSING
from agentvid.tools.rows import rows_at
from agentvid.types import Claim, Coverage, Evidence, Span, Verdict

#: Rounding to milliseconds may move an end by this much.
TOLERANCE_SECONDS = 0.002

_QUOTED = re.compile(r'"([^"]*)"|“([^”]*)”')
#: Also one that another text could close.
_MARKDOWN_LINK = re.compile(r"!?\[([^\]]*)\]\s*(?:\([^)]*(?:\)|$)|\[[^\]]*(?:\]|$))")
#: Escape sequences whole: without their first character the rest would stay as text.
_ESCAPE = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)", re.DOTALL)
_HTML = re.compile(r"<[^<>]*>|</?[A-Za-z!][^<>]*$")
_ADDRESS = re.compile(
    r"(?:(?:\b[a-z][a-z0-9+.-]{1,20}:)?//|\bwww\.|\b(?:javascript|data|vbscript|mailto|file):)\S*", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Rejected:
    """A claim or a piece of evidence that was dropped, and why."""

    text: str
    verdict: Verdict
    reason: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What may be published of a draft."""

    claims: tuple[Claim, ...]
    evidence: tuple[Evidence, ...]
    rejected: tuple[Rejected, ...]


def check_answer(draft: Draft, *, question: str, context: ToolContext, embedder: Embedder | None = None) -> Checked:
    """Keep the claims of `draft` that its evidence supports and the evidence that really was found.

    Of a claim of several sentences those that hold are kept. Spans and quotes are cut to what bears the claims out.
    """
    readings, rejected = open_again(draft.evidence, context)
    faulty = {item.id for item in draft.evidence} - set(readings)

    def judged(claim: Claim, opened: Mapping[str, Reading]) -> Finding:
        return judge(claim, opened, faulty, question, draft.numbers, embedder)

    kept: list[tuple[Claim, Finding]] = []
    for claim in draft.claims:
        parts = [claim] if judged(claim, readings).verdict == "supported" else _sentences(claim)
        for part in parts:
            finding = judged(part, readings)
            if finding.verdict == "supported":
                kept.append((part, finding))
            else:
                rejected.append(Rejected(part.text, finding.verdict, finding.reason))
    readings = tighten(
        kept, readings, lambda claim, opened: judged(claim, opened).verdict == "supported", whole=draft.whole
    )
    claims = tuple(replace(claim, text=plain(claim.text), verdict="supported") for claim, _ in kept)
    # An answer lists what it cites; an abstention lists the nearest moments instead.
    cited = {identity for claim in claims for identity in claim.evidence}
    shown = tuple(reading.evidence for name, reading in readings.items() if not claims or name in cited)
    return Checked(claims, shown, tuple(rejected))


def open_again(evidence: Iterable[Evidence], context: ToolContext) -> tuple[dict[str, Reading], list[Rejected]]:
    """The rows of the catalogue under each piece of evidence that may be cited, and what may not."""
    sound: dict[str, Reading] = {}
    rejected: list[Rejected] = []
    seen: set[str] = set()
    for item in evidence:
        fault = "its id is used twice" if item.id in seen else place_fault(item, context)
        rows = [] if fault else rows_at(context, item.video_id, item.span, item.track)
        reading = Reading.of(item, rows)
        if fault := fault or quote_fault(reading):
            rejected.append(Rejected(f"{item.id}: {item.quote}", "unsupported", fault))
            # Neither of two that share an id can be cited: a claim could mean either.
            sound.pop(item.id, None)
        else:
            sound[item.id] = reading
        seen.add(item.id)
    return sound, rejected


def _sentences(claim: Claim) -> list[Claim]:
    return [replace(claim, text=sentence) for sentence in sentences_of(claim.text)]


def place_fault(item: Evidence, context: ToolContext) -> str:
    """Why `item` may not be cited, whatever it quotes; "" if it may."""
    video = context.scope.get(item.video_id)
    if video is None or item.video != video.name:
        return "its video is not one of this question"
    if item.span.end_seconds > video.duration_seconds + TOLERANCE_SECONDS:
        return f"it ends after its video, which lasts {video.duration_seconds:g} s"
    if not math.isfinite(item.score):
        return "its score is not a number"
    if not any(
        moment.video_id == item.video_id and moment.track in ("", item.track) and _inside(item.span, moment.span)
        for moment in context.ledger.moments
    ):
        return "no tool returned it in this run"
    return ""


def quote_fault(reading: Reading) -> str:
    """Why the quote may not be cited, "" if it is verbatim."""
    quote = squeeze(reading.evidence.quote)
    return "" if quote and quote in reading.text else "its quote is not what the catalogue holds there"


def _inside(inner: Span, outer: Span) -> bool:
    return (
        inner.start_seconds >= outer.start_seconds - TOLERANCE_SECONDS
        and inner.end_seconds <= outer.end_seconds + TOLERANCE_SECONDS
    )


def judge(
    claim: Claim,
    readings: Mapping[str, Reading],
    faulty: Iterable[str],
    question: str,
    numbers: Sequence[float],
    embedder: Embedder | None,
) -> Finding:
    """The verdict on one claim: that of its first statement that does not hold, else supported.

    `support` then joins the rows that bear its statements out.
    """
    if not claim.evidence:
        return Finding("unsupported", "it cites nothing")
    if set(claim.evidence) & set(faulty):
        return Finding("unsupported", "it cites evidence that was rejected")
    if unknown := set(claim.evidence) - set(readings):
        return Finding("unsupported", f"it cites {', '.join(sorted(unknown))}, which does not exist")
    cited = [readings[name] for name in claim.evidence]
    if fault := _quote_fault(claim.text, cited, question):
        return Finding("unsupported", fault)
    support: dict[str, Rows] = {}
    for statement in statements_of(claim.text):
        finding = judge_statement(own_words(statement, cited), cited, question, numbers, embedder)
        if finding.verdict != "supported":
            return finding
        for name, (first, last) in finding.support.items():
            known = support.get(name, (first, last))
            support[name] = (min(first, known[0]), max(last, known[1]))
    return Finding("supported", support=support)


def own_words(statement: str, cited: Sequence[Reading]) -> str:
    """What a statement says in its own words: without its quotes and the names of the videos it cites."""
    return plain(_QUOTED.sub(" ", _without_known(statement, cited)))


def _without_known(text: str, cited: Sequence[Reading]) -> str:
    """Without whole quotes and names: what stands in them may itself hold quotation marks, numbers or times."""
    for item in (reading.evidence for reading in cited):
        for known in (f"“{item.quote}”", item.video, PurePath(item.video).name, shown_name(item.video)):
            text = text.replace(known, " ")
    return text


def _quote_fault(text: str, cited: Sequence[Reading], question: str) -> str:
    """What a claim puts in quotes is in the rows it cites, or was asked."""
    for match in _QUOTED.finditer(_without_known(text, cited)):
        said = squeeze(match.group(1) or match.group(2) or "")
        if said and not any(said in reading.text for reading in cited) and said not in squeeze(question):
            return f"its evidence does not hold the words {said[:80]!r}"
    return ""


def plain(text: str) -> str:
    """`text` without links, images, markup and control characters; what a link or image was called stays."""
    # Until nothing changes: taking a character or a tag away can leave another tag ("<\\x1bscript>", "<<b>script>").
    previous = None
    while previous != text:
        previous = text
        text = clean_text(_ESCAPE.sub("", text), limit=20_000)
        # Full-width and other look-alikes become what they look like as soon as anybody normalises the text.
        folded = unicodedata.normalize("NFKC", text)
        text = _without_active(text) if _without_active(folded) == folded else _without_active(folded)
    return text


def _without_active(text: str) -> str:
    return _ADDRESS.sub(" ", _HTML.sub(" ", _MARKDOWN_LINK.sub(r"\1", text)))


def coverage_of(context: ToolContext, notes: Sequence[str] = ()) -> Coverage:
    """What the question could look at: videos in scope, their seconds, their tracks, what is missing, what failed."""
    ids = list(context.scope)
    holders = context.catalogue.track_holders(ids)
    missing = [plain(note) for note in notes]
    for track, line in MISSING.items():
        if (having := holders.get(track, 0)) < len(ids):
            what = f"found in {having} of {len(ids)} videos" if having else "none"
            missing.append(line.format(what=what))
    return Coverage(
        videos=len(ids),
        seconds=sum(video.duration_seconds for video in context.scope.values()),
        tracks=tuple(sorted(holders)),
        missing=tuple(missing),
        gaps=tuple(context.catalogue.gaps(ids)) if ids else (),
    )
