"""Who may ask at all, decided before any route: Host, Origin, token, body size; and the headers of every response.

A page of another site must not read or change anything through the user's browser, also if its name is made to point at
this machine (DNS rebinding): Host must name this server, and what a browser says of where a request comes from must be
this very server. There is no CORS header anywhere.
"""

from __future__ import annotations

import asyncio
import hmac
from ipaddress import ip_address
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agentvid.listening import LOOPBACK_NAMES, MAX_BODY_BYTES, is_loopback, same_secret
from agentvid.serve.context import Options
from agentvid.serve.errors import problem

_CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


class Guards:
    """The ASGI application around all others."""

    def __init__(self, app: ASGIApp, options: Options) -> None:
        self._app, self._options = app, options
        self._hosts = {name.lower() for name in (*LOOPBACK_NAMES, options.host, *options.hosts)}
        self._takes_addresses = not is_loopback(options.host)
        self._cookie = f"agentvid_{options.port}"
        token = options.token.encode()
        # The browser keeps what is made of the token, and not the token.
        self._session = hmac.new(token, b"agentvid page", "sha256").hexdigest()
        self._ticket = options.ticket

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        headers = Headers(scope=scope)
        refused = self._refusal(scope, headers)
        if refused is not None:
            await refused(scope, receive, send_guarded)
            return
        await _Body(self._app, self._options.waits.body_seconds)(scope, receive, send_guarded)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        """What to answer instead of the route, None if the request may pass."""
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_own(hosts[0]):
            return problem(421, "this server is not called so", "open it by the address that it printed")
        if told := _foreign(scope, headers, hosts[0]):
            return problem(403, told, "only pages of this server may ask")
        if scope["method"] in _CHANGING:
            media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
            if media_type != "application/json":
                return problem(415, "the body is not JSON; allowed: Content-Type: application/json")
        if not self._options.token:
            return None
        if scope["path"] == "/login":
            return self._login(scope)
        if self._is_known(headers):
            return None
        if scope["path"].startswith(("/api/", "/media/")):
            return problem(401, "a token is needed", "send Authorization: Bearer TOKEN, or open the printed address")
        return PlainTextResponse("Open the address with the token that the server printed when it started.\n", 401)

    def _is_own(self, host: str) -> bool:
        try:
            parts = urlsplit(f"//{host}")
            name, _ = parts.hostname or "", parts.port
        except ValueError:
            return False
        if parts.username is not None or parts.path or parts.query or parts.fragment:
            return False
        if name in self._hosts:
            return True
        # A name can be made to point here, an address cannot.
        return self._takes_addresses and _is_address(name)

    def _is_known(self, headers: Headers) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and same_secret(given.strip(), self._options.token):
            return True
        return any(same_secret(value, self._session) for value in _cookies(headers, self._cookie))

    def _login(self, scope: Scope) -> Response:
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if scope["method"] != "GET" or not (same_secret(given, self._options.token) or self._takes(given)):
            return PlainTextResponse("This is not the token of this server.\n", 401)
        response = RedirectResponse("/", 303, {"Cache-Control": "no-store"})
        response.set_cookie(self._cookie, self._session, httponly=True, samesite="strict", path="/")
        return response

    def _takes(self, ticket: str) -> bool:
        """Whether it is the ticket, which is good for one time."""
        if not self._ticket or not same_secret(ticket, self._ticket):
            return False
        self._ticket = ""
        return True


class _Body:
    """Refuses bodies that are too long, whether they say so or not, or that take too long to come."""

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self._app, self._seconds = app, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        told = problem(413, f"the body is too long; allowed: {MAX_BODY_BYTES} bytes")
        told.headers["Connection"] = "close"
        length = Headers(scope=scope).get("content-length", "0")
        if length.isdigit() and int(length) > MAX_BODY_BYTES:
            await told(scope, receive, send)
            return
        # The whole body is read here: no route takes one that is not small, and none has to wait for it.
        body = bytearray()
        try:
            async with asyncio.timeout(self._seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return
                    body += message.get("body", b"")
                    if len(body) > MAX_BODY_BYTES:
                        await told(scope, receive, send)
                        return
                    if not message.get("more_body", False):
                        break
        except TimeoutError:
            slow = problem(408, f"the body took more than {self._seconds:g} s", "send it at once")
            slow.headers["Connection"] = "close"
            await slow(scope, receive, send)
            return
        given = False

        async def receive_whole() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": bytes(body), "more_body": False}

        await self._app(scope, receive_whole, send)


def _foreign(scope: Scope, headers: Headers, host: str) -> str:
    """Why a request comes from elsewhere, "" if it does not."""
    origins = headers.getlist("origin")
    # Behind a proxy that speaks TLS the page is https and this server is not.
    own = (f"http://{host.lower()}", f"https://{host.lower()}")
    if origins and (len(origins) > 1 or origins[0].lower() not in own):
        return "this request comes from another site"
    site = headers.get("sec-fetch-site", "same-origin")
    if site in ("same-origin", "none"):
        return ""
    # A link from elsewhere may open the page, and nothing else.
    is_link = scope["method"] == "GET" and headers.get("sec-fetch-mode") == "navigate"
    path = scope["path"]
    is_page = path in ("/", "/login") or path.startswith("/v/")
    return "" if is_link and is_page else "this request comes from another site"


def _cookies(headers: Headers, name: str) -> list[str]:
    pairs = (part.strip().partition("=") for line in headers.getlist("cookie") for part in line.split(";"))
    return [value for key, _, value in pairs if key == name]


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
