"""Messages between the two sides of the decoder's process border: a small JSON header and raw bytes.

    magic "agv1" | header length, uint32 | payload length, uint64 | header, JSON object | payload

Neither length is believed before it is compared with a cap.
"""

from __future__ import annotations

import json
import os
import queue
import socket
import struct
import threading
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PREFIX = struct.Struct("!4sIQ")
_MAGIC = b"agv1"
MAX_HEADER_BYTES = 4 << 20
_QUEUED_MESSAGES = 4
_TICK_SECONDS, _TELL_SECONDS = 1.0, 0.3


class BrokenMessage(Exception):
    """The other side closed the line in the middle, or sent something that is no message."""


def send(line: socket.socket, header: dict[str, Any], *payload: memoryview) -> None:
    """Send one message; blocks until the other side has taken it. Raises OSError when it is gone."""
    text = json.dumps(header, separators=(",", ":")).encode("ascii")
    line.sendall(_PREFIX.pack(_MAGIC, len(text), sum(part.nbytes for part in payload)) + text)
    for part in payload:
        line.sendall(part)


def receive(line: socket.socket, max_payload_bytes: int) -> tuple[dict[str, Any], NDArray[np.uint8]] | None:
    """The next message, or None when the line was closed between two messages.

    Raises BrokenMessage; TimeoutError when no byte came for as long as the socket's timeout; OSError.
    """
    prefix = bytearray(_PREFIX.size)
    if not _fill(line, memoryview(prefix), may_end=True):
        return None
    magic, header_length, payload_length = _PREFIX.unpack(prefix)
    if magic != _MAGIC or header_length > MAX_HEADER_BYTES or payload_length > max_payload_bytes:
        raise BrokenMessage(f"a message of {header_length} + {payload_length} bytes")
    text = bytearray(header_length)
    _fill(line, memoryview(text))
    payload = np.empty(payload_length, np.uint8)
    _fill(line, payload.data)
    try:
        header = json.loads(text)
    except (ValueError, RecursionError):
        raise BrokenMessage("a header that is not JSON") from None
    if not isinstance(header, dict):
        raise BrokenMessage("a header that is not an object")
    return header, payload


def _fill(line: socket.socket, buffer: memoryview, *, may_end: bool = False) -> bool:
    """Read exactly the buffer; False at a clean end of the line where that is allowed."""
    filled = 0
    while filled < len(buffer):
        count = line.recv_into(buffer[filled:])
        if count == 0:
            if may_end and filled == 0:
                return False
            raise BrokenMessage("the end in the middle of a message")
        filled += count
    return True


class Outbox:
    """The child's end: a bounded queue and a thread that sends it, so that decoding goes on while the parent works."""

    def __init__(self, line: socket.socket) -> None:
        self._line, self._ticked = line, time.monotonic()
        self._told = self._ticked
        self._queue: queue.Queue[tuple[dict[str, Any], tuple[memoryview, ...]] | None]
        self._queue = queue.Queue(_QUEUED_MESSAGES)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def put(self, kind: str, /, *payload: memoryview, **fields: Any) -> None:
        """Queue a message; waits while the parent is `_QUEUED_MESSAGES` behind."""
        self._queue.put(({"kind": kind, **fields}, payload))

    def tick(self) -> None:
        """Tell the parent that work goes on, about once a second and unless messages wait for it anyway."""
        now = time.monotonic()
        if now - self._ticked > _TICK_SECONDS and self._queue.empty():
            self._ticked = now
            self.put("tick")

    def tell(self, seconds: float) -> None:
        """An "at" message with how far in the video the work is, a few times a second."""
        now = time.monotonic()
        if now - self._told > _TELL_SECONDS:
            self._told = now
            self.put("at", seconds=seconds)

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (message := self._queue.get()) is not None:
            try:
                send(self._line, message[0], *message[1])
            except OSError:
                os._exit(0)  # the parent has gone: nobody is left to decode for
