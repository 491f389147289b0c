"""The line that is typed: prompt_toolkit with history, completion, several lines and large pastes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentvid.chat.session import Session
from agentvid.chat.terminal import Terminal, shortened
from agentvid.errors import MissingDependency
from agentvid.text import MAX_QUERY_CHARACTERS, terminal_text

if TYPE_CHECKING:
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

_LEAVING = "Ctrl-C again, or Ctrl-D, quits"
#: More than this is no question, and a line editor would choke on it.
MAX_CHARACTERS = 2 * MAX_QUERY_CHARACTERS


class Leave(Exception):
    """Ctrl-D on an empty line, or Ctrl-C twice."""


class LineInput:
    """Reads questions and commands where nothing but lines can be written; a backslash at the end goes on."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    def read(self) -> str:
        """What was typed, without spaces around. Raises Leave."""
        is_leaving = False
        while True:
            try:
                lines = [input("> ")]
                while lines[-1].endswith("\\"):
                    lines[-1] = lines[-1][:-1]
                    lines.append(input(". "))
                return "\n".join(lines).strip()
            except EOFError:
                raise Leave from None
            except KeyboardInterrupt:
                if is_leaving:
                    raise Leave from None
                is_leaving = True
                self._terminal.print(f"\n{_LEAVING}")
            except UnicodeDecodeError as error:
                self._terminal.print(f"what was typed is not {error.encoding}")


class ChatInput:
    """Reads questions and commands from a terminal that can redraw a line."""

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
            prompt_continuation=". ",
            bottom_toolbar=self._toolbar,
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
        self._notice = notice
        event.app.invalidate()

    def _bindings(self) -> KeyBindings:
        from prompt_toolkit.completion import CompleteEvent
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

        @bindings.add("tab")
        def _(event: KeyPressEvent) -> None:
            buffer = event.current_buffer
            if buffer.complete_state:
                buffer.complete_next()
                return
            offered = list(self._completer.get_completions(buffer.document, CompleteEvent(completion_requested=True)))
            if len(offered) == 1:  # nothing to choose: written out, and ready for the next word
                buffer.apply_completion(offered[0])
                buffer.insert_text("" if offered[0].text.endswith("=") else " ")
            else:
                buffer.start_completion(insert_common_part=True)

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
            self._tell(event, _LEAVING)

        @bindings.add(Keys.BracketedPaste)
        def _(event: KeyPressEvent) -> None:
            pasted = event.data.replace("\r\n", "\n").replace("\r", "\n")
            room = MAX_CHARACTERS - len(event.current_buffer.text)
            if len(pasted) > room:
                self._tell(event, f"not pasted: {len(pasted)} characters; room for {room}")
            else:
                event.current_buffer.insert_text(terminal_text(pasted))

        return bindings
