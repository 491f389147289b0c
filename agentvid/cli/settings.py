"""`agentvid config` and `agentvid models`."""

from __future__ import annotations

import typer

from agentvid.cli.output import note, print_json, print_table
from agentvid.cli.state import AsJson


def config(context: typer.Context, as_json: AsJson = False) -> None:
    """Show every setting, its value and where it came from: default, file, $VARIABLE or flag.

    Example: agentvid config --json
    """
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


def models(context: typer.Context, as_json: AsJson = False) -> None:
    """Show which models would be used, what is missing, and the command that brings it.

    Example: agentvid --profile cpu models
    """
    from agentvid.model_report import model_report
    from agentvid.profiles import profiles

    loaded = context.obj.load()
    report = model_report(loaded)
    if as_json:
        known = {name: {"about": found.about, "settings": dict(found.settings)} for name, found in profiles().items()}
        document = {"profile": loaded.settings.profile, "profiles": known}
        print_json(document | {"models": [entry.to_json() for entry in report]})
        return
    rows = [
        (
            entry.setting,
            entry.name or "-",
            entry.runs,
            f"missing: {entry.missing} - {entry.bring}" if entry.missing else "-" if entry.runs == "off" else "ready",
            f"{entry.facts.megabytes} MB, {entry.facts.licence}" if entry.facts else "-",
            entry.role,
        )
        for entry in report
    ]
    print_table(("setting", "model", "runs", "state", "files", "what it does"), rows)
    for name, found in profiles().items():
        note(f"{'*' if name == loaded.settings.profile else ' '} {name}: {found.about}")
