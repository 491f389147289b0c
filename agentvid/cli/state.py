"""What the global options say, and how commands open the library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentvid.cli import completing

if TYPE_CHECKING:
    from agentvid.config import LoadedSettings
    from agentvid.library import Library

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Videos = Annotated[
    list[str] | None,
    typer.Option(
        "--video",
        metavar="VIDEO",
        help="Only this video; may repeat.",
        show_default=False,
        autocompletion=completing.video_names,
    ),
]

Reranker = Annotated[
    str | None,
    typer.Option("--reranker", metavar="NAME", help="Rerank hits with this cross-encoder.", show_default=False),
]

Model = Annotated[
    str | None,
    typer.Option("--model", metavar="PROVIDER:NAME", help="Plan and compose with this LLM.", show_default=False),
]

Vision = Annotated[
    str | None,
    typer.Option("--vision", metavar="PROVIDER:NAME", help="Look at frames with this model.", show_default=False),
]

Verify = Annotated[
    str | None,
    typer.Option(
        "--verify", metavar="HOW", help="standard, or strict: probes that drop more claims.", show_default=False
    ),
]

Thread = Annotated[
    str | None,
    typer.Option(
        "--thread",
        metavar="ID",
        help="Go on with this conversation; begins it if it is new.",
        show_default=False,
        autocompletion=completing.thread_ids,
    ),
]


@dataclass(frozen=True, slots=True)
class State:
    """The global flags; None for those not given."""

    library: Path | None
    profile: str | None = None
    offline: bool | None = None

    def load(self, flags: Mapping[str, Any] | None = None) -> LoadedSettings:
        from agentvid.config import load_settings

        given = {"library": self.library, "profile": self.profile, "offline": self.offline}
        return load_settings({**(flags or {}), **given})

    def open(self, *, create: bool = False, flags: Mapping[str, Any] | None = None) -> Library:
        """Open the library; with `create` False a missing one is an error that says how to make one."""
        from agentvid.library import Library

        return Library.open(settings=self.load(flags).settings, create=create)
