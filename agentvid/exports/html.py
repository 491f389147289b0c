"""One HTML file with the answer, its evidence and a still of each: no script, nothing loaded from anywhere."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from html import escape
from typing import BinaryIO

from agentvid.exports.base import Format, Item, LeftOut, Material, utf8
from agentvid.exports.stills import stills_of
from agentvid.exports.telling import claims_of, facts_of, place_of, short_id
from agentvid.media.cut import encoded
from agentvid.media.types import Frame

_STILL_SIDE = 480
#: A thousand hits are never all in memory as pixels.
_STILLS_AT_ONCE = 64
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a;
  background: #fff; overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; }
figure { margin: 1.5rem 0; } img { max-width: 100%; height: auto; border-radius: 4px; }
blockquote { margin: .3rem 0; padding-left: .8rem; border-left: 3px solid #999; }
.gone, footer { color: #555; font-size: .9rem; }
@media (prefers-color-scheme: dark) { body { color: #eee; background: #161616; } a { color: #8ab4f8; }
  .gone, footer { color: #aaa; } }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
#: Nothing runs and nothing is fetched, whatever stands in the text.
_POLICY = f"default-src 'none'; img-src data:; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'"


def _write(material: Material, file: BinaryIO) -> list[LeftOut]:
    left_out: list[LeftOut] = []
    title = escape(material.title)
    answer = material.answer
    parts = [
        '<!doctype html><html lang="und"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="referrer" content="no-referrer">',
        f"<title>{title}</title><style>{_STYLE}</style></head><body><h1>{title}</h1>",
    ]
    if answer is not None:
        parts.append(f"<p>{escape(answer.text)}</p><ul>")
        parts += [f"<li>{escape(c.text)} {_cited(c.evidence)}: {escape(c.verdict)}</li>" for c in claims_of(material)]
        parts.append(f"</ul><h2>{'Nearest moments' if answer.abstained else 'Evidence'}</h2>")
    file.write(utf8("\n".join(parts)))
    for first in range(0, len(material.items), _STILLS_AT_ONCE):
        items = material.items[first : first + _STILLS_AT_ONCE]
        stills, missing = stills_of(replace(material, items=items), each=1, max_side=_STILL_SIDE)
        reasons = {one.id: one.reason for one in missing}
        for item in items:
            file.write(utf8(_figure(item, material, stills.get(item.id, []), reasons.get(item.id, ""))))
        left_out += [LeftOut(one.id, f"its picture: {one.reason}") for one in missing]
    facts = "".join(f"<li>{escape(fact)}</li>" for fact in facts_of(material))
    file.write(utf8(f"<footer><ul>{facts}</ul></footer></body></html>\n"))
    return left_out


def _cited(evidence: tuple[str, ...]) -> str:
    return " ".join(f'<a href="#{escape(one)}">{escape(one)}</a>' for one in evidence)


def _figure(item: Item, material: Material, frames: list[Frame], reason: str) -> str:
    name, link = escape(short_id(item, material)), material.link(item)
    place = escape(place_of(item, material))
    where = f'<a href="{escape(link)}">{place}</a>' if link else place
    pictures = "".join(
        f'<img alt="frame at {frame.seconds:.3f} s" src="data:image/jpeg;base64,'
        f'{base64.b64encode(encoded(frame.image)).decode()}">'
        for frame in frames
    )
    gone = f'<p class="gone">no picture: {escape(reason)}</p>' if reason else ""
    quote = f"<blockquote>{escape(item.text)}</blockquote>" if item.text else ""
    return (
        f'\n<figure id="{name}">{pictures}{gone}<figcaption><b>{name}</b> {where} {escape(item.track)}{quote}'
        "</figcaption></figure>"
    )


FORMAT = Format(
    name="html",
    suffix=".html",
    media_type="text/html",
    about="one HTML file with stills, which runs no script and loads nothing",
    subjects=frozenset({"answer", "hits", "chapters", "span"}),
    write=_write,
    needs_files=True,
)
