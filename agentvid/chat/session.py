"""What a conversation goes on with: scope, model, limits, thread, and what the numbers on the screen mean."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from agentvid.cli.finding import worth_showing
from agentvid.errors import NotFound, UsageError
from agentvid.text import shown_name
from agentvid.types import Answer, Evidence, Hit, Json, Span, Usage

if TYPE_CHECKING:
    from agentvid.budget import Budget, Cancel
    from agentvid.events import Event
    from agentvid.library import Library


@dataclass(frozen=True, slots=True)
class Place:
    """A numbered line of the last list: seconds of a video, and what is said there."""

    video: str
    video_id: str
    span: Span
    track: str = ""
    text: str = ""

    @classmethod
    def of(cls, found: Evidence | Hit) -> Place:
        if isinstance(found, Evidence):
            return cls(found.video, found.video_id, found.span, found.track, found.quote)
        moment = found.moment
        return cls(found.video, moment.video_id, moment.span, moment.track, moment.text)

    @property
    def name(self) -> str:
        return shown_name(self.video)


def new_thread_id() -> str:
    """ "chat-20261126-144230-5f3a": the local time, so that people know it again, and 16 random bits."""
    return f"chat-{datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


class Session:
    """One conversation with a library; commands change it, questions go on with it."""

    def __init__(self, library: Library, *, videos: Sequence[str] = (), thread: str = "") -> None:
        """Raises UnknownVideo, AmbiguousVideo."""
        self.library = library
        self.scope: tuple[str, ...] = ()
        self.choices: tuple[str, ...] = ()
        self.verify = ""
        self.budget: Budget = library.settings.budget
        self.thread = thread or new_thread_id()
        self.answer: Answer | None = None
        self.places: list[Place] = []
        #: The query and hits that the numbers refer to; None if they refer to an answer.
        self.found: tuple[str, list[Hit]] | None = None
        self.total = Usage()
        self.asked = 0
        self.set_scope(videos)

    def stream(self, question: str, cancel: Cancel) -> Iterator[Event | Answer]:
        """Ask; events as they happen, then the answer, to which the numbers refer from now on."""
        for item in self.library.stream(
            question,
            videos=self.scope,
            choices=self.choices,
            budget=self.budget,
            verify=self.verify,
            thread=self.thread,
            cancel=cancel,
        ):
            if isinstance(item, Answer):
                self.answer, self.found = item, None
                self.places = [Place.of(evidence) for evidence in item.evidence]
                self.total += item.usage
                self.asked += 1
            yield item

    def find(self, query: str) -> list[Hit]:
        """The best moments in scope, without those at the end that add nothing; the numbers refer to them from now on.

        Raises as `Library.search`.
        """
        hits = list(worth_showing(self.library.search(query, videos=self.scope)))
        self.found, self.places = (query, hits), [Place.of(hit) for hit in hits]
        return hits

    def set_scope(self, videos: Sequence[str]) -> None:
        """Ask of these videos only; of all without any. Raises UnknownVideo, AmbiguousVideo."""
        self.scope = tuple(self.library.catalogue.find_video(reference).id for reference in videos)

    def scope_names(self) -> list[str]:
        """Names of the videos in scope, none if it is the whole library. One that was removed goes by its id."""
        names = {video.id: shown_name(video.name) for video in self.library.catalogue.videos()} if self.scope else {}
        return [names.get(video_id, video_id[:12]) for video_id in self.scope]

    @property
    def model(self) -> str:
        return self.library.settings.model

    def place(self, number: str) -> Place:
        """What a number on the screen means. Raises UsageError."""
        if not self.places:
            raise UsageError("there is no numbered moment yet", hint="ask something, or /find QUERY")
        if not number.isdecimal() or not 1 <= int(number) <= len(self.places):
            raise UsageError(f"{number!r} is no line of the last list; allowed: 1 to {len(self.places)}")
        return self.places[int(number) - 1]

    def last_answer(self) -> Answer:
        """Raises UsageError if nothing was answered yet."""
        if self.answer is None:
            raise UsageError("nothing was answered yet in this session", hint="ask something first")
        return self.answer

    def begin(self) -> None:
        """Go on in a new thread."""
        self._enter(new_thread_id())

    def resume(self, thread: str) -> list[Json]:
        """Go on with a thread, in its scope if this session has none; its turns, the first first. Raises NotFound."""
        turns = self.library.thread(thread)
        self._enter(thread)
        names = {video.id: video.name for video in self.library.catalogue.videos()}
        self.scope = self.scope or tuple(video_id for video_id in turns[-1].get("videos", ()) if video_id in names)
        self.places = [
            Place(names[item["video_id"]], item["video_id"], Span(item["start"], item["end"]))
            for item in turns[-1]["evidence"]
            if item["video_id"] in names
        ]
        return turns

    def resume_if_known(self) -> list[Json]:
        """The turns of the thread that was named, none if it begins with this session.

        Raises UsageError for what names no thread.
        """
        from agentvid.threads import config_of

        config_of(self.thread)
        known = {item["thread"] for item in self.library.threads()}
        return self.resume(self.thread) if self.thread in known else []

    def resume_last(self) -> list[Json]:
        """Go on with the thread that was asked last. Raises NotFound if there is none."""
        threads = self.library.threads()
        if not threads:
            raise NotFound("there is no earlier conversation", hint="begin one with `agentvid chat`")
        return self.resume(threads[0]["thread"])

    def _enter(self, thread: str) -> None:
        self.thread, self.answer, self.found, self.places = thread, None, None, []
