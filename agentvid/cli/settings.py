"""`agentvid config`."""

from __future__ import annotations

import typer

from agentvid.cli.output import note, print_json, print_table
from agentvid.cli.state import AsJson


def config(context: typer.Context, as_json: AsJson = False) -> None:
    """Show every setting, its value and where it came from: default, file, $VARIABLE or flag."""
    from agentvid.config import Settings, user_file

    loaded = context.obj.load()
    values = loaded.settings.model_dump(mode="json")
    if as_json:
        settings = {name: {"value": value, "origin": loaded.origins[name]} for name, value in values.items()}
        print_json({"file": str(user_file()), "settings": settings})
        return
    rows = [
        (name, value, loaded.origins[name], Settings.model_fields[name].description) for name, value in values.items()
    ]
    print_table(("setting", "value", "origin", "meaning"), rows)
    note(f"user file: {user_file()}")
