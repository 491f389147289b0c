"""What every format is given and what it declares.

A format writes a `Material`, spans of videos with a text each, to an open file and returns what it had to leave out.
Texts, names and titles in it were written by strangers: each format escapes them as its syntax demands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, Literal, get_args
from urllib.parse import quote

from agentvid.errors import MediaError, UsageError
from agentvid.media.cut import Timing, timing
from agentvid.media.limits import DEFAULT, Limits
from agentvid.types import Answer, Span

#: What can be exported: the evidence of an answer, the hits of a search, one track of a video, its chapters, a span.
Subject = Literal["answer", "hits", "track", "chapters", "span"]
SUBJECTS: tuple[Subject, ...] = get_args(Subject)


@dataclass(frozen=True)
class Source:
    """A video that items are parts of.

    `name` is what results call it, `title` what people do. `path` is the file's where it may be told, `absent` why
    there is none, "" if there is. `find_file` gives the file to who needs its pictures or its clock, (None, why) where
    it is gone or holds something else by now: looking may read all of it, so that it is asked once and late.
    """

    video_id: str
    name: str
    title: str
    duration_seconds: float
    frame_rate: float = 0.0
    has_audio: bool = False
    path: Path | None = None
    absent: str = ""
    find_file: Callable[[], tuple[Path | None, str]] = lambda: (None, "there is no file")
    limits: Limits = DEFAULT

    @cached_property
    def _found(self) -> tuple[Path | None, str]:
        return self.find_file()

    @property
    def file(self) -> Path | None:
        return self._found[0]

    @property
    def problem(self) -> str:
        """Why there is no `file`, or ""."""
        return self._found[1]

    @cached_property
    def timing(self) -> Timing | None:
        """The clock and frame rate of the file's own stream; None without a file that can be read."""
        if self.file is None:
            return None
        try:
            return timing(self.file, self.limits)
        except MediaError:
            return None


@dataclass(frozen=True, slots=True)
class Item:
    """One span to export. `id` is the same whenever the same thing is exported; `text` may be ""."""

    id: str
    video_id: str
    span: Span
    track: str
    text: str
    score: float = 1.0
    language: str = ""


@dataclass(frozen=True, slots=True)
class Material:
    """What is exported. `title` is the question, the query or the video's name; `items` are in the order of the source.

    `videos` holds a Source for every item's video. `page` is the address of a running page, to link to, or "".
    """

    subject: Subject
    title: str
    items: tuple[Item, ...]
    videos: Mapping[str, Source]
    answer: Answer | None = None
    page: str = ""

    def source(self, item: Item) -> Source:
        return self.videos[item.video_id]

    def link(self, item: Item) -> str:
        """Where the span plays: a Media Fragments URI (W3C, 2012) of the page or the file; "" if there is none."""
        fragment = f"#t={item.span.start_seconds:.3f},{item.span.end_seconds:.3f}"
        if self.page:
            return f"{self.page}/v/{quote(item.video_id, safe='')}{fragment}"
        path = self.source(item).path
        return path.absolute().as_uri() + fragment if path is not None else ""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An item, or all of a video, that is not in the file, and why; `id` is the item's or the video's name."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Format:
    """One way to export. `write` writes the file and returns what it left out.

    `is_text`: UTF-8, so that it may go to a terminal. `needs_files`: it shows pictures, so that it leaves out items of
    videos whose file is gone.
    """

    name: str
    suffix: str
    media_type: str
    about: str
    subjects: frozenset[Subject]
    write: Callable[[Material, BinaryIO], list[LeftOut]]
    is_text: bool = True
    needs_files: bool = False
    extra: str = field(default="")

    def check(self, material: Material) -> None:
        """Raise UsageError unless this format can hold the material."""
        if material.subject not in self.subjects:
            allowed = ", ".join(subject for subject in SUBJECTS if subject in self.subjects)
            raise UsageError(
                f"{self.name} does not hold {_CALLED[material.subject]}; it holds: {allowed}",
                hint="`agentvid export --list` tells what each format holds",
            )


_CALLED: dict[Subject, str] = {
    "answer": "an answer",
    "hits": "hits",
    "track": "a track",
    "chapters": "chapters",
    "span": "a span",
}
EVERYTHING = frozenset(SUBJECTS)
#: What is about single moments rather than a whole video.
MOMENTS: frozenset[Subject] = frozenset({"answer", "hits", "span"})


def one_line(text: str) -> str:
    """`text` without line breaks, which would end a line or a cue of most formats."""
    return " ".join(text.split())


def utf8(text: str) -> bytes:
    """Bytes of any text: a question typed into a terminal may hold what is no Unicode; it becomes "?"."""
    return text.encode("utf-8", "replace")
