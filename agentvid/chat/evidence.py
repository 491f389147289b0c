"""/play, /clip and /export: what the numbers on the screen mean, in a player or as a file."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from agentvid.chat.session import Session
from agentvid.chat.terminal import Terminal
from agentvid.chat.words import split_words
from agentvid.errors import MediaError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentvid.exports.base import LeftOut, Material

#: A player that cannot start ends at once; one that plays is left to itself.
_START_SECONDS = 0.7


def play(session: Session, terminal: Terminal, rest: str) -> None:
    """Open a player beside the chat. Raises MediaError, MissingDependency, UsageError."""
    from agentvid.exports.player import player_command

    material, file = _one(session, split_words(rest) or ["1"])
    command = player_command(file, material.items[0].span)
    try:
        # Ctrl-C belongs to the chat, and so does the terminal.
        player = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        code = player.wait(_START_SECONDS)
    except OSError as error:
        raise MediaError(f"{command[0]} cannot be started: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        code = 0
    if code:
        raise MediaError(
            f"{command[0]} ended with exit code {code}", hint=f"agentvid play {shlex.quote(_reference(material))}"
        )
    terminal.print(f"playing {_reference(material)} in {command[0]}")


def clip(session: Session, terminal: Terminal, rest: str) -> None:
    """Cut one moment, exact to the frame, into FILE or a file named after it in the current directory."""
    from agentvid.exports.clips import clip_name
    from agentvid.media.cut import clip as cut

    number, *names = split_words(rest) or ["1"]
    material, file = _one(session, [number])
    target = _target(names) or Path(clip_name(material.items[0], material))
    terminal.status(f"cutting {target.name}")
    made = cut(file, material.items[0].span, target, limits=material.source(material.items[0]).limits)
    terminal.print(f"{target}: {made.duration_seconds:.3f} s, {made.how}")


def export(session: Session, terminal: Terminal, rest: str) -> None:
    """Write the last answer, or the hits of the last /find, in a format; without a FILE print it, if it is text."""
    from agentvid.exports.registry import EXPORTS, find_format

    words = split_words(rest)
    if not words:
        for one in EXPORTS.values():
            if one.subjects & {"answer", "hits"}:
                terminal.print(f"{one.name:<14}{one.about}")
        return
    chosen = find_format(words[0])
    target = _target(words[1:])
    material = _listed(session)
    chosen.check(material)
    if target is None and not chosen.is_text:
        raise UsageError(
            f"{chosen.name} is not text; allowed: /export {chosen.name} FILE", hint=f"as in evidence{chosen.suffix}"
        )
    terminal.status(f"exporting {chosen.name}")
    left_out = _write(chosen.name, material, target, terminal)
    for gap in left_out:
        terminal.print(f"left out: {gap.id}: {gap.reason}", style="yellow")
    if target is not None:
        count = len(material.items) - len(left_out)
        terminal.print(f"{target}: {count} moment{'' if count == 1 else 's'}")


def _write(name: str, material: Material, target: Path | None, terminal: Terminal) -> Sequence[LeftOut]:
    from agentvid.exports import clips, registry
    from agentvid.saving import saving

    if target is None:
        data, left_out = registry.export(name, material)
        terminal.print(data.decode().removesuffix("\n"))
        return left_out
    if name == clips.FORMAT.name and target.is_dir():
        return clips.write_folder(material, target)
    with saving(target) as file:
        return registry.write(name, material, file)


def _listed(session: Session) -> Material:
    """What the last list shows."""
    from agentvid.exports.material import Gatherer

    gatherer = Gatherer(session.library)
    if session.found is not None:
        return gatherer.hits(*session.found)
    return gatherer.answer(session.last_answer().trace_id)


def _one(session: Session, words: list[str]) -> tuple[Material, Path]:
    """One moment of the last list by its number, and the file that holds it. Raises UsageError, MediaError."""
    from agentvid.exports.material import Gatherer

    if len(words) != 1:
        raise UsageError("one number, please", hint="as in /play 2")
    place = session.place(words[0])
    material = Gatherer(session.library).span(place.video_id, place.span)
    source = material.source(material.items[0])
    if source.file is None:
        raise MediaError(f"{source.title}: {source.problem}")
    return material, source.file


def _target(names: list[str]) -> Path | None:
    if len(names) > 1:
        raise UsageError("one FILE, please; quotes hold a name with spaces")
    return Path(names[0]).expanduser() if names else None


def _reference(material: Material) -> str:
    """As `agentvid play` takes it."""
    item = material.items[0]
    return f"{material.source(item).title}@{item.span.start_seconds:.2f}-{item.span.end_seconds:.2f}"
