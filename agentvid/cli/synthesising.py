"""`agentvid synth`: make videos and libraries whose truth is known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agentvid.cli.output import note, print_json
from agentvid.cli.state import AsJson
from agentvid.errors import UsageError

synth = typer.Typer(help="Make videos and libraries whose truth is known.", no_args_is_help=True, rich_markup_mode=None)


@synth.callback()
def _group() -> None:
    """Keeps `needle` a command of its own while it is the only one."""


@synth.command()
def needle(
    to: Annotated[Path, typer.Option("--to", metavar="OUT", help="Directory for the files.")],
    hours: Annotated[float, typer.Option("--hours", metavar="H", help="How long the video is.")] = 1.0,
    each: Annotated[int, typer.Option("--each", metavar="N", help="Questions of every task.")] = 10,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="The same seed, the same needles.")] = 0,
    haystack: Annotated[
        Path | None,
        typer.Option("--haystack", metavar="ROWS.jsonl", help="Hide them in these texts.", show_default=False),
    ] = None,
    video: Annotated[
        bool, typer.Option("--video", help="Render a video with slides and coloured scenes instead of rows to import.")
    ] = False,
    reworded: Annotated[
        bool, typer.Option("--reworded", help="Ask in words that the embedded planner does not know.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Hide facts to find, order and count in hours of talk, and ask for them by multiple choice.

    Example: agentvid synth needle --to needles --hours 10
    """
    from agentvid.evaluate.needles import make_needles, read_texts, write_text, write_video

    if seed < 0:
        raise UsageError(f"seed {seed} is not allowed; allowed: 0 or more")
    texts = read_texts(haystack) if haystack else ()
    made = make_needles(hours=hours, each=each, seed=seed, texts=texts, is_shown=video, is_reworded=reworded)
    document = write_video(made, to) if video else write_text(made, to)
    if as_json:
        print_json(document)
        return
    note(f"{document['questions']} questions about {document['seconds']:.0f} seconds")
    note(f"next: agentvid --library DIR {'index' if video else 'import'} {document['file']}")
    note(f"then: agentvid --library DIR eval qa {document['questions_file']} --circular")
