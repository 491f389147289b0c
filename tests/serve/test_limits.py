"""Slow, large and many requests: each is told so or cut off, and others do not notice."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, suppress

import pytest

from agentvid.serve.connections import MAX_CONNECTIONS
from agentvid.serve.context import Waits

from .conftest import Site

HEAD = b"POST /api/ask HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
Serve = Callable[..., AbstractContextManager[Site]]


def is_closed(line: socket.socket, seconds: float) -> bool:
    """Whether the other side ends the connection within that time."""
    line.settimeout(seconds)
    try:
        while line.recv(65536):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_long(site: Site, chunked: bool) -> None:
    body = b'{"question": "' + b"x" * (5 << 20) + b'"}'
    with site.connect() as line, suppress(ConnectionError):
        if chunked:
            line.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
            for at in range(0, len(body), 1 << 20):
                part = body[at : at + (1 << 20)]
                line.sendall(b"%x\r\n%s\r\n" % (len(part), part))
        else:
            line.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body))
        assert line.recv(65536).startswith(b"HTTP/1.1 413")
    assert site.get("/api/library").status == 200


def test_a_length_that_is_none(site: Site) -> None:
    for length in (b"-1", b"x", b"9" * 40, b"1, 2", b"0x10", b""):
        got = site.raw(HEAD + b"Content-Length: " + length + b"\r\n\r\n{}")
        assert got.split(b" ")[1] in (b"400", b"413"), length


def test_long_headers_and_addresses(site: Site) -> None:
    assert site.raw(b"GET /" + b"x" * 200_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n").startswith(
        (b"HTTP/1.1 4", b"")
    )
    long = site.get(f"/api/search?q={'x' * 20_000}")
    assert long.status == 422
    assert len(long.body) < 500
    assert site.get("/api/library").status == 200


def test_what_is_no_http(site: Site) -> None:
    for data in (
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"\0" * 100,
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ):
        got = site.raw(data)
        assert got == b"" or got.startswith(b"HTTP/1.1 4")
        assert b"Traceback" not in got
    assert site.get("/api/library").status == 200


def test_headers_and_bodies_that_do_not_come(serve: Serve) -> None:
    with serve(waits=Waits(header_seconds=1.0, body_seconds=1.0)) as site:
        silent, half, body = site.connect(), site.connect(), site.connect()
        with silent, half, body:
            half.sendall(b"GET /api/library HTTP/1.1\r\nHost: localho")
            body.sendall(HEAD + b"Content-Length: 9\r\n\r\n{")
            for _ in range(4):  # a byte now and then does not help
                time.sleep(0.2)
                with suppress(OSError):
                    half.sendall(b"s")
            assert is_closed(silent, 3)
            assert is_closed(half, 3)
            body.settimeout(5)
            assert body.recv(4096).startswith(b"HTTP/1.1 408")


def test_many_that_send_nothing_do_not_keep_others_out(serve: Serve) -> None:
    """Slowloris: 64 connections that never finish their headers, and a good client beside them."""
    with serve() as site:
        alone = latencies(site, 10)
        lines = [site.connect() for _ in range(64)]
        for line in lines:
            with suppress(OSError):
                line.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-")
        time.sleep(Waits().grace_seconds + 0.3)
        beside = latencies(site, 20)
        for line in lines:
            line.close()
    # Twice as slow at most, and what a busy machine adds.
    assert sorted(beside)[-2] <= 2 * sorted(alone)[-1] + 0.5


def latencies(site: Site, count: int) -> list[float]:
    found = []
    for _ in range(count):
        began = time.monotonic()
        assert site.get("/api/library").status == 200
        found.append(time.monotonic() - began)
    return found


def test_there_are_never_more_connections_than_allowed(serve: Serve) -> None:
    """Readers that take nothing hold theirs for some seconds; who comes then is told so, and served when they go."""
    with serve(waits=Waits(stall_seconds=0.5)) as site:
        head = f"GET /media/{site.ids['north']} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        # Small windows: the file must not fit into the buffers on the way.
        readers = []
        for _ in range(MAX_CONNECTIONS):
            line = socket.socket()
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
            line.connect(("127.0.0.1", site.port))
            line.sendall(head * 60)
            readers.append(line)
        time.sleep(0.5)
        statuses = set()
        for _ in range(10):
            with suppress(ConnectionError):
                statuses.add(site.get("/api/library").status)
        assert statuses <= {200, 503}
        deadline = time.monotonic() + 30
        while site.get("/api/library").status != 200 and time.monotonic() < deadline:
            time.sleep(0.5)
        assert time.monotonic() < deadline
        for line in readers:
            line.close()


def test_slow_readers_do_not_slow_others(serve: Serve) -> None:
    with serve() as site:
        alone = latencies(site, 10)
        readers = [site.connect() for _ in range(8)]
        for line in readers:
            line.sendall(f"GET /media/{site.ids['north']} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() * 40)
        beside = latencies(site, 20)
        for line in readers:
            line.close()
    assert sorted(beside)[-2] <= 2 * sorted(alone)[-1] + 0.5


def test_clients_that_die_in_the_middle_leave_nothing_behind(serve: Serve) -> None:
    with serve() as site:
        for _ in range(60):
            with closing(site.connect()) as line:
                line.sendall(f"GET /media/{site.ids['north']} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                line.recv(1)
        body = json.dumps({"question": "Which boat?"}).encode()
        for _ in range(6):
            with closing(site.connect()) as line:
                line.sendall(
                    b"POST /api/ask HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                    b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
                )
        deadline = time.monotonic() + 10
        while (
            reply := site.post("/api/ask", {"question": "Which boat?"})
        ).status != 200 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert reply.status == 200
