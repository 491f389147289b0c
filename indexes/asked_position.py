"""Where in its video a query wants the moment to be, if it says so: "at the beginning", "in the middle", "finally".

Known by English words. What is at the end of a table, a road or a day says nothing about time in the video.
"""

from __future__ import annotations

import re

#: "... of the video": of anything else, the words mean a place or a phrase.
_OF_THE_VIDEO = (
    r"(?!\s+of\b(?!\s+(?:the|this|that|a|his|her|their|its)\s+(?:\w+\s+)?(?:video|clip|film|movie|episode|scene|show"
    r"|recording|footage|game|match|race|lecture|talk|lesson|meeting|interview|song|dance|performance|tutorial)\b))"
)
_NEAR = r"\b(?:at|in|near|around|by|towards?|from|during)\s+the\s+(?:very\s+)?"
_FORMS = {
    0.0: rf"{_NEAR}(?:beginning|start)\b{_OF_THE_VIDEO}|\bat\s+first\b(?!\s+(?:sight|glance|base))|\binitially\b"
    r"|\bto\s+(?:begin|start)\s+with\b|\bfirst\s+(?:few\s+|\d+\s+)?(?:seconds|minutes?)\b",
    0.5: rf"{_NEAR}middle\b{_OF_THE_VIDEO}|\bhalfway\s+(?:through|in)\b",
    1.0: rf"{_NEAR}end\b{_OF_THE_VIDEO}|\bfinally\b|\beventually\b|\bat\s+last\b"
    r"|\blast\s+(?:few\s+|\d+\s+)?(?:seconds|minutes?)\b",
}
_PATTERNS = {position: re.compile(form, re.IGNORECASE) for position, form in _FORMS.items()}
_QUOTED = re.compile(r'"[^"]*"')


def asked_position(query: str) -> float | None:
    """Share of the video's length where the middle of the moment should be; None if nothing or several are asked."""
    text = _QUOTED.sub(" ", query)
    found = [position for position, pattern in _PATTERNS.items() if pattern.search(text)]
    return found[0] if len(found) == 1 else None
