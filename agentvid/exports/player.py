"""The command that plays a span in a player that is installed: mpv, VLC or ffplay."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from agentvid.errors import MissingDependency, UsageError
from agentvid.types import Span

#: Paths are absolute, so that none begins with a dash or names a protocol.
PLAYERS: dict[str, Callable[[str, Span], list[str]]] = {
    "mpv": lambda path, span: ["mpv", f"--start={span.start_seconds:.3f}", f"--end={span.end_seconds:.3f}", "--", path],
    "vlc": lambda path, span: [
        "vlc",
        f"--start-time={span.start_seconds:.3f}",
        f"--stop-time={span.end_seconds:.3f}",
        "--play-and-exit",
        path,
    ],
    "ffplay": lambda path, span: [
        "ffplay",
        "-ss",
        f"{span.start_seconds:.3f}",
        "-t",
        f"{span.duration_seconds:.3f}",
        "-autoexit",
        "-i",
        path,
    ],
}


def installed_player() -> str:
    """The first of the players that is installed, or ""."""
    return next((name for name in PLAYERS if shutil.which(name)), "")


def player_command(path: Path, span: Span, *, player: str = "") -> Sequence[str]:
    """The arguments that play a span of a file, for a process without a shell; the first is the player's name.

    `player` need not be installed: its command is the same. Without one, the first that is installed.
    Raises UsageError for another player, MissingDependency if there is none.
    """
    name = player or installed_player()
    if not name:
        raise MissingDependency(
            f"no player is installed; allowed: {', '.join(PLAYERS)}", hint="install mpv, or see `agentvid serve`"
        )
    if name not in PLAYERS:
        raise UsageError(f"{name[:60]!r} is no player; allowed: {', '.join(PLAYERS)}")
    return PLAYERS[name](str(path.absolute()), span)
