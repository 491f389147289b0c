"""The decoder process: confine itself, open standard input, answer one request, end.

Run as `python -P -m agentvid.media.worker SOCKET_FD` by agentvid.media.process, never by hand.
"""

from __future__ import annotations

import os
import resource
import socket
import sys
from importlib import import_module
from typing import Any

from agentvid.errors import AgentvidError, DecoderFailed, MissingDependency
from agentvid.media import wire
from agentvid.media.limits import CPU_SECONDS_BASE, CPU_SECONDS_PER_SECOND, Limits

_OPEN_FILES = 64
#: What a request may ask for, and the module of agentvid.media that does it; only that one is loaded.
_READERS = {
    "cut": "cutting",
    "describe": "cutting",
    "probe": "pictures",
    "scan": "pictures",
    "frames_at": "exact",
    "audio": "sound",
    "subtitles": "sound",
    "still": "still",
}


def confine(limits: Limits) -> None:
    """Take away what decoding does not need, before the first byte of the file is read."""
    cpu = CPU_SECONDS_BASE + int(CPU_SECONDS_PER_SECOND * limits.max_seconds)
    wanted = {
        resource.RLIMIT_AS: limits.max_memory_bytes,
        resource.RLIMIT_CPU: cpu,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: _OPEN_FILES,
        resource.RLIMIT_CORE: 0,
    }
    for name, value in wanted.items():
        hard = resource.getrlimit(name)[1]
        allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
        if name == resource.RLIMIT_AS and sys.platform == "darwin":
            continue  # macOS refuses to lower it
        resource.setrlimit(name, (allowed, allowed))
    allow_cpu_seconds(CPU_SECONDS_BASE)


def allow_cpu_seconds(seconds: float) -> None:
    """Move the soft CPU limit, below the hard one that `confine` has set."""
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (min(int(seconds), hard), hard))


def answer(request: dict[str, Any], outbox: wire.Outbox) -> None:
    """Open the file and let the reader that the request names send its replies."""
    limits = Limits(**request["limits"])
    confine(limits)
    do = request["do"]
    try:
        read = getattr(import_module(f"agentvid.media.{_READERS[do]}"), do)
    except ModuleNotFoundError as error:
        if error.name != "av":
            raise
        raise MissingDependency("PyAV is not installed", hint="pip install 'av>=17.1,<20'") from None
    if do == "still":
        read(request, limits, outbox)
        return
    from agentvid.media.container import open_source

    source = open_source(limits, outbox.tick)
    seconds = source.header_duration_seconds() or limits.max_seconds
    allow_cpu_seconds(CPU_SECONDS_BASE + CPU_SECONDS_PER_SECOND * seconds)
    read(source, request, outbox)


def main() -> None:
    os.set_blocking(2, False)  # nobody reads it before the end: drop what does not fit rather than wait
    line = socket.socket(fileno=int(sys.argv[1]))
    received = wire.receive(line, 0)
    if received is None:
        return
    outbox = wire.Outbox(line)
    try:
        answer(received[0], outbox)
    except MemoryError:
        _report(DecoderFailed("decoding it needs more memory than allowed", hint="index a smaller copy"), outbox)
    except AgentvidError as error:
        _report(error, outbox)
    outbox.close()
    line.close()
    sys.stderr.flush()
    os._exit(0)  # what is left is only memory; tearing FFmpeg's threads down takes longer than the request


def _report(error: AgentvidError, outbox: wire.Outbox) -> None:
    outbox.put("error", error=type(error).__name__, message=str(error), hint=error.hint)


if __name__ == "__main__":
    main()
