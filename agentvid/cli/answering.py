"""`agentvid eval qa`: measure answers on questions whose answers are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentvid.cli.evaluating import Limit, Part, percent, show_comparison
from agentvid.cli.output import note, print_json, print_table
from agentvid.cli.state import AsJson, Model, Reranker
from agentvid.errors import EXIT_INTERRUPTED, EXIT_SOME_FAILED

if TYPE_CHECKING:
    from agentvid.evaluate.qa import Answered
    from agentvid.evaluate.questions import Posed
    from agentvid.library import Library
    from agentvid.types import Json

_COLUMNS = ("accuracy", "accuracy answered", "exact", "F1", "Acc@0.3", "Acc@0.5", "mIoU", "IoP", "abstained")


def qa(
    context: typer.Context,
    questions: Annotated[
        Path, typer.Argument(metavar="QUESTIONS.jsonl", help="One question with its answer per line.")
    ],
    part: Part = "all",
    limit: Limit = None,
    circular: Annotated[
        bool, typer.Option("--circular", help="Multiple choice is right only under every rotation of its options.")
    ] = False,
    baselines: Annotated[
        bool, typer.Option("--baselines", help="Also chance, the longest option, and the option nearest the question.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="RUN.jsonl", help="Write every answer.", show_default=False),
    ] = None,
    against: Annotated[
        Path | None, typer.Option(metavar="RUN.jsonl", help="Compare with an earlier run.", show_default=False)
    ] = None,
    model: Model = None,
    reranker: Reranker = None,
    as_json: AsJson = False,
) -> None:
    """Measure answers: accuracy, evidence that overlaps what shows it, abstentions, cost. Ctrl-C keeps what was done.

    Example: agentvid --library films eval qa questions.jsonl --part dev --circular -o run.jsonl
    """
    from agentvid.evaluate.qa import RunFile, compare_with_run, read_run, summary_json
    from agentvid.evaluate.questions import load_questions

    with context.obj.open(flags={"model": model, "reranker": reranker}) as library:
        posed = load_questions(library, questions, part=part, limit=limit)
        earlier = read_run(against) if against else None
        if output:
            with closing(RunFile(output, questions)) as file:
                answered, interrupted = _answer(library, posed, circular, file.write)
        else:
            answered, interrupted = _answer(library, posed, circular, lambda one: None)
        rows = [] if not answered else [summary_json("planner", answered), *_baselines(library, answered, baselines)]
        notes = library.notes()
    document: Json = {
        "questions": len(answered),
        "asked": len(posed),
        "results": rows,
        "comparison": compare_with_run(answered, earlier, against).to_json()
        if answered and earlier is not None and against
        else None,
        "part": part,
        "circular": circular,
        "interrupted": interrupted,
    }
    _show(document, notes, as_json)
    if interrupted:
        raise typer.Exit(EXIT_INTERRUPTED)
    if rows and rows[0]["failed"]:
        raise typer.Exit(EXIT_SOME_FAILED)


def _answer(
    library: Library, posed: Sequence[Posed], circular: bool, keep: Callable[[Answered], None]
) -> tuple[list[Answered], bool]:
    """What was answered, and whether Ctrl-C came before the end; `keep` gets each answer at once."""
    from agentvid.evaluate.qa import answer_all

    answered: list[Answered] = []
    try:
        for one in answer_all(library, posed, is_circular=circular):
            answered.append(one)
            keep(one)
    except KeyboardInterrupt:
        return answered, True
    return answered, False


def _baselines(library: Library, answered: Sequence[Answered], wanted: bool) -> list[Json]:
    if not wanted:
        return []
    from agentvid.evaluate.qa import baseline_json, choice_baselines
    from agentvid.evaluate.retrieval import open_embedder

    found = choice_baselines([one.posed for one in answered], open_embedder(library))
    return [baseline_json(name, scores) for name, scores in found.items()]


def _show(document: Json, notes: Sequence[str], as_json: bool) -> None:
    for line in notes:
        note(line)
    if document["interrupted"]:
        note(f"interrupted: {document['questions']} of {document['asked']} questions were answered")
    if as_json:
        print_json(document)
        return
    results = document["results"]
    if not results:
        return
    shown = [name for name in _COLUMNS if name in results[0]["metrics"]]
    rows = [
        (result["name"], *(percent(result["metrics"].get(name)) for name in shown), *_costs(result))
        for result in results
    ]
    print_table(("", *shown, "calls", "tokens", "p50 ms"), rows)
    for name in ("kinds", "forms"):
        _show_groups(name, results[0][name], shown)
    note(f"{document['questions']} questions; scores in percent, costs per question")
    if failed := results[0]["failed"]:
        note(f"{failed} questions failed and count as abstained; --output FILE keeps the reasons")
    if document["comparison"]:
        show_comparison(document["comparison"], results[0]["name"], shown, what="questions")


def _show_groups(name: str, groups: Json, columns: Sequence[str]) -> None:
    if len(groups) < 2:
        return
    rows = [
        (group, entry["questions"], *(percent(entry["metrics"].get(column)) for column in columns))
        for group, entry in groups.items()
    ]
    print_table((name, "questions", *columns), rows)


def _costs(result: Json) -> tuple[str, ...]:
    if result["cost"] is None:
        return "", "", ""
    cost = result["cost"]
    tokens = cost["input_tokens"] + cost["output_tokens"]
    return f"{cost['tool_calls']:.1f}", f"{tokens:.0f}", f"{result['ms']['p50']:.1f}"
