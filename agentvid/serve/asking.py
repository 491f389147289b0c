"""Questions, answered as server-sent events while they run.

Who stops a question by its id gets the answer as far as it is; who closes the connection ends the run and gets nothing.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from agentvid.budget import Budget, Cancel
from agentvid.errors import AgentvidError
from agentvid.serve.context import Context
from agentvid.serve.documents import Question
from agentvid.serve.errors import Refused, refusal_of
from agentvid.serve.names import Names, plain_line
from agentvid.types import Answer, Json

log = logging.getLogger("agentvid.serve")
#: A refusal that comes so soon gets a status of its own; later ones are events.
_FIRST_SECONDS = 1.0
#: An empty line so often finds out that the other side is gone, and keeps what lies between from giving up.
_KEEP_ALIVE_SECONDS = 15.0
_EVENT = {
    "type": "object",
    "properties": {
        "event": {"type": "string", "description": "a name of docs/json.md, then answer or error"},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
    "required": ["event", "data"],
}
ASK_ID = "Ask-Id"
_STREAM: dict[str, Any] = {
    "content": {"text/event-stream": {"itemSchema": _EVENT}},
    "headers": {ASK_ID: {"description": "what stops the question", "schema": {"type": "string"}}},
}
Event = tuple[str, Json]


class Asks:
    """The questions that run; at most `limit` at a time."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._slots = threading.BoundedSemaphore(context.options.asks)
        self._running: dict[str, Ask] = {}

    def start(self, question: Question, loop: asyncio.AbstractEventLoop) -> Ask:
        """Raises Refused with 503 if as many as may run do."""
        if not self._slots.acquire(blocking=False):
            raise Refused(503, f"{self._context.options.asks} questions are being answered", "ask again in a moment")
        ask = Ask(self._context, question, loop, self._end)
        self._running[ask.id] = ask
        threading.Thread(target=ask.run, name="agentvid-ask", daemon=True).start()
        return ask

    def stop(self, ask_id: str) -> None:
        """Raises Refused with 404 if no question of that id runs."""
        if (ask := self._running.get(ask_id)) is None:
            raise Refused(404, "no question of that id runs", f"its response named it in the header {ASK_ID}")
        ask.cancel()

    def _end(self, ask: Ask) -> None:
        del self._running[ask.id]
        self._slots.release()


class Ask:
    """One question: a thread runs it and puts its events into `events`, None last."""

    def __init__(
        self,
        context: Context,
        question: Question,
        loop: asyncio.AbstractEventLoop,
        end: Callable[[Ask], None],
    ) -> None:
        self.id = secrets.token_hex(8)
        self.events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._context, self._question, self._loop, self._end = context, question, loop, end
        self._cancel = Cancel()

    def cancel(self) -> None:
        """End the run soon, with the best answer so far, which stays in its thread and its trace."""
        self._cancel.set()

    def run(self) -> None:
        try:
            for event in self._events():
                self._put(event)
        except AgentvidError as error:
            told = refusal_of(error)
            self._put(("error", {"status": told.status, "error": told.error, "hint": told.hint}))
        except Exception as error:
            log.exception("a question failed")
            name = type(error).__name__
            self._put(("error", {"status": 500, "error": f"unexpected {name}", "hint": "the server's log tells more"}))
        finally:
            self._end(self)
            self._put(None)

    def _events(self) -> Iterator[Event]:
        asked, library, names = self._question, self._context.library, self._context.names()
        items = library.stream(
            asked.question,
            videos=[self._context.video(video).id for video in asked.videos],
            choices=asked.choices,
            model=asked.model,
            verify=asked.verify,
            thread=asked.thread,
            budget=_budget(asked, library.settings.budget),
            cancel=self._cancel,
        )
        for item in items:
            if isinstance(item, Answer):
                yield "answer", answer_json(names, item)
            else:
                yield item["event"], names.clean(dict(item))

    def _put(self, event: Event | None) -> None:
        with suppress(RuntimeError):  # the server has ended
            self._loop.call_soon_threadsafe(self.events.put_nowait, event)


def routes(context: Context) -> APIRouter:
    router = APIRouter(prefix="/api", tags=["ask"])
    asks = Asks(context)

    @router.post("/ask", response_class=StreamingResponse, responses={200: _STREAM})
    async def ask(question: Question) -> StreamingResponse:
        """Answer a question; every step is an event, `answer` or `error` the last."""
        allowed = context.library.settings.model
        if question.model not in ("", allowed):
            raise Refused(
                422,
                f"model = {question.model!r} is not allowed; allowed: {allowed or 'none'}",
                "start the server with --model PROVIDER:NAME",
            )
        running = asks.start(question, asyncio.get_running_loop())
        first: list[Event | None] = []
        try:
            with suppress(TimeoutError):
                first.append(await asyncio.wait_for(running.events.get(), _FIRST_SECONDS))
        except BaseException:
            running.cancel()
            raise
        if first and first[0] and first[0][0] == "error":
            told = first[0][1]
            raise Refused(told["status"], told["error"], told["hint"])
        # nginx would hold events back.
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", ASK_ID: running.id}
        return StreamingResponse(_lines(running, first), media_type="text/event-stream", headers=headers)

    @router.post("/ask/{ask_id}/stop", status_code=204)
    def stop(ask_id: str) -> None:
        """Stop a question that runs: its stream soon ends with the best answer so far."""
        asks.stop(ask_id)

    return router


async def _lines(running: Ask, first: list[Event | None]) -> AsyncIterator[bytes]:
    """The events as lines, those of `first` before the others. However it ends, the run ends with it."""
    try:
        while True:
            try:
                event = first.pop() if first else await asyncio.wait_for(running.events.get(), _KEEP_ALIVE_SECONDS)
            except TimeoutError:
                yield b": still at it\n\n"
                continue
            if event is None:
                return
            yield _encoded(*event)
    finally:
        running.cancel()


def _encoded(name: str, document: Json) -> bytes:
    # ASCII JSON has no line break that would end the field.
    return f"event: {name}\ndata: {json.dumps(document)}\n\n".encode("ascii")


def answer_json(names: Names, answer: Answer) -> Json:
    """The answer as docs/json.md has it, with names for paths."""
    document: Json = names.clean(answer.to_json())
    for item in document["evidence"]:
        item["name"] = item.pop("video")
    for gap in document["coverage"]["gaps"]:
        gap["reason"] = plain_line(gap["reason"])
    return document


def _budget(asked: Question, allowed: Budget) -> Budget | None:
    """The limits that were asked for, none above those of the settings."""
    if asked.budget is None:
        return None
    wanted: dict[str, Any] = {}
    for name, value in asked.budget.model_dump(exclude_none=True).items():
        most = getattr(allowed, name)
        wanted[name] = value if most is None else min(value, most)
    return replace(allowed, **wanted)
