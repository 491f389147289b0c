"""`agentvid eval calibration`: is the confidence of answers a probability?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agentvid.cli.evaluating import Limit, Part, Queries
from agentvid.cli.output import note, print_json, print_table
from agentvid.cli.state import AsJson
from agentvid.types import Json


def calibration(
    context: typer.Context,
    queries: Queries,
    part: Part = "all",
    limit: Limit = None,
    absent: Annotated[
        bool, typer.Option("--absent", help="Ask each query of another video too; no answer is right there.")
    ] = False,
    pooled: Annotated[
        list[Path] | None,
        typer.Option(
            "--with",
            metavar="ANSWERS.jsonl",
            help="Add the --part of answers written earlier; repeat.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="ANSWERS.jsonl", help="Write the judged answers.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure how often answers of each confidence are right: reliability, ECE, Brier, risk by coverage.

    Example: agentvid --library films eval calibration queries.jsonl --absent -o answers.jsonl
    """
    from agentvid.evaluate.calibration import calibration_json, judge_answers, read_judged, write_judged
    from agentvid.evaluate.queries import load_queries

    earlier = [one for file in pooled or () for one in read_judged(file) if part in ("all", one.part)]
    with context.obj.open() as library:
        judged = list(judge_answers(library, load_queries(library, queries, part=part, limit=limit), has_absent=absent))
        notes = library.notes()
    if output:
        write_judged(output, judged)
    document = calibration_json([*judged, *earlier])
    for line in notes:
        note(line)
    if as_json:
        print_json(document)
    else:
        _show(document)


def _show(document: Json) -> None:
    rows = [
        (f"{one['low']:.1f}-{one['high']:.1f}", one["count"], f"{one['confidence']:.3f}", f"{one['right']:.3f}")
        for one in document["reliability"]
    ]
    print_table(("confidence", "answers", "mean", "right"), rows)
    print_table(("coverage", *document["risk"]), [("wrong", *(f"{risk:.3f}" for risk in document["risk"].values()))])
    asked, elsewhere = document["asked"], document["absent_answered"]
    note(f"{document['answered']} answers to {asked} questions, {elsewhere} of them from other videos")
    note(f"right {document['right']:.3f}, ECE {document['ECE']:.3f}, Brier {document['Brier']:.3f}")
    if held := document["held_out"]:
        maps = [(name, f"{m['ECE']:.3f}", f"{m['Brier']:.3f}") for name, m in held["maps"].items()]
        print_table(("on the test half, fitted on dev", "ECE", "Brier"), maps)
        note(f"Platt: slope {held['slope']}, intercept {held['intercept']}")
