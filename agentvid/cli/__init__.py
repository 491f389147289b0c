"""The command line: parse and print, nothing else. Everything it does is one public call of `Library`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from agentvid.errors import EXIT_INTERRUPTED, AgentvidError


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line (`sys.argv` if None); errors become one line on stderr and the exit code of docs/cli.md."""
    try:
        code = _run(arguments)
    except KeyboardInterrupt:  # while modules are loaded: a command that runs is ended by Typer
        code = EXIT_INTERRUPTED
    sys.exit(code)


def _run(arguments: Sequence[str] | None) -> int:
    from typer.exceptions import TyperException

    from agentvid.cli.app import app
    from agentvid.cli.output import report_error, report_traceback

    is_debugged = bool(os.environ.get("AGENTVID_DEBUG"))
    try:
        code = app(args=arguments, prog_name="agentvid", standalone_mode=False)
    except AgentvidError as error:
        if is_debugged:
            report_traceback(error)
        report_error(str(error), error.hint)
        return error.exit_code
    except TyperException as error:
        return _report_usage(error)
    except Exception as error:  # noqa: BLE001 - whatever it is, the user gets one line
        if is_debugged:
            report_traceback(error)
        report_error(f"unexpected {type(error).__name__}: {error}", "AGENTVID_DEBUG=1 shows where; please report it")
        return 1
    return code if isinstance(code, int) else 0


def _report_usage(error: Exception) -> int:
    """One line for a wrong command line; a command group that is called without anything shows its help."""
    from agentvid.cli.output import report_error
    from agentvid.cli.usage import usage_line

    if type(error).__name__ == "NoArgsIsHelpError":
        sys.stderr.write(f"{error}\n")
    else:
        report_error(*usage_line(error))
    return int(getattr(error, "exit_code", 2))
