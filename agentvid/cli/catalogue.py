"""`agentvid ls`, `show`, `rm`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from agentvid.cli import completing
from agentvid.cli.output import note, note_failed, print_json, print_line, print_table, print_text
from agentvid.cli.state import AsJson
from agentvid.errors import EXIT_NOTHING_FOUND
from agentvid.text import printable_line, time_range, timestamp
from agentvid.types import OCR, ROLLING, SUBTITLE

if TYPE_CHECKING:
    from agentvid.types import Json

Reference = Annotated[
    str,
    typer.Argument(metavar="VIDEO", help="Id, id prefix, path or file name.", autocompletion=completing.video_names),
]


def ls(context: typer.Context, as_json: AsJson = False) -> None:
    """List the videos of the library, failed ones too.

    Example: agentvid ls --json
    """
    with context.obj.open() as library:
        videos = library.list_videos()
    if as_json:
        print_json({"videos": videos})
        return
    if not videos:
        note("the library is empty - `agentvid index PATH` adds videos")
        return
    print_table(
        ("video", "id", "length", "clips", "tracks", "state"),
        [
            (
                printable_line(video["path"]),
                video["video_id"] or "-",
                timestamp(video["duration"]) if video["duration"] else "-",
                video["clips"],
                ", ".join(f"{track} {count}" for track, count in video["tracks"].items()) or "-",
                video["state"],
            )
            for video in videos
        ],
    )
    for video in videos:
        if video["state"] == "failed":
            note_failed(video["path"], video["error"], video["hint"])


def show(
    context: typer.Context,
    video: Reference,
    track: Annotated[
        str | None,
        typer.Option(
            "--track", metavar="TRACK", help="Only this track.", show_default=False, autocompletion=completing.tracks
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what is known of one video: what it is about, its chapters, and every observation with times.

    Example: agentvid show talk.mp4 --track speech
    """
    with context.obj.open() as library:
        document: Json = library.describe_video(video, track=track)
    if as_json:
        print_json(document)
    else:
        _print_video(document, only_rows=track is not None)
    if track is not None and not document["observations"]:
        note(f"nothing found: no row of the track {track!r}; tracks here: {', '.join(document['tracks']) or 'none'}")
        raise typer.Exit(EXIT_NOTHING_FOUND)


def _print_video(document: Json, *, only_rows: bool) -> None:
    length = timestamp(document["duration"])
    print_line(f"{document['path']}  {document['video_id']}  {length}  {document['state']}")
    print_stale(document["stale"])
    for gap in document["gaps"]:
        print_line(f"gap: {gap['track']} was not read at {time_range(gap['start'], gap['end'])}: {gap['reason']}")
    if not only_rows:
        _print_sections(document["sections"])
    rows = [
        (f"{row['start']:.2f}-{row['end']:.2f}", _track_of(row), row["language"], row["text"])
        for row in document["observations"]
    ]
    if rows:
        print_table(("seconds", "track", "language", "text"), rows)


def _track_of(row: Json) -> str:
    """The track, and of text on screen whether it is burnt-in subtitles or moves."""
    kind = row["attributes"].get("kind") if row["track"] == OCR else None
    return f"{row['track']} ({kind})" if kind in (SUBTITLE, ROLLING) else str(row["track"])


def _print_sections(sections: list[Json]) -> None:
    """What the video is about, and its chapters."""
    for section in sections:
        if section["level"] == "video" and section["text"]:
            print_text(section["text"])
    chapters = [section for section in sections if section["level"] == "chapter"]
    if len(chapters) > 1:
        print_table(
            ("chapter", "about", "what tells most"),
            [(timestamp(chapter["start"]), chapter["title"], chapter["text"]) for chapter in chapters],
        )


def rm(context: typer.Context, video: Reference, as_json: AsJson = False) -> None:
    """Remove one video from the library, or a file that failed; the file itself stays.

    Example: agentvid rm demo.mp4
    """
    with context.obj.open() as library:
        removed = library.remove(video)
    if as_json:
        print_json({"removed": {"video_id": removed.id or None, "path": removed.name}})
    else:
        name = printable_line(removed.name)
        named = f"{name} ({removed.id})" if removed.id else name
        note(f"removed {named} from the library; the file was not touched")


def print_stale(stages: list[Json]) -> None:
    for stage in stages:
        count = f" in {stage['videos']} videos" if stage["videos"] > 1 else ""
        print_line(f"stale: {stage['stage']}{count}: {stage['reason']} - {stage['hint']}")
