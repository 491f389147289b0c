"""`agentvid index` and `agentvid import`."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from agentvid.cli.estimating import show_estimate
from agentvid.cli.output import note, note_failed, print_json, print_table
from agentvid.cli.state import AsJson, State
from agentvid.errors import EXIT_NOTHING_FOUND, EXIT_SOME_FAILED
from agentvid.text import shown_name, timestamp
from agentvid.types import Json

if TYPE_CHECKING:
    from agentvid.adding import Progress
    from agentvid.reports import IndexReport

#: Tracks that took less are not named.
_WORTH_TELLING_SECONDS = 0.05

Embed = Annotated[
    bool | None,
    typer.Option("--embed/--no-embed", help="Embed text; without, search is lexical.", show_default=False),
]

Digests = Annotated[
    str | None,
    typer.Option(metavar="HOW", help="rows, or model: --model tells of chapters in its words.", show_default=False),
]
Model = Annotated[
    str | None, typer.Option(metavar="PROVIDER:NAME", help="The LLM of --digests model.", show_default=False)
]


def index(
    context: typer.Context,
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Video files, and directories of them.")],
    ocr: Annotated[bool | None, typer.Option("--ocr/--no-ocr", help="Read on-screen text.", show_default=False)] = None,
    asr: Annotated[
        str | None,
        typer.Option(metavar="KIND:MODEL", help="Hear videos without subtitles by this model.", show_default=False),
    ] = None,
    embed: Embed = None,
    embedder: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="minilm, or a sentence-transformers model.", show_default=False),
    ] = None,
    frame_embedder: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Embed frames with this CLIP-like model too.", show_default=False),
    ] = None,
    digests: Digests = None,
    model: Model = None,
    fast: Annotated[
        bool | None,
        typer.Option("--fast/--every-frame", help="Decode key frames only: quick and coarser.", show_default=False),
    ] = None,
    captions: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="none, lazy: where questions land, or all.", show_default=False),
    ] = None,
    captions_model: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Who writes them: provider:name, or hf:NAME.", show_default=False),
    ] = None,
    is_estimate: Annotated[bool, typer.Option("--estimate", help="Only tell what captions would cost.")] = False,
    as_json: AsJson = False,
) -> None:
    """Read videos into the library. Files already indexed are skipped, so run it again after an interruption.

    Example: agentvid index talks/ demo.mp4
    """
    state: State = context.obj
    flags = {
        "frame_embedder": frame_embedder,
        "asr": asr,
        "ocr": ocr,
        "embed": embed,
        "embedder": embedder,
        "digests": digests,
        "model": model,
        "fast": fast,
    }
    flags |= {"captions": captions, "captions_model": captions_model}
    if is_estimate:
        show_estimate(state, paths, flags, as_json=as_json)
        return
    with (
        state.open(create=True, flags=flags) as library,
        _progress() as progress,
        _kept_on_interrupt(),
    ):
        report = library.add(paths, progress=progress)
    _finish(report, as_json)


def import_(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE.jsonl", help="One observation per line; - is stdin.")],
    embed: Embed = None,
    digests: Digests = None,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Import transcripts, captions or detections made elsewhere as text-only videos.

    Each line: {"video": name, "duration": s, "track": "speech", "start": s, "end": s, "text": "..."}

    Example: agentvid import rows.jsonl
    """
    state: State = context.obj
    flags = {"embed": embed, "digests": digests, "model": model}
    with state.open(create=True, flags=flags) as library, _progress() as progress, _kept_on_interrupt():
        report = library.import_file(sys.stdin.buffer if file == "-" else file, progress=progress)
    _finish(report, as_json)


def _finish(report: IndexReport, as_json: bool) -> None:
    from agentvid.adding import EMPTY_DIRECTORY

    for warning in report.warnings:
        note(f"warning: {warning}")
    if as_json:
        print_json(report.to_json())
    else:
        _print_report(report)
    if report.failed or report.partial:
        raise typer.Exit(EXIT_SOME_FAILED)
    if not report.indexed and all(item["reason"] == EMPTY_DIRECTORY for item in report.skipped):
        note("agentvid: no video found - name a file, or a directory that holds .mp4, .mkv, .webm ... files")
        raise typer.Exit(EXIT_NOTHING_FOUND)


def _print_report(report: IndexReport) -> None:
    from agentvid.adding import UNCHANGED

    if report.indexed:
        rows = [
            (
                shown_name(item["path"]),
                item["video_id"],
                timestamp(item["duration"]),
                item["clips"],
                ", ".join(f"{track} {count}" for track, count in sorted(item["observations"].items())) or "-",
            )
            for item in report.indexed
        ]
        print_table(("video", "id", "length", "clips", "observations"), rows)
        if efforts := _efforts(report.indexed):
            note(f"reading took: {efforts}")
    for item in report.partial:
        gaps = f"{item['gaps']} gap{'s' if item['gaps'] > 1 else ''} of {item['seconds']:g} s"
        note(f"partial: {item['path']}: track {item['track']}: {gaps}: {item['reason']}")
    for item in report.skipped:
        if item["reason"] != UNCHANGED:
            note(f"skipped: {item['path']}: {item['reason']}")
    for item in report.failed:
        note_failed(item["path"], item["error"], item["hint"])
    counts = f"{len(report.indexed)} indexed, {len(report.skipped)} skipped, {len(report.failed)} failed"
    note(f"{counts} in {report.seconds:.1f} s")


def _efforts(indexed: Sequence[Json]) -> str:
    """Of all videos together, the seconds of each track that took any, most first."""
    totals: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for item in indexed:
        for track, effort in item["effort"].items():
            for name, value in effort.items():
                totals[track][name] += value
    shown = sorted(totals.items(), key=lambda pair: -pair[1]["seconds"])
    return ", ".join(_effort(track, total) for track, total in shown if total["seconds"] >= _WORTH_TELLING_SECONDS)


def _effort(track: str, total: Mapping[str, float]) -> str:
    share = f" (found on {total['held']:g} of {total['pictures']:g} pictures)" if "pictures" in total else ""
    return f"{track} {total['seconds']:.1f} s{share}"


@contextmanager
def _kept_on_interrupt() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        note("interrupted: videos that were finished are kept; run the same command again to go on")
        raise


@contextmanager
def _progress() -> Iterator[Progress]:
    """A bar with the time left on a terminal; one line per file elsewhere."""
    if not sys.stderr.isatty():
        yield _line_per_file()
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=None)
        current = ""

        def show(path: str, stage: str, done: float, total: float) -> None:
            nonlocal current
            if path != current:
                current = path
                bar.reset(task)
            description = f"{shown_name(path)[:40]} {stage}"
            bar.update(task, description=description, completed=done, total=max(total, done, 0.001))

        yield show


def _line_per_file() -> Progress:
    seen = ""

    def show(path: str, stage: str, done: float, total: float) -> None:
        nonlocal seen
        if path != seen and stage != "import":
            seen = path
            note(f"indexing {path}")

    return show
