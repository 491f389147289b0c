"""The command line: parse and print, nothing else. Everything it does is one public call of `Library`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from agentvid.errors import AgentvidError


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line (`sys.argv` if None); errors become one line on stderr and the exit code of docs/cli.md."""
    from agentvid.cli.app import app
    from agentvid.cli.output import report_error

    try:
        app(args=arguments, prog_name="agentvid")
    except AgentvidError as error:
        if os.environ.get("AGENTVID_DEBUG"):
            raise
        report_error(str(error), error.hint)
        sys.exit(error.exit_code)
    except Exception as error:
        if os.environ.get("AGENTVID_DEBUG"):
            raise
        report_error(f"unexpected {type(error).__name__}: {error}", "AGENTVID_DEBUG=1 shows where; please report it")
        sys.exit(1)
