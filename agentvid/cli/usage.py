"""What a wrong command line is told: one line with the value, what is allowed and the way out, as any other error."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Any

#: More names than these are not listed; the hint tells where they are.
_LISTED = 12
_EXTRA = re.compile(r"unexpected extra argument\(?s?\)? \((.*)\)")
_KINDS = {"int": "a whole number", "float": "a number"}


def usage_line(error: Any) -> tuple[str, str]:
    """(what is wrong and what is allowed, the way out) of an exception by which Typer refuses a command line."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "agentvid"
    way_out = f"`{command} --help` shows how"
    name, parameter = type(error).__name__, getattr(error, "param", None)
    if name == "NoSuchOption" and context is not None:
        known = [option for one in context.command.get_params(context) for option in (*one.opts, *one.secondary_opts)]
        return f"{error.option_name!r} is no option of `{command}`{_near(error.option_name, known)}", way_out
    if name == "MissingParameter" and parameter is not None:
        return f"{_named(parameter)} is missing: {_meaning(parameter)}", way_out
    if name == "BadParameter" and parameter is not None:
        value = _value(error)
        return f"{_named(parameter)} = {value!r} is not allowed; allowed: {_allowed(parameter, error)}", way_out
    if context is not None and hasattr(context.command, "commands") and "No such command" in error.message:
        asked = error.message.partition("'")[2].partition("'")[0]
        return f"{asked!r} is no command of `{command}`{_near(asked, list(context.command.commands))}", way_out
    if extra := _EXTRA.search(str(error.message)):
        return f"{extra[1]!r} is more than `{command}` takes", f"write what belongs together in quotes; {way_out}"
    if name == "BadOptionUsage":
        return f"{error.option_name!r} needs a value", way_out
    return error.format_message().rstrip("."), way_out


def _named(parameter: Any) -> str:
    return str(parameter.opts[-1] if parameter.param_type_name == "option" else parameter.metavar or parameter.name)


def _meaning(parameter: Any) -> str:
    return str(getattr(parameter, "help", None) or "it is needed").rstrip(".")


def _near(asked: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(asked, known, n=3, cutoff=0.5)
    if close:
        return f"; near: {', '.join(close)}"
    return f"; allowed: {', '.join(known)}" if len(known) <= _LISTED else ""


def _value(error: Any) -> str:
    """What was given: the validator that refused it knows."""
    refused = getattr(error.__cause__, "errors", None)
    return str(refused()[0]["input"]) if refused else error.message


def _allowed(parameter: Any, error: Any) -> str:
    refused = getattr(error.__cause__, "errors", None)
    found: dict[str, Any] = refused()[0] if refused else {}
    kind, limits = str(found.get("type", "")), found.get("ctx") or {}
    if kind in ("int_parsing", "float_parsing", "int_from_float"):
        return _KINDS[kind.partition("_")[0]]
    if kind in ("greater_than_equal", "greater_than"):
        return f"{limits['ge']:g} or more" if "ge" in limits else f"more than {limits['gt']:g}"
    if kind in ("less_than_equal", "less_than"):
        return f"up to {limits['le']:g}" if "le" in limits else f"less than {limits['lt']:g}"
    choices = str(error.message).partition(" is not one of ")[2].rstrip(".")
    return choices.replace("'", "") or str(error.message).removeprefix("Value error, ").rstrip(".")
