"""Digests in a chat model's words: chapter after chapter, each with what came before it, then the whole from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agentvid.errors import ModelError
from agentvid.models.base import ChatModel
from agentvid.prompts import render
from agentvid.salience import most_telling
from agentvid.text import clean_text
from agentvid.tools.chat import SYSTEM, line, lines
from agentvid.types import FACT, Passage, Section, Span
from agentvid.untrusted import Fence, quoted

#: A chapter's prompt holds so many rows, the most telling ones.
_MOST_ROWS = 120
_TITLE_CHARACTERS, _TEXT_CHARACTERS = 80, 1_000
#: The whole is told from so many parts; of more, so many neighbours are made one first, until they are few enough.
_MOST_PARTS, _NEIGHBOURS = 40, 12
_TRIES = 2

Told = tuple[str, str]


def written(
    sections: Sequence[Section], passages: Sequence[Passage], chat: ChatModel
) -> tuple[tuple[Section, ...], tuple[str, ...]]:
    """The sections with titles and texts by `chat`, and warnings: one that it cannot write stays made of rows.

    A model that fails is not asked again.
    """
    writer = _Writer(chat)
    found: list[Section] = []
    before = ""
    for section in sections:
        rows = writer.parts(found) if section.level == "video" else _rows(section.span, passages)
        told = writer.tell(section.span, before if section.level == "chapter" else "", rows) if rows else None
        found.append(replace(section, title=told[0], text=told[1], model=chat.name) if told else section)
        before = found[-1].text
    return tuple(found), tuple(dict.fromkeys(writer.problems))


def calls(sections: Sequence[Section]) -> int:
    """How many replies of the model `written` takes if each is usable."""
    total, parts = len(sections), len(sections) - 1
    while parts > _MOST_PARTS:
        parts = -(-parts // _NEIGHBOURS)
        total += parts
    return total


class _Writer:
    def __init__(self, chat: ChatModel) -> None:
        self._chat = chat
        self._fence = Fence()
        self._failed = False
        self.problems: list[str] = []

    def tell(self, span: Span, before: str, rows: Sequence[str]) -> Told | None:
        """Title and text of a part, None if there is no usable reply."""
        if self._failed:
            return None
        earlier = [f"before: {quoted(before, limit=_TEXT_CHARACTERS)}"] if before else []
        shown = f"{span.start_seconds:.1f} to {span.end_seconds:.1f} s"
        prompt = render("digest", marker=self._fence.marker, span=shown, rows=self._fence.wrap([*earlier, *rows]))
        try:
            for _ in range(_TRIES):
                if told := _read(self._chat.reply(SYSTEM, prompt).text):
                    return told
        except ModelError as error:
            self._failed = True
            self.problems.append(f"digests: {error}; chapters are told in rows of the video")
            return None
        self.problems.append(f"digests: {self._chat.name} gave no title and text for {shown}; rows stand there instead")
        return None

    def parts(self, chapters: Sequence[Section]) -> list[str]:
        """The chapters as lines of a prompt, neighbours told as one until there are few enough."""
        parts = list(chapters)
        while len(parts) > _MOST_PARTS:
            parts = [self._joined(parts[at : at + _NEIGHBOURS]) for at in range(0, len(parts), _NEIGHBOURS)]
        return _chapter_lines(parts)

    def _joined(self, parts: Sequence[Section]) -> Section:
        whole = parts[0].span.hull(parts[-1].span)
        title, text = self.tell(whole, "", _chapter_lines(parts)) or (parts[0].title, parts[0].text)
        return replace(parts[0], span=whole, title=title, text=text)


def _rows(span: Span, passages: Sequence[Passage]) -> list[str]:
    inside = [row for row in passages if row.span.overlaps(span)]
    inside = [row for row in inside if row.track != FACT] or inside
    inside.sort(key=lambda row: row.span)
    chosen = most_telling([row.text for row in inside], _MOST_ROWS)
    return lines(inside[at] for at in chosen)


def _chapter_lines(parts: Sequence[Section]) -> list[str]:
    return [line(at, part.span, "chapter", f"{part.title}. {part.text}") for at, part in enumerate(parts, 1)]


def _read(reply: str) -> Told | None:
    """The first line that says something is the title, the rest the text."""
    lines = [line for line in (clean_text(line.strip("#* ")) for line in reply.splitlines()) if line]
    if len(lines) < 2:
        return None
    title = lines[0].removeprefix("Title:").strip(' "')
    return clean_text(title, limit=_TITLE_CHARACTERS), clean_text(" ".join(lines[1:]), limit=_TEXT_CHARACTERS)
