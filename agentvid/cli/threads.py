"""`agentvid thread ls`, `show` and `rm`."""

from __future__ import annotations

from typing import Annotated

import typer

from agentvid.cli import completing
from agentvid.cli.output import note, print_json, print_table, print_text, shorten
from agentvid.cli.state import AsJson
from agentvid.errors import EXIT_NOTHING_FOUND

ThreadId = Annotated[
    str, typer.Argument(metavar="ID", help="The name given to ask --thread.", autocompletion=completing.thread_ids)
]

thread = typer.Typer(help="Conversations that `ask --thread` keeps.", no_args_is_help=True, rich_markup_mode=None)


@thread.command("ls")
def thread_ls(context: typer.Context, as_json: AsJson = False) -> None:
    """List conversations, the one asked last first.

    Example: agentvid thread ls
    """
    with context.obj.open() as library:
        found = library.threads()
    if as_json:
        print_json({"threads": found})
    elif found:
        rows = [
            (item["thread"], item["turns"], item["asked_at"][:16].replace("T", " "), shorten(item["question"], 80))
            for item in found
        ]
        print_table(("thread", "questions", "last asked (UTC)", "last question"), rows)
    if not found:
        note("no thread: `agentvid ask --thread ID` begins one")
        raise typer.Exit(EXIT_NOTHING_FOUND)


@thread.command("show")
def thread_show(context: typer.Context, thread_id: ThreadId, as_json: AsJson = False) -> None:
    """Print the questions and answers of a conversation.

    Example: agentvid thread show launch
    """
    with context.obj.open() as library:
        turns = library.thread(thread_id)
    if as_json:
        print_json({"thread": thread_id, "turns": turns})
        return
    for turn in turns:
        print_text(f"? {turn['question']}")
        if turn.get("understood"):
            print_text(f"(read as: {turn['understood']})")
        print_text(turn["answer"])


@thread.command("rm")
def thread_rm(context: typer.Context, thread_id: ThreadId, as_json: AsJson = False) -> None:
    """Forget a conversation; traces of its questions stay.

    Example: agentvid thread rm launch
    """
    with context.obj.open() as library:
        library.remove_thread(thread_id)
    if as_json:
        print_json({"removed": thread_id})
    else:
        note(f"removed thread {thread_id}")
