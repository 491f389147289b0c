"""What the server tells on its terminal (promise: no token, no traceback, one line)."""

from __future__ import annotations

import logging

import pytest

from agentvid.serve.logs import told

TOKEN = "Zq3vX0b7Kd92mWcRtY5uLhEaPfSgNjQi"


@pytest.mark.parametrize("name", ["agentvid.serve", "uvicorn.error"])
def test_an_error_is_one_line_without_the_token(name: str) -> None:
    lines: list[str] = []
    log = logging.getLogger(name)
    with told(lines.append, TOKEN):
        try:
            raise RuntimeError(f"no answer for {TOKEN}")
        except RuntimeError:
            log.exception("a question failed, %s", f"Bearer {TOKEN}")
        log.error("GET /login?token=%s", TOKEN)
        log.warning("only a warning")
    assert len(lines) == 2
    assert "RuntimeError: no answer for ***" in lines[0]
    assert not any(TOKEN in line or "\n" in line or "Traceback" in line for line in lines)


def test_afterwards_loggers_are_as_before() -> None:
    log = logging.getLogger("uvicorn.error")
    before = (log.level, log.propagate, list(log.handlers))
    with told(lambda _: None):
        pass
    assert (log.level, log.propagate, list(log.handlers)) == before
