"""Who rows of speech name as their speaker: in an attribute, or by a label before the words ("ANNA: Good morning")."""

from __future__ import annotations

import re
from collections.abc import Iterable

from agentvid.text import clean_text
from agentvid.tools.base import ToolContext
from agentvid.tools.rows import rows_at
from agentvid.types import SPEECH, Observation

#: At most four words, each with a capital.
_LABEL = re.compile(r"\s*(?:[-–—]|>>)?\s*([^\W\d_a-z][\w.'’-]*(?: [^\W_a-z][\w.'’-]*){0,3}):(?=\s)")
#: "Remember: ..." looks like a label; names in such writing stand before this share of a video's rows at least.
_LABELLED_SHARE = 0.5


#: "My name is Anna Smith", "I'm Chef Tom": one to three words with a capital, none of which begins a sentence.
#: "I'm Ok" names nobody.
_INTRODUCED = re.compile(
    r"\b(?:[Mm]y name(?:['’]s| is)|I['’]m|I am|[Tt]his is)(?! O[Kk](?:ay)?\b)"
    r"((?: (?:Dr\.|Mr\.|Mrs\.|Ms\.|[^\W\d_a-z][\w'’-]+)){1,3})"
    r"(?=[,.!]|$| (?:and|from|with|here|speaking|your)\b)"
)


def introductions(rows: Iterable[Observation]) -> list[tuple[str, Observation]]:
    """(name, row) where speakers say who they are, each name once."""
    found: dict[str, Observation] = {}
    for row in rows:
        if row.track == SPEECH and (said := _INTRODUCED.search(row.text)):
            found.setdefault(said[1].strip(), row)
    return list(found.items())


class Speakers:
    """Reads names off rows; a label that is not in capitals counts in videos whose rows mostly have one."""

    def __init__(self, context: ToolContext) -> None:
        self._context = context
        self._labelled: dict[str, bool] = {}

    def of(self, video_id: str, rows: Iterable[Observation]) -> tuple[str, ...]:
        """The names, each once, in the order of the rows."""
        names = (self._name(video_id, row) for row in rows if row.track == SPEECH)
        return tuple(dict.fromkeys(name for name in names if name))

    def _name(self, video_id: str, row: Observation) -> str:
        if name := row.attributes.get("speaker"):
            return clean_text(str(name), limit=100)
        label = _LABEL.match(row.text)
        return label[1] if label and (label[1].isupper() or self._is_labelled(video_id)) else ""

    def _is_labelled(self, video_id: str) -> bool:
        if video_id not in self._labelled:
            rows = rows_at(self._context, video_id, self._context.scope[video_id].span, SPEECH)
            found = sum(_LABEL.match(row.text) is not None for row in rows)
            self._labelled[video_id] = found >= _LABELLED_SHARE * len(rows)
        return self._labelled[video_id]
