"""A chat provider on this machine's loopback that speaks the OpenAI chat-completions protocol from a script.

    with ScriptedServer(ScriptedChat(["hello"]), faults=[Fault(status=500)]) as server:
        os.environ["OPENAI_BASE_URL"] = server.base_url

It drives the whole path, client library and HTTP included, and can misbehave as real servers do. Serving a
`ScriptedVision`, it decodes the images of a request and refuses those that are none, or come in the wrong order; a
`ScriptedAgent` calls the tools that a request offers.
`python -m agentvid.models.scripted_server SCRIPT` serves a script file until it is interrupted.
"""

from __future__ import annotations

import argparse
import binascii
import json
import socket
import struct
import sys
import threading
import time
from base64 import b64decode
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from agentvid.errors import EXIT_INTERRUPTED, AgentvidError
from agentvid.models.base import ChatModel, Picture, Reply
from agentvid.models.scripted import ScriptedChat
from agentvid.models.scripted_agent import ScriptedAgent
from agentvid.models.scripted_vision import ScriptedVision

#: Larger requests are refused.
_MOST_BYTES = 32 * 1024 * 1024
_PIECES = 4

Model = ChatModel | ScriptedVision | ScriptedAgent


@dataclass(frozen=True, slots=True)
class Fault:
    """What to do to one request instead of, or on the way to, answering it from the script.

    `status` other than 200 sends an error and `body` these bytes; `drop` closes the connection instead and `reset`
    breaks it: none of the four uses up the script. `change` edits the completion of the script before it is sent.
    `delay_seconds` comes before the first byte and `byte_seconds` after each; `stall_seconds` after `cut_after_bytes`
    the connection ends, short of the length it announced.
    """

    status: int = 200
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_seconds: float = 0.0
    byte_seconds: float = 0.0
    drop: bool = False
    reset: bool = False
    cut_after_bytes: int | None = None
    stall_seconds: float = 0.0
    change: Callable[[dict[str, Any]], object] | None = None


def _message(**parts: Any) -> Callable[[dict[str, Any]], object]:
    return lambda completion: completion["choices"][0]["message"].update(parts)


def _choice(**parts: Any) -> Callable[[dict[str, Any]], object]:
    return lambda completion: completion["choices"][0].update(parts)


def _whole(**parts: Any) -> Callable[[dict[str, Any]], object]:
    return lambda completion: completion.update(parts)


def _cut_short(completion: dict[str, Any]) -> None:
    message = completion["choices"][0]["message"]
    message["content"] = message["content"][: len(message["content"]) // 2]
    completion["choices"][0]["finish_reason"] = "length"


def _spoilt(text: str) -> Callable[[dict[str, Any]], object]:
    def change(completion: dict[str, Any]) -> None:
        completion["choices"][0]["message"]["content"] += text

    return change


def _calls(count: int) -> list[dict[str, Any]]:
    """Calls of a tool that nobody offered, all under one id."""
    function = {"name": "delete_everything", "arguments": '{"path": "/"}'}
    return [{"id": "call_1", "type": "function", "function": function}] * count


def _error(code: str, message: str) -> bytes:
    return json.dumps({"error": {"message": message, "type": "invalid_request_error", "code": code}}).encode()


_NOW = {"retry-after": "0"}

#: What providers, proxies and networks have been seen to do, one request of each.
FAULTS: Mapping[str, Fault] = {
    "drop": Fault(drop=True),
    "reset": Fault(reset=True),
    "silence": Fault(delay_seconds=5),
    "trickle": Fault(byte_seconds=0.1),
    "stall": Fault(cut_after_bytes=30, stall_seconds=5),
    "cut": Fault(cut_after_bytes=30),
    "408": Fault(status=408, headers=_NOW),
    "409": Fault(status=409, headers=_NOW),
    "429": Fault(status=429),
    "429 retry now": Fault(status=429, headers=_NOW),
    "429 retry at a date": Fault(status=429, headers={"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}),
    "429 retry in an hour": Fault(status=429, headers={"retry-after": "3600"}),
    "429 retry some day": Fault(status=429, headers={"retry-after": "some day"}),
    "500": Fault(status=500, headers=_NOW),
    "502": Fault(status=502, headers=_NOW),
    "503": Fault(status=503, headers=_NOW),
    "529": Fault(status=529, headers=_NOW),
    "301": Fault(status=301, headers={"location": "/v1/chat/completions"}),
    "401": Fault(status=401),
    "403": Fault(status=403),
    "404": Fault(status=404),
    "413": Fault(status=413),
    "422": Fault(status=422),
    "context overflow": Fault(status=400, body=_error("context_length_exceeded", "the prompt has 200000 tokens")),
    "temperature": Fault(status=400, body=_error("unsupported_value", "temperature does not support 0.0")),
    "html": Fault(body=b"<html>a proxy's page</html>", headers={"content-type": "text/html"}),
    "no body": Fault(body=b""),
    "null": Fault(body=b"null"),
    "half of a JSON": Fault(body=b'{"choices": [{"mess'),
    "deep JSON": Fault(body=b"[" * 100_000),
    "deep reply": Fault(change=_message(content="[" * 10_000)),
    "bad UTF-8": Fault(body=b'{"choices": "\xff\xfe"}'),
    "false gzip": Fault(headers={"content-encoding": "gzip"}, body=b"plain"),
    "event stream": Fault(body=b'data: {"choices": [{"delta": {"con', headers={"content-type": "text/event-stream"}),
    "no choices": Fault(change=_whole(choices=[])),
    "wrong role": Fault(change=_message(role="user")),
    "empty": Fault(change=_message(content="")),
    "no content": Fault(change=_message(content=None)),
    "number for content": Fault(change=_message(content=7)),
    "refusal": Fault(change=_message(content=None, refusal="I cannot help with that.")),
    "content filter": Fault(change=lambda c: (_message(content="")(c), _choice(finish_reason="content_filter")(c))),
    "length": Fault(change=_cut_short),
    "no usage": Fault(change=_whole(usage=None)),
    "usage that is no number": Fault(
        change=_whole(usage={"prompt_tokens": float("nan"), "completion_tokens": -5, "total_tokens": "many"})
    ),
    "10 MB": Fault(change=_spoilt("\n" + "x" * 10_000_000)),
    "lone surrogate": Fault(change=_spoilt("\ud800")),
    "control characters": Fault(change=_spoilt("\x1b]0;owned\x07\u202e")),
    "unknown tool": Fault(change=_message(content=None, tool_calls=_calls(1))),
    "200 calls of one id": Fault(change=_message(tool_calls=_calls(200))),
}


class ScriptedServer:
    """Serves `chat` on 127.0.0.1 while the context is open. Requests use up `faults` in order; None is no fault."""

    def __init__(self, chat: Model, *, faults: Sequence[Fault | None] = (), port: int = 0) -> None:
        self.chat = chat
        self.faults = deque(faults)
        self.requests: list[dict[str, Any]] = []
        self.lock = threading.Lock()
        self._http = _Server(("127.0.0.1", port), self)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def wait(self) -> None:
        """Serve until the process is interrupted."""
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a handler in the middle of a delay must not hold up the end of a test

    def __init__(self, address: tuple[str, int], owner: ScriptedServer) -> None:
        self.owner = owner
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news here; other errors are."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length", 0))
        if not self.path.endswith("/chat/completions") or length > _MOST_BYTES:
            return self._send_error(404, f"POST {self.path} is not served here; allowed: /v1/chat/completions")
        try:
            request = json.loads(self.rfile.read(length))
            system, parts = _prompt(request["messages"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return self._send_error(400, f"not a chat request: {error}")
        with self.server.owner.lock:
            self.server.owner.requests.append(request)
            fault = (self.server.owner.faults.popleft() if self.server.owner.faults else None) or Fault()
        time.sleep(fault.delay_seconds)
        if fault.reset:
            # To linger for no time sends RST, as a crashed server or a firewall does.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            return None
        if fault.drop:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return None
        if fault.status != 200 or fault.body is not None:
            return self._send_fault(fault)
        try:
            reply, message = _answer(self.server.owner.chat, request, system, parts)
        except AgentvidError as error:
            return self._send_error(422, str(error))
        if request.get("stream"):
            self._send(200, "text/event-stream", b"".join(_events(request, reply, message)), fault)
        else:
            completion = _completion(request, reply, message)
            if fault.change:
                fault.change(completion)
            self._send(200, "application/json", json.dumps(completion).encode(), fault)
        return None

    def _send_fault(self, fault: Fault) -> None:
        error = {"error": {"message": f"scripted fault {fault.status}", "type": "scripted", "code": None}}
        body = json.dumps(error).encode() if fault.body is None else fault.body
        self._send(fault.status, "application/json", body, fault)

    def _send_error(self, status: int, message: str) -> None:
        body = json.dumps({"error": {"message": message, "type": "invalid_request_error", "code": None}}).encode()
        self._send(status, "application/json", body, Fault())

    def _send(self, status: int, content_type: str, body: bytes, fault: Fault) -> None:
        self.close_connection = True
        self.send_response(status)
        for name, value in {"content-type": content_type, "content-length": str(len(body)), **fault.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        kept = body[: fault.cut_after_bytes]
        for piece in [kept] if not fault.byte_seconds else [kept[i : i + 1] for i in range(len(kept))]:
            self.wfile.write(piece)
            self.wfile.flush()
            time.sleep(fault.byte_seconds)
        time.sleep(fault.stall_seconds)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: requests are kept in `ScriptedServer.requests`."""


def _answer(
    model: Model, request: Mapping[str, Any], system: str, parts: Sequence[str | Picture]
) -> tuple[Reply, dict[str, Any]]:
    """The reply and its message. A chat model is asked with the texts alone, joined by line breaks, without images."""
    if isinstance(model, ScriptedAgent):
        message = model.message(request)
        return Reply(message["content"] or ""), {"role": "assistant", **message}
    if isinstance(model, ScriptedVision):
        reply = model.look(system, parts)
    else:
        reply = model.reply(system, "\n".join(part for part in parts if isinstance(part, str)))
    return reply, {"role": "assistant", "content": reply.text}


def _prompt(messages: Sequence[Mapping[str, Any]]) -> tuple[str, list[str | Picture]]:
    """(system text, what users said and showed, in order). Raises ValueError for an image that is not `data:`."""
    system: list[str] = []
    parts: list[str | Picture] = []
    for message in messages:
        content = "" if message.get("tool_calls") else message["content"]  # that of a call may be null
        blocks = content if isinstance(content, list) else [{"type": "text", "text": content}]
        texts = [block["text"] for block in blocks if block["type"] == "text"]
        if message["role"] in {"system", "developer"}:
            system += texts
        else:
            parts += [_part(block) for block in blocks if block["type"] in ("text", "image_url")]
    return "\n".join(system), parts


def _part(block: Mapping[str, Any]) -> str | Picture:
    if block["type"] == "text":
        text: str = block["text"]
        return text
    kind, comma, data = block["image_url"]["url"].partition(";base64,")
    if not kind.startswith("data:image/") or not comma:
        raise ValueError(f"an image at {kind[:40]!r}; allowed: data:image/...;base64,...")
    try:
        return Picture(b64decode(data, validate=True), kind.removeprefix("data:"), 0, 0)
    except binascii.Error as error:
        raise ValueError(f"an image that is not base64: {error}") from None


def _completion(request: Mapping[str, Any], reply: Reply, message: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": "chatcmpl-scripted",
        "object": "chat.completion",
        "created": 0,
        "model": request.get("model", "scripted"),
        "choices": [{"index": 0, "message": message, "finish_reason": _finish(message)}],
        "usage": _usage(reply),
    }


def _finish(message: Mapping[str, Any]) -> str:
    return "tool_calls" if message.get("tool_calls") else "stop"


def _events(request: Mapping[str, Any], reply: Reply, message: Mapping[str, Any]) -> Iterator[bytes]:
    """The same completion as server-sent events: a few pieces of text, the finish reason, the usage, [DONE]."""
    size = max(1, -(-len(reply.text) // _PIECES))
    pieces = [reply.text[start : start + size] for start in range(0, len(reply.text), size)]
    deltas: list[tuple[dict[str, Any], str | None]] = [({"role": "assistant", "content": ""}, None)]
    deltas += [({"content": piece}, None) for piece in pieces]
    for index, call in enumerate(message.get("tool_calls", ())):
        deltas.append(({"tool_calls": [{"index": index, **call}]}, None))
    deltas.append(({}, _finish(message)))
    frame = {"id": "chatcmpl-scripted", "object": "chat.completion.chunk", "created": 0}
    frame["model"] = request.get("model", "scripted")
    for delta, finish_reason in deltas:
        yield _event({**frame, "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]})
    if (request.get("stream_options") or {}).get("include_usage"):
        yield _event({**frame, "choices": [], "usage": _usage(reply)})
    yield b"data: [DONE]\n\n"


def _event(data: Mapping[str, Any]) -> bytes:
    return f"data: {json.dumps(data)}\n\n".encode()


def _usage(reply: Reply) -> dict[str, int]:
    return {
        "prompt_tokens": reply.input_tokens,
        "completion_tokens": reply.output_tokens,
        "total_tokens": reply.input_tokens + reply.output_tokens,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve SCRIPT; the first line of stdout is the base URL."""
    parser = argparse.ArgumentParser(
        prog="python -m agentvid.models.scripted_server", description=__doc__.split("\n")[0]
    )
    parser.add_argument("script", type=Path, help="YAML or JSON list of replies")
    parser.add_argument("--vision", action="store_true", help="decode and check the images of requests")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument(
        "--fault", action="append", default=[], choices=[*FAULTS], help="of the next request; may repeat"
    )
    options = parser.parse_args(arguments)
    faults = [FAULTS[name] for name in options.fault]
    try:
        kind = ScriptedVision if options.vision else ScriptedChat
        with ScriptedServer(kind.from_file(options.script), faults=faults, port=options.port) as server:
            sys.stdout.write(f"{server.base_url}\n")
            sys.stdout.flush()
            server.wait()
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except AgentvidError as error:
        sys.stderr.write(f"{error}; {error.hint}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
