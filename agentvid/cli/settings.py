"""`agentvid config`, `config init`, `set`, `unset`, and `agentvid models`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from agentvid.cli import completing
from agentvid.cli.output import note, print_json, print_line, print_table
from agentvid.cli.state import AsJson

if TYPE_CHECKING:
    from agentvid.profiles import ModelFacts

config = typer.Typer(invoke_without_command=True)
Name = Annotated[
    str, typer.Argument(metavar="NAME", help="A setting.", show_default=False, autocompletion=completing.setting_names)
]


@config.callback()
def config_show(context: typer.Context, as_json: AsJson = False) -> None:
    """Show every setting, its value and where it came from: default, file, $VARIABLE or flag.

    Example: agentvid config --json
    """
    if context.invoked_subcommand:
        return
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


@config.command("init")
def config_init(as_json: AsJson = False) -> None:
    """Write a settings file that sets nothing yet and shows every setting, what it means, and its default.

    A file that exists is left as it is.

    Example: agentvid config init
    """
    from agentvid.config import user_file
    from agentvid.settings_file import write_commented

    write_commented(user_file())
    if as_json:
        print_json({"file": str(user_file())})
    else:
        note(f"written: {user_file()}")


@config.command("set")
def config_set(
    context: typer.Context,
    name: Name,
    value: Annotated[str, typer.Argument(metavar="VALUE", help="Its value; lists are separated by commas.")],
    as_json: AsJson = False,
) -> None:
    """Set a value in the settings file; comments and order stay. Keys are refused: they belong into the environment.

    Example: agentvid config set clip_max_seconds 60

    Example: agentvid config set subtitle_languages en,de
    """
    from agentvid.config import user_file
    from agentvid.settings_file import set_value

    written = set_value(user_file(), name, value)
    if as_json:
        print_json({"file": str(user_file()), "setting": name, "value": written})
    else:
        note(f"{name} = {json.dumps(written, ensure_ascii=False)} in {user_file()}")
    origin = context.obj.load().origins[name]
    if origin != str(user_file()):
        note(f"{origin} wins over the file as long as it is there")


@config.command("unset")
def config_unset(name: Name, as_json: AsJson = False) -> None:
    """Remove a value from the settings file, so that the default is valid again.

    Example: agentvid config unset clip_max_seconds
    """
    from agentvid.config import user_file
    from agentvid.settings_file import unset_value

    was_set = unset_value(user_file(), name)
    if as_json:
        print_json({"file": str(user_file()), "setting": name, "removed": was_set})
    else:
        note(f"{name} is {'no longer' if was_set else 'not'} set in {user_file()}")


def _files(facts: ModelFacts | None) -> str:
    if facts is None:
        return "-"
    return f"{f'{facts.megabytes} MB' if facts.megabytes else 'in its package'}, {facts.licence}"


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
            f"missing: {entry.missing}" if entry.missing else "-" if entry.runs == "off" else "ready",
            _files(entry.facts),
            entry.role,
        )
        for entry in report
    ]
    print_table(("setting", "model", "runs", "state", "files", "what it does"), rows)
    for entry in report:
        if entry.missing:  # outside of the table, where a command is never folded
            print_line(f"{entry.setting} needs {entry.missing} - {entry.bring}")
    for name, found in profiles().items():
        note(f"{'*' if name == loaded.settings.profile else ' '} {name}: {found.about}")
