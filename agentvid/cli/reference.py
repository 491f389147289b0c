"""docs/cli.md, made from the commands themselves: `python -m agentvid.cli.reference > docs/cli.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_EXAMPLE = "Example: "
_INTRO = """\
# Command line

Made from `--help` by `python -m agentvid.cli.reference`; a test compares the two, and another runs every example.

Data goes to stdout, everything else to stderr. `--json` prints one document ([fields](json.md)). There are no colours
when stdout is not a terminal. The library is `--library DIR`, else `$AGENTVID_LIBRARY`, else the user's data directory.

| exit code | means |
| --- | --- |
| 0 | done |
| 1 | an error; one line on stderr says what, what is allowed, the way out (`doctor`: problems found, on stdout) |
| 2 | the command line or one of its values is not allowed |
| 3 | nothing found: no hit, no such video, an answer that abstains |
| 4 | some of the files, videos or lines failed; the others are done |
| 130 | interrupted; what was finished is kept |

`AGENTVID_DEBUG=1` prints the traceback behind an error. After `agentvid --install-completion`, Tab in bash, zsh
or fish completes commands, options, settings, and the library's videos, tracks, threads, traces and export formats.
"""


@dataclass(frozen=True, slots=True)
class Described:
    """A command or a group of commands: its words ("agentvid", "trace", "ls"), and its help text for 100 columns."""

    words: tuple[str, ...]
    command: Any
    help: str

    @property
    def name(self) -> str:
        return " ".join(self.words)

    @property
    def runs(self) -> bool:
        """False for a group that does nothing by itself."""
        return not hasattr(self.command, "commands") or self.command.invoke_without_command

    @property
    def options(self) -> set[str]:
        return {option for parameter in self.command.params for option in (*parameter.opts, *parameter.secondary_opts)}

    @property
    def examples(self) -> tuple[str, ...]:
        """The command lines of its help; a test runs all of them."""
        lines = (line.strip() for line in (self.command.help or "").splitlines())
        return tuple(line.removeprefix(_EXAMPLE) for line in lines if line.startswith(_EXAMPLE))


def described() -> list[Described]:
    """Every command and group, in the order of `agentvid --help`."""
    from typer.main import get_command

    from agentvid.cli.app import app

    return list(_walk(get_command(app), ("agentvid",), None))


def reference_page() -> str:
    """Markdown with the help text of every command."""
    return _INTRO + "".join(f"\n## {one.name}\n\n```text\n{one.help}\n```\n" for one in described())


def _walk(command: Any, words: tuple[str, ...], parent: Any) -> Iterator[Described]:
    context = command.context_class(
        command,
        info_name=words[-1],
        parent=parent,
        **{**command.context_settings, "terminal_width": 100, "max_content_width": 100},
    )
    yield Described(words, command, command.get_help(context))
    for name, child in getattr(command, "commands", {}).items():
        yield from _walk(child, (*words, name), context)


if __name__ == "__main__":
    sys.stdout.write(reference_page())
