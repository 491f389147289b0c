"""`agentvid skill`: the file that tells agents how to use this command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agentvid.cli.output import print_json, print_text
from agentvid.cli.state import AsJson

FILE = Path(__file__).parents[1] / "skill" / "SKILL.md"


def skill(
    show_path: Annotated[bool, typer.Option("--path", help="Print the folder that holds it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print the skill file for agents: how to use these commands, read their JSON and cite seconds.

    Example: agentvid skill

    Example: agentvid skill --path
    """
    text = FILE.read_text("utf-8")
    if as_json:
        print_json({"path": str(FILE.parent), "text": text})
    else:
        print_text(str(FILE.parent) if show_path else text.rstrip("\n"))
