"""`agentvid eval`: convert published sets, measure retrieval and grounding; answers are in answering.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from agentvid.cli.output import note, print_json, print_table
from agentvid.cli.state import AsJson, Reranker

if TYPE_CHECKING:
    from agentvid.evaluate.queries import Asked
    from agentvid.evaluate.runs import Run, Scorer
    from agentvid.types import Json

eval_ = typer.Typer(
    help="Measure retrieval, grounding and answers on annotated sets.", no_args_is_help=True, rich_markup_mode=None
)

Queries = Annotated[Path, typer.Argument(metavar="QUERIES.jsonl", help="One query with its gold spans per line.")]
Part = Annotated[
    Literal["dev", "test", "all"], typer.Option("--part", help="Only the queries about this half of the videos.")
]
Limit = Annotated[
    int | None, typer.Option("--limit", metavar="N", help="At most N queries, evenly spread.", show_default=False)
]
WithBaselines = Annotated[bool, typer.Option("--baselines", help="Also measure plain methods and chance.")]
Output = Annotated[
    Path | None,
    typer.Option("-o", "--output", metavar="RUN.jsonl", help="Write the first row's hits.", show_default=False),
]
Against = Annotated[
    Path | None,
    typer.Option(metavar="RUN.jsonl", help="Compare the first row with an earlier run.", show_default=False),
]
_RETRIEVAL_COLUMNS = "R@1/0.3 R@1/0.5 R@1/0.7 R@5/0.5 R@10/0.5 R@20/0.5 MRR mIoU IoP video-R@1 misses@20".split()
_GROUNDING_COLUMNS = ("R@1/0.3", "R@1/0.5", "R@1/0.7", "mIoU", "IoP", "empty", "rejected")


@eval_.command()
def convert(
    name: Annotated[str, typer.Argument(metavar="SET", help="Name of a published set.")],
    directory: Annotated[Path, typer.Argument(metavar="DIRECTORY", help="Where the set's own files lie.")],
    to: Annotated[Path, typer.Option("--to", metavar="OUT", help="Directory for the files to import and to measure.")],
    as_json: AsJson = False,
) -> None:
    """Turn a published annotated set into rows to import, queries and questions to measure.

    Example: agentvid eval convert tacos tacos/ --to sets/tacos
    """
    from agentvid.evaluate.convert import convert as convert_set

    document = convert_set(name, directory, to)
    if as_json:
        print_json(document)
        return
    counts = ("videos", "rows", "queries", "questions")
    note(", ".join(f"{document[name]} {name}" for name in counts if document[name]))
    note(f"next: agentvid --library DIR import {document['rows_file']}")


@eval_.command()
def retrieval(
    context: typer.Context,
    queries: Queries,
    part: Part = "all",
    limit: Limit = None,
    single_video: Annotated[
        bool, typer.Option("--single-video", help="Search each query in its own video only.")
    ] = False,
    baselines: WithBaselines = False,
    output: Output = None,
    against: Against = None,
    channel: Annotated[
        Literal["fused", "dense", "lexical", "all"], typer.Option("--channel", help="What to measure.")
    ] = "all",
    reranker: Reranker = None,
    as_json: AsJson = False,
) -> None:
    """Measure search: R@k at IoU 0.3, 0.5, 0.7, MRR, mIoU, IoP, right video, misses, milliseconds.

    Example: agentvid --library films eval retrieval queries.jsonl --part dev --baselines
    """
    from agentvid.evaluate.metrics import retrieval_scores
    from agentvid.evaluate.queries import load_queries
    from agentvid.evaluate.retrieval import retrieval_runs
    from agentvid.evaluate.runs import check_files

    with context.obj.open(flags={"reranker": reranker}) as library:
        check_files(queries, output, against)
        asked = load_queries(library, queries, part=part, limit=limit)
        runs = retrieval_runs(library, asked, channel=channel, is_single_video=single_video, has_baselines=baselines)
        document = _measure(runs, asked, retrieval_scores, output, against)
        notes = [line for line in (library.retriever.note, *library.notes()) if line]
    document |= {"part": part, "single_video": single_video}
    _show(document, _RETRIEVAL_COLUMNS, notes, as_json)


@eval_.command()
def ground(
    context: typer.Context,
    queries: Queries,
    part: Part = "all",
    limit: Limit = None,
    absent: Annotated[
        bool, typer.Option("--absent", help="Ask each query of another video too; nothing is the right answer there.")
    ] = False,
    baselines: WithBaselines = False,
    output: Output = None,
    against: Against = None,
    as_json: AsJson = False,
) -> None:
    """Measure the tool `ground` within each query's own video: R@1 at IoU 0.3, 0.5, 0.7, mIoU, IoP, share empty.

    Example: agentvid --library films eval ground queries.jsonl --absent -o run.jsonl
    """
    from agentvid.evaluate.grounding import grounding_runs
    from agentvid.evaluate.metrics import grounding_scores
    from agentvid.evaluate.queries import load_queries
    from agentvid.evaluate.runs import check_files

    with context.obj.open() as library:
        check_files(queries, output, against)
        asked = load_queries(library, queries, part=part, limit=limit)
        runs = grounding_runs(library, asked, has_absent=absent, has_baselines=baselines)
        document = _measure(runs, asked, grounding_scores, output, against)
        notes = [line for line in (library.retriever.note, *library.notes()) if line]
    document |= {"part": part, "absent": absent}
    _show(document, _GROUNDING_COLUMNS, notes, as_json)


def _measure(
    runs: Iterator[Run], asked: Sequence[Asked], scorer: Scorer, output: Path | None, against: Path | None
) -> Json:
    """Every run as JSON; the first one is also written and compared, before the others take their time."""
    from agentvid.evaluate.runs import compare_with_file, differences_json, run_json, write_run

    first = next(runs)
    comparison = compare_with_file(first, asked, against, scorer).to_json() if against else None
    if output:
        write_run(output, first, asked)
    results = [run_json(first, asked, scorer) | {"differences": None}]
    for run in runs:
        results.append(run_json(run, asked, scorer) | {"differences": differences_json(run, first, asked, scorer)})
    videos = len({one.video.id for one in asked})
    return {"queries": len(asked), "videos": videos, "results": results, "comparison": comparison}


def _show(document: Json, columns: Sequence[str], notes: Sequence[str], as_json: bool) -> None:
    for line in notes:
        note(line)
    if as_json:
        print_json(document)
        return
    shown = [name for name in columns if name in document["results"][0]["metrics"]]
    print_table(("", *shown, "p50 ms", "p95 ms"), [_row(result, shown) for result in document["results"]])
    note(f"{document['queries']} queries about {document['videos']} videos; scores in percent, MRR too")
    if document["comparison"]:
        show_comparison(document["comparison"], document["results"][0]["name"], shown)


def _row(result: Json, columns: Sequence[str]) -> tuple[object, ...]:
    metrics, ms = result["metrics"], result["ms"]
    times = (f"{ms['p50']:.1f}", f"{ms['p95']:.1f}") if ms else ("", "")
    return (result["name"], *(percent(metrics.get(name)) for name in columns), *times)


def show_comparison(comparison: Json, name: str, columns: Sequence[str], *, what: str = "queries") -> None:
    differences: dict[str, Any] = comparison["differences"]
    rows = [
        (
            metric,
            *(percent(differences[metric][key]) for key in ("here", "there", "difference", "low", "high")),
            f"{differences[metric]['p']:.4f}",
        )
        for metric in columns
        if metric in differences
    ]
    print_table((name, "here", "there", "difference", "95 % from", "to", "p"), rows)
    note(f"compared with {comparison['against']} on the {comparison['matched']} {what} that both have")


def percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f}"
