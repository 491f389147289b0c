"""`agentvid trace ls`, `show` and `replay`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from agentvid.cli import completing
from agentvid.cli.output import note, print_json, print_table, print_text, shorten
from agentvid.cli.state import AsJson
from agentvid.errors import EXIT_NOTHING_FOUND

if TYPE_CHECKING:
    from agentvid.replay import Replay

EXIT_DIFFERENT = 1
TraceId = Annotated[
    str,
    typer.Argument(
        metavar="ID", help="A trace id, its unique beginning, or last.", autocompletion=completing.trace_names
    ),
]

trace = typer.Typer(
    help="Look at what earlier runs did, and run them again.", no_args_is_help=True, rich_markup_mode=None
)


@trace.command("ls")
def trace_ls(
    context: typer.Context,
    limit: Annotated[int, typer.Option("-n", metavar="N", min=1, help="The newest N.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List stored runs, newest first.

    Example: agentvid trace ls -n 5
    """
    from agentvid.trace import list_traces

    found = list_traces(context.obj.load().settings.library, limit=limit)
    if as_json:
        print_json({"traces": found})
    elif found:
        columns = ("trace", "outcome", "seconds", "question", "answer")
        rows = [
            (
                item["trace_id"],
                item["outcome"],
                f"{item['seconds']:.1f}",
                shorten(item["question"], 60),
                shorten(item["text"], 60),
            )
            for item in found
        ]
        print_table(columns, rows)
    if not found:
        note("no trace: `agentvid ask` leaves one for every question")
        raise typer.Exit(EXIT_NOTHING_FOUND)


@trace.command("show")
def trace_show(
    context: typer.Context,
    trace_id: TraceId,
    as_json: AsJson = False,
) -> None:
    """Show the stored run of a question: program, typed steps, evidence.

    Example: agentvid trace show last
    """
    from agentvid.trace import read_trace

    document = read_trace(context.obj.load().settings.library, trace_id)
    if as_json:
        print_json(document)
        return
    print_text(f"{document['trace_id']}  {document['question']}")
    for line in document["program"].splitlines():
        print_text(f"    {line}")
    for step in document["steps"]:
        print_text(f"{step['name'] or 'result'}: {step['type']} = {shorten(step['value'])}")
    print_text(f"answer: {document['answer']}" if "answer" in document else f"failed: {document['error']}")


@trace.command("replay")
def trace_replay(context: typer.Context, trace_id: TraceId, as_json: AsJson = False) -> None:
    """Run a stored question again, offline, with the recorded replies of the LLM; exit code 1 if the answer differs.

    Example: agentvid trace replay last --json
    """
    with context.obj.open() as library:
        replay = library.replay(trace_id)
    if as_json:
        print_json(replay.to_json())
    else:
        _print_replay(replay)
    if not replay.is_same:
        raise typer.Exit(EXIT_DIFFERENT)


def _print_replay(replay: Replay) -> None:
    print_text(f"{replay.trace_id}: {'the same answer' if replay.is_same else 'another answer'}")
    for change in replay.changes:
        print_text(f"changed: {change}")
    for item in replay.differences:
        print_text(f"{item['path']}: {shorten(item['recorded'])} -> {shorten(item['replayed'])}")
