"""What Tab offers: commands, and behind them what each takes. Names of videos are quoted where they need it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from agentvid.budget import Budget
from agentvid.chat.commands import COMMANDS, Offer
from agentvid.chat.render import shorten, times
from agentvid.chat.session import Session
from agentvid.chat.words import last_word, quoted
from agentvid.config import VERIFY
from agentvid.text import clean_text, timestamp
from agentvid.types import Video

_SHOWN = 60

#: (what is inserted, what is shown beside it)
Offered = Iterable[tuple[str, str]]


class ChatCompleter(Completer):
    """Completes the word before the cursor; `fit` makes text safe for the terminal."""

    def __init__(self, session: Session, fit: Callable[[str], str]) -> None:
        self._session = session
        self._fit = fit
        self._videos: list[tuple[str, str]] | None = None
        self._sources: Mapping[Offer, Callable[[], Offered]] = {
            "videos": lambda: [*self.videos(), ("all", "every video")],
            "moments": self._moments,
            "claims": self._claims,
            "verify": lambda: [(name, "") for name in VERIFY],
            "budget": lambda: [(f"{field.name}=", "") for field in fields(Budget)],
            "formats": _formats,
            "threads": self._threads,
            "commands": lambda: [(command.name, command.about) for command in COMMANDS.values()],
        }

    def forget(self) -> None:
        """Read names anew at the next Tab: videos may have come and gone since the last prompt."""
        self._videos = None

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        text = document.text_before_cursor
        name, space, rest = text.partition(" ")
        if not text.startswith("/"):
            yield from self._fitting(self.videos(), last_word(text), least=2)
        elif not space:
            commands = ((f"/{command.name}", command.about) for command in COMMANDS.values())
            yield from self._fitting(commands, text)
        elif (command := COMMANDS.get(name[1:].lower())) and (source := self._sources.get(command.offers)):
            yield from self._fitting(source(), last_word(rest))

    def videos(self) -> list[tuple[str, str]]:
        """What names each video, and what to say of it."""
        if self._videos is None:
            self._videos = list(_references(self._session.library.catalogue.videos()))
        return self._videos

    def _fitting(self, offered: Offered, word: str, *, least: int = 0) -> Iterator[Completion]:
        """Those that begin as the word does, then those that hold it. Case and an open quote do not matter."""
        typed = word.lstrip("\"'").casefold()
        if len(typed) < least:
            return
        entries = list(offered)
        begin = [entry for entry in entries if entry[0].casefold().startswith(typed)]
        hold = [entry for entry in entries if typed in entry[0].casefold() and entry not in begin]
        for text, about in [*begin, *hold]:
            yield Completion(
                quoted(text),
                start_position=-len(word),
                display=self._fit(shorten(text, _SHOWN)),
                display_meta=self._fit(about),
            )

    def _moments(self) -> Offered:
        for number, place in enumerate(self._session.places, 1):
            yield str(number), shorten(f"{place.name} {times(place.span)} {place.text}", _SHOWN)

    def _claims(self) -> Offered:
        claims = self._session.answer.claims if self._session.answer else ()
        return ((str(number), shorten(claim.text, _SHOWN)) for number, claim in enumerate(claims, 1))

    def _threads(self) -> Offered:
        return ((item["thread"], shorten(item["question"], _SHOWN)) for item in self._session.library.threads())


def _references(videos: Iterable[Video]) -> Iterator[tuple[str, str]]:
    """The file name; the id where several share it, or where it holds what no terminal should be sent."""
    videos = list(videos)
    names = [Path(video.name).name for video in videos]
    for name, video in zip(names, videos, strict=True):
        is_plain = name and clean_text(name) == name and names.count(name) == 1
        about = timestamp(video.duration_seconds)
        yield (name, about) if is_plain else (video.id[:12], f"{shorten(video.name, _SHOWN)}, {about}")


def _formats() -> Offered:
    from agentvid.exports.registry import EXPORTS

    return ((one.name, one.about) for one in EXPORTS.values() if one.subjects & {"answer", "hits"})
