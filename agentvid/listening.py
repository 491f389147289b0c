"""What every server of ours needs before it listens: who may come in, by which secret, and the port."""

from __future__ import annotations

import errno
import hmac
import math
import secrets
import socket
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentvid.errors import AgentvidError, UsageError

if TYPE_CHECKING:
    import uvicorn

#: A request may be so long.
MAX_BODY_BYTES = 4 * 1024 * 1024
TOKEN_BITS, _FEWEST_CHARACTERS = 128, 8
#: Open streams get so long to end after Ctrl-C.
_GRACE_SECONDS = 1
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def check_access(host: str, token: str) -> None:
    """Raises UsageError for a host that other machines reach without a token, and for a token that can be guessed."""
    if token and token_bits(token) < TOKEN_BITS:
        raise UsageError(
            f"the token has fewer than {TOKEN_BITS} bits; allowed: 32 hexadecimal digits or more, all kinds of them",
            hint="--token new makes one",
        )
    if not token and not is_loopback(host):
        raise UsageError(
            f"--host {host} lets other machines in, and there is no token; allowed without: 127.0.0.1, ::1",
            hint="add --token new",
        )


def token_bits(token: str) -> float:
    """How many bits a token can hold at most, by the alphabet that it seems to be made of."""
    # "aaaa..." is as long as one likes and holds nothing.
    if len(set(token)) < _FEWEST_CHARACTERS:
        return 0.0
    alphabet = sum(
        size
        for size, kind in ((10, str.isdigit), (26, str.islower), (26, str.isupper))
        if any(kind(character) for character in token)
    )
    if set(token.lower()) <= set("0123456789abcdef"):
        alphabet = 16
    return len(token) * math.log2(max(alphabet, 1))


def read_token(source: str) -> str:
    """The token in a file, or a new one for "new". What was given is not repeated: it may be the token itself."""
    if source == "new":
        return secrets.token_urlsafe(32)
    try:
        token = Path(source).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError, ValueError):
        raise UsageError("--token names no file that can be read; allowed: new, or a file with the token") from None
    if not token:
        raise UsageError(
            "the file of --token is empty; allowed: a file with the token in it", hint="--token new makes one"
        )
    return token


def same_secret(given: str, secret: str) -> bool:
    """Compared in a time that tells nothing of where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), secret.encode())


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises UsageError, or AgentvidError if the port is taken."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        raise UsageError(f"--host {host}: {error}", hint="allowed: an address of this machine") from None
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(64)
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise AgentvidError(
                f"port {port} of {host} is in use", hint=f"end what uses it, or choose another, as in --port {port + 1}"
            ) from None
        raise UsageError(f"cannot listen on {host} port {port}: {error.strerror}", hint="choose another") from None
    return listening


def base_url(host: str, port: int) -> str:
    """Where a program of this machine finds a server."""
    host = host if host not in ("0.0.0.0", "::", "") else "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def server_config(app: Any, **more: Any) -> uvicorn.Config:
    """How uvicorn runs an ASGI app of ours: it logs nothing by itself, believes no proxy and names no software."""
    import uvicorn

    return uvicorn.Config(
        app,
        ws="none",
        loop="asyncio",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        lifespan="on",
        **more,
    )
