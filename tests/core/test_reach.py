"""A server that cannot be reached is told in seconds, and why; all of it on loopback."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from agentvid.reach import unreachable

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    """No proxy of the machine that tests run on."""
    names = [*PROXIES, *map(str.upper, PROXIES)]
    before = {name: os.environ.pop(name) for name in names if name in os.environ}
    yield
    for name in names:
        os.environ.pop(name, None)
    os.environ.update(before)


@pytest.fixture
def listening() -> Iterator[int]:
    """A port that takes connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_one_that_listens_is_reached_at_any_of_its_addresses(listening: int) -> None:
    assert unreachable(f"http://127.0.0.1:{listening}") == ""
    assert unreachable(f"http://localhost:{listening}/path") == ""  # where ::1 is localhost too, nobody listens there


def test_one_that_does_not_is_named_with_the_reason(closed: int) -> None:
    assert unreachable(f"https://127.0.0.1:{closed}") == f"127.0.0.1:{closed}: Connection refused"


def test_a_name_that_cannot_be_looked_up_is_told() -> None:
    # Too long a label for a name: no name server is asked.
    assert unreachable(f"https://{'a' * 70}.example").startswith(f"{'a' * 70}.example: ")


def test_a_proxy_is_what_must_be_reached(listening: int, closed: int) -> None:
    os.environ["https_proxy"] = f"http://127.0.0.1:{closed}"
    assert unreachable(f"https://127.0.0.1:{listening}") == f"127.0.0.1:{closed}: Connection refused"
    assert unreachable(f"http://127.0.0.1:{listening}") == ""  # it is no proxy of http
    os.environ["no_proxy"] = "127.0.0.1"
    assert unreachable(f"https://127.0.0.1:{listening}") == ""
    os.environ.update(https_proxy=f"127.0.0.1:{listening}", no_proxy="")
    assert unreachable(f"https://127.0.0.1:{closed}") == ""


@pytest.mark.parametrize("url", ["", "not a url", "https://host:port", "https://"])
def test_what_is_no_address_is_left_to_who_asks_there(url: str) -> None:
    assert unreachable(url) == ""
