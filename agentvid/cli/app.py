"""The Typer app: global options and the list of commands, one group of them per file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agentvid import __version__
from agentvid.cli import (
    agents,
    answering,
    calibrating,
    catalogue,
    chatting,
    checking_up,
    evaluating,
    examples,
    exporting,
    finding,
    indexing,
    keeping,
    leaving,
    serving,
    settings,
    skill,
    synthesising,
    threads,
    traces,
)
from agentvid.cli.state import State

# Plain help: Rich's takes longer to import than all the rest of `--help`.
app = typer.Typer(
    name="agentvid",
    help="Ask long videos questions; every claim of the answer cites the seconds that show it.",
    epilog="Exit codes: 0 ok, 1 error, 2 usage, 3 nothing found, 4 some items failed, 130 interrupted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"agentvid {__version__}")
        raise typer.Exit


@app.callback()
def start(
    context: typer.Context,
    library: Annotated[
        Path | None, typer.Option("--library", metavar="DIR", help="Directory of the library.", show_default=False)
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option("--profile", metavar="NAME", help="Models: lite, cpu, gpu or api.", show_default=False),
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Download nothing, ask no provider.", show_default=False)
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Global options; the library's directory is --library, else $AGENTVID_LIBRARY, else the user's data directory."""
    context.obj = State(library, profile, offline or None)


for command in (
    indexing.index,
    indexing.import_,
    catalogue.ls,
    catalogue.show,
    catalogue.rm,
    finding.search,
    finding.ask,
    chatting.chat,
    finding.program,
    exporting.play,
    exporting.clip,
    exporting.export,
    serving.serve,
    agents.mcp,
    skill.skill,
    keeping.backup,
    keeping.restore,
    settings.models,
    leaving.egress,
):
    app.command(name=command.__name__.rstrip("_"))(command)
app.add_typer(settings.config, name="config")
app.add_typer(checking_up.doctor, name="doctor")
app.add_typer(traces.trace, name="trace")
app.add_typer(threads.thread, name="thread")
evaluating.eval_.command()(answering.qa)
evaluating.eval_.command()(calibrating.calibration)
app.add_typer(examples.examples, name="examples")
app.add_typer(evaluating.eval_, name="eval")
app.add_typer(synthesising.synth, name="synth")
