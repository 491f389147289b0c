"""The rules an answer must obey, checked after any composer, embedded or LLM.

1. Cited evidence was returned by a tool in this run, lies inside its video, and its quote is verbatim text of the
   catalogue under that span.
2. Every claim cites such evidence; what it quotes is in that evidence; its times are those of its evidence; its
   numbers were read or computed; the rest of its words agree with the evidence. Otherwise it is dropped.
3. What remains is plain text: no link, image, markup or control character survives from a video.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

from agentvid.composers.base import Draft
from agentvid.models.base import Embedder
from agentvid.text import clean_text, parse_timestamp
from agentvid.tools.base import ToolContext
from agentvid.types import CAPTION, OCR, SPEECH, Claim, Coverage, Evidence, Span, Verdict
from agentvid.words import FUNCTION_WORDS, NEGATIONS, stem, words

#: Rounding to milliseconds may move an end by this much.
TOLERANCE_SECONDS = 0.002
#: A claim is supported if its evidence shares this part of its words, or its meaning by this cosine.
MIN_SHARED_WORDS = 0.6
MIN_COSINE = 0.6
#: Words of our own sentence forms: they say where and how something was found, not what.
FORM_WORDS = frozenset(
    stem(word)
    for word in """after all answer appear appears at before best between caption captions chapter comes count during
    earlier ends evidence fact facts first fits found frame frames from hour hours in last lasts later
    length less long longer longest match matches mention mentioned mentions minute minutes moment
    moments more name names nearest next no none nothing occurrence occurrences of on on-screen once
    only option order said same say says scene screen second seconds shortest show shown shows sound
    sounds speech starting starts summary text then third time times together total track twice until
    video videos visible while yes""".split()
)

_QUOTED = re.compile(r'"([^"]*)"|“([^”]*)”')
_CLOCK = re.compile(r"(?<![\d:])\d{1,3}:\d{2}(?::\d{2})?(?![\d:])")
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:[.,]\d+)*(?![\w])")
_NUMBER_WORDS = "zero one two three four five six seven eight nine ten eleven twelve".split()
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
    """Keep the claims of `draft` that its evidence supports and the evidence that really was found."""
    rejected: list[Rejected] = []
    sound: dict[str, Evidence] = {}
    for item in draft.evidence:
        fault = "its id is used twice" if item.id in sound else evidence_fault(item, context)
        if fault:
            rejected.append(Rejected(f"{item.id}: {item.quote}", "unsupported", fault))
            # Neither of two that share an id can be cited: a claim could mean either.
            sound.pop(item.id, None)
        else:
            sound[item.id] = item
    faulty = {item.id for item in draft.evidence} - set(sound)
    claims: list[Claim] = []
    for claim in draft.claims:
        verdict, reason = judge(claim, sound, faulty, question, draft.numbers, embedder)
        if verdict == "supported":
            claims.append(replace(claim, text=plain(claim.text), verdict=verdict))
        else:
            rejected.append(Rejected(claim.text, verdict, reason))
    # An answer lists what it cites; an abstention lists the nearest moments instead.
    cited = {identity for claim in claims for identity in claim.evidence}
    kept = [item for item in sound.values() if not claims or item.id in cited]
    return Checked(tuple(claims), tuple(kept), tuple(rejected))


def evidence_fault(item: Evidence, context: ToolContext) -> str:
    """Why `item` may not be cited, "" if it may."""
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
    if not _squeeze(item.quote) or _squeeze(item.quote) not in _text_under(item, context):
        return "its quote is not what the catalogue holds there"
    return ""


def _inside(inner: Span, outer: Span) -> bool:
    return (
        inner.start_seconds >= outer.start_seconds - TOLERANCE_SECONDS
        and inner.end_seconds <= outer.end_seconds + TOLERANCE_SECONDS
    )


def _text_under(item: Evidence, context: ToolContext) -> str:
    """The text of the item's track under its span, rows in time order, single spaces."""
    rows = context.catalogue.observations(item.video_id, tracks=[item.track], within=item.span)
    return _squeeze(" ".join(row.text for row in sorted(rows, key=lambda row: (row.span, row.id))))


def _squeeze(text: str) -> str:
    return " ".join(text.split())


def judge(
    claim: Claim,
    sound: Mapping[str, Evidence],
    faulty: Iterable[str],
    question: str,
    numbers: Sequence[float],
    embedder: Embedder | None,
) -> tuple[Verdict, str]:
    """The verdict on one claim and its reason; the rules are tried from the strictest to the softest."""
    if not claim.evidence:
        return "unsupported", "it cites nothing"
    if set(claim.evidence) & set(faulty):
        return "unsupported", "it cites evidence that was rejected"
    if unknown := set(claim.evidence) - set(sound):
        return "unsupported", f"it cites {', '.join(sorted(unknown))}, which does not exist"
    cited = [sound[name] for name in claim.evidence]
    read = _squeeze(" ".join(item.quote for item in cited))
    own = claim.text
    for item in cited:
        # Whole quotes and names go first: what stands in them may itself hold quotation marks, numbers or times.
        for known in (f"“{item.quote}”", item.video, PurePath(item.video).name):
            own = own.replace(known, " ")
    for match in _QUOTED.finditer(own):
        said = _squeeze(match.group(1) or match.group(2) or "")
        if said and not any(said in _squeeze(item.quote) for item in cited) and said not in _squeeze(question):
            return "unsupported", f"its evidence does not hold the words {said[:80]!r}"
    own = plain(_QUOTED.sub(" ", own))
    return (
        _judge_times(own, cited)
        or _judge_numbers(own, read, question, numbers, cited)
        or _judge_words(own, read, question, embedder)
    )


def _judge_times(own: str, cited: Sequence[Evidence]) -> tuple[Verdict, str] | None:
    """Every M:SS of the claim must be the start or end of a cited span, cut to whole seconds, or lie in it."""
    for match in _CLOCK.finditer(own):
        seconds = parse_timestamp(match.group())
        if not any(int(i.span.start_seconds) <= seconds <= int(i.span.end_seconds) for i in cited):
            return "contradicted", f"its evidence is not at {match.group()}"
    return None


def _judge_numbers(
    own: str, read: str, question: str, numbers: Sequence[float], cited: Sequence[Evidence]
) -> tuple[Verdict, str] | None:
    """A number must have been read, asked or computed; times are judged apart."""
    known = {*_numbers(read), *_numbers(question), *(round(n, 3) for n in numbers), *(round(n, 1) for n in numbers)}
    known |= {float(round(n)) for n in numbers} | {float(len(cited))}
    for number in sorted(_numbers(_CLOCK.sub(" ", own)) - known):
        kind: Verdict = "contradicted" if _numbers(read) else "unsupported"
        return kind, f"the number {number:g} was neither read nor computed"
    return None


def _numbers(text: str) -> set[float]:
    """Numbers in digits or, up to twelve, in words."""
    found = {float(match.replace(",", "")) for match in _NUMBER.findall(text) if match.count(".") < 2}
    return found | {float(_NUMBER_WORDS.index(word)) for word in words(text) if word in _NUMBER_WORDS}


def _judge_words(own: str, read: str, question: str, embedder: Embedder | None) -> tuple[Verdict, str]:
    """What the claim says in its own words must be in its evidence or mean the same."""
    own = re.sub(r"^\s*(?:yes|no)\b[\s,:.]*", "", own, flags=re.IGNORECASE)
    stated = [
        word for word in words(_CLOCK.sub(" ", own)) if word not in FUNCTION_WORDS and stem(word) not in FORM_WORDS
    ]
    stated = [word for word in stated if not word[0].isdigit()]
    if not stated:
        return "supported", ""
    if bool(NEGATIONS & set(words(own))) != bool(NEGATIONS & set(words(read))):
        return "contradicted", "it negates what its evidence states, or the other way round"
    known = {stem(word) for word in words(read)}
    asked = {stem(word) for word in words(question)}
    strange = [word for word in _names(own) if stem(word) not in known | asked]
    if strange:
        return "unsupported", f"its evidence does not name {strange[0]}"
    # A claim that only repeats the question says nothing that the evidence could support.
    shared = sum(stem(word) in known for word in stated) / len(stated)
    if shared >= MIN_SHARED_WORDS or (shared > 0 and all(stem(word) in known | asked for word in stated)):
        return "supported", ""
    if embedder is not None:
        vectors = embedder.encode_document([own, read])
        if float(vectors[0] @ vectors[1]) >= MIN_COSINE:
            return "supported", ""
    return "unsupported", "its words are not in its evidence"


def _names(own: str) -> list[str]:
    """Folded words written with a capital inside a sentence: people, places, products."""
    found = re.findall(r"(?<=[a-z,;] )([A-Z][\w'’-]+)", own)
    return [
        part for name in found for part in words(name) if part not in FUNCTION_WORDS and stem(part) not in FORM_WORDS
    ]


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


_MISSING = {
    SPEECH: "speech: {what}; put a subtitle file (.srt, .vtt, .ass) beside the video and run `agentvid index`, or add "
    "a transcript with `agentvid import`",
    OCR: "on-screen text: {what}; `agentvid index` reads it unless the setting `ocr` is off",
    CAPTION: "captions: {what}; add them with `agentvid import`",
}


def coverage_of(context: ToolContext, notes: Sequence[str] = ()) -> Coverage:
    """What the question could look at: videos in scope, their seconds, their tracks, what is missing, what failed."""
    ids = list(context.scope)
    holders = context.catalogue.track_holders(ids)
    missing = [plain(note) for note in notes]
    for track, line in _MISSING.items():
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
