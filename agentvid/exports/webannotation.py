"""W3C Web Annotations: a page of annotations whose targets are temporal fragments (Media Fragments) of the videos."""

from __future__ import annotations

import json
import uuid
from typing import BinaryIO

from agentvid.exports.base import EVERYTHING, Format, Item, LeftOut, Material, utf8
from agentvid.types import Json

_CONTEXT = "http://www.w3.org/ns/anno.jsonld"
_MEDIA_FRAGMENTS = "http://www.w3.org/TR/media-frags/"
_MOTIVATIONS = {"chapters": "identifying", "track": "describing"}


def _write(material: Material, file: BinaryIO) -> list[LeftOut]:
    page = {
        "@context": _CONTEXT,
        "id": _name_of(f"{material.subject}:{material.title}:{','.join(item.id for item in material.items)}"),
        "type": "AnnotationPage",
        "label": material.title,
        "items": [_annotation(item, material) for item in material.items],
    }
    file.write(json.dumps(page, indent=1).encode("ascii") + b"\n")
    return []


def _annotation(item: Item, material: Material) -> Json:
    source = material.source(item)
    where = material.link(item).partition("#")[0] or _name_of(item.video_id)
    value = f"t={item.span.start_seconds:.3f},{item.span.end_seconds:.3f}"
    annotation: Json = {
        "id": _name_of(item.id),
        "type": "Annotation",
        "motivation": _MOTIVATIONS.get(material.subject, "highlighting"),
        "target": {
            "type": "SpecificResource",
            "source": {"id": where, "type": "Video", "label": source.title},
            "selector": {"type": "FragmentSelector", "conformsTo": _MEDIA_FRAGMENTS, "value": value},
        },
    }
    if bodies := _bodies(item, material):
        annotation["body"] = bodies
    return annotation


def _bodies(item: Item, material: Material) -> list[Json]:
    """The words of the span, then the claims that cite it."""
    bodies: list[Json] = []
    if item.text:
        body = {"type": "TextualBody", "value": item.text, "format": "text/plain", "purpose": "describing"}
        bodies.append(body | ({"language": item.language} if item.language else {}))
    short = item.id.rpartition(":")[2]
    for claim in material.answer.claims if material.answer else ():
        if short in claim.evidence:
            bodies.append({"type": "TextualBody", "value": claim.text, "format": "text/plain", "purpose": "commenting"})
    return bodies


def _name_of(text: str) -> str:
    """The same name for the same thing, made of it (RFC 9562, version 5): an annotation needs an IRI."""
    return uuid.uuid5(uuid.NAMESPACE_URL, utf8(f"agentvid:{text}").decode()).urn


FORMAT = Format(
    name="annotations",
    suffix=".jsonld",
    media_type='application/ld+json; profile="http://www.w3.org/ns/anno.jsonld"',
    about="W3C Web Annotations with Media Fragments selectors",
    subjects=EVERYTHING,
    write=_write,
)
