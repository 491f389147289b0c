"""The one sink of the chat: what this terminal can do, and text made fit for it.

Everything is printed through `Terminal`. No character of media or of a model that a terminal would obey gets through,
and none that its encoding cannot show.
"""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import IO

from rich.cells import cell_len, chop_cells
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.style import Style
from rich.text import Text

from agentvid.text import terminal_text

#: One character for one, so that styles stay where they are.
_PLAIN = str.maketrans("“”„‘’‚–—−…·•×→›│", "\"\"\"'''---.-*x>>|")
_DUMB = ("", "dumb", "unknown")
#: What a link may hold: nothing that would end the sequence that carries it.
_LINK = re.compile(r"https?://[!-~]{1,2000}")


class Terminal:
    """A stream for people: styled and wrapped on a terminal, plain lines elsewhere.

    `is_rich`: it is a terminal that understands escape sequences. `is_unicode`: it shows more than its own code page.
    """

    def __init__(self, file: IO[str] | None = None, environ: Mapping[str, str] | None = None) -> None:
        environ = os.environ if environ is None else environ
        self._file = sys.stdout if file is None else file
        self.is_tty = self._file.isatty()
        self.is_rich = self.is_tty and environ.get("TERM", "").lower() not in _DUMB
        self.encoding = _encoding(self._file, environ)
        self.is_unicode = self.encoding.lower().replace("-", "") == "utf8"
        self._console = Console(
            file=self._file,
            force_terminal=self.is_tty,
            color_system="auto" if self.is_rich else None,
            highlight=False,
            markup=False,
            emoji=False,
        )
        self._status = ""

    @property
    def has_colours(self) -> bool:
        """Many enough to draw with."""
        return self._console.color_system in ("256", "truecolor") and not self._console.no_color

    @property
    def width(self) -> int:
        """Columns now; a window may have been resized since the last line."""
        return max(1, self._console.size.width)

    def print(self, text: str | Text = "", *, indent: int = 0, style: str = "") -> None:
        """Lines of text; on a terminal they fold at its width and stay behind their indent."""
        self.status("")
        kept = self._fit(text)
        kept.stylize_before(style)
        if not self.is_tty:
            self._file.write("".join(f"{' ' * indent}{line}".rstrip() + "\n" for line in kept.plain.split("\n")))
            self._file.flush()
            return
        # A narrow window has no room for indents.
        room = indent if self.width >= 40 else min(indent, 1)
        self._console.print(Padding(kept, (0, 0, 0, room), expand=False) if room else kept, overflow="fold")

    def show(self, picture: RenderableType, *, indent: int = 0) -> None:
        """Print what is no text, as it is: only for what this program drew itself."""
        self.status("")
        self._console.print(Padding(picture, (0, 0, 0, indent), expand=False))

    def status(self, text: str) -> None:
        """One line that the next one replaces; "" takes it away. Nothing where lines cannot be replaced."""
        if not self.is_rich or text == self._status:
            return
        self._status = text
        self._file.write(f"\r\x1b[K{shortened(self._fit(text).plain, self.width - 1)}")
        self._file.flush()

    @contextmanager
    def draft(self) -> Iterator[Draft]:
        """Words that are taken away again at the end."""
        draft = Draft(self)
        try:
            yield draft
        finally:
            draft.erase()

    def write(self, sequence: str) -> None:
        """Send control sequences of our own."""
        self._file.write(sequence)
        self._file.flush()

    def fit(self, text: str) -> str:
        """`text` without what a terminal obeys or cannot show."""
        return self._fit(text).plain

    @property
    def size(self) -> tuple[int, int]:
        """(columns, rows) now."""
        return self._console.size.width, self._console.size.height

    def _fit(self, text: str | Text) -> Text:
        kept = text.copy() if isinstance(text, Text) else Text(text)
        safe = terminal_text(kept.plain).expandtabs(1)
        if not self.is_unicode:
            safe = "".join(_shown(character, self.encoding) for character in safe)
        kept.plain = safe
        return kept


class Draft:
    """Words of an answer while they come, unchecked. They go when the checked answer is there."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._size = terminal.size
        self._line = ""
        self._rows = 0
        self.is_empty = True

    def add(self, text: str) -> None:
        """Show more words; nothing where they could not be taken away again."""
        if not self._terminal.is_rich or not text:
            return
        self._terminal.status("")
        self.is_empty = False
        *finished, self._line = self._wrapped(self._line + self._terminal.fit(text))
        self._rows += len(finished)
        lines = "\n".join((*finished, self._line))
        self._terminal.write(f"\r\x1b[K\x1b[2m{lines}\x1b[22m")

    def _wrapped(self, text: str) -> list[str]:
        """Rows that surely fit, so that they can be counted."""
        width = max(1, self._size[0] - 2)
        rows: list[str] = []
        for paragraph in text.split("\n"):
            row = ""
            for word in re.findall(r"\S+\s*|\s+", paragraph):
                if row and cell_len(row + word.rstrip()) > width:
                    rows.append(row.rstrip())
                    row = ""
                *full, row = chop_cells(row + word, width) or [""]
                rows += full
            rows.append(row)
        return rows

    def erase(self) -> None:
        """Take the words away. They stay where that would hit other lines: after a resize, or scrolled out of sight."""
        if self.is_empty:
            return
        if self._terminal.size == self._size and self._rows < self._size[1] - 1:
            up = f"\x1b[{self._rows}A" if self._rows else ""
            self._terminal.write(f"\r{up}\x1b[J")
        else:
            self._terminal.write("\n")
        self._line, self._rows, self.is_empty = "", 0, True


def link(text: str, url: str, style: str = "") -> Text:
    """`text` that opens `url` where the terminal can; plain text for what is no harmless web address."""
    found = Text(text)
    if _LINK.fullmatch(url):
        found.stylize(Style(link=url))
    if style:
        found.stylize(style)
    return found


def shortened(text: str, columns: int) -> str:
    """The first line of `text`, cut to so many columns."""
    line = text.partition("\n")[0]
    return line if cell_len(line) <= columns else (chop_cells(line, max(1, columns)) or [""])[0]


@contextmanager
def typing_unseen() -> Iterator[None]:
    """What is typed while no prompt is there waits for the next one, instead of showing between other lines."""
    try:
        import termios
    except ImportError:  # Windows
        yield
        return
    try:
        before = termios.tcgetattr(sys.stdin)
    except (termios.error, OSError, ValueError):  # not a terminal
        yield
        return
    quiet = [*before]
    quiet[3] &= ~termios.ECHO
    with suppress(termios.error):
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, quiet)
    try:
        yield
    finally:
        with suppress(termios.error):
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _encoding(file: IO[str], environ: Mapping[str, str]) -> str:
    """What the terminal shows. In the locale C Python writes UTF-8 all the same, which such a terminal may not know."""
    encoding = getattr(file, "encoding", None) or "utf-8"
    locale = environ.get("LC_ALL") or environ.get("LC_CTYPE") or environ.get("LANG") or ""
    if locale == "C.UTF-8" and not environ.get("LC_ALL"):
        # Python itself sets LC_CTYPE so where LANG is C (PEP 538).
        locale = environ.get("LANG") or locale
    is_asked_for = bool(environ.get("PYTHONIOENCODING") or environ.get("PYTHONUTF8"))
    return "ascii" if locale in ("C", "POSIX") and not is_asked_for else encoding


@lru_cache(maxsize=4096)
def _shown(character: str, encoding: str) -> str:
    """The character, or the nearest one that the encoding has: a letter without its accent, else "?"."""
    for candidate in (character, character.translate(_PLAIN), unicodedata.normalize("NFKD", character)[0]):
        with suppress(UnicodeEncodeError, LookupError):
            candidate.encode(encoding)
            return candidate
    return "?"
