"""The line that is typed: prompt_toolkit with history, completion, several lines and large pastes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentvid.chat.session import Session
from agentvid.chat.terminal import Terminal, shortened
from agentvid.errors import MissingDependency
from agentvid.text import MAX_QUERY_CHARACTERS, terminal_text

if TYPE_CHECKING:
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

#: More than this is no question, and a line editor would choke on it.
MAX_CHARACTERS = 2 * MAX_QUERY_CHARACTERS


class Leave(Exception):
    """Ctrl-D on an empty line, or Ctrl-C twice."""


class ChatInput:
    """Reads questions and commands from a terminal."""

    def __init__(self, session: Session, terminal: Terminal) -> None:
        """Raises MissingDependency without prompt_toolkit."""
        try:
            from prompt_toolkit import PromptSession
        except ImportError:
            raise MissingDependency(
                "chat in a terminal needs prompt_toolkit, which is not installed",
                hint="pip install 'agentvid[chat]', or pipe questions into it, one a line",
            ) from None
        from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
        from prompt_toolkit.filters import Condition
        from prompt_toolkit.styles import Style

        from agentvid.chat.completion import ChatCompleter
        from agentvid.chat.history import FileHistory

        self._session, self._terminal = session, terminal
        self._is_leaving = False
        self._notice = ""
        self._completer = ChatCompleter(session, terminal.fit)
        self._prompt: PromptSession[str] = PromptSession(
            history=FileHistory(session.library.catalogue.directory),
            auto_suggest=AutoSuggestFromHistory(),
            completer=self._completer,
            # In a question Tab completes; a menu that opens by itself would be in the way.
            complete_while_typing=Condition(lambda: self._prompt.default_buffer.text.startswith("/")),
            key_bindings=self._bindings(),
            multiline=True,
            prompt_continuation=lambda width, _line, _is_soft: "." * (width - 1) + " ",
            bottom_toolbar=self._toolbar if terminal.is_rich else None,
            reserve_space_for_menu=6,
            enable_suspend=True,
            style=Style.from_dict({"bottom-toolbar": "noreverse dim", "prompt": "bold"}),
        )
        self._prompt.default_buffer.on_text_changed += lambda _: self._typed()

    def read(self) -> str:
        """What was typed, without spaces around. Raises Leave."""
        self._completer.forget()
        try:
            return self._prompt.prompt([("class:prompt", "> ")]).strip()
        except (EOFError, KeyboardInterrupt):
            raise Leave from None

    def _typed(self) -> None:
        if self._prompt.default_buffer.text:
            self._is_leaving, self._notice = False, ""

    def _toolbar(self) -> str:
        names = ", ".join(self._session.scope_names()) or "all videos"
        told = self._notice or f"{names} · {self._session.model or 'no model'} · /help"
        return shortened(self._terminal.fit(told), self._terminal.width - 1)

    def _tell(self, event: KeyPressEvent, notice: str) -> None:
        """Below the line, where there is a toolbar; else above it."""
        self._notice = notice
        if not self._terminal.is_rich:
            self._terminal.print(notice)
        event.app.invalidate()

    def _bindings(self) -> KeyBindings:
        from prompt_toolkit.key_binding import KeyBindings
        from prompt_toolkit.keys import Keys

        bindings = KeyBindings()

        @bindings.add("enter")
        def _(event: KeyPressEvent) -> None:
            buffer = event.current_buffer
            if buffer.document.current_line_before_cursor.endswith("\\") and buffer.document.is_cursor_at_the_end:
                buffer.delete_before_cursor()
                buffer.insert_text("\n")
            else:
                buffer.validate_and_handle()

        @bindings.add("escape", "enter")
        def _(event: KeyPressEvent) -> None:
            event.current_buffer.insert_text("\n")

        @bindings.add("c-c")
        def _(event: KeyPressEvent) -> None:
            if self._is_leaving:
                event.app.exit(exception=KeyboardInterrupt)
                return
            event.current_buffer.reset()
            self._is_leaving = True
            self._tell(event, "Ctrl-C again, or Ctrl-D, quits")

        @bindings.add(Keys.BracketedPaste)
        def _(event: KeyPressEvent) -> None:
            pasted = event.data.replace("\r\n", "\n").replace("\r", "\n")
            room = MAX_CHARACTERS - len(event.current_buffer.text)
            if len(pasted) > room:
                self._tell(event, f"not pasted: {len(pasted)} characters; room for {room}")
            else:
                event.current_buffer.insert_text(terminal_text(pasted))

        return bindings

