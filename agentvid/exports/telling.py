"""What the formats for people tell of a material, in words that each of them escapes."""

from __future__ import annotations

from collections.abc import Sequence

from agentvid.exports.base import Item, Material
from agentvid.text import timestamp
from agentvid.types import Claim


def short_id(item: Item, material: Material) -> str:
    """ "e2" of an answer's evidence, else the place in the list, from 1."""
    return item.id.rpartition(":")[2] if material.subject == "answer" else str(material.items.index(item) + 1)


def place_of(item: Item, material: Material) -> str:
    """ "talk.mp4 1:15-1:20", and in parentheses the seconds."""
    start, end = item.span.start_seconds, item.span.end_seconds
    return f"{material.source(item).title} {timestamp(start)}-{timestamp(end)} ({start:.3f}-{end:.3f} s)"


def claims_of(material: Material) -> Sequence[Claim]:
    """The claims that cite what is exported."""
    if material.answer is None:
        return ()
    shown = {short_id(item, material) for item in material.items}
    return [claim for claim in material.answer.claims if shown & set(claim.evidence)]


def facts_of(material: Material) -> list[str]:
    """How sure an answer is, what was looked at, and which videos cannot be shown."""
    facts = []
    if (answer := material.answer) is not None:
        coverage = answer.coverage
        looked = (
            f"{coverage.videos} video(s), {timestamp(coverage.seconds)}, {', '.join(coverage.tracks) or 'no track'}"
        )
        facts.append(f"confidence {answer.confidence:.2f}; looked at {looked}")
        if answer.stopped:
            facts.append(f"stopped: {answer.stopped}")
        facts += [f"missing: {missing}" for missing in coverage.missing]
        facts.append(f"trace {answer.trace_id}")
    return facts + [f"{source.title}: {source.absent}" for source in material.videos.values() if source.absent]
