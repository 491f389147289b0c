"""What kind of moment a query asks for: how long an answer is depends on it.

A fact is said in one sentence, steps take half a minute, a discussion minutes. Known by a few English words at the
beginning of the query, or anywhere in it for discussions; a query that has none of them is a description of what is to
be seen or heard, as is every query in another language.
"""

from __future__ import annotations

import re

DESCRIPTION = "description"
#: Kinds other than a description, in the order in which they are looked for.
PROCEDURE, DISCUSSION, REASON, FACT = KINDS = ("procedure", "discussion", "reason", "fact")

_FORMS = {
    PROCEDURE: re.compile(
        r"(?:so |and )?(?:how (?:do|can|could|should|would|did) (?:i|you|we|one)\b|how (?:to|i)\b"
        r"|(?:can|could|do|should) (?:i|you|we)\b|what(?:'s| is| are) the (?:steps?|way|process|procedure)\b)"
    ),
    DISCUSSION: re.compile(
        r"(?:please )?(?:summari[sz]e|outline|recap)\b"
        r"|(?:what|which|why|how|did|do|does|was|were|who|when)\b.*\b(?:discuss|summar|opinion|overview|topic|conclu"
        r"|decid|decision|think|thought|talk\w* (?:about|of)\b|attitude|agree|argu|explain|suggest|recommend|ideas?\b"
        r"|views?\b|concern)"
    ),
    REASON: re.compile(r"why\b|what .*\b(?:purpose|reason|point)\b"),
    FACT: re.compile(
        r"(?:who|where|when|which|how|is|are|was|were|did|does|do)\b"
        r"|what (?:colou?r|kind|time|is|does|did|was)\b"
    ),
}


def question_kind(query: str) -> str:
    """One of KINDS, or DESCRIPTION."""
    text = " ".join(query.casefold().split())
    return next((kind for kind in KINDS if _FORMS[kind].match(text)), DESCRIPTION)
