"""`agentvid backup` and `agentvid restore`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from agentvid.cli.output import note, print_json
from agentvid.cli.state import AsJson


def backup(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The backup to write.")],
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write the library into one file: catalogue, conversations, learned examples, traces, egress log.

    Others may go on indexing and asking. The videos themselves and the indexes are not in it; the file is read back and
    checked before it gets its name.

    Example: agentvid backup library.backup
    """
    from agentvid.backup import backup as write

    document = write(context.obj.load().settings.library, file, overwrite=force)
    if as_json:
        print_json(document)
        return
    held = f"{document['videos']} video(s), {document['threads']} thread(s), {document['traces']} trace(s)"
    note(f"{document['file']}: {held}, {document['bytes']} bytes, checked")


def restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that `backup` wrote.")],
    library: Annotated[
        Path | None,
        typer.Option("--library", metavar="DIR", help="Directory to make; new, or empty.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a library of a backup, in a directory that is new or empty.

    Every part is checked before the directory appears. The next search makes the indexes again.

    Example: agentvid restore films.backup --library films-again
    """
    from agentvid.backup import restore as read

    state = replace(context.obj, library=library) if library else context.obj
    document = read(file, state.load().settings.library)
    if as_json:
        print_json(document)
        return
    held = f"{document['videos']} video(s), {document['threads']} thread(s), {document['traces']} trace(s)"
    note(f"{document['library']}: {held}, as of {document['made_at']}")
