"""`agentvid index --estimate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

from agentvid.cli.output import note, print_json, print_text
from agentvid.cli.state import State
from agentvid.errors import EXIT_SOME_FAILED, NotFound
from agentvid.text import timestamp

if TYPE_CHECKING:
    from agentvid.estimate import Estimate


def show_estimate(state: State, paths: Sequence[str], flags: Mapping[str, Any], *, as_json: bool) -> None:
    """Print what captions of these files would cost. Neither makes nor changes a library."""
    from agentvid.estimate import estimate

    try:
        with state.open(flags=flags) as library:
            found = library.estimate(paths)
    except NotFound:
        found = estimate(paths, state.load(flags).settings, None)
    for failed in found.failed:
        note(f"failed: {failed[0]}: {failed[1].removeprefix(failed[0] + ': ')}")
    if as_json:
        print_json(found.to_json())
    else:
        print_text("\n".join(_lines(found)))
    if found.failed:
        raise typer.Exit(EXIT_SOME_FAILED)


def _lines(found: Estimate) -> list[str]:
    least, likely, most = found.calls
    if not most:
        why = "all captions are there" if found.known else "no captions are made while indexing"
        return [f"{found.videos} video(s), {timestamp(found.seconds)}: {why}, so no model is called"]
    unknown = f"unknown: no price is set for {found.model}"
    seconds = found.caption_seconds
    return [
        f"{found.videos} video(s), {timestamp(found.seconds)}, captions by {found.model}",
        f"calls:  about {likely:,}, at least {least:,}, at most {most:,}; {found.known:,} captions are there already",
        f"tokens: about {found.input_tokens:,} read and {found.output_tokens:,} written",
        f"money:  {unknown if found.money is None else f'about {found.money:.2f}'}",
        f"time:   {'unknown: the provider was not asked' if seconds is None else f'about {timestamp(seconds)}'}"
        " for captions, while the files are decoded",
        f"disk:   about {found.disk_bytes / 1e6:.1f} MB for captions",
    ]
