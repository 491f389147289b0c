"""`agentvid egress`: what left this machine, and what may."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from agentvid.cli.output import note, print_json, print_table
from agentvid.cli.state import AsJson
from agentvid.errors import UsageError

_AGO = re.compile(r"(\d{1,5})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_SHOWN = 20


def egress(
    context: typer.Context,
    since: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="From this date or time on, or 30m, 12h, 7d ago.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List what left this machine for this library, summed by stage and host, and what the settings allow.

    Nothing of the content is kept: when, which model at which host, how many bytes of text, frames or audio, and for
    which question or run.

    Example: agentvid egress --since 7d
    """
    from agentvid.egress import policy, summed

    with context.obj.open() as library:
        rows = library.egress(since=_moment(since) if since else None)
        rules = policy(library.settings)
    sums = summed(rows)
    if as_json:
        print_json({"policy": rules, "sums": sums, "calls": rows})
        return
    named = [rule for rule in rules if rule["model"] or rule["stage"] == "downloads"]
    print_table(
        ("stage", "model", "asked at", "may leave"),
        [(rule["stage"], rule["model"] or "-", rule["host"] or "this process", _verdict(rule)) for rule in named],
    )
    if not rows:
        note("nothing left this machine" + (f" since {since}" if since else ""))
        return
    columns = ("stage", "host", "content", "calls", "bytes", "first", "last")
    print_table(columns, [[one[column] for column in columns] for one in sums])
    print_table(
        ("time", "stage", "model", "host", "bytes", "run"),
        [[one[column] for column in ("time", "stage", "model", "host", "bytes", "run")] for one in rows[-_SHOWN:]],
    )
    if len(rows) > _SHOWN:
        note(f"the last {_SHOWN} of {len(rows)} calls; --json has all")


def _verdict(rule: dict[str, object]) -> str:
    if not rule["elsewhere"]:
        return "stays here"
    return "yes" if rule["allowed"] else "refused"


def _moment(text: str) -> datetime:
    """Raises UsageError for what is neither a time nor so long ago."""
    if ago := _AGO.fullmatch(text.strip()):
        return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(
            f"--since {text!r} is not allowed; allowed: a date, a time, or 30m, 12h, 7d", hint="as --since 2026-11-20"
        ) from None
    return moment if moment.tzinfo else moment.astimezone()
