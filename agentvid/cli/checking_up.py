"""`agentvid doctor` and `agentvid doctor sync`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from agentvid.cli import completing
from agentvid.cli.catalogue import print_stale
from agentvid.cli.output import note, print_json, print_line, print_table
from agentvid.cli.state import AsJson
from agentvid.errors import EXIT_NOTHING_FOUND, EXIT_SOME_FAILED, NotFound

if TYPE_CHECKING:
    from agentvid.optional import OptionalPart

doctor = typer.Typer(invoke_without_command=True)


@doctor.callback()
def library(
    context: typer.Context,
    repair: Annotated[bool, typer.Option("--repair", help="Mend what can be mended from the catalogue.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check the library: catalogue, indexes, missing files, what is stale. Exit code 1 if problems remain.

    It also lists what is optional and not installed, and the command that brings it; that is no problem.

    Example: agentvid doctor --repair
    """
    if context.invoked_subcommand:
        return
    from agentvid.library import check_library
    from agentvid.optional import optional_report

    loaded = context.obj.load()
    optional = optional_report(loaded)
    try:
        document = check_library(loaded.settings, repair=repair)
    except NotFound:
        if not as_json:
            _print_missing(optional)
        raise
    document["optional"] = [entry.to_json() for entry in optional]
    if as_json:
        print_json(document)
    else:
        for item in document["repaired"]:
            print_line(f"repaired: {item}")
        for problem in document["problems"]:
            print_line(f"problem: {problem['what']}" + (f" - {problem['hint']}" if problem["hint"] else ""))
        print_stale(document["stale"])
        for line in document["notes"]:
            print_line(f"note: {line}")
        _print_missing(optional)
        note("no problem found" if document["ok"] else f"{len(document['problems'])} problem(s) found")
    if not document["ok"]:
        raise typer.Exit(1)


def _print_missing(optional: Sequence[OptionalPart]) -> None:
    for entry in optional:
        if entry.missing:
            print_line(f"optional: {entry.name} ({entry.purpose}) needs {entry.missing} - {entry.bring}")


@doctor.command()
def sync(
    context: typer.Context,
    videos: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[VIDEO]...",
            help="Only these; all without any.",
            show_default=False,
            autocompletion=completing.video_names,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find subtitles that are shifted against the sound, and say by how much. Nothing is changed.

    Exit code 1 if some are shifted, 3 if no video has both sound and subtitles, 4 if some could not be read.

    Example: agentvid doctor sync talk.mp4
    """
    with context.obj.open() as library:
        document = library.check_sync(videos or ())
    if as_json:
        print_json(document)
    elif document["sources"]:
        print_table(
            ("video", "subtitles", "verdict", "add", "times", "agreement", "confidence"),
            [
                (
                    row["video"],
                    row["subtitles"],
                    row["verdict"],
                    f"{row['shift']:+.2f} s",
                    f"{row['rate']:g}",
                    f"{row['agreement_now']:.2f} -> {row['agreement']:.2f}",
                    f"{row['confidence']:.2f}",
                )
                for row in document["sources"]
            ],
        )
        for row in document["sources"]:
            if row["hint"]:
                note(f"{row['video']}: {row['subtitles']}: {row['hint']}")
    for failed in document["failed"]:
        note(f"failed: {failed['video']}: {failed['error']}")
    shifted = any(row["verdict"] == "shifted" for row in document["sources"])
    if document["failed"]:
        raise typer.Exit(EXIT_SOME_FAILED)
    if not document["sources"]:
        note("agentvid: no video here has both sound and enough subtitles to compare")
        raise typer.Exit(EXIT_NOTHING_FOUND)
    if shifted:
        raise typer.Exit(1)
