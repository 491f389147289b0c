"""What the server tells on its terminal: one line per event, never a traceback and never the token."""

from __future__ import annotations

import logging
import os
from asyncio import CancelledError
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: Ours, and uvicorn's, which tells of errors that no handler saw.
_NAMES = ("agentvid.serve", "agentvid.jobs", "uvicorn.error")
_LEVEL = logging.ERROR
#: That streams are cut at the end is how it ends.
_USUAL = "timeout graceful shutdown exceeded"


class _Lines(logging.Handler):
    def __init__(self, tell: Callable[[str], None], secrets: tuple[str, ...]) -> None:
        super().__init__(_LEVEL)
        self._tell, self._secrets = tell, [secret for secret in secrets if secret]

    def emit(self, record: logging.LogRecord) -> None:
        line = record.getMessage().strip()
        if _USUAL in line or (record.exc_info and isinstance(record.exc_info[1], CancelledError)):
            return
        if record.exc_info and record.exc_info[1] is not None:
            error, trace = record.exc_info[1], record.exc_info[2]
            while trace is not None and trace.tb_next is not None:
                trace = trace.tb_next
            where = f" at {trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}" if trace else ""
            line = f"{line}: {type(error).__name__}: {error}{where}"
        for secret in self._secrets:
            line = line.replace(secret, "***")
        self._tell(" ".join(line.split()))


@contextmanager
def told(tell: Callable[[str], None], *secrets: str) -> Iterator[None]:
    """While the context is open, errors of the server are told by `tell`, with `secrets` blackened.

    With AGENTVID_DEBUG they are printed with their tracebacks instead.
    """
    if os.environ.get("AGENTVID_DEBUG"):
        yield
        return
    handler = _Lines(tell, secrets)
    loggers = [logging.getLogger(name) for name in _NAMES]
    before = [(logger.propagate, logger.level) for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.propagate = False
        logger.setLevel(_LEVEL)
    try:
        yield
    finally:
        for logger, (propagate, level) in zip(loggers, before, strict=True):
            logger.removeHandler(handler)
            logger.propagate = propagate
            logger.setLevel(level)
