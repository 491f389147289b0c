"""Every error that agentvid raises on purpose.

    AgentvidError                 exit code 1; catch this one to catch all of them
    ├── UsageError                2  a value the caller gave is not allowed
    │   ├── AmbiguousVideo        2  a name fits several videos; lists them
    │   ├── ProgramError          2  a program does not parse, type-check or finish
    │   └── CassetteMiss          2  a replayed run asked a model what was not recorded
    ├── NotFound                  3  nothing by that name
    │   └── UnknownVideo          3
    ├── MediaError                1  a file that cannot be read as video; one failed row
    │   ├── NotAVideo             1  no video stream, text, empty, unknown container
    │   ├── DamagedMedia          1  truncated or corrupt
    │   └── DecoderFailed         1  the decoder process crashed, hung or broke a limit
    ├── SubtitleError             1  a subtitle file that cannot be read
    ├── LibraryError              1  the catalogue or an index
    │   ├── LibraryBusy           1  another process is writing
    │   ├── LibraryTooNew         1  written by a newer agentvid
    │   └── LibraryDamaged        1  the catalogue itself fails its integrity check
    ├── MissingDependency         1  a package or model is not installed; names the command
    ├── ModelError                1  a model server or model failed
    │   └── BudgetSpent           1  a model was not asked, because a limit of the question is reached
    ├── NotSaved                  1  a file for the user could not be written
    └── ToolError                 1  a tool refused its arguments; the planner may read and repair

A message has three parts: the offending value, what is allowed, the way out. The first two are
`str(error)`; the way out is `error.hint`, so that a report can show it apart.
"""

from __future__ import annotations

#: Exit codes of commands that end without an error of their own; docs/cli.md lists all of them.
EXIT_NOTHING_FOUND, EXIT_SOME_FAILED, EXIT_INTERRUPTED = 3, 4, 130


class AgentvidError(Exception):
    """Base of every deliberate error.

    `exit_code` is what the CLI returns; `hint` is one sentence or command that helps, or "".
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(AgentvidError):
    """A value given by the caller is not allowed."""

    exit_code = 2


class AmbiguousVideo(UsageError):
    """A reference fits several videos; the message lists the candidates."""


class ProgramError(UsageError):
    """A program does not parse, type-check or finish.

    `fragment` is the offending text and `allowed` what could stand there, so that a planner can repair it.
    """

    def __init__(self, message: str, *, fragment: str = "", allowed: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.fragment = fragment
        self.allowed = allowed


class CassetteMiss(UsageError):
    """A replayed run asked a model what was not recorded: its prompt changed."""


class NotFound(AgentvidError):
    """Nothing by that name."""

    exit_code = 3


class UnknownVideo(NotFound):
    """No video has that id, id prefix, path or file name."""


class MediaError(AgentvidError):
    """A file cannot be read as a video."""


class NotAVideo(MediaError):
    """The file holds no video: text, audio only, empty, unknown container."""


class DamagedMedia(MediaError):
    """The file is truncated or corrupt."""


class DecoderFailed(MediaError):
    """The decoder process crashed, hung or broke a limit."""


class SubtitleError(AgentvidError):
    """A subtitle file cannot be read."""


class LibraryError(AgentvidError):
    """The catalogue or one of its indexes."""


class LibraryBusy(LibraryError):
    """Another process holds the writer lock."""


class LibraryTooNew(LibraryError):
    """The library was written by a newer agentvid."""


class LibraryDamaged(LibraryError):
    """The catalogue itself fails its integrity check."""


class MissingDependency(AgentvidError):
    """A package or model is not installed; the hint is the command that adds it."""


class ModelError(AgentvidError):
    """A model or model server failed."""


class BudgetSpent(ModelError):
    """A model was not asked, or not waited for, because a limit of the question's budget is reached."""


class NotSaved(AgentvidError):
    """A file for the user could not be written: a full disk, a folder that is not there or not writable."""


class ToolError(AgentvidError):
    """A tool refused its arguments; the planner may read the message and repair its program."""
