"""docs/cli.md, made from the commands themselves: `python -m agentvid.cli.reference > docs/cli.md`."""

from __future__ import annotations

import sys
from typing import Any

_INTRO = """\
# Command line

Made from `--help` by `python -m agentvid.cli.reference`; a test compares the two.

Data goes to stdout, everything else to stderr. `--json` prints one document ([fields](json.md)). There are no colours
when stdout is not a terminal. The library is `--library DIR`, else `$AGENTVID_LIBRARY`, else the user's data directory.

| exit code | means |
| --- | --- |
| 0 | done |
| 1 | an error; one line on stderr says what, what is allowed, the way out (`doctor`: problems found, on stdout) |
| 2 | the command line or one of its values is not allowed |
| 3 | nothing found: no hit, no such video, an answer that abstains |
| 4 | some of the files or videos failed; the others are done |
| 130 | interrupted; what was finished is kept |

`AGENTVID_DEBUG=1` prints the traceback behind an error.
"""


def reference_page() -> str:
    """Markdown with the help text of every command, in the order of `agentvid --help`."""
    from typer.main import get_command

    from agentvid.cli.app import app

    return _INTRO + "".join(_sections(get_command(app), ["agentvid"], None))


def _sections(command: Any, names: list[str], parent: Any) -> list[str]:
    context = command.context_class(
        command,
        info_name=names[-1],
        parent=parent,
        **{**command.context_settings, "terminal_width": 100, "max_content_width": 100},
    )
    sections = [f"\n## {' '.join(names)}\n\n```text\n{command.get_help(context)}\n```\n"]
    for name, child in getattr(command, "commands", {}).items():
        sections += _sections(child, [*names, name], context)
    return sections


if __name__ == "__main__":
    sys.stdout.write(reference_page())
