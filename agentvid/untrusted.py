"""Text that strangers wrote, inside a prompt: made inert, quoted on one line, fenced by a marker nobody can know.

Subtitles, on-screen text, titles and file names enter prompts through here and nowhere else: `prompts.render` takes the
values of such variables only as `Fenced`. A model may still believe what it reads ("spotlighting", Hines et al., arXiv
2403.14720, lowers that and does not end it); what it may then do is bounded by the scope, the language and the check.
"""

from __future__ import annotations

import json
import re
import secrets
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field

from agentvid.text import clean_text

_ROLES = "system|assistant|user|human|developer|tool|function|ipython|model"
_TAGS = (
    rf"{_ROLES}|s|bos|eos|think|thinking|instructions?|evidence|context|document|observation|result"
    r"|(?:tool|function)[ _-]?(?:calls?|results?|responses?|outputs?|use)|invoke|parameter|(?:start|end)_of_\w+"
)
#: What chat templates, agents' transcripts and our own fence give a meaning to; looked for after NFKC, so that
#: full-width and other look-alikes count as what a tokenizer may fold them to.
_SPECIAL = re.compile(
    rf"""<\s*\||\|\s*>                                # <|im_start|>, <|eot_id|>
    | <<[^<>]{{1,80}}>>                               # <<SYS>>, and anything that looks like our marker
    | <\s*/?\s*(?:\w+:)?(?:{_TAGS})\b[^<>]{{0,80}}>            # <s>, </tool_result>, <start_of_turn>
    | \[\s*/?\s*(?:inst|sys|system|bos|eos|(?:tool|available)_\w+)\s*\]      # [INST], [TOOL_RESULTS]
    | `{{3,}} | ~{{3,}}                               # fences of Markdown
    | (?:^|(?<=[.!?:;"'”»)\]}}]\s)|(?<=[\#*]))\s*(?:{_ROLES})\s*:            # a transcript's next speaker
    """,
    re.VERBOSE | re.IGNORECASE,
)
_NEUTRAL = str.maketrans({"<": "‹", ">": "›", "|": "¦", "[": "(", "]": ")", "`": "'", "~": "-", ":": " -"})
_JOINERS = re.compile("[\u200c\u200d]")


class Fenced(str):
    """Lines between two lines of a marker; only `Fence.wrap` makes them."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Fence:
    """The marker of one run: random, so that no text which existed before can hold it."""

    marker: str = field(default_factory=lambda: f"<<{secrets.token_hex(12)}>>")

    def wrap(self, lines: Iterable[str]) -> Fenced:
        """The lines between two markers, each kept on one line; a marker inside of one is taken out."""
        inside = [" ".join(line.replace(self.marker, " ").split()) for line in lines]
        return Fenced("\n".join([self.marker, *inside, self.marker]))


def quoted(text: str, *, limit: int) -> str:
    """At most `limit` characters as one line in double quotes (JSON): no text can end them or begin a new line."""
    return json.dumps(inert(clean_text(text, limit=limit)), ensure_ascii=False)


def inert(text: str) -> str:
    """`text` without special tokens, roles, fences and tags of prompts, whatever they are written with.

    Only text that holds such a thing is changed (and then NFKC-normalised): all other stays as it can be quoted.
    """
    folded = unicodedata.normalize("NFKC", _JOINERS.sub("", text))
    if not _SPECIAL.search(folded):
        return text
    # Until nothing changes: what is taken apart must not make another one.
    while _SPECIAL.search(folded):
        folded = _SPECIAL.sub(lambda match: match.group().translate(_NEUTRAL), folded)
    return folded
