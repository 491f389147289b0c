"""Markdown: the answer, its claims, and the evidence with links to the second."""

from __future__ import annotations

import re
from typing import BinaryIO

from agentvid.exports.base import EVERYTHING, Format, Item, LeftOut, Material, one_line, utf8
from agentvid.exports.telling import claims_of, facts_of, place_of, short_id

#: What CommonMark and GitHub give a meaning inside a line; a mark that begins one; what becomes a link by itself.
_MEANT = re.compile(r"[\\`*_\[\]<>~&$|@]|^[#+\-=]|:(?=//)|(?<=\bwww)\.", re.IGNORECASE)
_NUMBERED = re.compile(r"^(\d+)([.)])")


def escaped(text: str) -> str:
    """One line that Markdown shows as it is."""
    return _NUMBERED.sub(r"\1\\\2", _MEANT.sub(r"\\\g<0>", one_line(text)))


def _write(material: Material, file: BinaryIO) -> list[LeftOut]:
    lines = [f"# {escaped(material.title)}", ""]
    if material.answer is not None:
        lines += [escaped(material.answer.text), ""]
        lines += [
            f"- {escaped(claim.text)} ({', '.join(claim.evidence)}: {claim.verdict})" for claim in claims_of(material)
        ]
        lines += ["", "## Nearest moments" if material.answer.abstained else "## Evidence", ""]
    lines += [line for item in material.items for line in _evidence(item, material)]
    lines += [f"- {escaped(fact)}" for fact in facts_of(material)]
    file.write(utf8("\n".join(lines).rstrip() + "\n"))
    return []


def _evidence(item: Item, material: Material) -> list[str]:
    place, link = escaped(place_of(item, material)), material.link(item)
    head = f"**{escaped(short_id(item, material))}** " + (f"[{place}](<{link}>)" if link else place)
    track = f" {escaped(item.track)}" if item.track and material.subject != "chapters" else ""
    return [head + track, *([f"> {escaped(item.text)}"] if item.text else []), ""]


FORMAT = Format(
    name="markdown",
    suffix=".md",
    media_type="text/markdown",
    about="Markdown with links to the second",
    subjects=EVERYTHING,
    write=_write,
)
