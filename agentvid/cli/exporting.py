"""`agentvid play`, `clip`, `export`: evidence leaves the library."""

from __future__ import annotations

import shlex
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentvid.cli import completing
from agentvid.cli.output import note, print_json, print_line, print_table, print_text
from agentvid.cli.state import AsJson, Videos
from agentvid.errors import EXIT_NOTHING_FOUND, EXIT_SOME_FAILED, MediaError, NotFound, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentvid.exports.base import Item, LeftOut, Material, Source
    from agentvid.exports.material import Gatherer
    from agentvid.library import Library

Reference = Annotated[
    str,
    typer.Argument(
        metavar="REF",
        help="last, TRACE, TRACE:e2 or VIDEO@START-END.",
        show_default=False,
        autocompletion=completing.references,
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace files that exist.", show_default=False)]
_STDOUT = "-"


def play(
    context: typer.Context,
    reference: Reference,
    player: Annotated[
        str, typer.Option(metavar="NAME", help="mpv, vlc or ffplay; else the first installed.", show_default=False)
    ] = "",
    prints: Annotated[
        bool, typer.Option("--print", help="Print the player's command line, play nothing.", show_default=False)
    ] = False,
) -> None:
    """Play the seconds of an evidence or of a span in a player.

    Example: agentvid play last:e2
    """
    from agentvid.exports.base import MOMENTS
    from agentvid.exports.player import PLAYERS, installed_player, player_command

    with context.obj.open() as library:
        item, source = _one(_gatherer(library).refer(reference, subjects=MOMENTS))
    chosen = player or installed_player() or (next(iter(PLAYERS)) if prints else "")
    command = player_command(_file_of(source), item.span, player=chosen)
    if prints:
        print_text(shlex.join(command))
        return
    try:
        code = subprocess.run(command, check=False).returncode
    except OSError as error:
        raise MediaError(f"{command[0]} cannot be started: {error.strerror}", hint="choose another --player") from None
    if code:
        raise MediaError(f"{command[0]} ended with exit code {code}", hint="`--print` shows its command line")


def clip(
    context: typer.Context,
    reference: Reference,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="An mp4 file.", show_default=False)
    ] = None,
    max_side: Annotated[
        int | None,
        typer.Option(metavar="PIXELS", min=64, help="Encode, the longer side at most this.", show_default=False),
    ] = None,
    encode: Annotated[
        bool, typer.Option("--encode", help="Encode also what could be copied.", show_default=False)
    ] = False,
    subtitles: Annotated[
        str,
        typer.Option(
            metavar="TRACK",
            help="Write this track's rows beside it, as WebVTT.",
            show_default=False,
            autocompletion=completing.tracks,
        ),
    ] = "",
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Cut the seconds of an evidence or of a span into an mp4, exact to the frame.

    Picture and sound are copied where that is exact, else encoded again; it says which.

    Example: agentvid clip talk.mp4@0:04-0:08 -o launch.mp4
    """
    from agentvid.exports.base import MOMENTS
    from agentvid.exports.clips import clip_name, subtitles_of
    from agentvid.media.cut import clip as cut
    from agentvid.saving import save

    if output and output.suffix.lower() != ".mp4":
        raise UsageError(f"-o {output} is not allowed; allowed: a name that ends in .mp4", hint=f"-o {output}.mp4")
    with context.obj.open() as library:
        gatherer = _gatherer(library)
        material = gatherer.refer(reference, subjects=MOMENTS)
        item, source = _one(material)
        rows = gatherer.track(item.video_id, subtitles) if subtitles else None
    file, target = _file_of(source), output or Path(clip_name(item, material))
    made = cut(file, item.span, target, copy=not encode, max_side=max_side, overwrite=force, limits=source.limits)
    beside = target.with_suffix(".vtt")
    if rows is not None:
        save(beside, subtitles_of(rows, item.span), overwrite=force)
    if as_json:
        document = {"file": str(target), "video": source.name, **item.span.to_json(), **made.to_json()}
        print_json(document | {"subtitles": str(beside) if rows is not None else None})
        return
    print_line(f"{target}: {made.duration_seconds:.3f} s, {made.how}")
    if rows is not None:
        print_line(str(beside))


def export(
    context: typer.Context,
    format_name: Annotated[
        str | None,
        typer.Argument(
            metavar="FORMAT", help="One of `--list`.", show_default=False, autocompletion=completing.formats
        ),
    ] = None,
    reference: Annotated[
        str | None,
        typer.Argument(
            metavar="REF",
            help="last, TRACE, TRACE:e2, VIDEO@START-END or VIDEO.",
            show_default=False,
            autocompletion=completing.references,
        ),
    ] = None,
    track: Annotated[
        str,
        typer.Option(
            metavar="TRACK",
            help="This track of VIDEO, or chapters.",
            show_default=False,
            autocompletion=completing.tracks,
        ),
    ] = "",
    query: Annotated[
        str, typer.Option(metavar="TEXT", help="Export what a search finds, instead of REF.", show_default=False)
    ] = "",
    k: Annotated[int, typer.Option("-k", metavar="N", min=1, help="With --query, so many hits.")] = 10,
    videos: Videos = None,
    output: Annotated[
        str,
        typer.Option("-o", "--output", metavar="FILE", help="A file, or - for stdout; for clips also a folder/."),
    ] = _STDOUT,
    force: Force = False,
    lists: Annotated[bool, typer.Option("--list", help="List the formats.", show_default=False)] = False,
    as_json: AsJson = False,
) -> None:
    """Write evidence, hits, a track or chapters as a file for other programs.

    What a format cannot hold is left out and told, with exit code 4.

    Example: agentvid export vtt talk.mp4 --track speech -o talk.vtt
    """
    from agentvid.exports.registry import find_format

    if lists:
        _print_formats(as_json=as_json)
        return
    if not format_name or bool(reference) == bool(query):
        raise UsageError("export needs a FORMAT and a REF or --query", hint="as in `agentvid export markdown last`")
    subjects = find_format(format_name).subjects
    with context.obj.open() as library:
        gatherer = _gatherer(library)
        if query:
            material = gatherer.hits(query, library.search(query, k=k, videos=videos or ()))
        else:
            material = gatherer.refer(reference or "", track, subjects=subjects)
    text, left_out = _write(format_name, material, output, overwrite=force)
    for one in left_out:
        note(f"left out: {one.id}: {one.reason}")
    if as_json:
        skipped = [{"id": one.id, "reason": one.reason} for one in left_out]
        written = len(material.items) - len(left_out)
        document = {"format": format_name, "file": None if output == _STDOUT else output, "items": written}
        print_json(document | {"left_out": skipped, "text": text})
    elif text is not None:
        _print_exported(text)
    if not material.items:
        note(f"nothing found: {material.title!r} has no {'hits' if query else 'evidence'}")
    if left_out or not material.items:
        raise typer.Exit(EXIT_SOME_FAILED if left_out else EXIT_NOTHING_FOUND)


def _write(
    format_name: str, material: Material, output: str, *, overwrite: bool
) -> tuple[str | None, Sequence[LeftOut]]:
    """(the text for stdout, None if it is in a file, and what was left out)"""
    from agentvid.exports import clips, registry
    from agentvid.saving import saving

    chosen = registry.find_format(format_name)
    if output == _STDOUT:
        if not chosen.is_text:
            raise UsageError(f"{format_name} is not text; allowed: -o FILE", hint=f"as in -o evidence{chosen.suffix}")
        data, left_out = registry.export(format_name, material)
        return data.decode(), left_out
    if chosen is clips.FORMAT and (Path(output).is_dir() or output.endswith("/")):
        chosen.check(material)
        with suppress(OSError):  # writing into it says why there is none
            Path(output).mkdir(exist_ok=True)
        return None, clips.write_folder(material, Path(output), overwrite=overwrite)
    with saving(Path(output), overwrite=overwrite) as file:
        return None, registry.write(format_name, material, file)


def _print_exported(text: str) -> None:
    """To a terminal without what it would obey; elsewhere byte by byte, in UTF-8 whatever the locale is."""
    if sys.stdout.isatty():
        print_text(text.removesuffix("\n"))
    elif (binary := getattr(sys.stdout, "buffer", None)) is not None:
        sys.stdout.flush()
        binary.write(text.encode())
        binary.flush()
    else:  # a caller in this process that collects text
        sys.stdout.write(text)


def _print_formats(*, as_json: bool) -> None:
    from agentvid.exports.registry import formats_json

    formats = formats_json()
    if as_json:
        print_json({"formats": formats})
        return
    rows = [(one["name"], one["suffix"], ", ".join(one["subjects"]), one["about"]) for one in formats]
    print_table(("format", "file", "of", "what it is"), rows)


def _gatherer(library: Library) -> Gatherer:
    from agentvid.exports.material import Gatherer

    return Gatherer(library)


def _one(material: Material) -> tuple[Item, Source]:
    """The first item, and a note if there are more. Raises NotFound for an answer without evidence."""
    if not material.items:
        raise NotFound(f"the answer to {material.title!r} has no evidence", hint="name a span, as in VIDEO@1:15-1:20")
    item = material.items[0]
    if len(material.items) > 1:
        others = ", ".join(other.id for other in material.items[1:4])
        note(f"{item.id} is the first of {len(material.items)}; the others: {others}")
    return item, material.source(item)


def _file_of(source: Source) -> Path:
    if source.file is None:
        raise MediaError(f"{source.title}: {source.problem}")
    return source.file
