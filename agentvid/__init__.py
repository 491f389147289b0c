"""agentvid: ask long videos questions; every claim of the answer cites the seconds that show it.

from agentvid import Library
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentvid.budget import Budget, Cancel
    from agentvid.config import Settings
    from agentvid.errors import AgentvidError
    from agentvid.library import Library
    from agentvid.models.cassette import Cassette
    from agentvid.reports import IndexReport
    from agentvid.types import Answer, Claim, Evidence, Hit, Moment, Observation, Span, Video

__version__ = "0.1.0"

__all__ = [
    "AgentvidError",
    "Answer",
    "Budget",
    "Cancel",
    "Cassette",
    "Claim",
    "Evidence",
    "Hit",
    "IndexReport",
    "Library",
    "Moment",
    "Observation",
    "Settings",
    "Span",
    "Video",
]

_HOMES = {
    "AgentvidError": "errors",
    "Budget": "budget",
    "Cancel": "budget",
    "Cassette": "models.cassette",
    "IndexReport": "reports",
    "Library": "library",
    "Settings": "config",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import agentvid` stays cheap (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module 'agentvid' has no attribute {name!r}")
    return getattr(importlib.import_module(f"agentvid.{_HOMES.get(name, 'types')}"), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
