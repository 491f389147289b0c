"""`agentvid chat`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from agentvid.cli import completing
from agentvid.cli.state import Model, Reranker, Thread, Verify, Vision
from agentvid.errors import UsageError


def chat(
    context: typer.Context,
    videos: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[VIDEO]...", help="Ask of these only.", show_default=False, autocompletion=completing.video_names
        ),
    ] = None,
    model: Model = None,
    vision: Vision = None,
    verify: Verify = None,
    reranker: Reranker = None,
    thread: Thread = None,
    is_continued: Annotated[
        bool, typer.Option("--continue", "-c", help="Go on with the conversation asked last.")
    ] = False,
    has_pictures: Annotated[
        bool | None,
        typer.Option(
            "--pictures/--no-pictures", help="Draw cited moments, where the terminal can.", show_default=False
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="In a pipe: print one JSON document a line.")] = False,
) -> None:
    """Ask one question after the other; each may refer to those before. /help lists the commands.

    In a pipe: one question a line. The exit code is 3 if no question was answered, 4 if a line failed.

    Example: agentvid chat talk.mp4

    Example: printf 'When is the launch date mentioned?\\nAnd after that?\\n' | agentvid chat --json
    """
    if thread and is_continued:
        raise UsageError("--thread and --continue exclude each other", hint="leave one of them out")
    is_for_people = sys.stdin.isatty() and sys.stdout.isatty()
    if as_json and is_for_people:
        raise UsageError("--json is for pipes", hint="as in: agentvid chat --json < questions.txt")
    flags: dict[str, str | None] = {"model": model, "vision": vision, "verify": verify, "reranker": reranker}
    flags["pictures"] = None if has_pictures is None else "auto" if has_pictures else "none"
    with context.obj.open(flags=flags) as library:
        from agentvid.chat.loop import answer_lines, converse
        from agentvid.chat.session import Session
        from agentvid.chat.terminal import Terminal

        session = Session(library, videos=videos or (), thread=thread or "")
        turns = session.resume_last() if is_continued else session.resume_if_known() if thread else []
        if is_for_people:
            converse(session, Terminal(), turns=turns)
            return
        code = answer_lines(session, sys.stdin.buffer, as_json=as_json)
    if code:
        raise typer.Exit(code)
