"""What kind of look a question needs: named in the planner's prompt, read off the program for the trace."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping

from agentvid.types import LOOK, Json

#: Route -> when it is the right one, and how it is programmed.
ROUTES: Mapping[str, str] = {
    "local": "one fact in one place: `search`, then what its moments say.",
    "global": "what all of it is about, chapters, a summary: `read` over stretches, or `search` for each main point.",
    "count": "how many, how often, all of them, never: `list_all` and `count` or `count_events`.",
    "order": "first, last, before, after, while, between: find both events, then compare their times.",
    "ground": "when, or how long: `ground` for tight times; the value is the moment or a number of seconds.",
    "multi-video": "which video, or several videos compared: the same look in each, joined by `+`.",
    "visual": "what is seen rather than said: tracks caption, ocr, fact",
}
_KINDS = {
    "count": "count",
    "list": "count",
    "order": "order",
    "when": "ground",
    "duration": "ground",
    "compare": "multi-video",
    "summary": "global",
    "chapters": "global",
    "excerpt": "local",
}
_ORDER = re.compile(
    r"\b(?:before|after|between|during|overlaps|meets|nearest|next_after|last_before|nth|earliest|latest)\("
)
_LOOKS = re.compile(r"""\b(?:rewatch|look|core_frames)\(|track=["'](?:caption|ocr|fact|object)["']""")
_KIND = re.compile(r"""\bkind=["'](\w+)["']""")
_VIDEO = re.compile(r"""\bvideo=["']([^"']*)["']""")


def route_of(program: str) -> str:
    """The route that a program takes, by what it calls and the kind of its answer."""
    text = re.sub(
        r'(?<==)"[^"\n]*"(?=\s*[,)])', lambda match: match.group() if len(match.group()) < 20 else '""', program
    )
    if len(set(_VIDEO.findall(text))) > 1:
        return "multi-video"
    if _LOOKS.search(text):
        return "visual"
    kind = _KIND.search(text)
    named = _KINDS.get(kind[1], "") if kind else ""
    if not named and "list_all(" in text:
        named = "count"
    if named in ("", "local", "ground") and _ORDER.search(text):
        named = "order"
    return named or "local"


def plan_schema() -> Json:
    """The JSON schema of a plan: the route first, so that it is decided before the program is written."""
    properties = {"route": {"type": "string", "enum": list(ROUTES)}, "program": {"type": "string"}}
    return {
        "title": "plan",
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def described(tools: Container[str]) -> str:
    """One line per route, for the prompt of a run that has these tools."""
    seeing = "; `look` or `rewatch` at the moments found." if LOOK in tools else ". No tool looks at frames."
    return "\n".join(f"- {name}: {what}{seeing if name == 'visual' else ''}" for name, what in ROUTES.items())
