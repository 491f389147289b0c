"""`agentvid examples ls`, `check`, `rm` and `refine`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentvid.cli.evaluating import Limit, percent
from agentvid.cli.output import note, print_json, print_table, print_text, shorten
from agentvid.cli.state import AsJson, Model
from agentvid.errors import EXIT_NOTHING_FOUND

if TYPE_CHECKING:
    from agentvid.planners.bank import Form
    from agentvid.types import Json

EXIT_WRONG = 1
examples = typer.Typer(
    help="Questions with their programs, which planners follow.", no_args_is_help=True, rich_markup_mode=None
)
BankFile = Annotated[Path, typer.Argument(metavar="FILE", help="A bank of examples, in YAML.")]


@examples.command("ls")
def examples_ls(
    context: typer.Context,
    shipped: Annotated[bool, typer.Option("--all", help="Also the shipped ones.")] = False,
    as_json: AsJson = False,
) -> None:
    """List what this library learned, and the bank that the setting `examples` names.

    Example: agentvid examples ls --all
    """
    from agentvid.planners.bank import load_bank

    with context.obj.open() as library:
        own = [form for form in library.bank.forms if shipped or form.id not in load_bank().by_id]
        found = [*library.examples(), *own]
    if as_json:
        print_json({"examples": [_json(form) for form in found]})
    elif found:
        rows = [(form.id, shorten(form.examples[0].text, 60), shorten(form.program.strip(), 90)) for form in found]
        print_table(("example", "question", "program"), rows)
    if not found:
        note("no example of your own: an LLM's repaired programs become some, `agentvid examples refine` makes others")
        raise typer.Exit(EXIT_NOTHING_FOUND)


@examples.command("check")
def examples_check(file: BankFile, as_json: AsJson = False) -> None:
    """Check a bank file: one line for every fault, exit code 1 if there is one.

    Example: agentvid examples check bank.yaml
    """
    from agentvid.planners.example_files import check_examples

    faults = check_examples(file)
    if as_json:
        print_json({"ok": not faults, "faults": faults})
    else:
        for fault in faults:
            print_text(fault)
    if faults:
        raise typer.Exit(EXIT_WRONG)
    note(f"{file} is right")


@examples.command("rm")
def examples_rm(
    context: typer.Context,
    example: Annotated[str, typer.Argument(metavar="ID", help="A learned example, or the beginning of its id.")],
    as_json: AsJson = False,
) -> None:
    """Forget an example that this library learned.

    Example: agentvid examples rm learned-20261120
    """
    with context.obj.open() as library:
        removed = library.remove_example(example)
    if as_json:
        print_json({"removed": removed})
    else:
        note(f"removed {removed}")


@examples.command("refine")
def examples_refine(
    context: typer.Context,
    questions: Annotated[
        Path, typer.Argument(metavar="QUESTIONS.jsonl", help="One question with its answer per line, as for eval qa.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write the bank to this file; else it is lost.", show_default=False),
    ] = None,
    limit: Limit = None,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Make examples from questions that are answered wrongly; keep those with which more are answered rightly.

    One half of the questions makes examples, the other half judges them. With a model programs are written anew and
    repaired by feedback; without one the programs of the shipped forms are tried.

    Example: agentvid --library films examples refine questions.jsonl --out bank.yaml
    """
    from agentvid.evaluate.questions import load_questions
    from agentvid.evaluate.refine import refine, write_bank
    from agentvid.planners.example_files import read_examples

    with context.obj.open(flags={"model": model}) as library:
        posed = load_questions(library, questions, limit=limit)
        refined = refine(library, posed, progress=_progress if sys.stderr.isatty() else None)
        own = library.settings.examples
        base = read_examples(Path(own).expanduser()) if own else []
        if out and refined.kept:
            write_bank(out, base, refined)
        notes = library.notes()
    document: Json = refined.to_json() | {"file": str(out) if out and refined.kept else None}
    for line in notes:
        note(line)
    if as_json:
        print_json(document)
    else:
        halves = {"refining": "questions that made examples", "held_out": "questions held out"}
        rows = [
            (name, document[half]["questions"], percent(document[half]["before"]), percent(document[half]["after"]))
            for half, name in halves.items()
        ]
        print_table(("", "questions", "right before", "right after"), rows)
    if not refined.kept:
        why = "all were answered rightly" if not refined.tried else "none was found that helps"
        note(f"no new example: {why}")
        raise typer.Exit(EXIT_NOTHING_FOUND)
    note(f"{len(refined.kept)} new examples, {refined.rejected} rejected")
    note(f"use them: AGENTVID_EXAMPLES={out} agentvid ask ..." if out else "--out FILE keeps them")


def _progress(stage: str, done: int, total: int) -> None:
    note(f"{stage}: {done} of {total}")


def _json(form: Form) -> Json:
    from agentvid.planners.example_files import entry_of

    return entry_of(form)
