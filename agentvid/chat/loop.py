"""The conversation: with a person at a terminal, or with a script that pipes one question a line."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import nullcontext, suppress
from importlib import import_module

from agentvid.budget import INTERRUPTED
from agentvid.chat.asking import Asking, LeftRunning
from agentvid.chat.commands import Quit, run_command, show_turns
from agentvid.chat.input import ChatInput, Leave, LineInput
from agentvid.chat.links import Watching
from agentvid.chat.pictures import Pictures, can_draw
from agentvid.chat.render import print_answer, print_error
from agentvid.chat.session import Session
from agentvid.chat.terminal import Terminal, typing_unseen
from agentvid.cli.interrupts import cancel_on_interrupt
from agentvid.cli.output import report_error
from agentvid.errors import EXIT_INTERRUPTED, EXIT_NOTHING_FOUND, EXIT_SOME_FAILED, AgentvidError, MissingDependency
from agentvid.text import MAX_QUERY_CHARACTERS, clean_text, timestamp
from agentvid.types import Answer, Json

_OK = 0
#: What people type to get out of programs.
_FAREWELLS = ("exit", "quit", ":q")
#: One more than a question may have, so that a longer one is refused and not cut.
MAX_LINE = MAX_QUERY_CHARACTERS + 1
_REPORT = "AGENTVID_DEBUG=1 shows where; please report it"


class Chat:
    """Handles one line after the other; nothing that a line causes ends the conversation but /quit."""

    def __init__(self, session: Session, terminal: Terminal, pictures: Pictures | None = None) -> None:
        self.session = session
        self.terminal = terminal
        self._pictures = pictures
        self._asking = Asking(session, terminal)
        self._missing: set[str] = set()

    def handle(self, line: str) -> None:
        """Run a command or ask a question, and print what comes of it. Raises Quit."""
        if line.lower() in _FAREWELLS:
            raise Quit
        self._guarded(lambda: self._command(line) if line.startswith("/") else self._question(line))

    def _command(self, line: str) -> None:
        run_command(self.session, self.terminal, line)

    def _question(self, line: str) -> None:
        answer = self._asking.ask(line)
        watching = Watching.now(self.session.library.catalogue.directory)
        pictures = self._pictures.of(self.session.places) if self._pictures and can_draw(self.terminal) else {}
        self.terminal.print()
        print_answer(self.terminal, answer, watching, known=self._missing, pictures=pictures)
        self._missing.update(answer.coverage.missing)

    def _guarded(self, work: Callable[[], None]) -> None:
        """What goes wrong is one line, and the chat goes on."""
        try:
            work()
        except LeftRunning:
            self.terminal.print("left: the question ends by itself", style="yellow")
        except KeyboardInterrupt:
            self.terminal.print("interrupted", style="yellow")
        except AgentvidError as error:
            print_error(self.terminal, str(error), error.hint)
        except (Quit, BrokenPipeError):
            raise
        except Exception as error:
            if os.environ.get("AGENTVID_DEBUG"):
                raise
            print_error(self.terminal, f"unexpected {type(error).__name__}: {error}", _REPORT)


def converse(session: Session, terminal: Terminal, *, turns: list[Json]) -> None:
    """Until the person leaves; `turns` are those of a thread that is gone on with. Raises MissingDependency."""
    chat = Chat(session, terminal, _pictures(session, terminal))
    line = ChatInput(session, terminal) if terminal.is_rich else LineInput(terminal)
    _greet(session, terminal)
    if turns:
        show_turns(session, terminal, turns)
    # While the first question is typed, what answers it is loaded.
    threading.Thread(target=_warm_up, name="agentvid-warm-up", daemon=True).start()
    with typing_unseen() if terminal.is_rich else nullcontext():
        while True:
            try:
                if typed := line.read():
                    chat.handle(typed)
                    terminal.print()
            except (Leave, Quit):
                break
    if session.asked:
        terminal.print(f"kept: agentvid chat --thread {session.thread}", style="dim")


def answer_lines(session: Session, lines: Iterable[bytes], *, as_json: bool) -> int:
    """Answer one question a line, commands too, on stdout; returns the exit code.

    0: something was answered, or nothing asked. 3: every answer abstains. 4: a line failed; the others are done. 130:
    Ctrl-C; what the answer had by then is printed. With `as_json` an Answer a line, or `{"line", "error", "hint"}`;
    what commands say goes to stderr.
    """
    out, said = Terminal(sys.stdout), Terminal(sys.stderr if as_json else sys.stdout)
    failed = answered = 0
    known: set[str] = set()
    for raw in lines:
        line = clean_text(raw.decode("utf-8", "replace"), limit=MAX_LINE)
        try:
            if line.startswith("/"):
                run_command(session, said, line)
            elif line:
                answer = _answered(session, line)
                answered += not answer.abstained
                if as_json:
                    out.print(json.dumps(answer.to_json()))
                else:
                    print_answer(out, answer, Watching.now(session.library.catalogue.directory), known=known)
                    out.print()
                    known.update(answer.coverage.missing)
                if answer.stopped == INTERRUPTED:
                    return EXIT_INTERRUPTED
        except Quit:
            break
        except AgentvidError as error:
            failed += 1
            report_error(str(error), error.hint)
            if as_json:
                out.print(json.dumps({"line": line, "error": str(error), "hint": error.hint}))
    if failed:
        return EXIT_SOME_FAILED
    return _OK if answered or not session.asked else EXIT_NOTHING_FOUND


def _answered(session: Session, question: str) -> Answer:
    with cancel_on_interrupt() as cancel:
        for item in session.stream(question, cancel):
            if isinstance(item, Answer):
                return item
    raise AssertionError("the answer comes last")


def _pictures(session: Session, terminal: Terminal) -> Pictures | None:
    """If they are wanted and can be had; what is missing is told, and the chat goes on without."""
    if session.library.settings.pictures == "none" or not can_draw(terminal):
        return None
    try:
        return Pictures(session.library)
    except MissingDependency as error:
        print_error(terminal, str(error), error.hint)
        return None


def _warm_up() -> None:
    with suppress(Exception):  # the question itself tells what cannot be loaded
        import_module("agentvid.graph")


def _greet(session: Session, terminal: Terminal) -> None:
    videos = session.library.catalogue.videos()
    if not videos:
        terminal.print("the library is empty: `agentvid index PATH` adds videos", style="yellow")
    asked = [video for video in videos if not session.scope or video.id in session.scope]
    seconds = timestamp(sum(video.duration_seconds for video in asked))
    count = f"{len(asked)} video{'' if len(asked) == 1 else 's'}, {seconds}"
    terminal.print(f"agentvid chat · {count} · {session.model or 'no model'} · /help, Ctrl-D leaves", style="dim")
    for note in session.library.notes():
        terminal.print(note, style="dim")
    terminal.print()
