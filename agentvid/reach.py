"""Whether a server can be reached at all, told in seconds: libraries that download try again for minutes."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from functools import partial
from queue import Empty, Queue
from threading import Thread
from time import monotonic
from typing import TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

#: As long as the hub's own library waits for a connection, so that no network that is merely slow is given up.
_WAIT_SECONDS = 10.0
_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
T = TypeVar("T")


def unreachable(url: str) -> str:
    """Why no connection to the server of `url`, or to the proxy before it, can be opened; "" if one can.

    Nothing is sent. A `url` that cannot be understood is "" too: who really asks there says it better.
    """
    try:
        host, port = _first_stop(url)
    except ValueError:
        return ""
    # Not one address after the other: where IPv6 leads nowhere, the addresses of IPv4 come last.
    addresses = _first_of([partial(_addresses, host, port)])
    if isinstance(addresses, OSError):
        return _reason(host, addresses)
    opened = _first_of([partial(_open, address, port) for address in addresses])
    return _reason(f"{host}:{port}", opened) if isinstance(opened, OSError) else ""


def _first_stop(url: str) -> tuple[str, int]:
    """Host and port of the proxy that the environment names for `url`, else of its server. Raises ValueError."""
    target = urlsplit(url)
    proxies = getproxies()
    proxy = proxies.get(target.scheme) or proxies.get("all", "")
    if proxy and not proxy_bypass(target.hostname or ""):
        target = urlsplit(proxy if "//" in proxy else f"//{proxy}", "http")
    if not target.hostname:
        raise ValueError(f"{url!r} names no host")
    return target.hostname, target.port or _PORTS.get(target.scheme, 80)


def _addresses(host: str, port: int) -> list[str]:
    return list({str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)})


def _open(address: str, port: int) -> bool:
    socket.create_connection((address, port), _WAIT_SECONDS).close()
    return True


def _first_of(calls: Sequence[Callable[[], T]]) -> T | OSError:
    """What the first of `calls` that does not fail returns, or the last error; one that hangs is left behind."""
    outcomes: Queue[T | OSError] = Queue()
    for call in calls:
        Thread(target=lambda call=call: outcomes.put(_outcome(call)), daemon=True).start()
    end, outcome = monotonic() + _WAIT_SECONDS, None
    for _ in calls:
        try:
            outcome = outcomes.get(timeout=max(0.0, end - monotonic()))
        except Empty:
            break
        if not isinstance(outcome, OSError):
            return outcome
    return outcome or TimeoutError(f"no reply in {_WAIT_SECONDS:.0f} s")


def _outcome(call: Callable[[], T]) -> T | OSError:
    try:
        return call()
    except OSError as error:
        return error
    except UnicodeError as error:  # a host that is no name
        return OSError(str(error))


def _reason(where: str, error: OSError) -> str:
    return f"{where}: {error.strerror or error}"
