"""The parent's side of the process border: start a decoder, listen, stop it, and say what went wrong.

One process reads one file for one request. It gets the opened file as its standard input, so that a file name is
never parsed by FFmpeg, and a socket to answer on. It is not trusted: everything it says is checked.
"""

from __future__ import annotations

import math
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from agentvid.errors import DamagedMedia, DecoderFailed, MediaError, MissingDependency, NotAVideo
from agentvid.media import wire
from agentvid.media.limits import Limits
from agentvid.text import clean_text, shown_name, terminal_text

#: What the interpreter itself needs to start and to find its packages; keys, tokens and proxies stay behind.
_ENVIRONMENT = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "PYTHONHOME", "PYTHONPATH", "PYTHONUSERBASE")
#: FFmpeg alone uses threads: the stacks and arenas of others would count against the memory limit.
_FIXED_ENVIRONMENT = {
    "MALLOC_ARENA_MAX": "2",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OPENCV_FOR_THREADS_NUM": "1",
    # Left to itself, glibc soon keeps freed blocks of up to 32 MB: what FFmpeg needs for a moment to open a long file.
    "MALLOC_MMAP_THRESHOLD_": str(4 << 20),
}
_ERRORS: dict[str, type[MediaError | MissingDependency]] = {
    kind.__name__: kind for kind in (NotAVideo, DamagedMedia, DecoderFailed, MissingDependency)
}
_REENCODE = "re-encode the file, for example `ffmpeg -i IN -c:v libx264 OUT.mp4`, and index the copy"
_EXIT_WAIT_SECONDS = 5.0


class Message:
    """One checked reply. Every accessor raises DecoderFailed when the child sent something else."""

    def __init__(self, name: str, header: dict[str, Any], payload: NDArray[np.uint8]) -> None:
        self._name, self._header, self._payload = name, header, payload

    @property
    def kind(self) -> str:
        return self.text("kind", 32)

    def number(self, field: str, low: float, high: float) -> float:
        value = self._header.get(field)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            self.refuse(field)
        if not low <= value <= high:
            self.refuse(field)
        return float(value)

    def integer(self, field: str, low: int, high: int) -> int:
        value = self._header.get(field)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.refuse(field)
        return value

    def flag(self, field: str) -> bool:
        return self.integer(field, 0, 1) == 1

    def text(self, field: str, limit: int) -> str:
        value = self._header.get(field)
        if not isinstance(value, str):
            self.refuse(field)
        # A lone surrogate, which JSON can carry, would break whoever stores or prints it.
        return value[:limit].encode("utf-8", "replace").decode()

    def inside(self, field: str) -> Message:
        """An object in it, as a message without payload."""
        value = self._header.get(field)
        if not isinstance(value, dict):
            self.refuse(field)
        return Message(self._name, value, np.empty(0, np.uint8))

    def each(self, field: str, limit: int) -> Iterator[Message]:
        """The objects of a list, as messages without payload."""
        values = self._header.get(field)
        if not isinstance(values, list) or len(values) > limit:
            self.refuse(field)
        for value in values:
            if not isinstance(value, dict):
                self.refuse(field)
            yield Message(self._name, value, np.empty(0, np.uint8))

    def array(self, dtype: DTypeLike, shape: tuple[int, ...], *, offset: int = 0) -> NDArray[Any]:
        """Part of the payload as an array, without copying; a payload shorter than that is refused."""
        size = math.prod(shape) * np.dtype(dtype).itemsize
        if offset + size > self._payload.nbytes:
            self.refuse("payload")
        return self._payload[offset : offset + size].view(dtype).reshape(shape)

    def refuse(self, field: str) -> NoReturn:
        """Raise DecoderFailed: the child broke the protocol."""
        raise DecoderFailed(f"{self._name}: the decoder process sent a malformed {field}", hint=_REENCODE)


class Decoder:
    """A decoder process that answers one request; a context manager that leaves no process behind.

    Raises MediaError when the file cannot be opened, DecoderFailed when the process cannot start.
    """

    def __init__(
        self, path: Path, request: dict[str, Any], limits: Limits, *, max_payload_bytes: int = 1 << 20
    ) -> None:
        self.name = display_name(path)
        self._limits = limits
        self._max_payload_bytes = max_payload_bytes
        media = _open_media(path, self.name)
        try:
            self._line, far_end = socket.socketpair()
        except OSError:
            os.close(media)
            raise
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "agentvid.media.worker", str(far_end.fileno())],
                stdin=media,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ} | _FIXED_ENVIRONMENT,
                close_fds=True,
                pass_fds=(far_end.fileno(),),
                start_new_session=True,
            )
        except OSError as error:
            self._line.close()
            raise DecoderFailed(
                f"{self.name}: the decoder process cannot start: {error}", hint="free memory, then try again"
            ) from None
        finally:
            os.close(media)
            far_end.close()
        self._line.settimeout(limits.stall_seconds)
        self._request = {**request, "limits": asdict(limits)}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Kill the process if it still runs, wait for it, and close what led to it."""
        self._process.kill()
        self._process.wait()
        self._line.close()
        if self._process.stderr is not None:
            self._process.stderr.close()

    def messages(self) -> Iterator[Message]:
        """Send the request and yield the replies; the last one is of kind "end".

        Raises NotAVideo, DamagedMedia or DecoderFailed as the child says, DecoderFailed when it crashes or stalls.
        """
        try:
            wire.send(self._line, self._request)
            while (received := wire.receive(self._line, self._max_payload_bytes)) is not None:
                message = Message(self.name, *received)
                if message.kind == "error":
                    self._raise_reported(message)
                if message.kind != "tick":
                    yield message
                if message.kind == "end":
                    return
        except TimeoutError:
            raise DecoderFailed(
                f"{self.name}: the decoder process was silent for {self._limits.stall_seconds:g} s and was stopped",
                hint=f"{_REENCODE}, or allow more with AGENTVID_DECODE_STALL_SECONDS",
            ) from None
        except (wire.BrokenMessage, OSError):
            # A killed child closes the line in the middle of whatever it was saying.
            self._raise_exit()
        self._raise_exit()

    def _raise_reported(self, message: Message) -> NoReturn:
        kind = _ERRORS.get(message.text("error", 32), DecoderFailed)
        reason = clean_text(message.text("message", 500))
        raise kind(f"{self.name}: {reason}", hint=clean_text(message.text("hint", 500)))

    def _raise_exit(self) -> NoReturn:
        """Say how the process ended, from its exit status and the last line it wrote."""
        try:
            status = self._process.wait(_EXIT_WAIT_SECONDS)
        except subprocess.TimeoutExpired:
            raise DecoderFailed(f"{self.name}: the decoder process sent a malformed message", hint=_REENCODE) from None
        if status == -signal.SIGXCPU:
            raise DecoderFailed(f"{self.name}: the decoder process used more CPU time than allowed", hint=_REENCODE)
        if status < 0:
            what = f"was killed by {signal.Signals(-status).name}"
        else:
            stderr = self._process.stderr
            lines = stderr.read().decode("utf-8", "replace").strip().splitlines() if stderr else []
            what = f"ended with status {status}" + (f": {clean_text(lines[-1], limit=300)}" if lines else "")
        raise DecoderFailed(f"{self.name}: the decoder process {what}", hint=_REENCODE)


def display_name(path: Path) -> str:
    """The file's name as errors show it: printable whatever its bytes are."""
    return shown_name(os.fsencode(path).decode("utf-8", "replace"))


def _open_media(path: Path, name: str) -> int:
    """A descriptor of a regular, non-empty file. Raises NotAVideo or MediaError."""
    try:
        # Without O_NONBLOCK, opening a named pipe would wait for its writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise MediaError(f"{name}: no such file", hint=f"looked for {terminal_text(str(path))}") from None
    except PermissionError:
        raise MediaError(f"{name}: permission denied", hint="make the file readable for this user") from None
    except (OSError, ValueError) as error:
        raise MediaError(f"{name}: cannot be opened: {getattr(error, 'strerror', error)}") from None
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise NotAVideo(f"{name}: is a directory", hint="name the files in it")
        if not stat.S_ISREG(status.st_mode):
            raise NotAVideo(f"{name}: is not a regular file")
        if status.st_size == 0:
            raise NotAVideo(f"{name}: is empty (0 bytes)", hint="copy or download it again")
    except NotAVideo:
        os.close(descriptor)
        raise
    return descriptor
